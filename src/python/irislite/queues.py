"""One queue per item: what waits, in which order, and what a pool member has taken.

Memory holds only what may be lost: a window of each priority's oldest messages. What does not
fit stays in the store and is read when its turn comes, so a queue of a million needs no memory.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from irislite.header import Body, Header, Priority
from irislite.store import Entry

WINDOW = 1_000  # messages of one priority in memory
POLL = "IOP.Generator.Message.Poll"
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
    says how many messages of each priority, for each target, the store holds from an earlier run;
    none of them has an id above `known_id`.
    """

    def __init__(self, name: str, load: Load, backlog: dict[tuple[Priority, str], int], known_id: int = 0) -> None:
        self.name = name
        self._load = load
        left = {priority for priority, _ in backlog}
        self._levels = {priority: _Level(priority in left) for priority in sorted(Priority)}
        # A queue has one target, but the actors' has several.
        self._counts: Counter[str] = Counter()
        for (_, target), count in backlog.items():
            self._counts[target] += count
        self._known_id = known_id  # the highest id of the backlog or of what was put
        self._claimed: dict[int, str] = {}
        self._secret_bodies: dict[int, Body] = {}  # what the store holds of these is masked
        self._withheld: set[int] = set()  # being moved in the store: not to be read from there
        self._pins: dict[tuple[str, int], int] = {}  # (sender, session) -> the member that answers its polls
        self._pinned: defaultdict[int, deque[Entry]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._condition = threading.Condition(self._lock)
        self._napping = 0  # members that look up soon by themselves

    def put(self, entry: Entry) -> None:
        """Add a message that is on disk."""
        header = entry.header
        level = self._levels[header.priority]
        with self._lock:
            self._note(entry)
            if self._pins and (member := self._pin_of(entry)) is not None:
                self._pinned[member].append(entry)
                self._condition.notify_all()  # it must be that member who wakes up
                return
            if not level.spilled:
                if len(level.waiting) < WINDOW:
                    level.waiting.append(_slim(entry))
                    level.last_id = header.id
                else:
                    level.spilled = True
            if not self._napping or header.priority is not Priority.ASYNC:
                self._condition.notify()

    def take(self, timeout_s: float, member: int = 0, naps: bool = False) -> Entry | None:
        """Claim the next message, or None when none came in time or `wake` was called.

        A member that `naps` is not woken for asynchronous messages: it takes what came meanwhile
        when `timeout_s` is over. In a stream of messages that saves a change of threads for each.
        """
        with self._lock:
            entry = self._next(member)
            if entry is None and naps:
                self._napping += 1
                self._condition.wait(timeout_s)
                self._napping -= 1
                entry = self._next(member)
                if any(level.waiting for level in self._levels.values()):
                    self._condition.notify()  # for another member, who was not woken either
            elif entry is None and timeout_s and self._condition.wait(timeout_s):
                entry = self._next(member)
            if entry is not None:
                header = entry.header
                self._counts[header.target_config_name] -= 1
                self._claimed[header.id] = header.target_config_name
                if self._secret_bodies and (secret := self._secret_bodies.pop(header.id, None)) is not None:
                    entry = Entry(header, secret, True)
            return entry

    def pin(self, source: str, session_id: int, member: int) -> None:
        """Let one member alone take the polls that `source` sends in a session: it has the generator."""
        with self._condition:
            self._pins[source, session_id] = member

    def unpin(self, source: str, session_id: int, member: int) -> None:
        """Let every member take them again, unless another one has a newer generator."""
        with self._condition:
            if self._pins.get((source, session_id)) == member:
                del self._pins[source, session_id]

    def unpin_all(self, member: int) -> None:
        """A member ends: what was for it alone goes to the others."""
        with self._condition:
            self._pins = {key: owner for key, owner in self._pins.items() if owner != member}
            for entry in self._pinned.pop(member, ()):
                self._levels[entry.header.priority].waiting.append(entry)
            self._condition.notify_all()

    def put_back(self, entry: Entry, first: bool = False) -> None:
        """Give a claim back: someone takes it later, after what waits in memory now, or before it if `first`."""
        with self._condition:
            self._claimed.pop(entry.header.id, None)
            self._note(entry)
            waiting = self._levels[entry.header.priority].waiting
            (waiting.appendleft if first else waiting.append)(_slim(entry))
            self._condition.notify()

    def remove(self, header: Header) -> Entry | None:
        """Take a message out that waits, with its secrets, or return None: a member has it, or had it.

        Until `forget` or `put_again` it is not read from the store either, where it may be Queued still.
        """
        with self._condition:
            level = self._levels[header.priority]
            if header.id in self._claimed or header.id in self._withheld:
                return None
            for entries in (*self._pinned.values(), level.waiting):
                found = next((entry for entry in entries if entry.header.id == header.id), None)
                if found is not None:
                    entries.remove(found)
                    break
            else:
                if not (level.spilled and header.id > level.last_id):
                    return None
            self._withheld.add(header.id)
            self._counts[header.target_config_name] -= 1
            secret = self._secret_bodies.pop(header.id, None)
            return Entry(header, secret, secret is not None)

    def withhold(self, header_id: int) -> None:
        """Say that a message will be Queued in the store before it is `put_again`."""
        with self._condition:
            self._withheld.add(header_id)

    def forget(self, header_id: int) -> None:
        """A removed message has left the queue in the store as well."""
        with self._condition:
            self._withheld.discard(header_id)

    def put_again(self, entry: Entry) -> None:
        """Add a message that was in a queue before: it comes after what waits in memory now."""
        header = entry.header
        level = self._levels[header.priority]
        with self._condition:
            self._withheld.discard(header.id)
            self._note(entry)
            if not (level.spilled and header.id > level.last_id):  # else it is read from the store in its turn
                level.waiting.append(Entry(header, None))
                level.last_id = max(level.last_id, header.id)
            self._condition.notify()

    def release(self, header_id: int) -> None:
        """Forget a claim: the message is done."""
        with self._lock:  # it is the condition's, and quicker to enter
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
            return self._counts[target]

    def claimed_of(self, target: str) -> int:
        """How many messages pool members work on for one target."""
        with self._condition:
            return sum(owner == target for owner in self._claimed.values())

    @property
    def claimed(self) -> frozenset[int]:
        """The header ids that pool members work on: Delivered, though their rows say Queued."""
        with self._condition:
            return frozenset(self._claimed)

    def _next(self, member: int) -> Entry | None:
        if self._pinned and (pinned := self._pinned.get(member)):
            return pinned.popleft()
        for priority, level in self._levels.items():
            if not level.waiting and level.spilled:
                self._refill(priority, level)
            if level.waiting:
                return level.waiting.popleft()
        return None

    def _pin_of(self, entry: Entry) -> int | None:
        header = entry.header
        if header.message_body_class_name != POLL:
            return None
        return self._pins.get((header.source_config_name, header.session_id))

    def _note(self, entry: Entry) -> None:
        """Count a message that waits, and keep its secrets."""
        header = entry.header
        if header.id > self._known_id:
            self._known_id = header.id
        self._counts[header.target_config_name] += 1
        if entry.has_secrets and entry.body is not None:
            self._secret_bodies[header.id] = entry.body

    def _refill(self, priority: Priority, level: _Level) -> None:
        loaded = self._load(self.name, priority, level.last_id, WINDOW)
        # What is committed and was not `put` yet comes then, with its secrets; and so does, always, what is pinned.
        entries = [entry for entry in loaded if entry.header.id <= self._known_id]
        level.waiting.extend(
            _slim(entry)
            for entry in entries
            if entry.header.id not in self._withheld and (not self._pins or self._pin_of(entry) is None)
        )
        level.spilled = len(entries) == WINDOW  # whatever follows is in the store, or comes by `put`
        if entries:
            level.last_id = entries[-1].header.id


def _slim(entry: Entry) -> Entry:
    if entry.body is not None and len(entry.body.content) > LARGE_BODY:
        return Entry(entry.header, None)
    return entry
