"""The functions of IRIS SQL that SQLite lacks."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Value = str | int | float | bytes | None

_UNITS = {
    **dict.fromkeys(("yyyy", "yy", "year"), "year"),
    **dict.fromkeys(("qq", "q", "quarter"), "quarter"),
    **dict.fromkeys(("mm", "m", "month"), "month"),
    **dict.fromkeys(("ww", "wk", "week"), "week"),
    **dict.fromkeys(("dw", "weekday"), "weekday"),
    **dict.fromkeys(("dy", "y", "dayofyear"), "dayofyear"),
    **dict.fromkeys(("dd", "d", "day"), "day"),
    **dict.fromkeys(("hh", "h", "hour"), "hour"),
    **dict.fromkeys(("mi", "n", "minute"), "minute"),
    **dict.fromkeys(("ss", "s", "second"), "second"),
    **dict.fromkeys(("ms", "millisecond"), "millisecond"),
}
_DAY_S = 86_400
_SECONDS = {"week": 7 * _DAY_S, "day": _DAY_S, "hour": 3_600, "minute": 60, "second": 1, "millisecond": 0.001}


def _unit(name: str, known: dict[str, Any]) -> str:
    unit = _UNITS.get(str(name).lower())
    if unit not in known:
        raise ValueError(f"{name!r} is no unit of time here: write one of {', '.join(f'{u!r}' for u in known)}")
    return unit


def _time(value: Value) -> datetime:
    try:
        return datetime.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        raise ValueError(f"{value!r} is no time: write it as '2026-11-21 09:30:00'") from None


_PARTS: dict[str, Callable[[datetime], int]] = {
    "year": lambda t: t.year,
    "quarter": lambda t: (t.month + 2) // 3,
    "month": lambda t: t.month,
    "week": lambda t: t.isocalendar().week,
    "weekday": lambda t: t.isoweekday() % 7 + 1,  # 1 is Sunday
    "dayofyear": lambda t: t.timetuple().tm_yday,
    "day": lambda t: t.day,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
    "millisecond": lambda t: t.microsecond // 1_000,
}


def datepart(unit: str, time: Value) -> int | None:
    """`DATEPART('yyyy', t)`: one part of a time."""
    return None if time is None else _PARTS[_unit(unit, _PARTS)](_time(time))


_MONTHS = {"year": 12, "quarter": 3, "month": 1}


def dateadd(unit: str, count: int | None, time: Value) -> str | None:
    """`DATEADD('hh', -1, t)`: a time before or after; the 31st becomes a shorter month's last day."""
    if count is None or time is None:
        return None
    unit, start = _unit(unit, {**_MONTHS, **_SECONDS}), _time(time)
    try:
        if unit not in _MONTHS:
            return _written(start + timedelta(seconds=int(count) * _SECONDS[unit]))
        months = start.year * 12 + start.month - 1 + int(count) * _MONTHS[unit]
        first = start.replace(year=months // 12, month=months % 12 + 1, day=1)
        last_day = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
        return _written(first.replace(day=min(start.day, last_day)))
    except (ValueError, OverflowError):
        raise ValueError(f"{count} {unit}s from {start} is outside the calendar") from None


def datediff(unit: str, start: Value, end: Value) -> int | None:
    """`DATEDIFF('dd', a, b)`: how many boundaries of the unit lie between two times."""
    if start is None or end is None:
        return None
    unit, first, last = _unit(unit, {**_MONTHS, **_SECONDS}), _time(start), _time(end)
    if unit in _MONTHS:
        return _months(last) // _MONTHS[unit] - _months(first) // _MONTHS[unit]
    return _ticks(last, unit) - _ticks(first, unit)


def _months(time: datetime) -> int:
    return time.year * 12 + time.month - 1


def _ticks(time: datetime, unit: str) -> int:
    """The number of the unit that a time falls in, counted from a Sunday at midnight."""
    since = time - datetime(1, 1, 7)
    return since // timedelta(seconds=_SECONDS[unit])


def _written(time: datetime) -> str:
    return time.isoformat(" ", timespec="microseconds" if time.microsecond else "seconds")


def piece(text: Value, delimiter: Value, first: int = 1, last: int | None = None) -> str | None:
    """`$PIECE(text, ',', 2)`: the parts `first` to `last` of a delimited text, counted from 1."""
    if text is None or delimiter is None:
        return None
    parts = str(text).split(str(delimiter))
    return str(delimiter).join(parts[max(first, 1) - 1 : first if last is None else last])


def pieces(text: Value, delimiter: Value) -> int | None:
    """`$LENGTH(text, ',')`: how many parts a delimited text has."""
    return None if text is None else str(text).count(str(delimiter)) + 1


def extract(text: Value, first: int = 1, last: int | None = None) -> str | None:
    """`$EXTRACT(text, 2, 4)`: the characters `first` to `last`, counted from 1."""
    return None if text is None else str(text)[max(first, 1) - 1 : max(first if last is None else last, 0)]


def left(text: Value, count: int) -> str | None:
    """`LEFT(text, n)`: the first n characters."""
    return None if text is None else str(text)[: max(count, 0)]


def right(text: Value, count: int) -> str | None:
    """`RIGHT(text, n)`: the last n characters."""
    return None if text is None else str(text)[max(len(str(text)) - max(count, 0), 0) :]


def upper(text: Value) -> str | None:
    """`UPPER(text)`, of all alphabets; SQLite's own knows ASCII alone."""
    return None if text is None else str(text).upper()


def lower(text: Value) -> str | None:
    """`LOWER(text)`, of all alphabets."""
    return None if text is None else str(text).lower()


_ANY = -1
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "iris_datepart": (datepart, 2),
    "iris_dateadd": (dateadd, 3),
    "iris_datediff": (datediff, 3),
    "iris_piece": (piece, _ANY),
    "iris_pieces": (pieces, 2),
    "iris_extract": (extract, _ANY),
    "iris_left": (left, 2),
    "iris_right": (right, 2),
    "upper": (upper, 1),
    "lower": (lower, 1),
}


def register(connection: sqlite3.Connection, failed: Callable[[Exception], None]) -> None:
    """Give the functions to a connection. SQLite hides why one failed: `failed` is told first."""

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            try:
                return function(*values)
            except (ValueError, TypeError) as error:
                failed(error)
                raise

        return call

    for name, (function, count) in FUNCTIONS.items():
        connection.create_function(name, count, guarded(function), deterministic=True)
