"""A model folder: whole or not, and how another takes its place."""

import json
import shutil
from pathlib import Path

import pytest

from inference import folder


@pytest.fixture
def whole(model_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_root / "bert-classifier", tmp_path / "model"))


def test_whole(whole: Path) -> None:
    assert folder.defect(whole) is None
    assert folder.defect(whole.with_name("nowhere")) == "is not there"
    assert folder.defect(whole / "config.json") == "is not there"


@pytest.fixture
def sharded(whole: Path) -> Path:
    """The same model with its weights in two files and an index, as large models have them."""
    from safetensors.torch import load_file, save_file

    weights = load_file(whole / "model.safetensors")
    (whole / "model.safetensors").unlink()
    shards = {name: f"model-0000{1 + place % 2}-of-00002.safetensors" for place, name in enumerate(weights)}
    for shard in set(shards.values()):
        part = {name: tensor for name, tensor in weights.items() if shards[name] == shard}
        save_file(part, whole / shard, metadata={"format": "pt"})
    (whole / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    return whole


def test_shards(sharded: Path) -> None:
    from inference import pipeline

    assert folder.defect(sharded) is None
    model = pipeline.open(sharded.name, "text-classification", path=str(sharded.parent))
    assert model.note == ""
    second = sharded / "model-00002-of-00002.safetensors"
    second.write_bytes(second.read_bytes()[:-1])
    assert str(folder.defect(sharded)).startswith("has a damaged model-00002-of-00002.safetensors")
    second.unlink()
    lacking = "lacks model-00002-of-00002.safetensors, which model.safetensors.index.json lists"
    assert folder.defect(sharded) == lacking
    (sharded / "model.safetensors.index.json").write_text("{}")
    assert "lists no weights" in str(folder.defect(sharded))


@pytest.mark.parametrize("header", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0[]", b"\x08\0\0\0\0\0\0\0" + b'{"a": 1}'])
def test_headers_that_are_none(whole: Path, header: bytes) -> None:
    (whole / "model.safetensors").write_bytes(header + b"\0" * 20)
    assert folder.defect(whole) == "has a model.safetensors that is no safetensors file"


def test_identity_changes_when_another_model_takes_the_place(whole: Path) -> None:
    before = folder.identity(whole)
    assert before == folder.identity(whole)
    other = Path(shutil.copytree(whole, whole.with_name("other")))
    assert folder.identity(other) != before
    whole.rename(whole.with_name("previous"))
    assert folder.identity(whole) is None
    other.rename(whole)
    assert folder.identity(whole) not in (None, before)


def test_put_in_place_keeps_what_was_there(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        staging = tmp_path / "staging"
        staging.mkdir()
        (staging / "config.json").write_text(name)
        folder.put_in_place(staging, tmp_path / "model")
    assert (tmp_path / "model" / "config.json").read_text() == "three"
    assert (tmp_path / ".replaced-model" / "config.json").read_text() == "two"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".replaced-model", "model"]
