"""Brings a model into its folder: staged beside it, checked file by file, renamed in when it is whole."""

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from inference import origin, pickled, selection
from inference.address import Address, Repository
from inference.answer import Log
from inference.errors import DiskFull, DownloadFailed, DownloadRefused, OriginUnreachable
from inference.folder import defect, put_in_place
from inference.hub import Hub
from inference.line import LedAway, Refused
from inference.origin import Arrived, Origin
from inference.transfer import Cut, Damaged, Progress, RemoteFile, TooMuch, Watch, brought, fetch, sha256, size, there
from inference.webfolder import Web

LIMIT_GB = "EVERGREEN_MODEL_LIMIT_GB"
_TEXT_BYTES = 100_000_000  # a larger text is no vocabulary, but somebody's data
_SPARE_BYTES = 50_000_000  # a disk is never filled to its last byte

_Source = Hub | Web


def bring(
    address: Address,
    folder: Path,
    *,
    token: str | None = None,
    allow_pickle: bool = False,
    again: bool = False,
    log: Log,
    watch: Watch | None = None,
) -> None:
    """Put the model at `address` into `folder`; on any failure `folder` stays as it was.

    A folder that is whole and came from there is left alone, unless `again`. What is right in a folder that is not
    whole is kept, and only the rest is fetched, from the commit it was made from. What a cut download has brought
    stays in `.partial-<name>` for the next try. The folder that was there is kept as `.replaced-<name>`.
    `watch` hears how far it is. Raises `DownloadFailed`.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder, log):
            known = origin.read(folder)
            mends = known is not None and known.is_of(address) and not again
            if known and mends and defect(folder) is None and not known.lacking(folder):
                return  # another host wanted it too and was first
            known = known if mends else None
            source: _Source = (
                Hub(address, commit=known.commit if known else None, token=token)
                if isinstance(address, Repository)
                else Web(address)
            )
            _Delivery(source, folder, known, allow_pickle, log, watch).run()
    except DownloadFailed:
        raise
    except OSError as error:
        raise _of_the_disk(error, address, folder) from error


class _Delivery:
    """One download: from a source, through the staging folder, into the model's folder."""

    def __init__(
        self,
        source: _Source,
        folder: Path,
        known: Origin | None,
        allow_pickle: bool,
        log: Log,
        watch: Watch | None = None,
    ) -> None:
        self._source, self._folder, self._known, self._log = source, folder, known, log
        self._pickle = allow_pickle
        self._staging = folder.with_name(f".partial-{folder.name}")
        self._progress = Progress(0, log, _limit_bytes(), watch=watch)

    def run(self) -> None:
        began_s = time.monotonic()
        self._staging.mkdir(exist_ok=True)
        try:
            texts = self._texts()
            if (other := self._source.instead(self._staging)) is not None:
                self._log(f"{self._source} needs the package timm; taking its branch {other.taken}, which does not.")
                self._source.line.close()
                self._source = other
                texts = self._texts()
            weights, converted = self._weights()
        finally:
            self._source.line.close()
        texts = [name for name in texts if name != selection.INDEX or selection.WHOLE not in weights]
        self._clear({*texts, *weights})
        if problem := defect(self._staging):
            raise DownloadFailed(f"{self._source} was downloaded, but it {problem}. Choose another model or revision.")
        arrived = {name: self._arrived(name) for name in [*texts, *weights]}
        come = self._source.origin
        if self._known:  # mended from its commit, but asked for as before
            come = replace(come, revision=self._known.revision, taken=self._known.taken)
        origin.write(self._staging, replace(come, files=arrived, converted=tuple(converted)))
        put_in_place(self._staging, self._folder)
        self._tell(time.monotonic() - began_s)

    def _tell(self, took_s: float) -> None:
        fetched = self._progress.fetched_bytes
        rate = f", {size(fetched / took_s)}/s" if fetched and took_s else ""
        commit = f" (commit {self._source.commit})" if self._source.commit else ""
        self._log(f"Downloaded {self._source}{commit} to {self._folder}: {size(fetched)} in {took_s:.0f} s{rate}.")

    def _texts(self) -> list[str]:
        """Bring all but the weights."""
        files = self._measured(selection.texts(self._source.files, str(self._source)))
        files = [file for file in files if (file.size_bytes or 0) <= _TEXT_BYTES]
        missing = [file for file in files if not self._keep(file)]
        # What the hub's client does not bring now, the next line fetches or explains.
        with suppress(OriginUnreachable):
            self._source.bring_small([file.name for file in missing], self._staging)
        self._fetch(missing)
        return [file.name for file in files]

    def _measured(self, names: Collection[str]) -> list[RemoteFile]:
        files = [self._source.measured(self._source.files[name]) for name in names]
        self._source.files |= {file.name: file for file in files}
        return files

    def _weights(self) -> tuple[list[str], list[str]]:
        """Bring the weights; their names here, and the names of the pickled files they were made from."""
        if kept := self._converted():
            return kept, list(self._known.converted if self._known else ())
        names = selection.weights(self._source.files, str(self._source), pickled=self._pickle, read=self._read)
        wanted = self._measured(names)
        missing = [file for file in wanted if not self._keep(file)]
        self._make_room(wanted, missing)
        self._fetch(missing)
        if not names[0].endswith(".bin"):
            return names, []
        self._log(f"Turning {', '.join(names)} into safetensors.")
        return pickled.convert(self._staging, names), names

    def _read(self, index: str) -> str:
        """The text of an index of the weights; one of pickled ones is not among the texts."""
        file = self._source.files[index]
        if index == selection.PICKLED_INDEX and not self._keep(file):
            self._fetch([file])
        return (self._staging / index).read_text(encoding="utf-8")

    def _converted(self) -> list[str]:
        """The weights of a folder to be mended that were made from pickled ones, if they are all right."""
        if self._known is None or not self._known.converted:
            return []
        names = [name for name in self._known.files if name.endswith(".safetensors") or name == selection.INDEX]
        kept = [self._keep(RemoteFile(name, "", None, self._known.files[name].sha256)) for name in names]
        return names if names and all(kept) else []

    def _keep(self, file: RemoteFile) -> bool:
        """Take a file that is at hand: staged by an earlier try, in the folder to be mended, in a cache."""
        staged, here = self._staging / file.name, self._folder / file.name
        if there(file, staged) or brought(file, self._staging):
            return True
        recorded = self._known.files.get(file.name) if self._known else None
        as_recorded = replace(file, sha256=recorded.sha256) if recorded and not file.known else file
        if there(as_recorded, here):
            staged.parent.mkdir(exist_ok=True)
            staged.unlink(missing_ok=True)
            try:
                os.link(here, staged)
            except OSError:  # a file system without links
                shutil.copyfile(here, staged)
            return True
        if (cached := self._source.at_hand(file)) is None:
            return False
        staged.unlink(missing_ok=True)
        shutil.copyfile(cached, staged)
        return True

    def _make_room(self, wanted: list[RemoteFile], missing: list[RemoteFile]) -> None:
        """Refuse what is too large before any of it comes; say what comes."""
        total = sum(file.size_bytes or 0 for file in wanted)
        self._progress.begin(sum(file.size_bytes or 0 for file in missing))
        if total > self._progress.limit_bytes:
            raise DownloadRefused(_too_large(str(self._source), total))
        parts = sum(part.stat().st_size for part in (self._staging / ".parts").glob("*") if part.suffix != ".tag")
        copies = 2 if any(file.name.endswith(".bin") for file in missing) else 1
        needed = self._progress.total_bytes * copies - parts
        free = shutil.disk_usage(self._staging).free
        if missing and needed + _SPARE_BYTES > free:
            raise DiskFull(
                f"{self._source} needs {size(max(needed, 0))} more on the disk of {self._folder.parent}, and "
                f"{size(free)} are free. Make room there, or set path to a folder on another disk."
            )
        if missing:
            amount = f", {size(self._progress.total_bytes)}" if self._progress.total_bytes else ""
            doubt = "" if all(file.known for file in missing) else " No hashes are published: only sizes are checked."
            self._log(f"Downloading {self._source}{self._source.place}: {len(missing)} weight files{amount}.{doubt}")

    def _fetch(self, files: Collection[RemoteFile]) -> None:
        for file in files:
            if there(file, self._staging / file.name):
                continue
            try:
                fetch(self._source.line, file, self._staging, self._progress)
            except TooMuch as error:
                raise DownloadRefused(_too_large(str(self._source), self._progress.done_bytes)) from error
            except (Refused, LedAway, Cut, Damaged) as error:
                raise self._source.explain(error, file.name) from error
            except OSError as error:
                if error.errno is not None and not _is_network(error):
                    raise
                raise self._source.explain(error, file.name) from error

    def _clear(self, wanted: set[str]) -> None:
        """Remove what does not belong to the model: parts, marks, files of another try."""
        for entry in self._staging.iterdir():
            if entry.is_dir() and entry.name != selection.TEMPLATES:
                shutil.rmtree(entry)
            elif entry.is_file() and entry.name not in wanted:
                entry.unlink()

    def _arrived(self, name: str) -> Arrived:
        path, file = self._staging / name, self._source.files.get(name)
        if file is None:  # made here
            return Arrived(path.stat().st_size, sha256(path), "nothing")
        known = (("sha256", file.sha256), ("git-sha1", file.git_sha1), ("size", file.size_bytes), ("nothing", True))
        checked = next(name for name, value in known if value is not None)
        return Arrived(path.stat().st_size, file.sha256 or sha256(path), checked)


@contextmanager
def _alone(folder: Path, log: Log) -> Iterator[None]:
    """Nobody else is at work on `folder` meanwhile, no other process either: a download, or a promotion of `tuning`."""
    with folder.with_name(f".lock-{folder.name}").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"Somebody else is at work on {folder.name}, perhaps downloading it; waiting for that to end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # the lock is let go when the file is closed, by a crash too


def _limit_bytes() -> float:
    text = os.environ.get("EVERGREEN_MODEL_LIMIT_GB", "100")
    try:
        return float(text) * 1e9
    except ValueError as error:
        raise DownloadRefused(f"{LIMIT_GB}={text!r} is no number. Set it to gigabytes, such as 100.") from error


def _too_large(what: str, count: float) -> str:
    return f"{what} has more than is allowed ({size(count)}). Choose a smaller model, or raise {LIMIT_GB}."


def _is_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError) or type(error).__module__.startswith(("requests", "urllib3", "ssl"))


def _of_the_disk(error: OSError, address: Address, folder: Path) -> DownloadFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            f"The disk of {folder.parent} is full, {address} is not whole yet. Make room there and try again (what "
            "arrived is kept), or set path to a folder on another disk."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DownloadRefused(
            f"{address} cannot be written to {folder.parent} ({error.strerror}). Give the account that runs the "
            "production the right to write there, or set path to another folder."
        )
    return DownloadFailed(
        f"{address} could not be stored in {folder.parent} ({error.strerror or error}). Check the disk and try again."
    )
