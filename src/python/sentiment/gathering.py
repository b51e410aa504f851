"""From the inbox to batches: what is no post is buried, what is not asked for is skipped, the rest is gathered."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import inf

from sentiment.batch import Batch, Batcher
from sentiment.delivery import Delivery
from sentiment.errors import Unreadable
from sentiment.inbox import Inbox
from sentiment.link import Link
from sentiment.options import Options
from sentiment.post import Entry, Post
from sentiment.seen import Seen
from sentiment.selection import Selection, Skipped

_LOOK_S = 1.0
STALLED_S = 300.0
"""A member that did not move for so long is given up: its posts are claimed, by whoever lives."""

_WORN = (
    "It was handed out {times} times, and each time its worker died or did not come back. Look at it before it is put "
    "back."
)


class Gatherer:
    """One member's batches. `next` and what follows it are called from one thread, `held` from any."""

    def __init__(self, options: Options, link: Link, log: Callable[[str], None]) -> None:
        self.inbox = Inbox(options, link)
        self.counts: Counter[str] = Counter()
        """What became of the entries since the start: read, kept, dead, and skipped by reason."""
        self._selection = Selection(options)
        self._seen = Seen(link, options)
        self._delivery = Delivery(link, options)
        self._batcher = Batcher(options.batch_size, options.max_age_s)
        self._log = log
        self._entries: list[Entry] = []  # handed out, not sifted yet
        self._alone: deque[Post] = deque()
        self._again: deque[Batch] = deque()
        self._lock = threading.Lock()  # of what is held
        self._held: set[str] = set()  # the entries of posts that wait or are worked at
        self._moved_s = time.monotonic()

    def next(self, stopped: Callable[[], bool]) -> Batch | None:
        """The next batch, when it is due; None if nothing came for a second, or when all is handed out after a stop.

        Raises `RedisUnreachable`; nothing is lost by it, the next call goes on.
        """
        until_s = time.monotonic() + _LOOK_S
        while True:
            self.moved()
            if self._again and not stopped():
                return self._again.popleft()
            self._sift()
            if self._alone:
                return Batch((self._alone.popleft(),))
            due_s = self._batcher.due_s
            if due_s <= 0 or (stopped() and due_s < inf):
                return self._batcher.take()
            rest_s = until_s - time.monotonic() if due_s == inf else min(due_s, _LOOK_S)
            if stopped() or rest_s <= 0:
                return None
            self._read(rest_s)

    def done(self, batch: Batch) -> None:
        """It is delivered, and with that acknowledged. What failed of it and is left comes again."""
        with self._lock:
            self._held.difference_update(post.entry for post in batch.posts)

    def failed(self, batch: Batch) -> None:
        """It could not be labelled or delivered, through no fault of its posts: `next` gives it again, first."""
        self._again.append(batch)

    def moved(self) -> None:
        """Whoever works at a batch lives: to be said at least every few minutes, by `next` or here."""
        self._moved_s = time.monotonic()

    def alive(self) -> bool:
        """Whether it moved lately."""
        return time.monotonic() - self._moved_s < STALLED_S

    def held(self) -> list[str]:
        """The entries that are worked at here; none once nothing moves: then they are for others to claim."""
        with self._lock:
            return list(self._held) if self.alive() else []

    def _read(self, wait_s: float) -> None:
        self._entries = self.inbox.read(self._batcher.free, wait_s)
        self.counts["read"] += len(self._entries)
        with self._lock:
            self._held.update(entry.id for entry in self._entries)

    def _sift(self) -> None:
        """Bury, skip or keep what was read. Done twice it is done once: an error in the middle does no harm."""
        if worn := self.inbox.worn():
            self._bury([(entry, _WORN.format(times=entry.deliveries)) for entry in worn])
        if not self._entries:
            return
        kept: list[tuple[Entry, Post]] = []
        dead: list[tuple[Entry, str]] = []
        skipped: list[tuple[Entry, str]] = []
        for entry in self._entries:
            try:
                found = self._selection.of(entry)
            except Unreadable as error:
                dead.append((entry, str(error)))
                continue
            if isinstance(found, Skipped):
                skipped.append((entry, found.reason))
            else:
                kept.append((entry, found))
        first = self._seen.first(kept)
        skipped += [(entry, "duplicate") for (entry, _), new in zip(kept, first, strict=True) if not new]
        self.inbox.acknowledge([entry.id for entry, _ in skipped])
        self._bury(dead)
        self._release([entry for entry, _ in (*skipped, *dead)])
        self.counts.update(f"skipped_{reason}" for _, reason in skipped)
        self._keep([pair for pair, new in zip(kept, first, strict=True) if new])
        self._entries = []

    def _keep(self, kept: Sequence[tuple[Entry, Post]]) -> None:
        for entry, post in kept:
            if entry.alone:
                self._alone.append(post)
            else:
                self._batcher.add(post)
        self.counts["kept"] += len(kept)

    def _bury(self, dead: Sequence[tuple[Entry, str]]) -> None:
        if dead:
            self.counts["dead"] += self._delivery.bury(dead, self.inbox.consumer)
            self._log(f"{len(dead)} dead letters; the first because: {dead[0][1]}")

    def _release(self, entries: Sequence[Entry]) -> None:
        with self._lock:
            self._held.difference_update(entry.id for entry in entries)
