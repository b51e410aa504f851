"""What a component calls on `iris_handle`: sends, replies, timers, persistent properties."""

import base64
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from irislite.alarm import seconds_of
from irislite.bridge.objects import AlarmRequest, IrisObject, MessageHeader, Ref, to_body, to_object
from irislite.bridge.status import OK, ErrorStatus
from irislite.errors import Interrupted, IrisliteError, NotSupported, RequestTimeout
from irislite.header import Header
from irislite.router import ALARM, Call, Router, Sender
from irislite.store import ProcessState

NO_TIMEOUT = -1
BYTES = "%bytes"  # how a persistent property that is bytes is kept in JSON


class _ComponentHandle(IrisObject):
    """A handle tells which component it is of."""

    component: Any = None

    def GetClass(self) -> Any:
        return self.component

    def GetModule(self) -> str:
        return type(self.component).__module__

    def GetClassname(self) -> str:
        return type(self.component).__name__


class AdapterHandle(_ComponentHandle):
    """The handle of a Python adapter; `host` is the handle of the service or operation it works for."""

    def __init__(self, host: "Handle") -> None:
        self.BusinessHost = host

    @property
    def _ConfigName(self) -> str:
        return self.BusinessHost._ConfigName


class InboundHandle(AdapterHandle):
    """The handle of a service's adapter."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.InboundAdapter", "IOP.Common", "Ens.InboundAdapter", "Ens.Adapter")


class OutboundHandle(AdapterHandle):
    """The handle of an operation's adapter."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.OutboundAdapter", "IOP.Common", "Ens.OutboundAdapter", "Ens.Adapter")


class Handle(_ComponentHandle):
    """The handle of a service or an operation; one thread uses it at a time.

    `session_id` is the session that sends belong to; 0 lets the next send start one.
    """

    classes: ClassVar[tuple[str, ...]] = ("IOP.Common", "Ens.Host", "%RegisteredObject")

    def __init__(self, sender: Sender, router: Router) -> None:
        self.sender = sender
        self.session_id = 0
        self._RequestHeader: MessageHeader | None = None  # of the request that an operation handles
        self._router = router
        self._calls: dict[int, Call] = {}
        self.Adapter: AdapterHandle | None = None
        self.failed: Callable[[str, BaseException], None] = lambda method, error: None  # told of what a hook raises
        self.stopping = threading.Event()

    def Pause(self, seconds: float) -> None:
        """Let an operation wait. A stop of its item ends that: the message is handled after the next start.

        Only here; a component asks with `getattr(handle, "Pause", None)`, and sleeps on IRIS.
        """
        if self.stopping.wait(seconds):
            raise Interrupted

    def ProcessInput(self, value: Any = None) -> int | ErrorStatus:
        """Hand an input to the service, in a session of its own; what it raises is logged and answered as a status."""
        try:
            self.dispatchProcessInput(value)
        except Exception as error:  # noqa: BLE001 - the component's own code; an adapter asks for the status
            self.failed("OnProcessInput", error)
            return ErrorStatus(f"{type(error).__name__}: {error}")
        return OK

    def dispatchProcessInput(self, value: Any = None) -> Any:
        self.session_id = 0
        return self.component._dispatch_on_process_input(value)

    def OnTearDown(self) -> int | ErrorStatus:
        try:
            self.component._dispatch_on_tear_down(self)
        except Exception as error:  # noqa: BLE001 - the component's own code
            return ErrorStatus(f"{type(error).__name__}: {error}")
        return OK

    def ForceSessionId(self) -> int:
        self.session_id = 0
        return OK

    @property
    def _SessionId(self) -> str:
        return str(self.session_id) if self.session_id else ""

    @_SessionId.setter
    def _SessionId(self, value: Any) -> None:
        self.session_id = int(value or 0)

    @property
    def _ConfigName(self) -> str:
        return self.sender.config_name

    def dispatchSendRequestSync(
        self, target: str, request: Any, timeout: float = NO_TIMEOUT, description: str | None = None
    ) -> Any:
        call = self._call(target, request, description)
        if not call.wait(None if timeout == NO_TIMEOUT else timeout):
            self._router.forget(call)
            raise RequestTimeout(f"{target} did not answer within {timeout:g} s: allow it more time, or send async.")
        return self._answer(call)

    def dispatchSendRequestAsync(self, target: str, request: Any, description: str | None = None) -> None:
        header = self._router.send_async(self.sender, target, to_body(request), self.session_id, description or "")
        self.session_id = header.session_id

    def dispatchSendRequestSyncMultiple(self, call_list: list[Any], timeout: float = NO_TIMEOUT) -> list[Any]:
        deadline = None if timeout == NO_TIMEOUT else time.monotonic() + timeout
        for entry in call_list:
            self._router.address(entry.TargetDispatchName, waits=True)  # all of them are sent, or none
        calls = [self._call(entry.TargetDispatchName, entry.Request, None) for entry in call_list]
        for entry, call in zip(call_list, calls, strict=True):
            # IRIS's response codes: 1 answered, 0 not in time, 2 the target failed.
            if not call.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                self._router.forget(call)
                entry.Response, entry.ResponseCode = None, 0
                continue
            try:
                entry.Response, entry.ResponseCode = self._answer(call), 1
            except IrisliteError:
                entry.Response, entry.ResponseCode = None, 2
        return call_list

    def dispatchSendRequestAsyncNG(
        self,
        target: str,
        request: Any,
        timeout: float,
        description: str | None,
        ref_id: Ref,
        ref_queue: Ref,
        ref_end: Ref,
    ) -> int:
        call = self._call(target, request, description)
        self._calls[call.header.id] = call
        ref_id.value, ref_queue.value = call.header.id, call.header.return_queue_name
        ref_end.value = "" if timeout == NO_TIMEOUT else time.monotonic() + timeout
        return OK

    def dispatchIsRequestDone(
        self, timeout: float, end: Any, _queue: str, header_id: int, ref_response: Ref
    ) -> int | ErrorStatus:
        call = self._calls[header_id]
        if call.done:
            del self._calls[header_id]
            try:
                ref_response.value = self._answer(call)
            except IrisliteError as error:
                return ErrorStatus(str(error))
            return 2
        if timeout != NO_TIMEOUT and time.monotonic() >= end:
            del self._calls[header_id]
            self._router.forget(call)
            return ErrorStatus(f"The request was not answered within {timeout:g} s: allow it more time.")
        return 1

    def _call(self, target: str, request: Any, description: str | None) -> Call:
        call = self._router.call(self.sender, target, to_body(request), self.session_id, description or "")
        self.session_id = call.header.session_id
        return call

    @staticmethod
    def _answer(call: Call) -> Any:
        return to_object(call.answer(), call.response_body_id)


class ProcessHandle(Handle):
    """The handle of a business process, for the time of one of its messages.

    Asynchronous requests are kept in `calls` and stored with the process's state at the end
    of the message, in one transaction; `flush` stores them earlier, before the process waits.
    """

    classes: ClassVar[tuple[str, ...]] = (
        "IOP.BusinessProcess",
        "IOP.Common",
        "Ens.BusinessProcess",
        "Ens.Host",
        "%RegisteredObject",
    )

    def __init__(
        self,
        sender: Sender,
        router: Router,
        state: ProcessState,
        primary: Header,
        flush: Callable[["ProcessHandle"], None],
    ) -> None:
        super().__init__(sender, router)
        self.session_id = primary.session_id
        self.state = state
        self.primary = primary
        self.calls: list[tuple[str, Any, bool, str, str]] = []
        self._flush = flush

    def dispatchSendRequestSync(
        self, target: str, request: Any, timeout: float = NO_TIMEOUT, description: str | None = None
    ) -> Any:
        self._flush(self)
        return super().dispatchSendRequestSync(target, request, timeout, description)

    def dispatchSendRequestSyncMultiple(self, call_list: list[Any], timeout: float = NO_TIMEOUT) -> list[Any]:
        self._flush(self)
        return super().dispatchSendRequestSyncMultiple(call_list, timeout)

    def dispatchSendRequestAsyncNG(self, *values: Any) -> int:
        self._flush(self)
        return super().dispatchSendRequestAsyncNG(*values)

    def dispatchSendRequestAsync(  # type: ignore[override] # IRIS's signature for processes is another one
        self, target: str, request: Any, response_required: int = 1, completion_key: str | None = None,
        description: str | None = None,
    ) -> None:  # fmt: skip
        self._router.address(target, waits=False)  # an unknown target is told to the sender, not to the log
        self.calls.append((target, to_body(request), bool(response_required), completion_key or "", description or ""))

    def dispatchReply(self, response: Any) -> int:
        if not self.state.replied:
            self.state.replied = True
            self._router.reply(self.primary, to_body(response)).wait()
        return OK

    def dispatchSetTimer(self, timeout: Any, completion_key: str | None = None) -> int:
        seconds_of(timeout)  # a duration that is none is told here
        self.dispatchSendRequestAsync(ALARM, AlarmRequest(str(timeout)), 1, completion_key, "SetTimer")
        return OK

    def ClearAllPendingResponses(self) -> int:
        """Wait for nothing any more: what is answered later is Discarded."""
        self.state.pending.clear()
        self.calls[:] = [(*call[:2], False, *call[3:]) for call in self.calls if call[0] != ALARM]
        return OK

    def setPersistentProperty(self, name: str, value: Any) -> int:
        # The state is stored as JSON, which has no bytes.
        self.state.properties[name] = {BYTES: base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        return OK

    def getPersistentProperty(self, name: str) -> Any:
        # A property that was never saved raises, and `iop` then leaves the class's default.
        value = self.state.properties[name]
        return base64.b64decode(value[BYTES]) if isinstance(value, dict) else value


class GeneratorHandle(Handle):
    """The handle of a business process whose generator is asked for: it keeps no state and waits for nothing."""

    classes: ClassVar[tuple[str, ...]] = ProcessHandle.classes

    def __init__(self, sender: Sender, router: Router) -> None:
        super().__init__(sender, router)
        self._properties: dict[str, Any] = {}

    def dispatchSendRequestAsync(  # type: ignore[override] # IRIS's signature for processes is another one
        self, target: str, request: Any, _response_required: int = 1, _completion_key: str | None = None,
        description: str | None = None,
    ) -> None:  # fmt: skip
        super().dispatchSendRequestAsync(target, request, description)

    def dispatchReply(self, _response: Any) -> int:
        raise NotSupported("A generator answers with what it yields: yield the message instead of replying with it.")

    def dispatchSetTimer(self, _timeout: Any, _completion_key: str | None = None) -> int:
        raise NotSupported("A generator cannot set a timer: set it in the process that reads the generator.")

    def setPersistentProperty(self, name: str, value: Any) -> int:
        self._properties[name] = value
        return OK

    def getPersistentProperty(self, name: str) -> Any:
        return self._properties[name]
