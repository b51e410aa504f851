"""Where the folders of one model lie, what they are called, and who may change them."""

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuning import disk
from tuning.errors import BadRequest, CandidateBroken, ModelUnusable

MARKER = "complete.json"
REPORT = "report.json"
CARD = "README.md"
_ABOUT = frozenset({MARKER, REPORT, CARD})  # they tell about a model and are no part of it
_NAME = re.compile(r"[^\W_][\w.+-]*")
_RESERVED = ("temp-", "previous-", "rolled-back-")


@dataclass(frozen=True)
class Places:
    """The folders and files of one model. What begins with a dot is on its way somewhere."""

    root: Path
    name: str

    @property
    def champion(self) -> Path:
        """The model that answers."""
        return self.root / self.name

    @property
    def candidate(self) -> Path:
        """The model of the last training."""
        return self.root / f"temp-{self.name}"

    @property
    def previous(self) -> Path:
        """The champion before this one."""
        return self.root / f"previous-{self.name}"

    @property
    def rolled_back(self) -> Path:
        """The champion that a rollback took away while another candidate was waiting."""
        return self.root / f"rolled-back-{self.name}"

    @property
    def history(self) -> Path:
        """One line of JSON for each promotion and rollback."""
        return self.root / f"promotions-{self.name}.jsonl"

    @property
    def shadow(self) -> Path:
        """One line of JSON for each request that the candidate answered beside the champion."""
        return self.root / f"shadow-{self.name}.jsonl"

    @property
    def staging(self) -> Path:
        """A candidate that is being written; complete once it has its marker."""
        return self.root / f".staging-{self.name}"

    @property
    def retired(self) -> Path:
        """What makes room for the model taken away while models change places."""
        return self.root / f".retired-{self.name}"

    @property
    def journal(self) -> Path:
        """What is being done, while models change places."""
        return self.root / f".journal-{self.name}.json"


@dataclass(frozen=True)
class Contents:
    """The files of a model's folder, hidden ones left out."""

    sha256: dict[str, str]
    """By the file's path in the folder."""

    @property
    def id(self) -> str:
        """Of the model: what its report, its card and its marker say does not count."""
        return _digest({name: sha256 for name, sha256 in self.sha256.items() if name not in _ABOUT})

    @property
    def fingerprint(self) -> str:
        """Of the folder, every file of it."""
        return _digest(self.sha256)

    @property
    def weights(self) -> dict[str, str]:
        return {name: sha256 for name, sha256 in self.sha256.items() if name.endswith(".safetensors")}


def places(root: Path, name: str) -> Places:
    """The folders of the model `name` in `root`; `BadRequest` if no folder may be called so."""
    if not _NAME.fullmatch(name) or name.startswith(_RESERVED):
        raise BadRequest(
            f"model_name is {name!r}, which is no name of a model folder. Give the folder's name alone: letters, "
            "digits, '.', '-', '_', not beginning with temp-, previous- or rolled-back-."
        )
    return Places(root, name)


@contextmanager
def locked(at: Places) -> Iterator[Places]:
    """`at`, with no other thread or process at work on its folders."""
    if not at.root.is_dir():
        raise ModelUnusable(f"There is no folder {at.root}. Set path to the folder that holds the models.")
    with disk.refusing(at.root, f"look after the models of {at.name}"):
        lock = (at.root / f".lock-{at.name}").open("a")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, by a crash too
        yield at


def read(folder: Path) -> Contents:
    """The contents of a model's folder as they are on the disk now; every byte of it is read."""
    return Contents({str(path.relative_to(folder)): _sha256(path) for path in files(folder)})


def files(folder: Path) -> list[Path]:
    """The files of a model's folder, hidden ones and those in hidden folders left out."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_whole(folder: Path, advice: str) -> Contents:
    """The contents of a folder that a training saved; `CandidateBroken` if they are not what it saved."""
    hashes = _marked(folder)
    if hashes is None:
        there = (folder / MARKER).is_file()
        broken = f"corrupt: {MARKER} cannot be read" if there else f"incomplete: it has no {MARKER}"
        raise CandidateBroken(f"The model in {folder} is {broken}. {advice}")
    found = read(folder)
    for name, expected in hashes.items():
        if found.sha256.get(name) != expected:
            raise CandidateBroken(f"The model in {folder} is corrupt: {name} is not what was saved. {advice}")
    for name in found.weights.keys() - hashes.keys():
        raise CandidateBroken(f"The model in {folder} is corrupt: {name} came to it later. {advice}")
    return found


def noted_id(folder: Path) -> str:
    """The id of the model that a training saved in `folder`, as its marker has it; '' if there is none."""
    hashes = _marked(folder)
    return Contents(hashes).id if hashes is not None else ""


def report(folder: Path) -> dict[str, Any]:
    """The report of the training that made the model in `folder`; {} if there is none that can be read."""
    try:
        content = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _marked(folder: Path) -> dict[str, str] | None:
    """The hashes that the marker of a folder lists; None without a marker, or with one that nobody can read."""
    try:
        hashes = json.loads((folder / MARKER).read_text(encoding="utf-8"))["sha256"]
        return {str(name): str(sha256) for name, sha256 in hashes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(hashes: dict[str, str]) -> str:
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
