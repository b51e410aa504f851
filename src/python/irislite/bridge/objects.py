"""The IRIS objects that components hold in their hands, and the bodies they are stored as.

`iop` takes an object for IRIS's if its class lives in a package whose name starts with `iris`,
and then asks it `_IsA`, `_ClassName` and `_Id`: every object here answers.
"""

import json
from collections.abc import Callable
from typing import Any, ClassVar

from irislite.errors import NotSupported
from irislite.header import Body, Header

STREAM_BUFFER = 1_000_000  # characters; `iop` puts a longer JSON text into a stream


class IrisObject:
    """What all IRIS objects have in common. `classes` names the class and its superclasses."""

    classes: ClassVar[tuple[str, ...]] = ("%RegisteredObject",)

    @classmethod
    def _New(cls, *values: Any) -> "IrisObject":
        return cls(*values)

    def _IsA(self, name: str) -> bool:
        return name in self.classes

    def _Extends(self, name: str) -> bool:
        return name in self.classes

    def _ClassName(self, full: int = 0) -> str:
        return self.classes[0] if full else self.classes[0].rpartition(".")[2]

    def _Id(self) -> str:
        return ""


class Stream(IrisObject):
    """`%Stream.GlobalCharacter`: a text that is written and read in pieces."""

    classes: ClassVar[tuple[str, ...]] = (
        "%Stream.GlobalCharacter",
        "%Stream.Object",
        "%Persistent",
        "%RegisteredObject",
    )

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self._position = 0

    @property
    def text(self) -> str:
        """Everything that was written."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def Size(self) -> int:
        return len(self.text)

    @property
    def AtEnd(self) -> bool:
        return self._position >= len(self.text)

    def Write(self, text: str = "") -> int:
        self._pieces.append(text)
        return 1

    def Read(self, length: int = 32_000) -> str:
        piece = self.text[self._position : self._position + length]
        self._position += len(piece)
        return piece

    def Rewind(self) -> int:
        self._position = 0
        return 1

    def Clear(self) -> int:
        self._pieces, self._position = [], 0
        return 1


# The stored body of an id, None if there is none; `backend` lets the running engine answer.
read_body: Callable[[int], Body | None] = lambda body_id: None  # noqa: E731


class MessageBody(IrisObject):
    """The root of what a message can carry. `body_id` is set once it is stored."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.MessageBody", "%Persistent", "%RegisteredObject")

    def __init__(self) -> None:
        self.body_id = 0

    @classmethod
    def _OpenId(cls, body_id: Any) -> "MessageBody | None":
        """What is stored under an id; None if nothing is, or something else."""
        found = to_object(read_body(int(body_id)), int(body_id))
        return found if isinstance(found, cls) else None

    def _Id(self) -> str:
        return str(self.body_id) if self.body_id else ""

    def to_body(self) -> Body:
        """What is stored."""
        return Body(self.classes[0], self.classes[0], json.dumps(self._fields()))

    def fill(self, body: Body) -> None:
        """Take over what was stored."""
        for name, value in json.loads(body.content or "{}").items():
            setattr(self, name, value)

    def _fields(self) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._fields().items())})"


class Message(MessageBody):
    """`IOP.Message`: a Python message as JSON, in a text or, when it is long, in a stream."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Message", *MessageBody.classes)
    buffer = STREAM_BUFFER

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.classname = ""
        self.json: Any = ""

    @property
    def type(self) -> str:
        return "Stream" if isinstance(self.json, Stream) else "String"

    @property
    def content(self) -> str:
        """The JSON text, wherever it lies."""
        return self.json.text if isinstance(self.json, Stream) else self.json

    @property
    def jsonString(self) -> str:
        return self.content

    @property
    def jstr(self) -> Stream:
        return self.json if isinstance(self.json, Stream) else Stream(self.json)

    def GetObjectJson(self, at_end: Any = None) -> str:
        if at_end is not None:
            at_end.value = 1  # IRIS cuts at its longest string; here the text is always whole
        return self.content

    def to_body(self) -> Body:
        return Body(self.classes[0], self.classname, self.content)

    def fill(self, body: Body) -> None:
        self.classname = body.classname
        self.json = body.content if len(body.content) <= self.buffer else Stream(body.content)


class PickleMessage(MessageBody):
    """`IOP.PickleMessage`: a Python message as base64 pickle text in a stream."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.PickleMessage", *MessageBody.classes)

    def __init__(self, *_: Any) -> None:
        super().__init__()
        self.classname = ""
        self.jstr = Stream()

    def to_body(self) -> Body:
        return Body(self.classes[0], self.classname, self.jstr.text)

    def fill(self, body: Body) -> None:
        self.classname, self.jstr = body.classname, Stream(body.content)


class EnsRequest(MessageBody):
    """`Ens.Request`: a request that carries nothing."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.Request", *MessageBody.classes)


class EnsResponse(MessageBody):
    """`Ens.Response`: an answer that carries nothing."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.Response", *MessageBody.classes)


class _StringBody(MessageBody):
    def __init__(self, value: str = "", *_: Any) -> None:
        super().__init__()
        self.StringValue = value

    def _fields(self) -> dict[str, Any]:
        return {"StringValue": self.StringValue}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.StringValue!r})"


class StringRequest(_StringBody):
    """`Ens.StringRequest`: a request that carries a text."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.StringRequest", *EnsRequest.classes)


class StringResponse(_StringBody):
    """`Ens.StringResponse`: an answer that carries a text."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.StringResponse", *EnsResponse.classes)


class AlertRequest(MessageBody):
    """`Ens.AlertRequest`: tells the item Ens.Alert what happened. `AlertTime` is ISO 8601 in UTC."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.AlertRequest", *EnsRequest.classes)

    def __init__(self, source: str = "", text: str = "", *_: Any) -> None:
        super().__init__()
        self.SourceConfigName = source
        self.AlertText = text
        self.SessionId = ""
        self.AlertDestination = ""
        self.AlertTime = ""

    def _fields(self) -> dict[str, Any]:
        names = ("SourceConfigName", "AlertText", "SessionId", "AlertDestination", "AlertTime")
        return {name: getattr(self, name) for name in names}


class AlarmRequest(MessageBody):
    """`Ens.AlarmRequest`: asks to be answered when `Duration`, seconds or xsd duration text, has passed."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.AlarmRequest", *EnsRequest.classes)

    def __init__(self, duration: str = "", *_: Any) -> None:
        super().__init__()
        self.Duration = duration

    def _fields(self) -> dict[str, Any]:
        return {"Duration": self.Duration}


class AlarmResponse(MessageBody):
    """`Ens.AlarmResponse`: says that the time has passed."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.AlarmResponse", *EnsResponse.classes)


class Start(Message):
    """`IOP.Generator.Message.Start`: asks for a generator, with a Python message as JSON."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Generator.Message.Start", *Message.classes)


class StartPickle(PickleMessage):
    """`IOP.Generator.Message.StartPickle`: asks for a generator, with a Python message as pickle text."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Generator.Message.StartPickle", *PickleMessage.classes)


class Poll(MessageBody):
    """`IOP.Generator.Message.Poll`: asks a generator for its next value."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Generator.Message.Poll", "%Persistent", "%RegisteredObject")


class Ack(MessageBody):
    """`IOP.Generator.Message.Ack`: says that the generator is there."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Generator.Message.Ack", "%Persistent", "%RegisteredObject")


class Stop(MessageBody):
    """`IOP.Generator.Message.Stop`: says that the generator has no more values."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.Generator.Message.Stop", "%Persistent", "%RegisteredObject")


class SessionStart(MessageBody):
    """`IOP.PrivateSession.Message.Start`: asks for a private session."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.PrivateSession.Message.Start", "%Persistent", "%RegisteredObject")


class SessionPoll(MessageBody):
    """`IOP.PrivateSession.Message.Poll`: asks for the next document of a private session."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.PrivateSession.Message.Poll", "%Persistent", "%RegisteredObject")


class SessionAck(MessageBody):
    """`IOP.PrivateSession.Message.Ack`: says that the private session has started."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.PrivateSession.Message.Ack", "%Persistent", "%RegisteredObject")


class SessionStop(MessageBody):
    """`IOP.PrivateSession.Message.Stop`: says that the private session is over; a message may come with it."""

    classes: ClassVar[tuple[str, ...]] = ("IOP.PrivateSession.Message.Stop", "%Persistent", "%RegisteredObject")

    def __init__(self, attached: Any = "", *_: Any) -> None:
        super().__init__()
        self.AttachedMessage = attached

    def _fields(self) -> dict[str, Any]:
        body = to_body(self.AttachedMessage)
        return {"AttachedMessage": list(body)} if body is not None else {}

    def fill(self, body: Body) -> None:
        attached = json.loads(body.content or "{}").get("AttachedMessage")
        self.AttachedMessage = to_object(Body(*attached)) if attached else ""


class MessageHeader(IrisObject):
    """`Ens.MessageHeader`: what an operation may know of the request at hand, read only."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.MessageHeader", "%Persistent", "%RegisteredObject")

    def __init__(self, header: Header) -> None:
        self._header = header
        self.SessionId = header.session_id
        self.SourceConfigName = header.source_config_name
        self.TargetConfigName = header.target_config_name
        self.SourceBusinessType = int(header.source_business_type)
        self.Description = header.description
        self.TimeCreated = header.time_created

    def _Id(self) -> str:
        return str(self._header.id)


class CallStructure(IrisObject):
    """`Ens.CallStructure`: one request of several that are sent together."""

    classes: ClassVar[tuple[str, ...]] = ("Ens.CallStructure", "%RegisteredObject")

    def __init__(self, *_: Any) -> None:
        self.TargetDispatchName = ""
        self.Request: Any = None
        self.Response: Any = None
        self.ResponseCode = 0


class Ref:
    """`iris.ref()`: a variable that is handed over to be filled."""

    def __init__(self, value: Any = "") -> None:
        self.value = value


BODIES: dict[str, type[MessageBody]] = {
    kind.classes[0]: kind
    for kind in (
        Message, PickleMessage, EnsRequest, EnsResponse, StringRequest, StringResponse, AlarmRequest, AlarmResponse,
        AlertRequest, Start, StartPickle, Poll, Ack, Stop, SessionStart, SessionPoll, SessionAck, SessionStop,
    )
}  # fmt: skip


def to_body(value: Any) -> Body | None:
    """The stored form of what a component sends; None for nothing."""
    if value is None or (isinstance(value, str) and value == ""):
        return None
    if isinstance(value, MessageBody):
        return value.to_body()
    name = value._ClassName(1) if isinstance(value, IrisObject) else type(value).__name__
    raise NotSupported(
        f"A {name} cannot be sent as a message: send an iop Message, PydanticMessage or PickleMessage, "
        "or an Ens.StringRequest."
    )


def to_object(body: Body | None, body_id: int = 0) -> MessageBody | None:
    """The object a component gets for a stored body."""
    if body is None:
        return None
    kind = BODIES.get(body.class_name)
    if kind is None:
        raise NotSupported(f"A stored {body.class_name} cannot be read back by this version of irislite.")
    value = kind()
    value.body_id = body_id
    value.fill(body)
    return value
