"""The engine's records as the rows of the portal's tables: texts, bounded in length."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from irislite.eventlog import LogEntry
from irislite.header import Header, MessageType, Status
from irislite.visualtrace import UNFINISHED
from irislite.web.portal.controls import duration
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Rows, zoned

LONGEST_TEXT = 6_000  # characters of a log entry that travel to the browser
LONGEST_ERROR = 300
MOST_CLASSES = 20_000


def log_row(entry: LogEntry) -> dict[str, Any]:
    """A log entry for `LogLines`."""
    return {
        "id": entry.id, "time": zoned(entry.time_logged), "type": entry.type.name.title(), "item": entry.config_name,
        "text": cut(entry.text, LONGEST_TEXT), "stack": cut(entry.stack, LONGEST_TEXT),
        "session": entry.session_id, "message": entry.message_id,
    }  # fmt: skip


def message_rows(portal: Portal, headers: Iterable[Header]) -> Rows:
    """Headers for `MessageRows`. Reads bodies to tell their classes: off the event loop."""
    return [
        {
            "id": header.id, "session": header.session_id, "time": zoned(header.time_created),
            "status": status_of(portal, header).name.title(), "type": header.type.name.title(),
            "source": header.source_config_name, "target": header.target_config_name,
            "class_name": body_class(portal, header), "error": cut(header.error_text, LONGEST_ERROR),
            "took": _took(header),
        }
        for header in headers
    ]  # fmt: skip


def claimed(portal: Portal, headers: Iterable[Header]) -> frozenset[int]:
    """Of these messages, the ids of those that a pool member works on now."""
    queues = {header.target_queue_name for header in headers if header.status is Status.QUEUED}
    return frozenset().union(*(portal.director.router.queue(name).claimed for name in queues))


def status_of(portal: Portal, header: Header) -> Status:
    """A message's status; that it is worked on is known in memory alone."""
    works = header.status is Status.QUEUED and header.id in claimed(portal, [header])
    return Status.DELIVERED if works else header.status


def body_class(portal: Portal, header: Header) -> str:
    """The Python class of a message's body. A body never changes: each is read once."""
    body_id, known = header.message_body_id, portal.body_classes
    if not body_id:
        return ""
    if body_id not in known:
        body = portal.director.store.body(body_id)
        if len(known) >= MOST_CLASSES:
            known.clear()
        known[body_id] = (body.classname or body.class_name) if body is not None else ""
    return known[body_id]


def cut(text: str, longest: int) -> str:
    """A text, and what was left out of it if it is too long."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters in all)"


def _took(header: Header) -> str:
    if header.status in UNFINISHED or header.type is MessageType.RESPONSE:
        return ""
    created, processed = (datetime.fromisoformat(time) for time in (header.time_created, header.time_processed))
    return duration((processed - created).total_seconds() * 1000)
