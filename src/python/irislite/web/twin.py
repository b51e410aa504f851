"""The JSON twin of the portal's pages, under /api/irislite."""

import json
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from irislite import audit, messagelife, visualtrace
from irislite.actor import Role, acting
from irislite.director import Director
from irislite.eventlog import LogEntry, LogType
from irislite.header import Header, MessageType, Status
from irislite.web import blocking
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import (
    Aborted,
    Age,
    Backup,
    Body,
    Changes,
    Count,
    Id,
    Item,
    LogLine,
    Message,
    MessageIds,
    Outcome,
    Position,
    Purge,
    RequestClass,
    Resending,
    Resubmission,
    Session,
    Setting,
    SettingsChange,
    Size,
    Trace,
    WholeMessage,
)
from irislite.web.roles import needs

PAGE = 1_000  # log entries that are read at a time
ItemName = Annotated[str, Path(description="The item's name, as in `Python.MLOperation`.")]
LogTypeName = Literal["Assert", "Error", "Warning", "Info", "Trace", "Alert"]
StatusName = Literal[
    "Created", "Queued", "Delivered", "Discarded", "Suspended", "Deferred", "Aborted", "Error", "Completed"
]
router = APIRouter(
    prefix="/api/irislite",
    tags=["irislite"],
    responses={status: {"model": Failure} for status in (400, 404, 409, 422, 500)},
)


# The longer paths come first: an item's name may hold a slash.
@router.get("/items")
def items(director: Engine) -> list[Item]:
    """The items of the running production, or of the default one."""
    return [Item.model_validate(item) for item in director.items()]


@router.get("/items/{name:path}/settings")
def settings(director: Engine, name: ItemName) -> list[Setting]:
    """An item's settings: those its class declares, and what else is set."""
    return [Setting.model_validate(setting) for setting in director.settings(name)]


@router.put("/items/{name:path}/settings")
@needs(Role.OPERATOR)
def apply_settings(director: Engine, name: ItemName, change: SettingsChange) -> Changes:
    """Change settings and restart the item, alone."""
    values = {(setting.target, setting.name): setting.value for setting in change.settings}
    changes = director.apply_settings(name, values, change.pool_size)
    audit.tell("; ".join(changes))
    return Changes(changes=changes)


@router.get("/items/{name:path}/requests")
def requests(director: Engine, name: ItemName) -> list[RequestClass]:
    """The message classes an item takes, each with a JSON object to start from."""
    director.item(name)  # an unknown item is an error, not an empty list
    return [RequestClass.model_validate(request) for request in director.request_classes(name)]


@router.post("/items/{name:path}/abort")
@needs(Role.OPERATOR)
def abort_queue(director: Engine, name: ItemName) -> Aborted:
    """Give up all messages that wait for an item."""
    return Aborted(aborted=director.abort_queue(name, acting.get().name))


@router.get("/items/{name:path}")
def item(director: Engine, name: ItemName) -> Item:
    """One item."""
    return Item.model_validate(director.item(name))


@router.get("/messages")
def messages(
    director: Engine,
    limit: Count = 50,
    before_id: Id | None = None,
    target: Annotated[str | None, Query(description="Only messages to or from this item.")] = None,
    status: StatusName | None = None,
) -> list[Message]:
    """The newest messages, newest first; `before_id` pages on. A delivered message counts as Queued here."""
    return shown(
        director,
        director.store.latest(limit, before_id, target, Status[status.upper()] if status is not None else None),
    )


@router.post("/messages/resend")
@needs(Role.OPERATOR)
def resend(director: Engine, chosen: Resending) -> list[Outcome]:
    """Send requests again, in their sessions: to another target, or with another body, if named."""
    content = json.dumps(chosen.content, ensure_ascii=False) if chosen.content is not None else None
    return _outcomes(director.messages.resend(chosen.ids, chosen.target, content, acting.get().name))


@router.post("/messages/suspend")
@needs(Role.OPERATOR)
def suspend(director: Engine, chosen: MessageIds) -> list[Outcome]:
    """Lay messages aside that wait in a queue."""
    return _outcomes(director.messages.suspend(chosen.ids, acting.get().name))


@router.post("/messages/resubmit")
@needs(Role.OPERATOR)
def resubmit(director: Engine, chosen: Resubmission) -> list[Outcome]:
    """Put suspended messages back into the queue of their target, or of another."""
    return _outcomes(director.messages.resubmit(chosen.ids, chosen.target, acting.get().name))


@router.post("/messages/discard")
@needs(Role.OPERATOR)
def discard(director: Engine, chosen: MessageIds) -> list[Outcome]:
    """Give up suspended messages."""
    return _outcomes(director.messages.discard(chosen.ids, acting.get().name))


@router.post("/messages/abort")
@needs(Role.OPERATOR)
def abort(director: Engine, chosen: MessageIds) -> list[Outcome]:
    """Give up messages that are queued, suspended or deferred."""
    return _outcomes(director.messages.abort(chosen.ids, acting.get().name))


@router.get("/messages/{message_id}")
def message(director: Engine, message_id: Id) -> WholeMessage:
    """One message with its body."""
    header = director.store.header(message_id)
    return _whole_message(director, header, _delivered(director, [header]))


@router.get("/sessions/{session_id}")
def session(director: Engine, session_id: Id) -> Session:
    """A session: its messages in order, their bodies, its log, its picture."""
    headers = director.store.session(session_id)
    delivered = _delivered(director, headers)
    return Session(
        session_id=session_id,
        messages=[_whole_message(director, header, delivered) for header in headers],
        trace=Trace.model_validate(visualtrace.build(headers, delivered)),
        log=[LogLine.model_validate(entry) for entry in director.eventlog.of_session(session_id)],
    )


@router.get("/log")
def log(
    director: Engine,
    top: Count = 100,
    since_id: Position | None = None,
    type: LogTypeName | None = None,
    item: Annotated[str | None, Query(description="Only entries of this item.")] = None,
    text: Annotated[str | None, Query(description="Only entries whose text holds this, in any case.")] = None,
) -> list[LogLine]:
    """The event log, newest first; or, with `since_id`, what came after it, oldest first."""
    kind = LogType[type.upper()] if type is not None else None
    if since_id is None:
        entries = director.eventlog.newest(top, kind, item, text)
    else:
        entries = _log_since(director, since_id, top, kind, item, text)
    return [LogLine.model_validate(entry) for entry in entries]


@router.get("/size")
async def size(director: Engine) -> Size:
    """How large the data folder is, and what fills it."""
    return Size.model_validate(await blocking.run(director.housekeeping.size))


@router.post("/purge")
async def purge(director: Engine, age: Age) -> Purge:
    """Delete finished sessions, log entries and processes of an age; answers when it is done."""
    return Purge.model_validate(await blocking.run(director.housekeeping.purge, age.older_than_days, age.dry_run))


@router.post("/backup")
async def backup(director: Engine) -> Backup:
    """Copy messages and tables into the data folder's `backups`, under a name of the time."""
    return Backup.model_validate(await blocking.run(director.housekeeping.backup))


def _log_since(
    director: Director, entry_id: int, top: int, kind: LogType | None, item: str | None, text: str | None
) -> list[LogEntry]:
    """The first `top` entries after `entry_id` that fit; those that do not fit are read past."""
    found: list[LogEntry] = []
    while len(found) < top and (page := director.eventlog.since(entry_id, PAGE)):
        found += [
            entry
            for entry in page
            if (kind is None or entry.type is kind)
            and (item is None or entry.config_name == item)
            and (not text or text.lower() in entry.text.lower())
        ]
        entry_id = page[-1].id
    return found[:top]


def shown(director: Director, headers: Collection[Header]) -> list[Message]:
    """Headers as they are answered; a message that is worked on is Delivered."""
    delivered = _delivered(director, headers)
    return [_message(header, delivered) for header in headers]


def _delivered(director: Director, headers: Iterable[Header]) -> frozenset[int]:
    """The ids of the messages that a pool member works on: memory alone knows, their rows say Queued."""
    return frozenset(
        header.id
        for header in headers
        if header.status is Status.QUEUED and header.id in director.router.queue(header.target_queue_name).claimed
    )


def _message(header: Header, delivered: frozenset[int]) -> Message:
    shown = Message.model_validate(header)
    return shown.model_copy(update={"status": "Delivered"}) if header.id in delivered else shown


def _whole_message(director: Director, header: Header, delivered: frozenset[int]) -> WholeMessage:
    body = director.store.body(header.message_body_id) if header.message_body_id else None
    response_id = header.corresponding_message_id if header.type is MessageType.REQUEST else 0
    return WholeMessage(
        **_message(header, delivered).model_dump(),
        body=Body(class_name=body.class_name, classname=body.classname, content=_content(body.content))
        if body is not None
        else None,
        response_id=response_id or None,
    )


def _outcomes(outcomes: Iterable[messagelife.Outcome]) -> list[Outcome]:
    return [Outcome.model_validate(outcome) for outcome in outcomes]


def _content(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a pickle's text
