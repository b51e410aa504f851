"""What messages and log entries can be searched by, and each condition as SQL."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from irislite.conditions import Condition, Field, Kind, Language, Query, moment, number
from irislite.eventlog import LogType
from irislite.header import MessageType, Status
from irislite.idbounds import last_before

_WORDS = {
    "status": {status.name.title(): int(status) for status in Status},
    "type": {kind.name.title(): int(kind) for kind in MessageType},
    "logtype": {kind.name.title(): int(kind) for kind in LogType},
}

MESSAGES = Language(
    (
        Field("status", Kind.WORD, "The message's status.", tuple(_WORDS["status"])),
        Field("item", Kind.NAME, "The sender or the receiver."),
        Field("source", Kind.NAME, "The item that sent it."),
        Field("target", Kind.NAME, "The item that it was sent to."),
        Field("class", Kind.NAME, "The class of the body, as msg.MLRequest."),
        Field("body", Kind.TEXT, "A text in the body."),
        Field("error", Kind.TEXT, "A text in the error."),
        Field("type", Kind.WORD, "Request or response.", tuple(_WORDS["type"])),
        Field("created", Kind.TIME, "When it was sent."),
        Field("session", Kind.NUMBER, "The number of its session."),
        Field("id", Kind.NUMBER, "Its own number."),
        Field("took", Kind.NUMBER, "Milliseconds from its sending to the end of its handling."),
        Field("description", Kind.TEXT, "A text in the description."),
    ),
    "body",
)
LOG = Language(
    (
        Field("type", Kind.WORD, "The kind of entry.", tuple(_WORDS["logtype"])),
        Field("item", Kind.NAME, "The item that wrote it."),
        Field("text", Kind.TEXT, "A part of the text."),
        Field("trace", Kind.TEXT, "A part of the traceback."),
        Field("class", Kind.NAME, "The class that wrote it."),
        Field("method", Kind.NAME, "The method that wrote it."),
        Field("logged", Kind.TIME, "When it was written."),
        Field("session", Kind.NUMBER, "The session that it belongs to."),
        Field("message", Kind.NUMBER, "The message that it belongs to."),
        Field("id", Kind.NUMBER, "Its own number."),
    ),
    "text",
)

# A field's columns. More than one: it is enough that one of them fits.
_MESSAGE_COLUMNS = {
    "item": ("h.target_config_name", "h.source_config_name"), "source": ("h.source_config_name",),
    "target": ("h.target_config_name",), "class": ("b.classname",), "body": ("b.content",), "error": ("h.error_text",),
    "type": ("h.type",), "created": ("h.time_created",), "session": ("h.session_id",), "id": ("h.id",),
    "took": ("(julianday(h.time_processed) - julianday(h.time_created)) * 86400000",),
    "description": ("h.description",),
}  # fmt: skip
_LOG_COLUMNS = {
    "type": ("h.type",), "item": ("h.config_name",), "text": ("h.text",), "trace": ("h.stack",),
    "class": ("h.source_class",), "method": ("h.source_method",), "logged": ("h.time_logged",),
    "session": ("h.session_id",), "message": ("h.message_id",), "id": ("h.id",),
}  # fmt: skip
_SQL_SIGNS = {"=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
# SQLite uses an index of some rows alone where the condition says that it is about these rows.
_RARE_STATUSES, _RARE_TYPES = frozenset(set(Status) - {Status.QUEUED, Status.COMPLETED}), frozenset({2, 3, 6})


class Clause(NamedTuple):
    """A condition as SQL; `ids` is the range of ids outside of which nothing fits."""

    sql: str
    values: tuple[Any, ...]
    ids: tuple[int, int]


class Clauses:
    """The conditions on one table, whose rows are called `h`. `fields` are the columns of each field."""

    def __init__(self, table: str, time_column: str, fields: Mapping[str, tuple[str, ...]]) -> None:
        self.table = table
        self._time_column = time_column
        self._fields = fields

    def clause(self, connection: sqlite3.Connection, query: Query) -> Clause:
        """A whole search as SQL. The connection tells which ids belong to a time."""
        groups = [self._group(connection, group) for group in query.groups]
        if not groups:
            return Clause("1", (), (0, 2**63 - 1))
        return Clause(
            " OR ".join(f"({group.sql})" for group in groups),
            tuple(value for group in groups for value in group.values),
            (min(group.ids[0] for group in groups), max(group.ids[1] for group in groups)),
        )

    def _group(self, connection: sqlite3.Connection, group: tuple[Condition, ...]) -> Clause:
        parts = [self.condition(condition) for condition in group]
        bounds = [self._bounds(connection, condition) for condition in group]
        return Clause(
            " AND ".join(f"({sql})" for sql, _ in parts),
            tuple(value for _, values in parts for value in values),
            (max(low for low, _ in bounds), min(high for _, high in bounds)),
        )

    def condition(self, condition: Condition) -> tuple[str, tuple[Any, ...]]:
        """A condition as SQL, and its values."""
        field, sign, value = condition
        columns = self._fields[field.name]
        if sign in ("~", "!~"):
            patterns = _patterns(value, is_json=field.name == "body")
            fits = " OR ".join(rf"{column} LIKE ? ESCAPE '\'" for column in columns for _ in patterns)
            values: tuple[Any, ...] = patterns * len(columns)
            return (fits, values) if sign == "~" else (f"NOT coalesce({fits}, 0)", values)
        compared: Any = value
        if field.kind is Kind.NUMBER:
            compared = number(value)
        elif field.kind is Kind.TIME:
            compared = moment(value)
        if sign == "!=":  # a message without a body has no class: it is another one
            return " AND ".join(f"coalesce({column}, '') <> ?" for column in columns), (compared,) * len(columns)
        fits = " OR ".join(f"{column} {_SQL_SIGNS[sign]} ?" for column in columns)
        return fits, (compared,) * len(columns)

    def _bounds(self, connection: sqlite3.Connection, condition: Condition) -> tuple[int, int]:
        """Between which ids a condition can hold."""
        low, high = 0, 2**63 - 1
        field, sign, value = condition
        if field.name == "id":
            at = int(number(value))
            low = at if sign in ("=", ">", ">=") else low
            high = at if sign in ("=", "<", "<=") else high
        elif field.kind is Kind.TIME:
            at = last_before(connection, self.table, self._time_column, moment(value))
            if sign in (">", ">="):
                low = at + 1
            else:  # several may have been written in that microsecond
                high = last_before(connection, self.table, self._time_column, moment(value) + "~")
        return low, high


class MessageClauses(Clauses):
    """The conditions on messages. `claimed` gives the ids of those that pool members work on."""

    def __init__(self, claimed: Callable[[], frozenset[int]]) -> None:
        super().__init__("message_header", "time_created", _MESSAGE_COLUMNS)
        self._claimed = claimed

    def condition(self, condition: Condition) -> tuple[str, tuple[Any, ...]]:
        """A delivered message is Queued on disk: that it is worked on is known in memory alone."""
        field, sign, value = condition
        if field.name == "type":
            return f"h.type {_SQL_SIGNS[sign]} ?", (_WORDS["type"][value],)
        if field.name != "status":
            return super().condition(condition)
        status = Status(_WORDS["status"][value])
        if status in (Status.QUEUED, Status.DELIVERED):
            among = "IN" if status is Status.DELIVERED else "NOT IN"
            fits = f"h.status = 2 AND h.id {among} (SELECT value FROM json_each(?))"
            return fits if sign == "=" else f"NOT ({fits})", (json.dumps(sorted(self._claimed())),)
        if sign == "=" and status in _RARE_STATUSES:
            return "h.status = ? AND h.status NOT IN (2, 9)", (int(status),)
        return f"h.status {_SQL_SIGNS[sign]} ?", (int(status),)


class LogClauses(Clauses):
    """The conditions on log entries."""

    def __init__(self) -> None:
        super().__init__("event_log", "time_logged", _LOG_COLUMNS)

    def condition(self, condition: Condition) -> tuple[str, tuple[Any, ...]]:
        """What went wrong has an index of its own, and so has what belongs to a session."""
        field, sign, value = condition
        if field.name == "session" and sign == "=":
            return "h.session_id = ? AND h.session_id > 0", (number(value),)
        if field.name != "type":
            return super().condition(condition)
        code = _WORDS["logtype"][value]
        rare = " AND h.type IN (2, 3, 6)" if sign == "=" and code in _RARE_TYPES else ""
        return f"h.type {_SQL_SIGNS[sign]} ?{rare}", (code,)


def _patterns(text: str, is_json: bool) -> tuple[str, ...]:
    """What LIKE is asked for. In JSON, quotes, line ends and letters beyond ASCII may stand as escapes."""
    texts = {text: None}
    if is_json:
        texts |= {json.dumps(text)[1:-1]: None, json.dumps(text, ensure_ascii=False)[1:-1]: None}
    return tuple("%" + one.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%" for one in texts)
