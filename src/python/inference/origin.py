"""What a model folder knows of where it came from: `.evergreen.json`, written when a download is whole."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from inference.address import Address, Repository

NAME = ".evergreen.json"
_READING = ("readme", "license", "notice")


@dataclass(frozen=True)
class Arrived:
    """A file as it arrived. `checked` names what it was held against: sha256, git-sha1, size or nothing."""

    size_bytes: int
    sha256: str
    checked: str


@dataclass(frozen=True)
class Origin:
    """Where a folder came from: `source` is the hub's address or the web folder's; the rest is the hub's alone.

    `asked` and `revision` are as the settings had them, `repository` and `commit` what the hub made of them;
    `taken` is the revision that was chosen instead, `converted` the pickled files that became safetensors here.
    """

    source: str
    asked: str | None = None
    repository: str | None = None
    revision: str | None = None
    taken: str | None = None
    commit: str | None = None
    converted: tuple[str, ...] = ()
    date: str = ""
    files: Mapping[str, Arrived] = field(default_factory=dict)

    def is_of(self, address: Address) -> bool:
        """Whether `address` asks for what is here: the same model at the same revision, or at the commit recorded."""
        if not isinstance(address, Repository):
            return self.repository is None and self.source == address.url
        if address.name not in (self.asked, self.repository):
            return False
        wanted = address.revision or "main"
        commit = self.commit or ""
        return wanted == (self.revision or "main") or (len(wanted) >= 7 and commit.startswith(wanted))

    def lacking(self, folder: Path) -> list[str]:
        """The files that arrived and are no longer there; those for reading, such as a licence, are not missed."""
        return [name for name in self.files if not name.lower().startswith(_READING) and not (folder / name).is_file()]

    def __str__(self) -> str:
        if self.repository is None:
            return self.source
        return f"{self.repository}, revision {self.taken or self.revision or 'main'}, commit {self.commit}"


def read(folder: Path) -> Origin | None:
    """The record in `folder`; None if there is none, or one that nobody can read."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        files = {str(name): Arrived(**entry) for name, entry in content.pop("files").items()}
        return Origin(files=files, **{**content, "converted": tuple(content.get("converted", ()))})
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write(folder: Path, origin: Origin) -> None:
    content = {**asdict(origin), "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    content["files"] = {name: asdict(entry) for name, entry in sorted(origin.files.items())}
    (folder / NAME).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
