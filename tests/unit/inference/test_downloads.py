"""Downloads that somebody watches: their progress, their end, and how they are stopped."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.downloads import Downloads
from inference.errors import DownloadRefused
from unit.inference.hub_server import LocalHub, hub_of
from unit.inference.local_server import Reply
from waiting import eventually

NAME = "someone/tiny"


@pytest.fixture
def files(model_root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (model_root / "bert-classifier").iterdir()}


@pytest.fixture
def remote(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with hub_of(NAME, files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.hub.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


def wait(downloads: Downloads, id: str) -> None:
    eventually(lambda: next(one for one in downloads.all() if one.id == id).over, downloads.all)


def test_a_model_is_brought_and_says_how_far_it_is(tmp_path: Path, remote: LocalHub, files: dict[str, bytes]) -> None:
    log: list[str] = []
    downloads = Downloads(tmp_path, log.append)
    made = downloads.start(f"{remote.hub.url}/{NAME}/tree/main")
    wait(downloads, made.id)
    assert (made.state, made.name, made.error) == ("done", "tiny", "")
    assert made.done_bytes == made.total_bytes == len(files["model.safetensors"])
    assert json.loads((tmp_path / "tiny" / ".evergreen.json").read_text())["commit"] == remote.commit()
    assert any("Downloaded" in line for line in made.lines)
    assert log[0].startswith(f"The download of {NAME} at main as tiny is done.")
    with pytest.raises(DownloadRefused, match="There is a model tiny already"):
        downloads.start(NAME)
    other = downloads.start(NAME, "another")
    wait(downloads, other.id)
    assert [one.name for one in downloads.all()] == ["another", "tiny"]


def test_a_download_is_stopped_and_leaves_no_folder(tmp_path: Path, remote: LocalHub, files: dict[str, bytes]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(reply: Reply) -> Reply:
        begun.set()
        assert go_on.wait(60)
        return reply

    remote.faults["model.safetensors"] = [slow]
    downloads = Downloads(tmp_path, print)
    made = downloads.start(NAME)
    assert begun.wait(60)
    with pytest.raises(DownloadRefused, match="being downloaded already"):
        downloads.start(NAME)
    assert downloads.cancel(made.id).state == "cancelling"
    go_on.set()
    wait(downloads, made.id)
    assert made.state == "cancelled" and not (tmp_path / "tiny").exists()
    with pytest.raises(DownloadRefused, match="is over"):
        downloads.cancel(made.id)
    again = downloads.start(NAME)
    wait(downloads, again.id)
    assert again.state == "done"


def test_what_cannot_be_had_is_told(tmp_path: Path, remote: LocalHub) -> None:
    downloads = Downloads(tmp_path, print)
    made = downloads.start("someone/else")
    wait(downloads, made.id)
    assert made.state == "failed" and "Check the spelling" in made.error


@pytest.mark.parametrize(
    ("address", "name", "words"),
    [
        ("not an address", "", "does not name a model"),
        ("file:///etc/passwd", "", "not an http or https address"),
        (NAME, "../elsewhere", "not the plain name of a folder"),
        (NAME, ".hidden", "not the plain name of a folder"),
        ("", "", "does not name a model"),
    ],
)
def test_addresses_and_names_are_checked_before_anything_is_asked(
    tmp_path: Path, remote: LocalHub, address: str, name: str, words: str
) -> None:
    from inference.errors import DownloadFailed

    with pytest.raises(DownloadFailed, match=words):
        Downloads(tmp_path / "model", print).start(address, name)
    assert remote.hub.requests == [] and not (tmp_path / "model").exists()
