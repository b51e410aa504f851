"""The command that downloads a model, as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from unit.inference.hub_server import LocalHub, hub_of

COMMAND = Path(__file__).resolve().parents[3] / "src" / "utils" / "download_bert.py"


@pytest.fixture(scope="module")
def remote(model_root: Path) -> Iterator[LocalHub]:
    files = {file.name: file.read_bytes() for file in (model_root / "bert-base-cased").iterdir()}
    with hub_of("google-bert/bert-base-cased", files) as served:
        served.aliases = ("bert-base-cased",)
        yield served


def run(remote: LocalHub, root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment = {**kept, "HF_ENDPOINT": remote.hub.url, "EVERGREEN_ROOT": str(root)}
    return subprocess.run([sys.executable, str(COMMAND), *words], capture_output=True, text=True, env=environment)


def test_without_a_word_it_is_bert(tmp_path: Path, remote: LocalHub) -> None:
    done = run(remote, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Downloading bert-base-cased from " in done.stdout
    folder = tmp_path / "src" / "model" / "bert-base-cased"
    ready = f"{folder} is there, whole. Use it with name=bert-base-cased in an item's settings.\n"
    assert done.stdout.endswith(ready)
    assert (folder / "model.safetensors").read_bytes() == remote.files["model.safetensors"]
    again = run(remote, tmp_path)
    assert (again.returncode, again.stdout) == (0, ready)
    remote.files["README.md"] = b"# New"
    assert run(remote, tmp_path, "--update", "bert-base-cased").returncode == 0
    assert (folder / "README.md").read_bytes() == b"# New"
    assert remote.sent("model.safetensors") == ["all"]


def test_with_an_address_a_folder_and_a_name(tmp_path: Path, remote: LocalHub) -> None:
    url = "https://huggingface.co/google-bert/bert-base-cased/tree/main"
    done = run(remote, tmp_path, url, str(tmp_path / "models"), "--name", "mine")
    assert done.returncode == 0
    assert (tmp_path / "models" / "mine" / "config.json").is_file()


def test_errors_say_what_to_do(tmp_path: Path, remote: LocalHub) -> None:
    done = run(remote, tmp_path, "nobody/nothing")
    assert done.returncode == 1
    assert "there is no such model, or it is private. Check the spelling" in done.stderr
    assert "Traceback" not in done.stderr
    assert "usage: download_bert.py" in run(remote, tmp_path, "--help").stdout
