"""`evergreen serve` finds its model where others put it and replace it."""

import json
import struct
import threading
from pathlib import Path

import pytest

import replica
from inference.folder import defect, identity


def model(folder: Path, size: int) -> Path:
    """A folder that has all that a model folder must have."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}}).encode()
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * size))
    return folder


def test_what_takes_the_models_place_is_found_through_the_link(tmp_path: Path) -> None:
    folder, link = model(tmp_path / "models", 1), tmp_path / "data" / "serving" / "mine"
    for _ in range(2):  # as at a second start
        replica.link(link, folder, 0)
    assert defect(link) is None
    before = identity(link)
    folder.rename(tmp_path / "previous")
    assert identity(link) is None
    model(folder, 2)
    assert identity(link) not in (None, before)


def test_it_waits_for_a_model_and_not_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica, "LOOK_S", 0.01)
    with pytest.raises(FileNotFoundError, match=r"is not there\. Put a whole model there"):
        replica.link(tmp_path / "link", tmp_path / "models", 0.03)
    later = threading.Timer(0.05, model, (tmp_path / "models", 1))
    later.start()
    replica.link(tmp_path / "link", tmp_path / "models", 10)
    later.join()
    assert defect(tmp_path / "link") is None
