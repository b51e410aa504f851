"""Splits what counters count among those who work at the same time, so that nothing is claimed twice.

A counter of the machine cannot tell two requests apart. So at each instant whoever is at work has a share, and what the
counters grew by is divided by the shares: the sums of all are what the counters grew by while anybody worked. For each
counter one running total "per unit of share" is kept, so that an event costs the same however many are at work.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

_WHOLE = 1_000_000  # shares are whole numbers inside, so that their sum comes back to exactly 0


class Counts(NamedTuple):
    """Readings of the counters, or what of their growth is somebody's."""

    wall_s: float
    cpu_s: float
    joules: float
    """NaN where it cannot be read."""


class Entry:
    """One who works; made by `Ledger.open`."""

    __slots__ = ("busy_s", "closed", "counts", "marks", "share", "since_s")

    def __init__(self, marks: Counts, now_s: float) -> None:
        self.closed = False
        self.share = _WHOLE
        self.marks = marks
        self.since_s = now_s
        self.busy_s = 0.0  # how long it had a share at all
        self.counts = Counts(0.0, 0.0, 0.0)


class Ledger:
    """Of one set of counters; safe to use from any number of threads. `read` gives totals that only grow."""

    def __init__(self, read: Callable[[], Counts]) -> None:
        self._read = read
        self._guard = threading.Lock()
        self._shares = 0
        self._per_share = Counts(0.0, 0.0, 0.0)
        self._last = read()

    def open(self) -> Entry:
        """Somebody begins to work, with a share of 1."""
        with self._guard:
            self._advance()
            self._shares += _WHOLE
            return Entry(self._per_share, self._last.wall_s)

    def weigh(self, shares: Iterable[tuple[Entry, float]]) -> None:
        """From now on these have these shares: 0 for one who waits, a part of 1 for one of a batch."""
        with self._guard:
            self._advance()
            for entry, share in shares:
                self._settle(entry)
                self._change(entry, round(share * _WHOLE))

    def counted(self, entry: Entry) -> Counts:
        """What is the entry's so far. Work is shared if `wall_s` of it is less than its `busy_s`."""
        with self._guard:
            self._advance()
            self._settle(entry)
            return entry.counts

    def bear(self, entry: Entry, cpu_s: float) -> None:
        """Processor time of another process is this one's too."""
        with self._guard:
            entry.counts = entry.counts._replace(cpu_s=entry.counts.cpu_s + cpu_s)

    def close(self, entry: Entry) -> Counts:
        """The work is done; what of the counters was its."""
        with self._guard:
            self._advance()
            self._settle(entry)
            self._change(entry, 0)
            entry.closed = True
            return entry.counts

    def touch(self) -> None:
        """Read the counters, so that none of them wraps around unseen."""
        with self._guard:
            self._advance()

    def _change(self, entry: Entry, share: int) -> None:
        if not entry.closed:  # a share that is given too late would never be taken back
            self._shares += share - entry.share
            entry.share = share

    def _advance(self) -> None:
        now, last, total = self._read(), self._last, self._per_share
        if self._shares:  # what the machine spends while nobody works is nobody's
            self._per_share = Counts(
                total.wall_s + (now.wall_s - last.wall_s) / self._shares,
                total.cpu_s + (now.cpu_s - last.cpu_s) / self._shares,
                total.joules + (now.joules - last.joules) / self._shares,
            )
        self._last = now

    def _settle(self, entry: Entry) -> None:
        total, marks, had, share = self._per_share, entry.marks, entry.counts, entry.share
        now_s = self._last.wall_s
        if share:
            entry.counts = Counts(
                had.wall_s + (total.wall_s - marks.wall_s) * share,
                had.cpu_s + (total.cpu_s - marks.cpu_s) * share,
                had.joules + (total.joules - marks.joules) * share,
            )
            entry.busy_s += now_s - entry.since_s
        entry.marks, entry.since_s = total, now_s


def keep_read(ledger: Ledger, every_s: float) -> None:
    """Touch the ledger from a thread of its own for as long as the process lives."""

    def touch() -> None:
        while True:
            time.sleep(every_s)
            ledger.touch()

    threading.Thread(target=touch, name="energy counters", daemon=True).start()
