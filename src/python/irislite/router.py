"""Send, reply, wait: how a message gets from one host's code to another's queue and back."""

import itertools
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass

from irislite.database import Write
from irislite.errors import ItemNotRunning, RequestFailed, RequestTimeout, UnknownItem, near
from irislite.header import Body, BusinessType, Draft, Header, MessageType, Priority, Status
from irislite.queues import Queue
from irislite.sessionqueue import SessionQueue
from irislite.store import Entry, Store

ALARM = "Ens.Alarm"  # the target of a timer's request, and its queue: no target for a person
SYNC_QUEUE = "_SyncCall:"  # a return queue that begins so is a caller who waits in memory


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: an item, or the test page under the name IRIS gives it."""

    config_name: str
    business_type: BusinessType = BusinessType.UNKNOWN


@dataclass(frozen=True, slots=True)
class Address:
    """Where an item's messages go, and why it does not take any now (empty: it does).

    `queues_anyway` says that messages may be queued though nobody can be answered: the item's
    start failed, and it takes them when it is started again.
    """

    queue: Queue
    business_type: BusinessType
    refusal: str = ""
    queues_anyway: bool = False


class Call:
    """A request whose sender waits for the answer. It has its `header` as soon as it is on disk."""

    header: Header

    def __init__(self) -> None:
        self.done = False
        self.response: Header | None = None
        self._lock = threading.Lock()
        self._lock.acquire()
        self._answer: Body | None = None
        self._error = ""

    def deliver(self, response: Entry) -> None:
        """Hand over the answer, or the error it carries."""
        self.response, self._answer = response.header, response.body
        self._end(response.header.error_text if response.header.is_error else "")

    def refuse(self, error_text: str) -> None:
        """Tell whoever waits that there will be no answer."""
        self._end(error_text)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the answer; False if it did not come in time."""
        limit_s = -1.0 if timeout_s is None else min(max(0.0, timeout_s), threading.TIMEOUT_MAX)
        if not self.done and self._lock.acquire(timeout=limit_s):
            self._lock.release()
        return self.done

    def answer(self) -> Body | None:
        """The answer's body. Raises `RequestFailed` with the target's words if it is an error."""
        if self._error:
            raise RequestFailed(self._error, self.header.session_id)
        return self._answer

    @property
    def response_body_id(self) -> int:
        """The id of the answer's body; 0 if it has none."""
        return self.response.message_body_id if self.response is not None else 0

    def _end(self, error_text: str) -> None:
        if not self.done:
            self._error, self.done = error_text, True
            self._lock.release()


class Router:
    """The addresses of a running production, and the calls that wait in it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._addresses: dict[str, Address] = {}
        self._queues: dict[str, Queue] = {}
        self._queues_lock = threading.Lock()
        self._backlog = store.queued_counts()
        self._known_id = store.highest_id  # nothing that came with the backlog is above it
        self._calls: dict[int, Call] = {}
        self._call_numbers = itertools.count(1)

    # -- addresses ---------------------------------------------------------------------

    def queue(self, name: str) -> Queue:
        """The queue of that name; queues outlive the items that read them."""
        queue = self._queues.get(name)
        if queue is None:
            with self._queues_lock:
                backlog = self._backlog.get(name, {})
                queue = self._queues.setdefault(name, Queue(name, self._store.queued, backlog, self._known_id))
        return queue

    @property
    def claimed(self) -> frozenset[int]:
        """The ids of the messages that pool members work on: Delivered, though their rows say Queued."""
        with self._queues_lock:
            queues = list(self._queues.values())
        return frozenset().union(*(queue.claimed for queue in queues))

    def place(self, config_name: str, address: Address) -> None:
        """Say where an item's messages go from now on."""
        self._addresses[config_name] = address

    def session_queue(self, name: str) -> SessionQueue:
        """The queue of that name, of a duplex item: its members can be in private sessions."""
        with self._queues_lock:
            queue = self._queues.get(name)
            if queue is None:
                backlog = self._backlog.get(name, {})
                queue = self._queues[name] = SessionQueue(name, self._store.queued, backlog, self._known_id)
            return SessionQueue.of(queue)

    def remove(self, config_name: str) -> None:
        """Forget an item's address."""
        self._addresses.pop(config_name, None)

    def clear(self) -> None:
        """Forget the addresses; the queues and what is in them stay."""
        self._addresses.clear()

    def address(self, target: str, waits: bool) -> Address:
        """Where a message for `target` goes.

        Raises `UnknownItem` with near matches, or `ItemNotRunning` with the reason.
        """
        address = self._addresses.get(target)
        if address is None:
            if not self._addresses:
                raise ItemNotRunning("No production is running: start one first.")
            items = [name for name in self._addresses if name != ALARM]
            raise UnknownItem(f"There is no item {target!r} in the production.{near(target, items)}")
        if address.refusal and (waits or not address.queues_anyway):
            raise ItemNotRunning(address.refusal)
        return address

    # -- requests ----------------------------------------------------------------------

    def call(
        self,
        sender: Sender,
        target: str,
        body: Body | None,
        session_id: int = 0,
        description: str = "",
        priority: Priority = Priority.SYNC,
    ) -> Call:
        """Send a request whose answer somebody waits for; it is on disk when this returns."""
        call = Call()
        return_queue = f"{SYNC_QUEUE}{next(self._call_numbers)}"
        draft = self._request(sender, target, body, session_id, description, priority, return_queue, waits=True)

        def committed(entries: list[Entry]) -> None:
            call.header = entries[0].header
            self._calls[call.header.id] = call
            self._enqueue(entries)

        self._store.accept([draft], committed).wait()
        return call

    def send_sync(
        self,
        sender: Sender,
        target: str,
        body: Body | None,
        timeout_s: float | None = None,
        session_id: int = 0,
        description: str = "",
    ) -> Call:
        """Send a request and wait for its answer.

        Raises `RequestFailed` with the target's words, `RequestTimeout` after `timeout_s`
        seconds (None: no limit); a later answer is kept as Discarded.
        """
        call = self.call(sender, target, body, session_id, description)
        if not call.wait(timeout_s):
            self.forget(call)
            raise RequestTimeout(
                f"{target} did not answer within {timeout_s:g} s. The request goes on: see session "
                f"{call.header.session_id}, or ask with a longer timeout."
            )
        call.answer()
        return call

    def refuse_waiting(self, target: str, error_text: str) -> None:
        """Tell everyone who waits for `target` that there will be no answer; the requests stay queued."""
        for call in list(self._calls.values()):
            header = call.header
            if header.target_config_name == target and self._calls.pop(header.id, None) is not None:
                call.refuse(error_text)

    def refuse_call(self, header_id: int, error_text: str) -> None:
        """The same for one request; nobody may wait for it."""
        if (call := self._calls.pop(header_id, None)) is not None:
            call.refuse(error_text)

    def forget(self, call: Call) -> None:
        """Stop waiting: an answer that comes later is Discarded."""
        self._calls.pop(call.header.id, None)

    def send_async(
        self, sender: Sender, target: str, body: Body | None, session_id: int = 0, description: str = ""
    ) -> Header:
        """Send a request that nobody waits for; it is on disk when this returns."""
        draft = self._request(sender, target, body, session_id, description, Priority.ASYNC, "", waits=False)
        entries: list[Entry] = self._store.accept([draft], self._enqueue).wait()
        return entries[0].header

    def draft_async(
        self,
        sender: Sender,
        target: str,
        body: Body | None,
        session_id: int,
        description: str,
        return_queue_name: str = "",
        business_process_id: int = 0,
    ) -> Draft:
        """A request that a business process will store together with its own state."""
        return self._request(
            sender, target, body, session_id, description, Priority.ASYNC, return_queue_name, False, business_process_id
        )

    def write(self, apply: Callable[[sqlite3.Connection], list[Entry]]) -> list[Entry]:
        """Store messages that `apply` inserts, wait for the disk, and put them into their queues. Returns them."""
        entries: list[Entry] = self._store.write(apply, self._enqueue).wait()
        return entries

    def queue_of(self, config_name: str) -> str:
        """The name of the queue that an item reads."""
        return self._addresses[config_name].queue.name

    # -- answers -----------------------------------------------------------------------

    def complete(
        self,
        header: Header,
        body: Body | None,
        error_text: str = "",
        answers: bool = True,
        also: Callable[[sqlite3.Connection], list[Entry]] | None = None,
    ) -> Write:
        """End the handling of `header`: its status, its answer and `also`, in one transaction."""
        status = Status.ERROR if error_text else Status.COMPLETED
        answer = self.answer_to(header, body, error_text) if answers else None
        if also is not None:
            return self._store.complete_with(header, status, error_text, also, self._arrived)
        is_late = None
        if header.return_queue_name.startswith(SYNC_QUEUE):

            def is_late() -> bool:
                return header.id not in self._calls

        return self._store.complete(header, status, error_text, answer, is_late, self._arrived)

    def suspend(self, header: Header) -> Write:
        """Lay a message aside, unanswered."""
        return self._store.complete_with(header, Status.SUSPENDED, "", lambda connection: [])

    def reply(self, request: Header, body: Body | None) -> Write:
        """Answer a request whose handling goes on."""
        draft = self.answer_to(request, body, "")

        def apply(connection: sqlite3.Connection) -> list[Entry]:
            return [self._store.answer(connection, request.id, draft)] if draft is not None else []

        return self._store.write(apply, self._arrived)

    def answer_to(self, request: Header, body: Body | None, error_text: str) -> Draft | None:
        """The answer to a request as it would be stored now, or None if there is nothing to store."""
        if request.type is MessageType.RESPONSE:
            return None
        waits_in_memory = request.return_queue_name.startswith(SYNC_QUEUE)
        if request.return_queue_name and not waits_in_memory:
            status = Status.QUEUED
        elif waits_in_memory and request.id not in self._calls:
            status = Status.DISCARDED  # too late, or the caller died
        else:
            status = Status.COMPLETED
        if not request.return_queue_name and body is None and not error_text:
            return None  # nobody asked and nothing was said
        return Draft(
            target_config_name=request.source_config_name,
            target_queue_name=request.return_queue_name,
            source_config_name=request.target_config_name,
            body=body,
            session_id=request.session_id,
            type=MessageType.RESPONSE,
            priority=request.priority,
            source_business_type=request.target_business_type,
            target_business_type=request.source_business_type,
            business_process_id=request.business_process_id,
            corresponding_message_id=request.id,
            is_error=bool(error_text),
            error_text=error_text,
            status=status,
        )

    def _arrived(self, entries: list[Entry]) -> None:
        for entry in entries:
            call = self._calls.pop(entry.header.corresponding_message_id, None)
            if call is not None and entry.header.type is MessageType.RESPONSE:
                call.deliver(entry)
        self._enqueue(entries)

    # -- both --------------------------------------------------------------------------

    def _enqueue(self, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.header.status is Status.QUEUED:
                self.queue(entry.header.target_queue_name).put(entry)

    def _request(
        self,
        sender: Sender,
        target: str,
        body: Body | None,
        session_id: int,
        description: str,
        priority: Priority,
        return_queue_name: str,
        waits: bool,
        business_process_id: int = 0,
    ) -> Draft:
        address = self.address(target, waits)
        return Draft(
            target_config_name=target,
            target_queue_name=address.queue.name,
            source_config_name=sender.config_name,
            body=body,
            session_id=session_id,
            priority=priority,
            source_business_type=sender.business_type,
            target_business_type=address.business_type,
            return_queue_name=return_queue_name,
            business_process_id=business_process_id,
            description=description,
        )
