"""Files over HTTP: resumed where they were cut, checked, counted for the log.

Knows nothing of hubs and models; `hub` and `webfolder` say what to fetch and put its errors into their own words.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference.answer import Log
from inference.line import Line, Refused, is_busy, patient

REPORT_EVERY_S = 5.0
_CHUNK_BYTES = 1 << 16  # what a cut may lose

Watch = Callable[[int, int], None]
"""Gets the bytes that are there and those there will be (0: nobody knows), often. What it raises ends the download."""


class Cut(Exception):
    """A server ended an answer too early, again and again."""


class TooMuch(Exception):
    """More bytes come than are allowed; the argument is how many that is."""


class Damaged(Exception):
    """A file arrived whole, but it is not the one that was announced; the argument says how it differs."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: `name` is its place in the model folder; what is known of it beforehand is checked."""

    name: str
    url: str = field(repr=False)
    size_bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None
    tag: str | None = None
    """What the server says of this version: its ETag, or the time it was changed."""

    @property
    def known(self) -> bool:
        """Whether a hash is known, so that a copy from anywhere can be trusted."""
        return bool(self.sha256 or self.git_sha1)


@dataclass
class Progress:
    """Counts bytes and writes a log line now and then: share, amount, rate."""

    total_bytes: int
    log: Log
    limit_bytes: float = float("inf")
    done_bytes: int = 0
    fetched_bytes: int = 0
    watch: Watch | None = None
    _last_bytes: int = 0
    _last_s: float = field(default_factory=time.monotonic)

    def begin(self, total_bytes: int) -> None:
        """Count from nothing to `total_bytes` from here on."""
        self.total_bytes, self.done_bytes = total_bytes, 0
        self._last_bytes, self._last_s = self.fetched_bytes, time.monotonic()

    def add(self, count: int, *, fetched: bool = True) -> None:
        """`count` more bytes are there (fewer, if negative); `fetched` of them now, not at an earlier try."""
        self.done_bytes += count
        self.fetched_bytes += count if fetched else 0
        if self.done_bytes > self.limit_bytes:
            raise TooMuch(self.limit_bytes)
        if self.watch is not None:
            self.watch(self.done_bytes, self.total_bytes)
        now_s = time.monotonic()
        if now_s - self._last_s < REPORT_EVERY_S:
            return
        rate = max(0.0, (self.fetched_bytes - self._last_bytes) / max(now_s - self._last_s, 1e-9))
        self._last_s, self._last_bytes = now_s, self.fetched_bytes
        share = f" ({min(1.0, self.done_bytes / self.total_bytes):.0%})" if self.total_bytes else ""
        of = f" of {size(self.total_bytes)}" if self.total_bytes else ""
        self.log(f"Downloaded {size(self.done_bytes)}{of}{share}, {size(rate)}/s.")


def fetch(line: Line, file: RemoteFile, folder: Path, progress: Progress) -> None:
    """Bring `file` into `folder`, going on where an earlier try was cut; it gets its name when it is checked.

    Raises `Refused`, `LedAway`, `Cut`, `Damaged`, OSError (the disk, or what requests raises for the network).
    """
    target = folder / file.name
    part = folder / ".parts" / _part_name(file)
    part.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        resumed = part.exists()
        _receive(line, file, part, progress)
        try:
            check(file, part)
        except Damaged:
            progress.add(-part.stat().st_size, fetched=False)
            part.unlink()
            if last or not resumed:  # what an earlier try left may be the fault
                raise
        else:
            break
    part.replace(target)


def check(file: RemoteFile, path: Path) -> None:
    """Raises `Damaged` if what lies at `path` is not `file`, as far as its size and hashes are known."""
    there = path.stat().st_size
    if file.size_bytes is not None and there != file.size_bytes:
        raise Damaged(f"{there:,} bytes instead of {file.size_bytes:,}")
    if file.sha256 and (found := sha256(path)) != file.sha256:
        raise Damaged(f"sha256 {found[:16]}... instead of {file.sha256[:16]}...")
    if file.git_sha1 and (found := git_sha1(path)) != file.git_sha1:
        raise Damaged(f"git hash {found[:16]}... instead of {file.git_sha1[:16]}...")


def there(file: RemoteFile, path: Path) -> bool:
    """Whether `path` holds `file`, whose hash is known."""
    try:
        check(file, path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, Damaged):
        return False
    return file.known


def brought(file: RemoteFile, folder: Path) -> bool:
    """Whether `fetch` has brought `file` into `folder` before, and the server still has the same version."""
    target, tag = folder / file.name, _tag(folder / ".parts" / _part_name(file))
    if file.known or file.tag is None or tag != file.tag or file.size_bytes is None:
        return False
    return target.is_file() and target.stat().st_size == file.size_bytes


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_sha1(path: Path) -> str:
    """The hash that git, and so the hub, gives a file that is not in LFS."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def version(headers: Mapping[str, str]) -> str | None:
    """What tells this version of a file from the next, byte by byte, if the server says so."""
    tag = headers.get("ETag", "")
    return (tag if not tag.startswith("W/") else "") or headers.get("Last-Modified") or None


def size(count: float) -> str:
    """`count` bytes, as people say it."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _receive(line: Line, file: RemoteFile, part: Path, progress: Progress) -> None:
    """Read until the server has sent all, through cuts and refusals that pass."""
    from requests.exceptions import ChunkedEncodingError, ConnectionError, SSLError, Timeout

    if part.exists():
        progress.add(part.stat().st_size, fetched=False)
    tried, before = 0, _length(part)
    while True:
        try:
            _read(line, file, part, progress)
            return
        except SSLError:
            raise
        except (Cut, ChunkedEncodingError, ConnectionError, Timeout) as error:
            failure, wait_s = error, None
        except Refused as error:
            if not is_busy(error.status):
                raise
            failure, wait_s = error, error.retry_after_s
        tried, before = (0, _length(part)) if _length(part) > before else (tried, before)
        if not patient(tried, wait_s):
            raise failure
        tried += 1


def _read(line: Line, file: RemoteFile, part: Path, progress: Progress) -> None:
    """One request for what is still missing."""
    start, tag = _length(part), _tag(part)
    if start and not file.known and tag is None:
        progress.add(-start, fetched=False)
        part.unlink()
        start = 0
    if file.size_bytes is not None and start >= file.size_bytes and part.exists():
        return
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and not file.known:
        headers["If-Range"] = str(tag)
    try:
        with line.ask("GET", file.url, headers) as response:
            goes_on = response.status_code == 206 and _first(response) == start
            if start and not goes_on:
                progress.add(-start, fetched=False)
            if not goes_on:
                _keep_tag(part, response.headers)
            _write(response, part, progress, append=goes_on)
            _complete(response, part, start if goes_on else 0)
    except Refused as error:
        if error.status != 416 or not start:
            raise
        progress.add(-start, fetched=False)
        part.unlink()
        raise Cut("the server has less of it than was here already") from error


def _write(response: Any, part: Path, progress: Progress, *, append: bool) -> None:
    with part.open("ab" if append else "wb") as stream:
        for chunk in response.iter_content(_CHUNK_BYTES):
            stream.write(chunk)
            progress.add(len(chunk))
        stream.flush()
        with suppress(OSError):  # not every file system can
            os.fsync(stream.fileno())


def _complete(response: Any, part: Path, start: int) -> None:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and "Content-Encoding" not in response.headers and _length(part) != start + int(announced):
        raise Cut(f"{_length(part) - start:,} of {int(announced):,} bytes came")


def _first(response: Any) -> int | None:
    """Where the part of a file begins that the server sends."""
    span = str(response.headers.get("Content-Range", "")).removeprefix("bytes ").split("-")[0]
    return int(span) if span.isdigit() else None


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _part_name(file: RemoteFile) -> str:
    """Named by content where that is known, so that no part is continued with another file."""
    key = file.sha256 or file.git_sha1 or hashlib.sha256(file.url.encode()).hexdigest()[:16]
    return f"{file.name.replace('/', '_')}.{key[:16]}"


def _keep_tag(part: Path, headers: Mapping[str, str]) -> None:
    """Remember what tells this version of the file from the next."""
    _tag_file(part).write_text(json.dumps(version(headers)), encoding="utf-8")


def _tag(part: Path) -> str | None:
    try:
        tag = json.loads(_tag_file(part).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return tag if isinstance(tag, str) and tag else None


def _tag_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.tag")
