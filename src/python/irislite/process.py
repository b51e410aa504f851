"""Business processes: a message at a time, with their state stored beside what they send."""

import sqlite3
import threading
from collections import defaultdict
from dataclasses import replace
from typing import Any

from irislite.bridge.handles import ProcessHandle
from irislite.bridge.objects import to_body, to_object
from irislite.header import Body, Header, MessageType
from irislite.host import Host
from irislite.store import Entry, ProcessState, insert

# Two answers for one process are handled one after the other, whichever pool members take them.
_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)


def handle(host: Host, entry: Entry) -> None:
    """Let a process handle a request, or the answer to one of its calls.

    Its state, its calls, its answer and the message's status are stored in one transaction:
    after a crash in the middle the message is handled again, from the state before it.
    """
    if entry.header.type is MessageType.REQUEST:
        state = ProcessState(id=0, config_name=host.item.name, primary_request_id=entry.header.id)
        _Turn(host, entry, state, entry.header).on_request()
        return
    with _locks[entry.header.business_process_id]:
        state_or_none = host.store.process_state(entry.header.business_process_id)
        if state_or_none is None or state_or_none.completed:
            host.router.complete(entry.header, None, answers=False).wait()  # it has already answered its caller
            return
        primary = host.store.header(state_or_none.primary_request_id)
        completed = _Turn(host, entry, state_or_none, primary).on_response()
    if completed:
        _locks.pop(entry.header.business_process_id, None)


class _Turn:
    """What happens between taking one message and storing its effects."""

    def __init__(self, host: Host, entry: Entry, state: ProcessState, primary: Header) -> None:
        self._host = host
        self._entry = entry
        self._state = state
        self._primary = primary
        self._handle = ProcessHandle(host.sender, host.router, state, primary, self._flush)
        self._instance = host.build(self._handle)
        self._before: tuple[int, dict[int, str]] = (state.id, state.pending)

    def on_request(self) -> None:
        self._wake()
        request = to_object(self._host.body_of(self._entry), self._entry.header.message_body_id)
        self._state.response = to_body(self._instance._dispatch_on_request(self._handle, request))
        self._end()

    def on_response(self) -> bool:
        header = self._entry.header
        key = self._state.pending.pop(header.corresponding_message_id, "")
        if header.is_error:
            self._fail(header.error_text)
            return True
        self._wake()
        call = self._host.store.header(header.corresponding_message_id)
        self._state.response = to_body(
            self._instance._dispatch_on_response(
                self._handle,
                self._primary_request(),
                to_object(self._state.response),
                to_object(self._host.store.body(call.message_body_id), call.message_body_id),
                to_object(self._host.body_of(self._entry), header.message_body_id),
                key,
            )
        )
        return self._end()

    def _wake(self) -> None:
        """Bring the instance to where the last message left it."""
        kept = dict(self._state.properties)
        self._host.connect(self._instance)
        self._state.properties = kept  # on connecting, `iop` saves the class's defaults over them
        self._host.init(self._instance)

    def _primary_request(self) -> Any:
        body_id = self._primary.message_body_id
        return to_object(self._host.store.body(body_id), body_id)

    def _end(self) -> bool:
        """Finish the process if nothing is pending; store everything."""
        waits = any(response_required for _, _, response_required, _, _ in self._handle.calls)
        if not self._state.pending and not waits:
            self._state.response = to_body(
                self._instance._dispatch_on_complete(
                    self._handle, self._primary_request(), to_object(self._state.response)
                )
            )
            waits = any(response_required for _, _, response_required, _, _ in self._handle.calls)
            self._state.completed = not waits
        self._store(self._state.response, "")
        return self._state.completed

    def _fail(self, error_text: str) -> None:
        self._state.completed = True
        self._store(None, error_text)

    def _store(self, response: Body | None, error_text: str) -> None:
        self._before = (self._state.id, self._state.pending)

        def also(connection: sqlite3.Connection) -> list[Entry]:
            entries = self._write(connection)
            if self._state.completed and not self._state.replied:
                draft = self._host.router.answer_to(self._primary, response, error_text)
                if draft is not None:
                    entry = insert(connection, draft)
                    connection.execute(
                        "UPDATE message_header SET corresponding_message_id = ? WHERE id = ?",
                        (entry.header.id, self._primary.id),
                    )
                    entries.append(entry)
            return entries

        self._host.router.complete(self._entry.header, None, answers=False, also=also).wait()

    def _flush(self, _handle: ProcessHandle) -> None:
        """Store the calls now: the process is going to wait, and they must be under way."""
        if not self._handle.calls:
            return
        self._before = (self._state.id, self._state.pending)
        self._host.router.write(self._write)
        self._handle.calls.clear()

    def _write(self, connection: sqlite3.Connection) -> list[Entry]:
        """Write the state and the calls. It may run twice: what it learned the first time is forgotten."""
        self._state.id, self._state.pending = self._before
        self._state.pending = dict(self._state.pending)
        self._state.id = self._host.store.save_process_state(connection, self._state)
        entries = []
        for target, body, response_required, key, description in self._handle.calls:
            draft = self._host.router.draft_async(
                self._host.sender,
                target,
                body,
                self._primary.session_id,
                description,
                return_queue_name=self._host.router.queue_of(self._host.item.name) if response_required else "",
                business_process_id=self._state.id if response_required else 0,
            )
            entry = insert(connection, draft)
            entries.append(entry)
            if response_required:
                self._state.pending[entry.header.id] = key
        self._host.store.save_process_state(connection, self._state)
        return entries


def fail(host: Host, entry: Entry, error_text: str) -> None:
    """End a process whose code raised: its message is in error, and so is what its caller gets."""
    router, header = host.router, entry.header
    if header.type is MessageType.REQUEST:
        router.complete(header, None, error_text).wait()
        return
    state = host.store.process_state(header.business_process_id)

    def also(connection: sqlite3.Connection) -> list[Entry]:
        if state is None or state.completed:
            return []
        host.store.save_process_state(connection, replace(state, completed=True))
        draft = (
            None if state.replied else router.answer_to(host.store.header(state.primary_request_id), None, error_text)
        )
        return [insert(connection, draft)] if draft is not None else []

    router.complete(header, None, error_text, answers=False, also=also).wait()
