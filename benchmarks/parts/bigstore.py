"""A data folder as after years: a million messages of 200 items, with bodies and a log, written in seconds."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from irislite.database import Database

SERVICES, PROCESSES, OPERATIONS = 20, 40, 140  # items, as `many_production.py` has them
OF_A_SESSION = 4  # messages: to a process, to an operation, and both answers
ERROR_EVERY, SUSPENDED_EVERY, NEEDLE_EVERY = 250, 5_000, 25_000  # sessions
NEEDLE = "a needle in the hay"
BATCH = 25_000  # sessions in one transaction
_COLUMNS = (
    "id, session_id, type, invocation, status, priority, source_config_name, target_config_name, source_business_type, "
    "target_business_type, target_queue_name, return_queue_name, business_process_id, message_body_class_name, "
    "message_body_id, description, time_created, time_processed, is_error, error_text, "
    "corresponding_message_id, time_taken"
)


def fill(database: Database, messages: int = 1_000_000, days: float = 365.0) -> None:
    """Write `messages` messages of the last `days` days into an empty store, and a log entry for each session."""
    sessions = messages // OF_A_SESSION
    for first in range(0, sessions, BATCH):
        numbers = range(first, min(sessions, first + BATCH))
        database.write(lambda connection, numbers=numbers: _write(connection, numbers, sessions, days))


def _write(connection: sqlite3.Connection, numbers: range, sessions: int, days: float) -> None:
    marks = ", ".join("?" * (_COLUMNS.count(",") + 1))
    rows = [row for number in numbers for row in _session(number, sessions, days)]
    connection.executemany(f"INSERT INTO message_header ({_COLUMNS}) VALUES ({marks})", rows)
    connection.executemany("INSERT INTO message_body VALUES (?, 'IOP.Message', ?, ?)", _bodies(numbers))
    connection.executemany(
        "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, text, "
        "stack, trace_cat, time_logged) VALUES (?, ?, 1, ?, ?, 'Operation', 'on_order', ?, ?, '', ?)",
        (_entry(number, sessions, days) for number in numbers),
    )


def _session(number: int, sessions: int, days: float) -> Iterator[tuple[Any, ...]]:
    first = number * OF_A_SESSION + 1
    service, process, operation = _items(number)
    fails, waits = number % ERROR_EVERY == 7, number % SUSPENDED_EVERY == 11
    status = 8 if fails else 5 if waits else 9
    error = f"OSError: order {number} could not be stored" if fails else ""
    at = [_at(number, sessions, days, milliseconds) for milliseconds in (0, 2, 14, 15)]
    to_process, to_operation = (service, process, 1, 2, process), (process, operation, 2, 3, operation)
    back = ((operation, process, 3, 2, process), (process, service, 2, 1, ""))
    for place, (source, target, source_kind, target_kind, queue) in enumerate((to_process, to_operation, *back)):
        id_, is_request = first + place, place < 2
        own = status if place == 1 else 9
        yield (
            id_, first, 1 if is_request else 2, 1, own, 6, source, target, source_kind, target_kind, queue, "", 0,
            "IOP.Message", id_, "", at[place], at[(3, 2, 2, 3)[place]], int(fails and place == 1),
            error if place == 1 else "", first + 3 - place, at[place] if is_request else "",
        )  # fmt: skip


def _bodies(numbers: range) -> Iterator[tuple[int, str, str]]:
    for number in numbers:
        first = number * OF_A_SESSION + 1
        words = NEEDLE if number % NEEDLE_EVERY == 13 else "a parcel of green tea and two cups, to be left at the door"
        order = json.dumps({"order": number, "customer": f"C{number % 9973}", "text": words, "total": number % 400 / 4})
        for place in range(OF_A_SESSION):
            yield first + place, "shop.Order" if place < 2 else "shop.Receipt", order


def _entry(number: int, sessions: int, days: float) -> tuple[Any, ...]:
    fails, first = number % ERROR_EVERY == 7, number * OF_A_SESSION + 1
    text = f"order {number} could not be stored" if fails else f"order {number} was stored"
    stack = 'Traceback (most recent call last):\n  File "shop.py", line 7, in on_order\nOSError' if fails else ""
    at = _at(number, sessions, days, 13)
    return (2 if fails else 4, _items(number)[2], first + 1, first, text, stack, at)


def _items(number: int) -> tuple[str, str, str]:
    return (
        f"Service {number % SERVICES:03d}", f"Process {number % PROCESSES:03d}", f"Operation {number % OPERATIONS:03d}"
    )  # fmt: skip


_NOW = datetime.now(UTC)


def _at(number: int, sessions: int, days: float, milliseconds: int) -> str:
    moment = _NOW - timedelta(days=days * (1 - number / sessions)) + timedelta(milliseconds=milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
