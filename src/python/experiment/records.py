"""What is written down of each step: live while it runs, and for good, with the marker last, when it is done.

A step's folder is `run_N/STEP`, or `run_N/STEP/MODEL` for those that each model has. A record says what went in (hashes
of data, code, settings and base model, together the key) and what came out. A step whose key is known is not repeated.
"""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import filelocks
from experiment.errors import BadRequest, RunBusy
from experiment.storage import MARKER, Store

RECONCILIATION, PREPARATION, TRAINING, TUNING, INFERENCE = (
    "reconciliation", "preparation", "training", "tuning", "inference"
)  # fmt: skip
STEPS = (RECONCILIATION, PREPARATION, TRAINING, TUNING, INFERENCE)
"""In their order."""

RECORD, STATE, LOG = "record.json", "state.json", "log.txt"
VERSION = "1"
"""Of what the steps write: a change of it lets every step run anew."""

_LOCK, _LEASE = "lock", "lease.json"
_LEASE_S = 60.0
_BEAT_S = 1.0
_PACKAGES = ("torch", "transformers", "accelerate", "datasets", "tokenizers", "numpy", "optuna")


@dataclass(frozen=True)
class Step:
    """A step of a run; `model` is "" for the reconciliation."""

    name: str
    model: str = ""

    @property
    def key(self) -> str:
        """How people and commands name it: training/MiniLM."""
        return f"{self.name}/{self.model}" if self.model else self.name

    @classmethod
    def parse(cls, key: "str | Step") -> "Step":
        """The step of this key. Raises `BadRequest`."""
        if isinstance(key, Step):
            return key
        name, _, model = key.partition("/")
        if name not in STEPS or (name == RECONCILIATION) != (not model):
            raise BadRequest(f"There is no step {key!r}: write reconciliation, or preparation/MODEL, training/MODEL, "
                             "tuning/MODEL, inference/MODEL.")  # fmt: skip
        return cls(name, model)

    def place(self, number: int) -> str:
        """Its folder in the experiment."""
        return f"run_{number}/{self.name}" + (f"/{slug(self.model)}" if self.model else "")


@dataclass
class Watch:
    """What a step tells while it runs, and how it learns that it is to stop."""

    store: Store
    place: str
    log: Any = None
    """A function that takes a line."""
    stop: Any = None
    """Raises `Cancelled` when the run is to stop."""
    facts: dict[str, Any] = field(default_factory=dict)
    writes: bool = True
    """Whether this process is the one that writes."""
    tracker: Any = None
    """A `tracking.Trackers` that hears of every point of a curve."""
    _wrote_s: float = -1e9

    def told(self, line: str) -> None:
        """A line for people."""
        if self.writes and self.log is not None:
            self.log(line)

    def check(self) -> None:
        """Raise `Cancelled` if the run is to stop."""
        if self.stop is not None:
            self.stop()

    def progress(self, share: float, note: str = "") -> None:
        """How much is done, 0 to 1; written once a second at most."""
        self.check()
        if not self.writes:
            return
        now = time.monotonic()
        self.facts |= {"progress": round(share, 4), "note": note}
        if now - self._wrote_s >= _BEAT_S:
            self._wrote_s = now
            self.write()

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """What was measured at a step of a training."""
        if self.writes and self.tracker is not None:
            self.tracker.point(step, figures)

    def write(self, **facts: Any) -> None:
        """Write down how the step stands."""
        self.facts |= facts
        self.store.write_json(f"{self.place}/{STATE}", {**self.facts, "seen": seconds()})


def slug(name: str) -> str:
    """A model's name as a folder's: all-MiniLM-L6-v2:3 → all-MiniLM-L6-v2-3."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def digest(*parts: Any) -> str:
    """sha256 of values that JSON can write."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def seconds() -> float:
    """Seconds since 1970."""
    return round(time.time(), 3)


def complete(store: Store, place: str) -> dict[str, Any] | None:
    """The record of a step that is done; None if it is not."""
    marked, content = store.read(f"{place}/{MARKER}"), store.read(f"{place}/{RECORD}")
    if marked is None or content is None or marked.decode().strip() != hashlib.sha256(content).hexdigest():
        return None
    found: dict[str, Any] = json.loads(content)
    return found


def write(store: Store, place: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a record, and its marker when everything else is on the disk; the record."""
    content = (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
    store.write(f"{place}/{RECORD}", content)
    store.write(f"{place}/{MARKER}", hashlib.sha256(content).hexdigest().encode())
    return dict(record)


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide over a result; of those that are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def machine() -> str:
    """Where this is: processor and cores."""
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores"


@contextmanager
def lease(store: Store, place: str) -> Iterator[None]:
    """The right to work in a folder. Raises `RunBusy` while another process has it; a crash lets go of it.

    In a folder it is a lock of the operating system; elsewhere a file that is renewed, which counts for a minute.
    """
    busy = RunBusy(f"Another process is working on {place} of {store.address}. Wait for it, or cancel its run.")
    if store.local is not None:
        (store.local / place).mkdir(parents=True, exist_ok=True)
        with (store.local / place / _LOCK).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise busy from None
            yield
        return
    if held(store, place):
        raise busy
    with _renewed(store, place):
        yield


def held(store: Store, place: str) -> bool:
    """Whether somebody works in a folder now."""
    if store.local is not None:
        return filelocks.is_held(store.local / place / _LOCK)
    found = store.read_json(f"{place}/{_LEASE}")
    return bool(found) and seconds() - float(found["seen"]) < _LEASE_S


@contextmanager
def _renewed(store: Store, place: str) -> Iterator[None]:
    import threading

    over = threading.Event()
    owner = {"host": socket.gethostname(), "pid": os.getpid()}

    def renew() -> None:
        while not over.wait(_LEASE_S / 6):
            store.write_json(f"{place}/{_LEASE}", {**owner, "seen": seconds()})

    store.write_json(f"{place}/{_LEASE}", {**owner, "seen": seconds()})
    thread = threading.Thread(target=renew, name="experiment lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        store.remove(f"{place}/{_LEASE}")
