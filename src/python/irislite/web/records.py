"""The JSON twin of the rooms Messages, Visual Trace and Event Log: searching, grouping, exporting, pictures."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from irislite import visualtrace
from irislite.actor import Role, acting
from irislite.conditions import SIGNS, Language
from irislite.director import Director
from irislite.eventlog import LogEntry
from irislite.header import Status
from irislite.loggroups import LogGroups
from irislite.search import Found, Page
from irislite.searchclauses import LOG, MESSAGES
from irislite.web import recordfiles, sessionview
from irislite.web.api import Engine
from irislite.web.exports import Format
from irislite.web.failures import Failure
from irislite.web.models import (
    Count,
    Energy,
    FoundMessage,
    Id,
    LogGroup,
    LogGroupPage,
    LogLine,
    LogPage,
    Message,
    MessagePage,
    SavedSearch,
    SavedSearchQuery,
    SearchField,
    SessionTimes,
    Share,
)
from irislite.web.roles import needs

GROUPED_AT_ONCE = 2_000  # log entries
MOST_GROUPED = 20_000
Room = Literal["messages", "log"]
_LANGUAGES: dict[str, Language] = {"messages": MESSAGES, "log": LOG}
Search = Annotated[
    str,
    Query(
        description='Conditions joined by `and` and `or`, as in `status=Error and item="My Item" or body~tea`; empty '
        "for all. GET /api/irislite/search/messages/fields and .../log/fields tell the fields and their comparisons.",
        max_length=20_000,
    ),
]


def _file(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """How the description tells of an answer that is a file."""
    return {200: {"description": "A file.", "content": {kind: {"schema": {"type": "string"}} for kind in media_types}}}


SearchName = Annotated[str, Path(description="The name under which a search is kept.", min_length=1, max_length=200)]
router = APIRouter(
    prefix="/api/irislite",
    tags=["records"],
    responses={status: {"model": Failure} for status in (400, 404, 409, 422, 500)},
)


@router.get("/search/messages")
def search_messages(director: Engine, q: Search = "", limit: Count = 50, before_id: Id | None = None) -> MessagePage:
    """The newest messages that fit a search, newest first; `next_id` is the `before_id` of the next page."""
    page = director.search.messages(MESSAGES.parse(q), limit, before_id)
    claimed = director.router.claimed
    return MessagePage(
        messages=[_found(found, claimed) for found in page.records], next_id=page.next_id, is_full=page.is_full
    )


@router.get("/search/log")
def search_log(director: Engine, q: Search = "", limit: Count = 100, before_id: Id | None = None) -> LogPage:
    """The newest log entries that fit a search, in the same way."""
    page = director.search.log(LOG.parse(q), limit, before_id)
    entries = [LogLine.model_validate(entry) for entry in page.records]
    return LogPage(entries=entries, next_id=page.next_id, is_full=page.is_full)


@router.get("/search/log/groups")
def group_log(director: Engine, q: Search = "type=Error or type=Alert or type=Warning") -> LogGroupPage:
    """Log entries that say the same, counted: the newest 20,000 that fit. `next_id` is where counting ended."""
    groups, page = grouped(director, q)
    return LogGroupPage(
        groups=[
            LogGroup(
                count=group.count,
                first_time=group.first_time,
                last_time=group.last_time,
                newest=LogLine.model_validate(group.newest),
            )
            for group in groups.newest_first()
        ],
        next_id=page.next_id,
    )


@router.get("/search/{room}/fields")
def search_fields(room: Room) -> list[SearchField]:
    """What messages or log entries can be searched by."""
    return [
        SearchField(
            name=field.name, kind=field.kind, signs=list(SIGNS[field.kind]), words=list(field.words), help=field.help
        )
        for field in _LANGUAGES[room].fields.values()
    ]


@router.get("/export/messages", response_class=Response, responses=_file("application/x-ndjson", "text/csv"))
def export_messages(director: Engine, q: Search = "", format: Format = Format.JSONL) -> Response:
    """Every message that fits a search, with its body, as JSON lines or CSV. One at work is Queued here."""
    return recordfiles.messages(director, q, format)


@router.get("/export/log", response_class=Response, responses=_file("application/x-ndjson", "text/csv"))
def export_log(director: Engine, q: Search = "", format: Format = Format.JSONL) -> Response:
    """Every log entry that fits a search, as JSON lines or CSV."""
    return recordfiles.log(director, q, format)


@router.get("/sessions/{session_id}/trace.svg", response_class=Response, responses=_file("image/svg+xml"))
def trace_picture(director: Engine, session_id: Id) -> Response:
    """The Visual Trace of a session as a picture."""
    return recordfiles.picture(director, session_id)


@router.get("/sessions/{session_id}/trace.html", response_class=Response, responses=_file("text/html"))
def trace_page(director: Engine, session_id: Id) -> Response:
    """A session as one HTML file: picture, times, messages with their bodies, log. It loads and runs nothing."""
    return recordfiles.page(director, session_id)


@router.get("/sessions/{session_id}/times")
def session_times(director: Engine, session_id: Id) -> SessionTimes:
    """Where the time of a session went, item by item, and what its answers say they cost."""
    view = sessionview.read(director, session_id)
    energies = []
    for message_id in view.headers:
        glance = view.glance(message_id)
        if glance is not None and (joules := sessionview.joules(glance.energy)) is not None:
            energies.append(Energy(message_id=message_id, joules=joules, words=sessionview.energy_note(glance.energy)))
    return SessionTimes(
        duration_ms=view.trace.duration_ms,
        shares=[Share.model_validate(share) for share in visualtrace.shares(view.trace)],
        energies=energies,
    )


@router.get("/searches/{room}")
def saved_searches(director: Engine, room: Room) -> list[SavedSearch]:
    """The searches that the user keeps."""
    return [SavedSearch.model_validate(search) for search in director.saved_searches.of(acting.get().name, room)]


@router.put("/searches/{room}/{name:path}", status_code=204)
@needs(Role.VIEWER)
def save_search(director: Engine, room: Room, name: SearchName, search: SavedSearchQuery) -> None:
    """Keep a search under a name; one of the same name is replaced."""
    director.saved_searches.save(acting.get().name, room, name, str(_LANGUAGES[room].parse(search.query)))


@router.delete("/searches/{room}/{name:path}", status_code=204)
@needs(Role.VIEWER)
def delete_search(director: Engine, room: Room, name: SearchName) -> None:
    """Forget a search."""
    director.saved_searches.delete(acting.get().name, room, name)


def grouped(director: Director, q: str) -> tuple[LogGroups, Page[LogEntry]]:
    """The groups of the newest entries that fit, and the last page that was read. Raises `BadRequest`."""
    groups, query, read = LogGroups(), LOG.parse(q), 0
    page = director.search.log(query, GROUPED_AT_ONCE)
    while True:
        for entry in page.records:
            groups.add(entry)
        read += len(page.records)
        if page.next_id is None or not page.is_full or read >= MOST_GROUPED:
            return groups, page
        page = director.search.log(query, GROUPED_AT_ONCE, page.next_id)


def _found(found: Found, claimed: frozenset[int]) -> FoundMessage:
    message = Message.model_validate(found.header).model_dump()
    if found.header.status is Status.QUEUED and found.header.id in claimed:
        message["status"] = "Delivered"
    return FoundMessage(**message, body_class=found.class_name, preview=found.preview, size=found.size)
