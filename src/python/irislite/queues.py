"""One queue per item: what waits, in which order, and what a pool member has taken.

Memory holds only what may be lost: a window of each priority's oldest messages. What does not
fit stays in the store and is read when its turn comes, so a queue of a million needs no memory.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable

from irislite.header import Body, Priority
from irislite.store import Entry

WINDOW = 1_000  # messages of one priority in memory
LARGE_BODY = 64_000  # characters; a larger body is read when its message is taken

Load = Callable[[str, Priority, int, int], list[Entry]]


class _Level:
    """The messages of one priority: the oldest in memory, the rest, if `spilled`, in the store."""

    __slots__ = ("last_id", "spilled", "waiting")

    def __init__(self, spilled: bool) -> None:
        self.waiting: deque[Entry] = deque()
        self.last_id = 0
        self.spilled = spilled


class Queue:
    """The messages for one item, first in first out within a priority.

    `put` is called in the order of the ids, by the thread that committed them. `backlog`
    says how many messages of each priority, for each target, the store holds from an earlier run.
    """

    def __init__(self, name: str, load: Load, backlog: dict[tuple[Priority, str], int]) -> None:
        self.name = name
        self._load = load
        left = {priority for priority, _ in backlog}
        self._levels = {priority: _Level(priority in left) for priority in sorted(Priority)}
        # A queue has one target, but the actors' has several.
        self._counts: Counter[str] = Counter()
        for (_, target), count in backlog.items():
            self._counts[target] += count
        self._claimed: dict[int, str] = {}
        self._secret_bodies: dict[int, Body] = {}  # what the store holds of these is masked
        self._condition = threading.Condition()

    def put(self, entry: Entry) -> None:
        """Add a message that is on disk."""
        level = self._levels[entry.header.priority]
        with self._condition:
            self._counts[entry.header.target_config_name] += 1
            if entry.has_secrets and entry.body is not None:
                self._secret_bodies[entry.header.id] = entry.body
            if entry.header.id > level.last_id and not level.spilled:
                if len(level.waiting) < WINDOW:
                    level.waiting.append(_slim(entry))
                    level.last_id = entry.header.id
                else:
                    level.spilled = True
            self._condition.notify()

    def take(self, timeout_s: float) -> Entry | None:
        """Claim the next message, or None when none came in time or `wake` was called."""
        with self._condition:
            entry = self._next()
            if entry is None and self._condition.wait(timeout_s):
                entry = self._next()
            if entry is not None:
                self._counts[entry.header.target_config_name] -= 1
                self._claimed[entry.header.id] = entry.header.target_config_name
                secret = self._secret_bodies.pop(entry.header.id, None)
                entry = entry if secret is None else Entry(entry.header, secret)
            return entry

    def put_back(self, entry: Entry) -> None:
        """Give a claim back: someone takes it later, after what waits in memory now."""
        with self._condition:
            self._claimed.pop(entry.header.id, None)
            self._counts[entry.header.target_config_name] += 1
            self._levels[entry.header.priority].waiting.append(entry)
            self._condition.notify()

    def release(self, header_id: int) -> None:
        """Forget a claim: the message is done."""
        with self._condition:
            self._claimed.pop(header_id, None)

    def wake(self) -> None:
        """Let everyone who waits in `take` look up."""
        with self._condition:
            self._condition.notify_all()

    @property
    def count(self) -> int:
        """How many messages wait; those that a pool member works on are not counted."""
        with self._condition:
            return self._counts.total()

    def count_of(self, target: str) -> int:
        """How many messages wait for one target."""
        with self._condition:
            return max(0, self._counts[target])

    def claimed_of(self, target: str) -> int:
        """How many messages pool members work on for one target."""
        with self._condition:
            return sum(owner == target for owner in self._claimed.values())

    @property
    def claimed(self) -> frozenset[int]:
        """The header ids that pool members work on: Delivered, though their rows say Queued."""
        with self._condition:
            return frozenset(self._claimed)

    def _next(self) -> Entry | None:
        for priority, level in self._levels.items():
            if not level.waiting and level.spilled:
                self._refill(priority, level)
            if level.waiting:
                return level.waiting.popleft()
        return None

    def _refill(self, priority: Priority, level: _Level) -> None:
        entries = self._load(self.name, priority, level.last_id, WINDOW)
        # A message may be committed and loaded here before its `put` is called: `put` compares ids.
        level.waiting.extend(_slim(entry) for entry in entries)
        level.spilled = len(entries) == WINDOW
        if entries:
            level.last_id = entries[-1].header.id


def _slim(entry: Entry) -> Entry:
    if entry.body is not None and len(entry.body.content) > LARGE_BODY:
        return Entry(entry.header, None)
    return entry
