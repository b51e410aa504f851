"""The engine's records as the rows of the portal's tables: texts, bounded in length."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from irislite.eventlog import LogEntry
from irislite.header import Header, MessageType, Status
from irislite.loggroups import LogGroup
from irislite.search import Found
from irislite.views import ItemState, JobView
from irislite.visualtrace import UNFINISHED
from irislite.web.bodyview import cut as cut
from irislite.web.portal.controls import STATE_ICONS, STATE_WORDS
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Rows, zoned
from irislite.web.words import duration

LONGEST_TEXT = 6_000  # characters of a log entry that travel to the browser
LONGEST_ERROR = 300


def log_row(entry: LogEntry) -> dict[str, Any]:
    """A log entry for `LogLines`."""
    return {
        "id": entry.id, "time": zoned(entry.time_logged), "type": entry.type.name.title(), "item": entry.config_name,
        "text": cut(entry.text, LONGEST_TEXT), "stack": cut(entry.stack, LONGEST_TEXT),
        "session": entry.session_id, "message": entry.message_id,
    }  # fmt: skip


def group_row(group: LogGroup) -> dict[str, Any]:
    """A group of log entries for `LogGroupRows`."""
    return log_row(group.newest) | {
        "count": group.count, "first": zoned(group.first_time), "last": zoned(group.last_time),
    }  # fmt: skip


def message_rows(portal: Portal, headers: Iterable[Header]) -> Rows:
    """Headers for `MessageRows`. Reads bodies to tell their classes: off the event loop."""
    headers = list(headers)
    at_work, classes = claimed(portal, headers), class_names(portal, headers)
    return [_message_row(header, classes[header.id], header.id in at_work) for header in headers]


def class_names(portal: Portal, headers: Iterable[Header]) -> dict[int, str]:
    """The classes of what messages carry, by the messages' ids; empty for one without a body."""
    bodies = {header.id: header.message_body_id for header in headers}
    known = portal.director.store.class_names(set(bodies.values()) - {0})
    return {message_id: known.get(body_id, "") for message_id, body_id in bodies.items()}


def found_rows(portal: Portal, found: Iterable[Found]) -> Rows:
    """Messages that were searched for, with the beginnings of their bodies."""
    found = list(found)
    at_work = claimed(portal, [one.header for one in found])
    return [
        _message_row(one.header, one.class_name, one.header.id in at_work) | {"preview": one.preview} for one in found
    ]


def job_state(job: JobView) -> dict[str, str]:
    """What a pool member does now, as a table's cell."""
    if job.state == ItemState.RUNNING:
        state, word = ("delivered", "Works") if job.message_id else ("running", "Waits for work")
    else:
        state, word = job.state, STATE_WORDS.get(job.state, job.state.capitalize())
    return {"state": state, "icon": STATE_ICONS.get(state, "help"), "text": word}


def _message_row(header: Header, class_name: str, at_work: bool) -> dict[str, Any]:
    status = Status.DELIVERED if at_work and header.status is Status.QUEUED else header.status
    return {
        "id": header.id, "session": header.session_id, "time": zoned(header.time_created),
        "status": status.name.title(), "type": header.type.name.title(),
        "source": header.source_config_name, "target": header.target_config_name,
        "class_name": class_name, "error": cut(header.error_text, LONGEST_ERROR), "took": _took(header),
    }  # fmt: skip


def claimed(portal: Portal, headers: Iterable[Header]) -> frozenset[int]:
    """Of these messages, the ids of those that a pool member works on now."""
    queues = {header.target_queue_name for header in headers if header.status is Status.QUEUED}
    return frozenset().union(*(portal.director.router.queue(name).claimed for name in queues))


def status_of(portal: Portal, header: Header) -> Status:
    """A message's status; that it is worked on is known in memory alone."""
    return Status.DELIVERED if header.id in claimed(portal, [header]) else header.status


def _took(header: Header) -> str:
    if header.status in UNFINISHED or header.type is MessageType.RESPONSE:
        return ""
    created, processed = (datetime.fromisoformat(time) for time in (header.time_created, header.time_processed))
    return duration((processed - created).total_seconds() * 1000)
