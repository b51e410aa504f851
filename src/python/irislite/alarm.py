"""`Ens.Alarm`: the timers of business processes. A timer is a stored request that is answered when it is due."""

import heapq
import json
import re
import sqlite3
import threading
import time
from datetime import UTC, datetime
from typing import Any

from irislite.database import Write
from irislite.errors import BadRequest, IllegalMove, IrisliteError, UnknownSession
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType, Status
from irislite.queues import Queue
from irislite.router import ALARM, Address, Router
from irislite.store import Entry, Store

ANSWER = Body("Ens.AlarmResponse", "Ens.AlarmResponse", "{}")
LOOK_UP_S = 60.0  # the longest wait at a time: the clock may be set meanwhile
RETRY_S = 1.0  # before timers are tried again whose answers could not be written
AT_ONCE = 1_000  # timers that are answered in one commit
LONGEST_S = 100 * 365 * 86_400.0

_DURATION = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d*)?)S)?)?",
    re.IGNORECASE,
)
_UNITS_S = {"years": 365 * 86_400, "months": 30 * 86_400, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def seconds_of(duration: Any) -> float:
    """The seconds that a number or an xsd duration text (`PT10S`, `P1DT12H`) means; a month has 30 days.

    Raises `BadRequest` for anything else.
    """
    text = str(duration).strip()
    match = _DURATION.fullmatch(text)
    if match is not None and any(match.groups()) and not text.upper().endswith("T"):
        seconds = sum(float(value) * _UNITS_S[unit] for unit, value in match.groupdict().items() if value)
    else:
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
    if not 0 <= seconds <= LONGEST_S:
        raise BadRequest(
            f"The timer's duration is {text!r}: give a number of seconds, or a duration as in PT10S or P1DT12H."
        )
    return seconds


class Alarm:
    """Answers each timer's request when its time has come. It lives as long as its router.

    The requests wait in the store; memory holds when each is due, and its number.
    """

    def __init__(self, router: Router, store: Store, log: EventLog) -> None:
        self._router = router
        self._store = store
        self._log = log
        self._due: list[tuple[float, int]] = []  # a heap: seconds since the epoch, header id
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take timers from now on. Those that are overdue are answered at once."""
        self._router.place(ALARM, Address(self._queue, BusinessType.OPERATION))
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="irislite-alarm", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; what is due meanwhile is answered after the next start."""
        if self._thread is None:
            return
        self._stopping.set()
        self._queue.wake()
        self._thread.join()
        self._thread = None

    @property
    def _queue(self) -> Queue:
        return self._router.queue(ALARM)

    def _run(self) -> None:
        queue = self._queue
        while not self._stopping.is_set():
            entry = queue.take(self._wait_s())
            try:
                if entry is not None:
                    self._add(entry)
                    queue.release(entry.header.id)
                    entry = None
                self._answer_due()
            except (IrisliteError, sqlite3.Error) as error:
                self._log.add(LogType.ERROR, f"Timers could not be answered and are tried again: {error}", ALARM)
                if entry is not None:
                    queue.put_back(entry)
                self._stopping.wait(RETRY_S)

    def _wait_s(self) -> float:
        return min(LOOK_UP_S, max(0.0, self._due[0][0] - time.time())) if self._due else LOOK_UP_S

    def _add(self, entry: Entry) -> None:
        header = entry.header
        body = entry.body or self._store.body(header.message_body_id)
        try:
            asked_s = seconds_of(json.loads(body.content)["Duration"] if body is not None else "")
        except (ValueError, LookupError, TypeError) as error:  # a request that no process made
            self._router.complete(header, None, f"A timer needs an Ens.AlarmRequest: {error}").wait()
            return
        created = datetime.fromisoformat(header.time_created).replace(tzinfo=UTC).timestamp()
        heapq.heappush(self._due, (created + asked_s, header.id))

    def _answer_due(self) -> None:
        now = time.time()
        while self._due and self._due[0][0] <= now:
            timers: list[tuple[float, int]] = []
            while self._due and self._due[0][0] <= now and len(timers) < AT_ONCE:
                timers.append(heapq.heappop(self._due))
            try:
                for write in [self._answer(header_id) for _, header_id in timers]:
                    _settle(write)
            except BaseException:
                for timer in timers:  # those that were answered are passed over: their status says so
                    heapq.heappush(self._due, timer)
                raise

    def _answer(self, header_id: int) -> Write | None:
        try:
            header = self._store.header(header_id)
        except UnknownSession:
            return None  # purged
        # Its process may have ended, or an operator may have aborted it.
        return self._router.complete(header, ANSWER) if header.status is Status.QUEUED else None


def _settle(write: Write | None) -> None:
    try:
        if write is not None:
            write.wait()
    except IllegalMove:
        pass  # it was discarded at the same moment
