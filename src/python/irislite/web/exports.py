"""What was searched for, as a file that is written while it is read: JSON lines, or CSV for a spreadsheet."""

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any

from irislite.audit import Entry
from irislite.director import Director
from irislite.eventlog import LogEntry
from irislite.header import Header
from irislite.search import Found
from irislite.web.bodyview import parsed

# A spreadsheet would run a text that begins so.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Format(StrEnum):
    """The formats of an export."""

    JSONL = "jsonl"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """What a browser is told."""
        return {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}[self.value]


def messages(director: Director, found: Iterable[Found], format: Format) -> Iterator[str]:
    """Messages with their bodies, a line for each."""

    def record(one: Found) -> dict[str, Any]:
        body = director.store.body(one.header.message_body_id) if one.header.message_body_id else None
        return _header(one.header) | {"class": one.class_name, "body": body.content if body is not None else None}

    return _lines((record(one) for one in found), format, body=_value)


def log(entries: Iterable[LogEntry], format: Format) -> Iterator[str]:
    """Log entries, a line for each."""
    return _lines((_entry(entry) for entry in entries), format)


def audit(entries: Iterable[Entry], format: Format) -> Iterator[str]:
    """Entries of the audit, a line for each."""
    return _lines((dataclasses.asdict(entry) for entry in entries), format)


def cell(value: object) -> object:
    """A value as a spreadsheet takes it: a text that it would run as a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value


def _lines(records: Iterator[dict[str, Any]], format: Format, **convert: Callable[[Any], Any]) -> Iterator[str]:
    """The file, in pieces of some lines. `convert` turns a field's text into what JSON lines have of it."""
    if format is Format.JSONL:
        for record in records:
            for name, turned in convert.items():
                record[name] = turned(record[name])
            yield json.dumps(record, ensure_ascii=False) + "\n"
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield "\ufeff"  # spreadsheets take a file with this mark for UTF-8
    for number, record in enumerate(records):
        if not number:
            writer.writerow(record)
        writer.writerow([cell(value) for value in record.values()])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _header(header: Header) -> dict[str, Any]:
    return {
        "id": header.id, "session_id": header.session_id, "type": header.type.name.title(),
        "status": header.status.name.title(), "source": header.source_config_name,
        "target": header.target_config_name, "created": header.time_created, "taken": header.time_taken or None,
        "processed": header.time_processed, "description": header.description, "error": header.error_text,
        "corresponds_to": header.corresponding_message_id or None,
    }  # fmt: skip


def _entry(entry: LogEntry) -> dict[str, Any]:
    return {
        "id": entry.id, "logged": entry.time_logged, "type": entry.type.name.title(), "item": entry.config_name,
        "session_id": entry.session_id or None, "message_id": entry.message_id or None, "class": entry.source_class,
        "method": entry.source_method, "text": entry.text, "traceback": entry.stack,
    }  # fmt: skip


def _value(content: str | None) -> Any:
    """A body's JSON value, or its text if it is none."""
    if content is None:
        return None
    value = parsed(content)
    return value if value is not None or content == "null" else content
