"""What the server answers, typed. Fields that a newer server adds are left aside."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


class _Read:
    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Self:
        """From the server's JSON."""
        known = {one.name for one in fields(cls)}  # type: ignore[arg-type] # every subclass is a dataclass
        return cls(**{name: value for name, value in found.items() if name in known})


@dataclass(frozen=True)
class Answer(_Read):
    """What an item answered: the fields of its message, and the session that leads to its trace."""

    body: Any
    session_id: int

    @property
    def output(self) -> Any:
        """What a model gave: the field `output`."""
        return self.body["output"]

    @property
    def note(self) -> str:
        """What a reader should know, or an empty text."""
        return str(self.body.get("note") or "")


@dataclass(frozen=True)
class Item(_Read):
    """An item of the production."""

    name: str
    class_name: str
    enabled: bool
    comment: str = ""


@dataclass(frozen=True)
class Model(_Read):
    """A local model, and the item that runs it."""

    name: str
    task: str
    item: str
    enabled: bool


@dataclass(frozen=True)
class Message(_Read):
    """A message of a session; `answers` is the id of the request that a response belongs to."""

    id: int
    session_id: int
    type: str
    status: str
    source: str
    target: str
    created: str
    processed: str
    error: str
    description: str
    answers: int
    body_class: str
    body: Any = None


@dataclass(frozen=True)
class LogLine(_Read):
    """An entry of the event log."""

    id: int
    item: str
    type: str
    text: str
    time: str
    message_id: int


@dataclass(frozen=True)
class Session:
    """A session: its messages in order, its log, and whether nothing more is to come."""

    session_id: int
    finished: bool
    messages: list[Message] = field(default_factory=list)
    log: list[LogLine] = field(default_factory=list)

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> "Session":
        """From the server's JSON."""
        return cls(
            found["session_id"],
            found["finished"],
            [Message.read(one) for one in found["messages"]],
            [LogLine.read(one) for one in found["log"]],
        )


@dataclass(frozen=True)
class Event:
    """A server-sent event: `data` is its JSON; `id` lets a reader go on after it."""

    name: str
    data: Any
    id: str = ""


class EventReader:
    """Makes events of the lines of a stream."""

    def __init__(self) -> None:
        self._name = self._id = ""
        self._data: list[str] = []

    def feed(self, line: str) -> tuple[str, str, str] | None:
        """The name, the data and the id of an event that ends with this line; None if none does."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._name = value
            elif name == "data":
                self._data.append(value)
            elif name == "id":
                self._id = value
            return None
        whole = (self._name or "message", "\n".join(self._data), self._id) if self._data else None
        self._name, self._data = "", []
        return whole
