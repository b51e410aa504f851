"""What duplex components call on `iris_handle`: start and stop private sessions, send documents."""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from irislite.bridge.handles import Handle, ProcessHandle
from irislite.bridge.objects import SessionPoll, SessionStart, SessionStop, to_body
from irislite.bridge.status import OK, ErrorStatus
from irislite.header import Body
from irislite.router import Router, Sender
from irislite.store import ProcessState

# Completion keys of the calls that keep a private session going, before the name of the other side.
POLL_KEY, START_KEY = "%poll:", "%start:"
# Beside the persistent properties, under names that none of them can have.
SESSIONS, SERVICE = "%sessions", "%service"


class Session(Protocol):
    """What the handle of a duplex service or operation needs of its private session."""

    id: int

    def start(self, session_id: int) -> None: ...
    def stop(self, attached: Any) -> None: ...
    def send(self, document: Body | None, session_id: int) -> None: ...


class DuplexHandle(Handle):
    """The handle of a duplex service or operation."""

    classes: ClassVar[tuple[str, ...]] = (
        "IOP.PrivateSessionDuplex",
        "IOP.Common",
        "Ens.BusinessDuplex",
        "Ens.Host",
        "%RegisteredObject",
    )

    def __init__(self, sender: Sender, router: Router, session: Session) -> None:
        super().__init__(sender, router)
        self._session = session

    @property
    def _InPrivateSession(self) -> int:
        return int(bool(self._session.id))

    @property
    def _PrivateSessionId(self) -> str:
        return str(self._session.id) if self._session.id else ""

    def dispatchProcessInput(self, value: Any = None) -> Any:
        self.session_id = self._session.id
        return self.component._dispatch_on_process_input(value)

    def dispatchSendDocumentToProcess(self, document: Any) -> str:
        self._session.send(to_body(document), self.session_id)
        return ""

    def SendDocumentToProcess(self, document: Any) -> int | ErrorStatus:
        return self._status("SendDocumentToProcess", lambda: self.dispatchSendDocumentToProcess(document))

    def StartPrivateSession(self) -> int | ErrorStatus:
        return self._status("StartPrivateSession", lambda: self._session.start(self.session_id))

    def StopPrivateSession(self, attached: Any = "") -> int | ErrorStatus:
        return self._status("StopPrivateSession", lambda: self._session.stop(attached))

    def OnTearDown(self) -> int | ErrorStatus:
        status = self.StopPrivateSession()
        return status if isinstance(status, ErrorStatus) else super().OnTearDown()

    def _status(self, method: str, act: Callable[[], Any]) -> int | ErrorStatus:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the component's own code among it; the caller gets the status
            self.failed(method, error)
            return ErrorStatus(f"{type(error).__name__}: {error}")
        return OK


class DuplexProcessHandle(ProcessHandle):
    """The handle of a duplex process for one of its messages; its sessions are part of its state."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.DuplexProcess", *ProcessHandle.classes)

    @property
    def ServiceDuplexName(self) -> str:
        return str(self.state.properties.get(SERVICE, ""))

    @ServiceDuplexName.setter
    def ServiceDuplexName(self, name: str) -> None:
        self.state.properties[SERVICE] = name

    def IsInPrivateSession(self, name: str = "") -> int:
        return int(name in self.state.properties.get(SESSIONS, ()))

    def StartPrivateSession(self, name: str = "") -> int | ErrorStatus:
        if not name:
            return ErrorStatus("StartPrivateSession was called without a name: name a duplex service or operation.")
        if self.IsInPrivateSession(name):
            return OK
        return self._status(lambda: self.dispatchSendRequestAsync(name, SessionStart(), 1, START_KEY + name))

    def StopPrivateSession(self, name: str = "", attached: Any = "") -> int | ErrorStatus:
        if not name:
            return ErrorStatus("StopPrivateSession was called without a name: name a duplex service or operation.")
        if not self.IsInPrivateSession(name):
            return OK

        def stop() -> None:
            self.dispatchSendRequestAsync(name, SessionStop(attached), 0)
            self.end_session(name)
            self.component._dispatch_on_private_session_stopped(self, name, 1, "")

        return self._status(stop)

    def StopAllPrivateSessions(self, attached: Any = "") -> int | ErrorStatus:
        for name in list(self.state.properties.get(SESSIONS, ())):
            status = self.StopPrivateSession(name, attached)
            if isinstance(status, ErrorStatus):
                return status
        return OK

    def begin_session(self, name: str) -> None:
        """Note that a session with `name` is on, and ask for its first document."""
        if not self.IsInPrivateSession(name):
            self.state.properties[SESSIONS] = [*self.state.properties.get(SESSIONS, ()), name]
        self.poll(name)

    def poll(self, name: str) -> None:
        """Ask for the next document."""
        self.dispatchSendRequestAsync(name, SessionPoll(), 1, POLL_KEY + name)

    def end_session(self, name: str) -> None:
        """Wait for no more documents from `name`."""
        key = POLL_KEY + name
        self.state.pending = {header_id: value for header_id, value in self.state.pending.items() if value != key}
        self.calls[:] = [call for call in self.calls if call[3] != key]
        self.state.properties[SESSIONS] = [each for each in self.state.properties.get(SESSIONS, ()) if each != name]

    @staticmethod
    def _status(act: Callable[[], Any]) -> int | ErrorStatus:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the component's own code among it; the caller gets the status
            return ErrorStatus(f"{type(error).__name__}: {error}")
        return OK


def partners(state: ProcessState) -> set[str]:
    """The hosts that a process is in private session with, or has asked for one."""
    asked = {key.removeprefix(START_KEY) for key in state.pending.values() if key.startswith(START_KEY)}
    return asked | set(state.properties.get(SESSIONS, ()))
