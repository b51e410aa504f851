"""The queue of a duplex item: who is in a private session takes the messages of that session, and no others."""

from collections import deque
from typing import cast

from irislite import queues
from irislite.header import Priority
from irislite.queues import Load, Queue
from irislite.store import Entry


class SessionQueue(Queue):
    """A queue whose members can be in private sessions; those who are not share the rest.

    What belongs to a session lies in its member's lane. All of it is Queued for the one item in
    the store, so after a crash nothing waits where nobody looks.
    """

    def __init__(self, name: str, load: Load, backlog: dict[tuple[Priority, str], int], known_id: int = 0) -> None:
        super().__init__(name, load, backlog, known_id)
        self._sessions: dict[int, int] = {}  # the member that is in each of them

    @classmethod
    def of(cls, queue: Queue) -> "SessionQueue":
        """A queue that its item, whose class is a duplex one now, can use: the same, with all that is in it.

        Whoever reads it goes on: another queue beside it would hand out the same messages again.
        """
        if isinstance(queue, cls):
            return queue
        with queue._condition:
            queue._sessions = {}  # type: ignore[attr-defined] # it becomes one that has them
            queue.__class__ = cls
        return cast(SessionQueue, queue)

    def open_session(self, session_id: int, member: int) -> None:
        """Let one member take the messages of a session, and these alone, until `close_session`."""
        with self._condition:
            found: list[Entry] = []
            for priority, level in self._levels.items():
                if level.spilled:
                    found += self._behind(priority, level.last_id, session_id)
            for level in self._levels.values():
                found += [entry for entry in level.waiting if entry.header.session_id == session_id]
                level.waiting = deque(entry for entry in level.waiting if entry.header.session_id != session_id)
            found.sort(key=lambda entry: entry.header.id)
            self._pinned[member].extend(found)
            self._sessions[session_id] = member

    def close_session(self, session_id: int) -> None:
        """Let every member take the messages of a session, and its member those of others, again."""
        with self._condition:
            lane = self._pinned[self._sessions.pop(session_id)]
            for entry in [entry for entry in lane if entry.header.session_id == session_id]:
                lane.remove(entry)
                level = self._levels[entry.header.priority]
                if not (level.spilled and entry.header.id > level.last_id):  # else it is read from the store
                    level.waiting.append(entry)
                    level.last_id = max(level.last_id, entry.header.id)
            self._condition.notify_all()

    def has_session(self, session_id: int) -> bool:
        """Whether a member is in this private session."""
        with self._condition:
            return session_id in self._sessions

    def put(self, entry: Entry) -> None:
        with self._condition:
            member = self._sessions.get(entry.header.session_id)
            if member is None:
                super().put(entry)
            else:
                self._note(entry)
                self._pinned[member].append(entry)
            self._condition.notify_all()  # who is in a session does not take another's: all must look

    def put_back(self, entry: Entry, first: bool = False) -> None:
        with self._condition:
            member = self._sessions.get(entry.header.session_id)
            if member is None:
                super().put_back(entry, first)
            else:  # in the order of the session
                self._claimed.pop(entry.header.id, None)
                self._note(entry)
                self._pinned[member].appendleft(entry)
            self._condition.notify_all()

    def put_again(self, entry: Entry) -> None:
        with self._condition:
            member = self._sessions.get(entry.header.session_id)
            if member is None:
                super().put_again(entry)
            else:
                self._withheld.discard(entry.header.id)
                self._note(entry)
                self._pinned[member].append(entry)
            self._condition.notify_all()

    def unpin_all(self, member: int) -> None:
        with self._condition:
            for session_id in [key for key, owner in self._sessions.items() if owner == member]:
                self.close_session(session_id)
            super().unpin_all(member)

    # -- inside ------------------------------------------------------------------------------

    def _next(self, member: int) -> Entry | None:
        if member in self._sessions.values():
            lane = self._pinned[member]
            return lane.popleft() if lane else None
        return super()._next(member)

    def _refill(self, priority: Priority, level: queues._Level) -> None:
        """The same without what lies in a lane, or is at work since it lay there."""
        while level.spilled and not level.waiting:
            super()._refill(priority, level)
            level.waiting = deque(
                entry
                for entry in level.waiting
                if entry.header.session_id not in self._sessions and entry.header.id not in self._claimed
            )

    def _behind(self, priority: Priority, after_id: int, session_id: int) -> list[Entry]:
        """The messages of a session that are in the store alone."""
        found: list[Entry] = []
        while entries := self._load(self.name, priority, after_id, queues.WINDOW):
            after_id = entries[-1].header.id
            found += [
                Entry(entry.header, None)  # its body is read when it is taken
                for entry in entries
                if entry.header.session_id == session_id
                and entry.header.id <= self._known_id  # what was not `put` yet comes then
                and entry.header.id not in self._withheld
            ]
        return found
