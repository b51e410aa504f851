"""Business processes: a message at a time, with their state stored beside what they send."""

import sqlite3
import threading
from typing import Any

from irislite.bridge.handles import ProcessHandle
from irislite.bridge.objects import to_body, to_object
from irislite.errors import IllegalMove
from irislite.generators import CLASSES
from irislite.header import Body, Header, MessageType, Status
from irislite.host import Host
from irislite.router import ALARM
from irislite.store import Entry, ProcessState

# Beside the persistent properties, under a name that none of them can have: each pending timer's
# header id, and whether it limits the wait for calls (or is a pause that the process asked for).
TIMERS = "%timers"


class Busy(Exception):
    """Another member works for the same process: its message is handled later."""


class Turn:
    """One message of a process: a request, or the answer to one of its calls.

    What the process keeps, its calls, its answer and the message's status are stored in one
    transaction: after a crash in the middle the message is handled again, from the state
    before it. Only a synchronous call in the middle stores what came before it earlier.
    """

    def __init__(self, host: Host, entry: Entry) -> None:
        self._host = host
        self._entry = entry
        self._is_request = entry.header.type is MessageType.REQUEST
        # A request that comes again after a crash may have been replied to already.
        replied = bool(entry.header.corresponding_message_id)
        self._state = ProcessState(0, host.item.name, entry.header.id, replied=replied)
        self._primary: Header = entry.header
        self._held: threading.Lock | None = None
        self._set_now: list[int] = []  # the timers that this turn has set
        self._before: tuple[int, dict[int, str], dict[str, bool], list[int]] = (0, {}, {}, [])
        self._handle: ProcessHandle | None = None  # while there is no component: an error is passed on without one
        self._instance: Any = None

    def run(self) -> None:
        """Handle the message. Raises `Busy` if another member works for the same process.

        What the component raises is raised on; then `fail` ends the process.
        """
        if self._entry.header.message_body_class_name in CLASSES:
            self._host.router.complete(self._entry.header, self._host.generate(self._entry)).wait()
            return
        if self._is_request:
            self._host.store.close_processes_of(self._entry.header.id)  # left by a crash in the middle of this request
            self._prepare()
            request = to_object(self._host.body_of(self._entry), self._entry.header.message_body_id)
            self._on_request(request)
            self._end()
            return
        self._hold(self._entry.header.business_process_id)
        state = self._host.store.process_state(self._entry.header.business_process_id)
        if state is None or state.completed or self._entry.header.corresponding_message_id not in state.pending:
            # Nobody waits for it any more.
            self._host.store.complete_with(self._entry.header, Status.DISCARDED, "", lambda connection: []).wait()
            return
        self._state = state
        self._primary = self._host.store.header(state.primary_request_id)
        self._respond()

    def fail(self, error_text: str) -> None:
        """End a process whose code raised: its message is in error, and its caller gets the error, once."""
        self._state.completed = True

        def also(connection: sqlite3.Connection) -> list[Entry]:
            if self._state.id:
                self._discard_timers(connection)
                self._host.store.save_process_state(connection, self._state)
            return self._answer(connection, None, error_text) + self._leave(connection)

        self._host.router.complete(self._entry.header, None, error_text, answers=False, also=also).wait()

    def close(self) -> None:
        """Let others work for this process."""
        if self._held is None:
            return
        if self._state.completed or not self._state.id:  # nothing will come for it, or it has gone already
            self._host.instances.locks.pop(self._state.id or self._entry.header.business_process_id, None)
        self._held.release()
        self._held = None

    # -- inside ------------------------------------------------------------------------------

    def _hold(self, process_id: int) -> None:
        lock = self._host.instances.locks[process_id]
        if not lock.acquire(blocking=False):
            raise Busy
        self._held = lock

    def _prepare(self) -> None:
        """Find the component as the last message left it, or make one and bring it there."""
        self._handle = self._new_handle()
        self._instance = self._host.instances.take(self._state.id) if self._state.id else None
        if self._instance is not None:
            self._handle.component = self._instance
            self._instance._set_iris_handles(self._handle, None)
            return
        self._instance = self._host.build(self._handle)
        kept = dict(self._state.properties)
        self._host.connect(self._instance)
        self._state.properties = kept  # on connecting, `iop` saves the class's defaults over them
        self._host.init(self._instance)

    def _respond(self) -> None:
        header = self._entry.header
        key = self._state.pending.pop(header.corresponding_message_id)
        self._timers.pop(str(header.corresponding_message_id), None)
        if header.is_error:
            self._state.completed = True
            self._store(None, header.error_text)
            return
        self._prepare()
        call = self._host.store.header(header.corresponding_message_id)
        self._on_response(call, to_object(self._host.body_of(self._entry), header.message_body_id), key)
        self._end()

    def _primary_request(self) -> Any:
        body_id = self._primary.message_body_id
        return to_object(self._host.store.body(body_id), body_id)

    @property
    def _timers(self) -> dict[str, bool]:
        found: dict[str, bool] = self._state.properties.get(TIMERS, {})
        return found

    @property
    def _has_calls(self) -> bool:
        """Whether calls other than timers are out."""
        timers = self._timers
        return any(str(header_id) not in timers for header_id in self._state.pending)

    def _waits(self) -> bool:
        """Whether the process has to wait. A timer that was to limit the wait for calls keeps it from nothing."""
        if any(required for _, _, required, _, _ in self._calls()) or self._has_calls:
            return True
        timers = self._timers
        return any(not timers[str(header_id)] for header_id in self._state.pending)

    def _end(self) -> None:
        """Finish the process if nothing is pending; store everything."""
        if not self._waits():
            self._state.response = to_body(
                self._instance._dispatch_on_complete(
                    self._handle, self._primary_request(), to_object(self._state.response)
                )
            )
            self._state.completed = not self._waits()
        self._store(self._state.response, "")

    def _store(self, response: Body | None, error_text: str) -> None:
        self._before = (self._state.id, self._state.pending, self._timers, self._set_now)

        def also(connection: sqlite3.Connection) -> list[Entry]:
            entries = self._write(connection)
            if self._state.completed:
                entries = entries + self._answer(connection, response, error_text) + self._leave(connection)
            return entries

        self._host.router.complete(self._entry.header, None, answers=False, also=also).wait()
        if self._state.completed:
            self._host.instances.take(self._state.id)
        elif self._state.id:
            self._host.instances.keep(self._state.id, self._host.item.name, self._instance)

    def _answer(self, connection: sqlite3.Connection, response: Body | None, error_text: str) -> list[Entry]:
        """Write the answer to the process's caller, unless it has one."""
        draft = None if self._state.replied else self._host.router.answer_to(self._primary, response, error_text)
        return [self._host.store.answer(connection, self._primary.id, draft)] if draft is not None else []

    def _flush(self, _handle: ProcessHandle) -> None:
        """Store the calls now: the process is going to wait, and they must be under way.

        Their answers find the process in hand until its turn ends.
        """
        if not self._calls():
            return
        if not self._state.id:
            self._host.router.write(self._save)
            self._hold(self._state.id)
        self._before = (self._state.id, self._state.pending, self._timers, self._set_now)
        self._host.router.write(self._write)
        self._calls().clear()

    def _save(self, connection: sqlite3.Connection) -> list[Entry]:
        self._state.id = 0  # it may run twice
        self._state.id = self._host.store.save_process_state(connection, self._state)
        return []

    def _write(self, connection: sqlite3.Connection) -> list[Entry]:
        """Write the state and the calls. It may run twice: what it learned the first time is forgotten."""
        self._state.id, pending, timers, set_now = self._before
        self._state.pending, self._set_now = dict(pending), list(set_now)
        if not self._state.id and not self._calls():
            return []  # it was finished in one turn: there is nothing to keep
        self._state.id = self._host.store.save_process_state(connection, self._state)
        entries = []
        for target, body, response_required, key, description in self._calls():
            draft = self._host.router.draft_async(
                self._host.sender,
                target,
                body,
                self._primary.session_id,
                description,
                return_queue_name=self._host.router.queue_of(self._host.item.name) if response_required else "",
                business_process_id=self._state.id if response_required else 0,
            )
            entry = self._host.store.insert(connection, draft)
            entries.append(entry)
            if response_required:
                self._state.pending[entry.header.id] = key
                if target == ALARM:
                    self._set_now.append(entry.header.id)
        self._keep_timers(timers)
        if self._state.completed:
            self._discard_timers(connection)
        self._host.store.save_process_state(connection, self._state)
        return entries

    def _keep_timers(self, before: dict[str, bool]) -> None:
        """Tell timers from calls. One that is set while calls are out limits the wait for them."""
        set_now = {str(header_id) for header_id in self._set_now}
        pending = [str(header_id) for header_id in self._state.pending]
        is_limit = any(header_id not in before and header_id not in set_now for header_id in pending)
        timers = {
            header_id: is_limit if header_id in set_now else before[header_id]
            for header_id in pending
            if header_id in set_now or header_id in before
        }
        self._state.properties.pop(TIMERS, None)
        if timers:
            self._state.properties[TIMERS] = timers

    def _discard_timers(self, connection: sqlite3.Connection) -> None:
        """Put an end to the timers of a process that ends."""
        for header_id in self._timers:
            try:
                self._host.store.move(connection, int(header_id), Status.DISCARDED)
            except IllegalMove:
                pass  # it was answered at the same moment; the answer is Discarded when its turn comes

    def _calls(self) -> list[tuple[str, Any, bool, str, str]]:
        return self._handle.calls if self._handle is not None else []

    # -- what a duplex process does in its own way --------------------------------------------

    def _new_handle(self) -> ProcessHandle:
        return ProcessHandle(self._host.sender, self._host.router, self._state, self._primary, self._flush)

    def _on_request(self, request: Any) -> None:
        self._state.response = to_body(self._instance._dispatch_on_request(self._handle, request))

    def _on_response(self, call: Header, response: Any, key: str) -> None:
        """Handle the answer to `call`, whose completion key is `key`."""
        self._state.response = to_body(
            self._instance._dispatch_on_response(
                self._handle,
                self._primary_request(),
                to_object(self._state.response),
                to_object(self._host.store.body(call.message_body_id), call.message_body_id),
                response,
                key,
            )
        )

    def _leave(self, _connection: sqlite3.Connection) -> list[Entry]:
        """What is sent when the process ends."""
        return []
