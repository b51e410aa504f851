"""The production as `iop` shows it: items, models, sending, sessions. The only module here that knows an engine.

Everything goes through `iop`'s Director and the SQL that it reads its log with, so it is the same on InterSystems IRIS
and on irislite. All functions block.
"""

import inspect
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import iop
import iris
from iop.messages.serialization import SerializationError
from iop.migration import utils
from iop.runtime import director

import msg
from api.errors import BadRequest, ItemFailed, NoAnswerInTime, NotAvailable, NotFound
from settinglines import parse_lines

DOOR = "Application API"
"""The service through which an application's messages enter the production."""

KEPT_S = 2.0
"""How long a production's definition is kept: the portal may change it at any time."""

# What the engines raise: IRIS a RuntimeError with the status's text, irislite errors that are of these as well.
_ERRORS = (RuntimeError, ValueError, LookupError, OSError, SerializationError)
_STATUSES = dict(
    enumerate(
        ("Created", "Queued", "Delivered", "Discarded", "Suspended", "Deferred", "Aborted", "Error", "Completed"), 1
    )
)
_UNFINISHED = frozenset({"Created", "Queued", "Delivered", "Deferred"})
_LOG_TYPES = dict(enumerate(("Assert", "Error", "Warning", "Info", "Trace", "Alert"), 1))


@dataclass(frozen=True)
class Item:
    """An item of the production. `settings` are the lines of its `%settings` and its own, as text."""

    name: str
    class_name: str
    enabled: bool
    comment: str
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Model:
    """A local model that an item runs."""

    name: str
    task: str
    item: str
    enabled: bool


@dataclass(frozen=True)
class Reply:
    """What an item answered: the class of its message, the message's fields, and where its trace is."""

    classname: str
    content: Any
    session_id: int


@dataclass(frozen=True)
class Message:
    """A message's header, and its body where it was asked for. Times are the engine's texts, in UTC."""

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
    answers: int  # the id of the request that it is the response to; 0: none
    body_id: int
    body_class: str

    @property
    def is_finished(self) -> bool:
        """Whether nothing is to come of it any more."""
        return self.status not in _UNFINISHED


@dataclass(frozen=True)
class LogLine:
    """An entry of the event log."""

    id: int
    item: str
    type: str
    text: str
    time: str
    message_id: int


def request_classes() -> dict[str, type[Any]]:
    """The message classes that an application may send, by name: those of `msg` that have an example."""
    found = {name: value for name, value in vars(msg).items() if inspect.isclass(value) and hasattr(value, "EXAMPLE")}
    return {f"msg.{name}": value for name, value in found.items() if issubclass(value, iop.Message)}


class Engine:
    """The running production, or the default one."""

    def __init__(self) -> None:
        self._kept: tuple[float, str, tuple[Item, ...]] = (float("-inf"), "", ())

    def status(self) -> tuple[str, str]:
        """The production's name and its status, as in ("iris.Production", "running")."""
        found = director.status_production()
        return str(found["Production"]), str(found["Status"])

    def items(self) -> tuple[Item, ...]:
        """The items of the production, as they are configured."""
        name = self.status()[0]
        read_s, kept_name, items = self._kept
        if name != kept_name or time.monotonic() - read_s > KEPT_S:
            definition = json.loads(utils.export_production(name)).get(name, {})
            items = tuple(_item(entry) for entry in _listed(definition.get("Item")))
            self._kept = time.monotonic(), name, items
        return items

    def item(self, name: str) -> Item:
        """One item. Raises `NotFound` with what was perhaps meant."""
        items = {item.name: item for item in self.items()}
        if name not in items:
            raise NotFound(f"There is no item {name!r} in the production.{_near(name, items)}")
        return items[name]

    def models(self) -> list[Model]:
        """The local models that items run; a disabled item's model may not be there yet."""
        return [
            Model(item.settings["name"], item.settings["task"], item.name, item.enabled)
            for item in self.items()
            if item.settings.get("name") and item.settings.get("task")
        ]

    def model(self, name: str) -> Model:
        """The model called so; of several items with it, the first that is enabled. Raises `NotFound`."""
        found = [model for model in self.models() if model.name == name]
        if not found:
            raise NotFound(f"No item runs a model {name!r}.{_near(name, {model.name for model in self.models()})}")
        return next((model for model in found if model.enabled), found[0])

    def tuner(self, model: str) -> Item:
        """The item that tunes a model. Raises `NotFound`."""
        tuners = {name: item for item in self.items() if (name := item.settings.get("model_name"))}
        if model not in tuners:
            raise NotFound(f"No item tunes a model {model!r}.{_near(model, tuners)}")
        return tuners[model]

    def of_class(self, class_name: str) -> Item:
        """The first enabled item of a class. Raises `NotFound`."""
        for item in self.items():
            if item.class_name == class_name and item.enabled:
                return item
        raise NotFound(f"No enabled item has the class {class_name}: enable one in the portal, or name an item.")

    def send(
        self, target: str, classname: str, fields: Mapping[str, Any], timeout_s: float, description: str = ""
    ) -> Reply:
        """Send a request and wait for its answer.

        Raises `BadRequest`, `NotFound`, `NotAvailable`, `ItemFailed` with the item's words, or `NoAnswerInTime`.
        """
        message = self._message(target, classname, fields)
        door = self._door()
        began_s = time.monotonic()
        try:
            # IRIS counts whole seconds, and waits without limit for -1.
            answer = door.send_request_sync(target, message, max(1, round(timeout_s)), description)
        except _ERRORS as error:
            late = isinstance(error, TimeoutError) or time.monotonic() - began_s >= timeout_s
            if late:
                raise _late(target, timeout_s, door) from error
            raise ItemFailed(_words(error), _session_of(door)) from error
        if answer is None and time.monotonic() - began_s >= timeout_s:
            raise _late(target, timeout_s, door)
        return Reply(_class_of(answer), _content(answer), _session_of(door))

    def post(self, target: str, classname: str, fields: Mapping[str, Any], description: str = "") -> int:
        """Send a request and do not wait. Returns its session. Raises what `send` does before it waits."""
        message = self._message(target, classname, fields)
        door = self._door()
        try:
            door.send_request_async(target, message, description)
        except _ERRORS as error:
            raise ItemFailed(_words(error), _session_of(door)) from error
        return _session_of(door)

    def session(self, session_id: int) -> list[Message]:
        """The messages of a session, in the order of their ids. Raises `NotFound`."""
        rows = iris.sql.exec(
            "SELECT ID, SessionId, Type, Status, SourceConfigName, TargetConfigName, TimeCreated, TimeProcessed, "
            "IsError, ErrorText, Description, CorrespondingMessageId, MessageBodyId, MessageBodyClassName "
            "FROM Ens.MessageHeader WHERE SessionId = ? ORDER BY ID",
            session_id,
        )
        messages = [_message_of(row) for row in rows]
        if not messages:
            raise NotFound(f"There is no session {session_id}: its messages may have been purged.")
        return messages

    def log(self, session_id: int, after_id: int = 0) -> list[LogLine]:
        """What was logged for a session after the entry `after_id`, the oldest first."""
        rows = iris.sql.exec(
            "SELECT ID, ConfigName, Type, Text, TimeLogged, MessageId FROM Ens_Util.Log "
            "WHERE SessionId = ? AND ID > ? ORDER BY ID",
            session_id, after_id,
        )  # fmt: skip
        return [
            LogLine(
                int(row[0]), str(row[1] or ""), _LOG_TYPES.get(int(row[2]), ""), str(row[3] or ""), str(row[4]),
                int(row[5] or 0),
            )
            for row in rows
        ]  # fmt: skip

    def body(self, message: Message) -> Any:
        """What a message carries, as JSON values; None where it is none of `iop`'s messages."""
        if message.body_class != "IOP.Message" or not message.body_id:
            return None
        stored = iris.cls("IOP.Message")._OpenId(message.body_id)
        if not stored:
            return None
        text = utils.stream_to_string(stored.json) if stored.type == "Stream" else stored.json
        return json.loads(text or "null")

    def _message(self, target: str, classname: str, fields: Mapping[str, Any]) -> Any:
        """The message that is sent; an unknown class or an item that is disabled is told before anything is stored."""
        known = request_classes()
        if classname not in known:
            raise BadRequest(f"There is no message class {classname!r}.{_near(classname, known)}")
        item = self.item(target)
        if not item.enabled:
            raise NotAvailable(f"{target} is disabled. {item.comment or 'Enable it in the portal.'}")
        try:
            text = json.dumps(dict(fields), ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The message cannot be kept as JSON ({error}): send plain, finite values.") from error
        message = iris.cls("IOP.Message")._New()
        message.classname = classname
        message.json = utils.string_to_stream(text, message.buffer) if len(text) > message.buffer else text
        return message

    def _door(self) -> Any:
        """A service of this call alone, in a session of its own."""
        try:
            door = director.create_python_business_service(DOOR)
        except _ERRORS as error:
            raise NotAvailable(
                f"The production cannot be reached ({_words(error)}). Start it, with its service {DOOR!r} enabled."
            ) from error
        door.iris_handle._SessionId = ""
        return door


def _item(entry: Mapping[str, Any]) -> Item:
    own = {
        str(setting.get("@Name")): str(setting.get("#text") or "")
        for setting in _listed(entry.get("Setting"))
        if setting.get("@Target", "Host") == "Host"
    }
    return Item(
        name=str(entry.get("@Name", "")),
        class_name=str(entry.get("@ClassName", "")),
        enabled=str(entry.get("@Enabled", "true")).lower() in ("true", "1"),
        comment=str(entry.get("@Comment") or ""),
        settings=own | parse_lines(own.get("%settings", "")),
    )


def _listed(value: Any) -> list[Any]:
    """What XML gives as one element or several."""
    return [] if value is None else value if isinstance(value, list) else [value]


def _message_of(row: Any) -> Message:
    return Message(
        id=int(row[0]),
        session_id=int(row[1]),
        type="Response" if int(row[2]) == 2 else "Request",
        status=_STATUSES.get(int(row[3]), str(row[3])),
        source=str(row[4] or ""),
        target=str(row[5] or ""),
        created=str(row[6] or ""),
        processed=str(row[7] or ""),
        error=str(row[9] or "") if int(row[8] or 0) else "",
        description=str(row[10] or ""),
        answers=int(row[11] or 0) if int(row[2]) == 2 else 0,
        body_id=int(row[12] or 0),
        body_class=str(row[13] or ""),
    )


def _session_of(door: Any) -> int:
    return int(door.iris_handle._SessionId or 0)


def _late(target: str, timeout_s: float, door: Any) -> NoAnswerInTime:
    session_id = _session_of(door)
    return NoAnswerInTime(
        f"{target} did not answer within {timeout_s:g} s. The request goes on: see session {session_id}, or ask with a "
        "longer timeout.",
        session_id,
    )


def _class_of(answer: Any) -> str:
    return "" if answer is None else f"{type(answer).__module__}.{type(answer).__qualname__}"


def _content(answer: Any) -> Any:
    """The fields of an answer, as JSON values."""
    if answer is None or isinstance(answer, dict | str | int | float):
        return answer
    if hasattr(answer, "model_dump"):
        return answer.model_dump(mode="json", exclude={"_iris_id"})
    return {name: value for name, value in vars(answer).items() if not name.startswith("_")}


def _words(error: BaseException) -> str:
    return str(error).strip() or type(error).__name__


def _near(name: str, names: Iterable[str]) -> str:
    """A sentence that names what was perhaps meant, or what there is."""
    known = sorted(names)
    close = get_close_matches(name, known, n=3)
    if close:
        return f" Did you mean {' or '.join(repr(one) for one in close)}?"
    return f" There {'are' if len(known) > 1 else 'is'}: {', '.join(known[:20])}." if known else ""


def unfinished(messages: Iterable[Message]) -> Iterator[Message]:
    """Those of which something is still to come."""
    return (message for message in messages if not message.is_finished)
