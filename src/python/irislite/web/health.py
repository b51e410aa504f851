"""How the runtime is: what an operator looks at first, each with a state and, where something is wrong, the cure."""

import importlib.metadata
import os
import platform
import resource
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from irislite.director import Director
from irislite.eventlog import LogType
from irislite.header import Status
from irislite.housekeeping import purge_days
from irislite.units import shown
from irislite.views import ItemState, ProductionStatus

STARTED = time.time()
LITTLE_DISK = 2 * 1024**3  # bytes that should be free
OLD_BACKUP_S = 7 * 24 * 3600.0
_PACKAGES = ("iris-pex-embedded-python", "nicegui", "fastapi", "uvicorn", "torch", "transformers")
State = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at; `text` says what was found, and, unless it is ok, what to do."""

    name: str
    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Load:
    """What the process takes. Times in seconds, memory in bytes."""

    uptime_s: float
    cpu_s: float
    memory_bytes: int
    threads: int
    cores: int


def checks(director: Director) -> list[Check]:
    """Everything that is looked at. Reads the store: off the event loop."""
    return [*_production(director), *_messages(director), *_folder(director), _network()]


def load() -> Load:
    """What this process takes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    memory = pages * resource.getpagesize() or peak
    return Load(time.time() - STARTED, time.process_time(), memory, threading.active_count(), os.cpu_count() or 1)


def versions() -> dict[str, str]:
    """What runs here, by name."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version, "System": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass  # an application without it
    return found


def _production(director: Director) -> Iterator[Check]:
    status = director.status()
    name, word = status["production"] or "No production", status["status"]
    states: dict[str, State] = {ProductionStatus.RUNNING: "ok", ProductionStatus.TROUBLED: "bad"}
    cure = "" if word == ProductionStatus.RUNNING else " Start it in the room Production."
    yield Check("Production", states.get(word, "warn"), f"{name} is {word}.{cure}")
    items = director.items() if status["production"] else []
    broken = [item.name for item in items if item.state is ItemState.ERROR]
    if broken:
        yield Check("Items", "bad", f"In error: {', '.join(broken)}. Each says why in the room Production.")
    else:
        yield Check("Items", "ok", f"{sum(item.state is ItemState.RUNNING for item in items)} run, none is in error.")
    waiting = sum(item.queue_count for item in items)
    yield Check("Queues", "ok", f"{waiting:,} messages wait.")


def _messages(director: Director) -> Iterator[Check]:
    suspended = len(director.store.latest(1_000, status=Status.SUSPENDED))
    if suspended:
        count = f"{suspended:,}{' or more' if suspended == 1_000 else ''}"
        yield Check("Suspended", "warn", f"{count} messages are suspended: resubmit or discard them.")
    alerts = [entry for entry in director.eventlog.newest(20, LogType.ALERT) if _age_s(entry.time_logged) < 24 * 3600]
    if alerts:
        yield Check("Alerts", "warn", f"{len(alerts)} in the last day, the newest: {alerts[0].text[:200]}")
    else:
        yield Check("Alerts", "ok", "None in the last day.")


def _folder(director: Director) -> Iterator[Check]:
    free_bytes = shutil.disk_usage(director.home).free
    free = f"{shown(free_bytes)} are free on the disk of the data folder."
    if free_bytes < LITTLE_DISK:
        yield Check("Disk", "bad", f"Only {free} Purge old messages, or give the folder a larger disk.")
    else:
        yield Check("Disk", "ok", free)
    newest = max((path.stat().st_mtime for path in director.housekeeping.backups()), default=0.0)
    age_s = time.time() - newest
    if not newest:
        yield Check("Backup", "warn", "There is none below the data folder: make one, and copy it to another machine.")
    elif age_s > OLD_BACKUP_S:
        yield Check("Backup", "warn", f"The newest is {age_s / 86400:.0f} days old: make one.")
    else:
        yield Check("Backup", "ok", f"The newest is {age_s / 3600:.1f} hours old.")
    days = purge_days()
    yield Check("Purge", "ok", f"Once a day, older than {days:g} days." if days else "By hand alone.")


def _network() -> Check:
    host = os.environ.get("HOST", "127.0.0.1")
    if host in ("127.0.0.1", "localhost", "::1"):
        return Check("Network", "ok", "Reached from this machine alone.")
    return Check("Network", "warn", f"Listens on {host} without encryption: put a proxy that speaks TLS before it.")


def _age_s(time_utc: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(time_utc).replace(tzinfo=UTC)).total_seconds()
