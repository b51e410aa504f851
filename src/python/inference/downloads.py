"""Downloads that somebody watches: each in a thread of its own, with its progress, and a way to stop it."""

import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from inference import address, download
from inference.answer import Log
from inference.errors import DownloadFailed, DownloadRefused, ModelNotFound
from inference.folder import defect, plain

AT_ONCE = 2
KEPT = 20  # downloads that are over and still shown
LINES = 50  # of what a download says

State = Literal["waiting", "running", "cancelling", "done", "failed", "cancelled"]


class Cancelled(Exception):
    """Somebody stopped the download."""


@dataclass
class Download:
    """One of them. `total_bytes` is 0 until it is known; `error` says why it failed and what to do."""

    id: str
    name: str
    address: str
    state: State = "waiting"
    done_bytes: int = 0
    total_bytes: int = 0
    error: str = ""
    began_s: float = field(default_factory=time.time)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES))
    stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    def watch(self, done_bytes: int, total_bytes: int) -> None:
        """Hear how far it is; raises `Cancelled` to end it."""
        self.done_bytes, self.total_bytes = max(0, done_bytes), total_bytes
        self.check()

    def check(self) -> None:
        if self.stop.is_set():
            raise Cancelled


def folder_name(text: str, name: str = "") -> str:
    """What the folder of a download is called: `name`, or the model's own. Raises `DownloadFailed`."""
    own = str(address.parse(text)).partition(" at ")[0].rstrip("/").rpartition("/")[2]
    try:
        return plain(name.strip() or own)
    except ModelNotFound as error:
        raise DownloadRefused(str(error)) from error


class Downloads:
    """Those into one folder of models, `root`. Safe to use from any thread; `log` gets a line when one is over."""

    def __init__(self, root: Path, log: Log) -> None:
        self._root, self._log = root, log
        self._guard = threading.Lock()
        self._turn = threading.BoundedSemaphore(AT_ONCE)
        self._all: dict[str, Download] = {}

    def start(self, text: str, name: str = "") -> Download:
        """Begin to bring the model at the address that was pasted; `name` is its folder's, by default the model's own.

        Raises `DownloadFailed` for what is no address, and `DownloadRefused` where a model has that name, or one is
        being brought there.
        """
        where, folder = address.parse(text), self._root / folder_name(text, name)
        made = Download(uuid.uuid4().hex[:12], folder.name, str(where))
        with self._guard:
            if any(one.name == made.name and not one.over for one in self._all.values()):
                raise DownloadRefused(f"{made.name} is being downloaded already: wait for it, or cancel it.")
            if folder.exists() and defect(folder) is None:
                raise DownloadRefused(
                    f"There is a model {made.name} already. Give another name, or remove the folder {folder} first."
                )
            for old in [one.id for one in self._all.values() if one.over][:-KEPT]:
                del self._all[old]
            self._all[made.id] = made
        threading.Thread(
            target=self._bring, args=(made, where, folder), name=f"download {made.name}", daemon=True
        ).start()
        return made

    def all(self) -> list[Download]:
        """Those at work and those that were, the newest first."""
        with self._guard:
            return list(self._all.values())[::-1]

    def cancel(self, id: str) -> Download:
        """Stop one at its next bytes; what has arrived is kept for another try. Raises `DownloadRefused`."""
        with self._guard:
            found = self._all.get(id)
            if found is None or found.over:
                raise DownloadRefused("This download is over, or there is none: look at the list again.")
            found.state = "cancelling"
        found.stop.set()
        return found

    def close(self) -> None:
        """Stop all of them."""
        for one in self.all():
            one.stop.set()

    def _bring(self, made: Download, where: address.Address, folder: Path) -> None:
        def say(line: str) -> None:
            made.lines.append(line)
            made.check()

        try:
            while not self._turn.acquire(timeout=0.2):
                made.check()
            try:
                made.check()
                made.state = "running"
                download.bring(where, folder, log=say, watch=made.watch)
            finally:
                self._turn.release()
        except Cancelled:
            made.state = "cancelled"
        except DownloadFailed as error:
            made.error, made.state = str(error), "failed"
        else:
            made.state = "done"
        finally:
            if not made.over:  # a fault of ours: whoever waits must not wait for ever
                made.error, made.state = "It ended with an error nobody expected: the console has it.", "failed"
        end = made.error or next(reversed(made.lines), "")
        self._log(f"The download of {made.address} as {made.name} is {made.state}. {end}".rstrip())
