"""The language in which messages and log entries are searched: `status=Error and item="My Item" or body~tea`.

A search is conditions joined by `and`, and such groups joined by `or`; `and` binds more tightly and may be left out. A
value with spaces stands in double quotes. A text without a field is looked for in the field that the table names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import NamedTuple

from irislite.errors import BadRequest

MOST_CONDITIONS = 30
LONGEST_VALUE = 1_000  # characters
LARGEST_NUMBER = 2**63 - 1

_TOKEN = re.compile(
    r"""\s*(?:(?P<field>[A-Za-z_]+)\s*(?P<sign>!=|!~|<=|>=|=|~|<|>)\s*)?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))"""
)
_BARE = re.compile(r"[^\s\"=~<>!]+")
_AGO = re.compile(r"-(\d{1,6})\s*(s|m|h|d)")
_AGO_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ORDER = ("<", "<=", ">", ">=")


class Kind(StrEnum):
    """What a field holds, and so how it can be compared."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    TIME = "time"


SIGNS: Mapping[Kind, tuple[str, ...]] = {
    Kind.WORD: ("=", "!="),
    Kind.NAME: ("=", "!=", "~", "!~"),
    Kind.TEXT: ("~", "!~"),
    Kind.NUMBER: ("=", "!=", *_ORDER),
    Kind.TIME: (">=", "<", ">", "<="),
}


class Field(NamedTuple):
    """A field that can be searched by. `words` are all that a field of words can hold."""

    name: str
    kind: Kind
    help: str
    words: tuple[str, ...] = ()


class Condition(NamedTuple):
    """A field compared with a value, e.g. `status`, `=`, `Error`."""

    field: Field
    sign: str
    value: str

    def __str__(self) -> str:
        value = self.value
        if not _BARE.fullmatch(value) or value.lower() in ("and", "or"):
            value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return f"{self.field.name}{self.sign}{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: a record fits if all conditions of one group hold; without groups, every record does."""

    groups: tuple[tuple[Condition, ...], ...] = ()

    def __str__(self) -> str:
        return " or ".join(" and ".join(str(condition) for condition in group) for group in self.groups)

    def asks_for(self, *names: str) -> bool:
        """Whether one of these fields is in it."""
        return any(condition.field.name in names for group in self.groups for condition in group)


class Language:
    """The fields of one table. `text_field` is where a text without a field is looked for."""

    def __init__(self, fields: Iterable[Field], text_field: str) -> None:
        self.fields = {field.name: field for field in fields}
        self._text_field = text_field

    def parse(self, text: str) -> Query:
        """Read a search. Raises `BadRequest`, which says what to write instead."""
        groups: list[list[Condition]] = [[]]
        place, joined, count = 0, False, 0
        text = text.strip()
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise BadRequest(f"The search cannot be read from {text[place : place + 30]!r} on: close the quotes.")
            place = match.end()
            word = match["bare"] if match["field"] is None else None
            if word is not None and word.lower() in ("and", "or"):
                if joined or not groups[-1]:
                    raise BadRequest(f"The search has {word!r} where a condition belongs: write one before it.")
                joined = True
                if word.lower() == "or":
                    groups.append([])
                continue
            value = match["bare"] if match["quoted"] is None else re.sub(r"\\(.)", r"\1", match["quoted"], flags=re.S)
            groups[-1].append(self.condition(match["field"] or self._text_field, match["sign"] or "~", value))
            joined, count = False, count + 1
        if joined:
            raise BadRequest("The search ends with 'and' or 'or': write a condition behind it, or take it away.")
        if count > MOST_CONDITIONS:
            raise BadRequest(f"The search has {count} conditions: write at most {MOST_CONDITIONS}.")
        return Query(tuple(tuple(group) for group in groups if group))

    def condition(self, name: str, sign: str, value: str) -> Condition:
        """One condition, checked. Raises `BadRequest`."""
        field = self.fields.get(name.lower())
        if field is None:
            near = get_close_matches(name.lower(), self.fields, 1)
            meant = f" Is {near[0]!r} meant?" if near else ""
            raise BadRequest(f"There is no field {name!r} to search by:{meant} use {', '.join(self.fields)}.")
        if sign not in SIGNS[field.kind]:
            raise BadRequest(f"{field.name} cannot be compared by {sign!r}: use {' '.join(SIGNS[field.kind])}.")
        if not value or len(value) > LONGEST_VALUE:
            raise BadRequest(f"The value for {field.name} has {len(value)} characters: give 1 to {LONGEST_VALUE:,}.")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRequest(f"The value for {field.name} has half a character: leave it out.") from error
        return Condition(field, sign, _checked(field, value))


def number(value: str) -> float:
    """The number of a checked condition."""
    return int(value) if value.lstrip("-").isdigit() else float(value)


def moment(value: str, now: datetime | None = None) -> str:
    """The time of a condition as the store writes times: UTC, microseconds. `-2h` is two hours ago.

    Raises `ValueError` for a text that is no time; one without a zone is in UTC.
    """
    if ago := _AGO.fullmatch(value):
        at = (now or datetime.now(UTC)) - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})
    else:
        at = datetime.fromisoformat(value)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")


def _checked(field: Field, value: str) -> str:
    if field.kind is Kind.WORD:
        word = next((word for word in field.words if word.lower() == value.lower()), None)
        if word is None:
            raise BadRequest(f"{field.name} is never {value!r}: use {', '.join(field.words)}.")
        return word
    if field.kind is Kind.NUMBER:
        try:
            fits = abs(number(value)) <= LARGEST_NUMBER
        except ValueError:
            fits = False
        if not fits:  # nan is refused as well
            raise BadRequest(f"{field.name} is a number, {value!r} is none that it can be: write digits.")
    if field.kind is Kind.TIME:
        try:
            moment(value)
        except (ValueError, OverflowError) as error:
            raise BadRequest(
                f"{value!r} is no time for {field.name}: write 2026-11-21, 2026-11-21T10:30 (UTC), "
                "2026-11-21T10:30+02:00, or -15m, -2h, -7d for so long ago."
            ) from error
    return value
