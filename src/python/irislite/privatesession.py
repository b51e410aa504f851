"""The private session of one pool member of a duplex service or operation: documents that wait for their polls.

A document is sent as the answer to a poll of the process. While no poll waits it is kept in the
store as a message with the status Created, so it outlives a crash; a poll that finds no document
is Deferred until there is one.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any

from irislite.bridge.objects import SessionAck, SessionStart, SessionStop
from irislite.errors import IllegalMove, NotSupported, ProductionError
from irislite.header import Body, BusinessType, Draft, Header, Status
from irislite.router import Router, Sender
from irislite.sessionqueue import SessionQueue
from irislite.store import Entry, Store

_MOST = 100_000  # documents, or polls, of an item that are looked through at a time
_KEPT = "Kept until the process polls"


class PrivateSession:
    """Started by the component's first document, or by a process; over when either side stops it.

    `id` is 0 outside of a session. `started(self_generated)` and `stopped(self_generated, attached)`
    call the component.
    """

    def __init__(self, sender: Sender, target: str, router: Router, store: Store) -> None:
        self.id = 0
        self._sender = sender
        self._target = target
        self._router = router
        self._store = store
        self._queue: SessionQueue | None = None
        self._member = 0
        self._process = ""  # the other side
        self._polls: deque[Header] = deque()  # Deferred: they wait for a document
        self._kept: deque[Entry] = deque()  # documents that wait for a poll
        self._kept_of = 0  # of this session: polls may come for it when it is over
        self.started: Callable[[int], None] = lambda self_generated: None
        self.stopped: Callable[[int, Any], None] = lambda self_generated, attached: None

    def join(self, queue: SessionQueue, member: int) -> None:
        """Say whose session it is: a component outside of a pool cannot have one."""
        self._queue, self._member = queue, member

    # -- what the component does ---------------------------------------------------------------

    def start(self, session_id: int) -> None:
        """Ask the target for a private session; `session_id` 0 begins a new session of messages.

        Raises `ProductionError` if there is no target, or it does not take messages.
        """
        if self.id:
            return
        queue, name = self._queue, self._sender.config_name
        if queue is None:
            raise NotSupported(
                f"{name} was created outside of the production, where nobody can poll it: let its on_process_input "
                "send the documents, with an adapter that calls it."
            )
        if not self._target:
            raise ProductionError(
                f"{name} has no DuplexTargetConfigName: set it to the process that gets its documents."
            )
        draft = self._router.draft_async(self._sender, self._target, SessionStart().to_body(), session_id, "")

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            self._close()  # it may run twice
            entry = self._store.insert(connection, draft)
            queue.open_session(entry.header.session_id, self._member)  # before the process can poll
            self.id = entry.header.session_id
            return [entry]

        try:
            self._router.write(apply)
        except BaseException:
            self._close()
            raise
        self._begin(self._target)
        self.started(1)

    def send(self, document: Body | None, session_id: int) -> None:
        """Send a document to the process; it is on disk when this returns."""
        self.start(session_id)
        while self._polls:
            poll = self._polls.popleft()
            try:
                self._router.complete(poll, document).wait()
            except IllegalMove:  # an operator aborted it
                continue
            except BaseException:
                self._polls.appendleft(poll)
                raise
            return
        draft = Draft(
            target_config_name=self._process, target_queue_name="", source_config_name=self._sender.config_name,
            body=document, session_id=self.id, source_business_type=self._sender.business_type,
            target_business_type=BusinessType.PROCESS, description=_KEPT, status=Status.CREATED,
        )  # fmt: skip
        self._kept += self._store.accept([draft]).wait()

    def stop(self, attached: Any = "") -> None:
        """End the session: the process gets the documents that it has not polled yet, and then the stop."""
        if not self.id:
            return
        self.send(SessionStop(attached).to_body(), self.id)
        self._dismiss(SessionStop().to_body())
        self._close()
        self.stopped(1, "")

    # -- what the process asks -----------------------------------------------------------------

    def start_asked(self, header: Header) -> Body:
        """A process asks for a session. What the component raises is raised on, and there is none."""
        is_new = not self.id
        if is_new and self._queue is not None:
            self.id = header.session_id
            self._queue.open_session(self.id, self._member)
            self._begin(header.source_config_name)
        try:
            self.started(0)
        except BaseException:
            if is_new:
                self._close()
            raise
        return SessionAck().to_body()

    def stop_asked(self, header: Header, attached: Any) -> None:
        """The process has ended the session, and asks for no more documents."""
        self._discard(header.session_id)
        if header.session_id != self.id:
            return  # the component has ended it, and was told so
        self._dismiss(None)
        self._close()
        self.stopped(0, attached)

    def poll(self, poll: Header) -> None:
        """Answer a poll with the next document, with a stop if the session is over; or let it wait."""
        answer = self._router.answer_to(poll, None, "")  # None: nobody takes it
        while answer is not None and (document := self._next(poll.session_id)) is not None:
            is_delivered = self._deliver(poll, answer, document)
            if self._kept and self._kept[0] is document:
                self._kept.popleft()
            if is_delivered:
                return
        if poll.session_id == self.id and answer is not None:
            self._store.complete_with(poll, Status.DEFERRED, "", lambda connection: []).wait()
            self._polls.append(poll)
            return
        self._router.complete(poll, SessionStop().to_body() if answer is not None else None).wait()

    def recover(self) -> int:
        """Answer the polls whose sessions ended with an earlier run; returns how many those were."""
        name, queue = self._sender.config_name, self._queue
        count = 0
        for header in self._store.latest(_MOST, target=name, status=Status.DEFERRED):
            if header.target_config_name != name or queue is None or queue.has_session(header.session_id):
                continue
            try:
                self.poll(header)
            except IllegalMove:
                continue  # another member was faster
            count += 1
        return count

    # -- inside --------------------------------------------------------------------------------

    def _begin(self, process: str) -> None:
        self._process, self._kept_of = process, self.id
        self._kept.clear()

    def _close(self) -> None:
        if self.id and self._queue is not None:
            self._queue.close_session(self.id)
        self.id = 0

    def _dismiss(self, answer: Body | None) -> None:
        """End the polls that wait still: with an answer, or without one because nobody takes it."""
        while self._polls:
            poll = self._polls.popleft()
            try:
                self._router.complete(poll, answer, answers=answer is not None).wait()
            except IllegalMove:
                continue  # an operator aborted it

    def _next(self, session_id: int) -> Entry | None:
        """The oldest document of a session that waits for a poll."""
        if session_id == self.id or (session_id == self._kept_of and self._kept):
            return self._kept[0] if self._kept else None
        left = self._left(session_id)
        return Entry(left[0], None) if left else None

    def _left(self, session_id: int) -> list[Header]:
        """The documents of a session as the store has them, oldest first."""
        name = self._sender.config_name
        found = self._store.latest(_MOST, target=name, status=Status.CREATED)
        return [each for each in reversed(found) if each.source_config_name == name and each.session_id == session_id]

    def _deliver(self, poll: Header, answer: Draft, document: Entry) -> bool:
        """Answer a poll with a document, which is Completed then; False if the document was given up meanwhile.

        Raises `IllegalMove` if the poll was.
        """
        header = document.header
        draft = answer._replace(
            body=document.body, body_id=header.message_body_id, body_class_name=header.message_body_class_name
        )

        def also(connection: sqlite3.Connection) -> list[Entry]:
            self._store.move(connection, header.id, Status.COMPLETED)
            return [self._store.answer(connection, poll.id, draft)]

        try:
            self._router.complete(poll, None, answers=False, also=also).wait()
        except IllegalMove:
            if self._store.header(header.id).status is Status.CREATED:
                raise
            return False
        return True

    def _discard(self, session_id: int) -> None:
        """Give up the documents that nobody will poll."""
        left = self._left(session_id)
        if not left:
            return

        def discard(connection: sqlite3.Connection) -> list[Entry]:
            for header in left:
                try:
                    self._store.move(connection, header.id, Status.DISCARDED)
                except IllegalMove:
                    continue  # it was polled at the same moment
            return []

        self._router.write(discard)
        if self._kept_of == session_id:
            self._kept.clear()
