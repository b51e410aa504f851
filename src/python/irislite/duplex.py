"""Duplex hosts: services and operations with a private session, and the processes at the other end of it."""

import sqlite3
from typing import Any

from irislite.bridge import components
from irislite.bridge.duplexhandles import DuplexHandle, DuplexProcessHandle, partners
from irislite.bridge.handles import Handle, ProcessHandle
from irislite.bridge.objects import SessionAck, SessionPoll, SessionStart, SessionStop, to_object
from irislite.errors import ItemNotRunning, NotSupported, UnknownItem
from irislite.generators import CLASSES
from irislite.header import Body, BusinessType, Header
from irislite.host import Host
from irislite.privatesession import PrivateSession
from irislite.process import Turn
from irislite.store import Entry

START, POLL, STOP = (kind.classes[0] for kind in (SessionStart, SessionPoll, SessionStop))


class DuplexHost(Host):
    """A duplex service or operation: it is called for input, as a service, and takes messages, as an operation."""

    def __init__(self, *values: Any) -> None:
        super().__init__(*values)
        target = (self.item.setting(components.DUPLEX_TARGET) or "").strip()
        self.session = PrivateSession(self.sender, target, self.router, self.store)
        self.session.started = lambda self_generated: self._tell("started", self_generated)
        self.session.stopped = lambda self_generated, attached: self._tell("stopped", self_generated, attached)

    def start(self) -> None:
        super().start()
        if count := self.session.recover():
            self._warn(
                f"{count} polls waited when the last run ended: their processes are told that the private sessions "
                "are over.", "OnInit",
            )  # fmt: skip

    def stop(self) -> None:
        """End the private session, so that the process knows, and tear the component down."""
        try:
            self.session.stop()
        except Exception as error:  # noqa: BLE001 - the component's own code among it
            self.failed("StopPrivateSession", error)
        super().stop()

    def new_handle(self) -> Handle:
        return DuplexHandle(self.sender, self.router, self.session)

    def operate(self, entry: Entry) -> Body | None:
        header = entry.header
        self.instance.iris_handle.session_id = header.session_id
        if header.message_body_class_name == START:
            return self.session.start_asked(header)
        if header.message_body_class_name == STOP:
            stop: Any = to_object(self.body_of(entry), header.message_body_id)
            self.session.stop_asked(header, stop.AttachedMessage)
            return None
        if self.kind is BusinessType.SERVICE and header.message_body_class_name not in CLASSES:
            raise NotSupported(
                f"{self.item.name} is a duplex service: a process can start and stop its private session, but send it "
                "no documents. Let it extend DuplexOperation to take some."
            )
        return super().operate(entry)

    @property
    def is_polled(self) -> bool:
        if self._adapter_class is not None:
            return components.is_inbound(self._adapter_class)
        return bool(self.component_class.get_adapter_type() == "Ens.InboundAdapter")

    def poll(self) -> None:
        if self._adapter is None:
            self.process_input()
        else:
            self.instance.iris_handle.session_id = self.session.id
            self._adapter.instance.on_task()

    def _tell(self, what: str, *values: Any) -> None:
        """Tell the component; as on IRIS it gets its own handle for the name of the other side."""
        handle = self.instance.iris_handle
        handle.session_id = self.session.id
        getattr(self.instance, f"_dispatch_on_private_session_{what}")(handle, *values)


class DuplexTurn(Turn):
    """One message of a duplex process: a document, or a private session that starts or stops."""

    _before_turn: frozenset[str] = frozenset()  # who was in a session with it, whatever became of the turn
    _own: DuplexProcessHandle

    def _new_handle(self) -> ProcessHandle:
        self._before_turn = frozenset(partners(self._state))
        self._own = DuplexProcessHandle(self._host.sender, self._host.router, self._state, self._primary, self._flush)
        return self._own

    def _on_request(self, request: Any) -> None:
        source, handle = self._primary.source_config_name, self._own
        if not isinstance(request, SessionStart):
            self._on_document(source, request)
            return
        handle.dispatchReply(SessionAck())
        handle.ServiceDuplexName = source
        handle.begin_session(source)
        self._instance._dispatch_on_private_session_started(handle, source, 0)

    def _on_response(self, call: Header, response: Any, _key: str) -> None:
        source, handle = self._entry.header.source_config_name, self._own
        if isinstance(response, SessionAck):
            handle.begin_session(source)
            self._instance._dispatch_on_private_session_started(handle, source, 1)
        elif isinstance(response, SessionStop):
            handle.end_session(source)
            self._instance._dispatch_on_private_session_stopped(handle, source, 0, response.AttachedMessage)
        else:
            if call.message_body_class_name == POLL and handle.IsInPrivateSession(source):
                handle.poll(source)
            self._on_document(source, response)

    def _leave(self, connection: sqlite3.Connection) -> list[Entry]:
        """A process that ends tells whoever is in a private session with it."""
        entries = []
        for name in sorted(self._before_turn | partners(self._state)):
            try:
                draft = self._host.router.draft_async(
                    self._host.sender, name, SessionStop().to_body(), self._primary.session_id, ""
                )
            except (ItemNotRunning, UnknownItem):
                continue  # its session went with it
            entries.append(self._host.store.insert(connection, draft))
        return entries

    def _on_document(self, source: str, document: Any) -> None:
        self._instance._dispatch_on_document(self._own, source, document)
