"""When an item runs: its schedule's text, in IRIS's format, and what that says for a moment."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache

from irislite.errors import ProductionError

REACH_DAYS = 8 * 366  # the longest pause between two days of a pattern: 29 February, around 1900 or 2100
REPEATED = timedelta(hours=1)  # what the local time goes back by when summer time ends
_EVENT = re.compile(r"(START|STOP):(\d{4}|\*|WEEK)-(\d\d|\*)-(\d\d|\*)T(\d\d):(\d\d):(\d\d)")
_HOW = (
    "Write events with commas between them: START or STOP, a date and a time, as in START:*-*-*T08:00:00 (every day), "
    "STOP:*-*-01T17:30:00 (the first of a month), STOP:2026-12-31T23:59:59, START:WEEK-*-01T08:00:00 (every Monday; "
    "00: Sunday) or START:WEEK-03-02T09:00:00 (every third Tuesday of a month)."
)


@dataclass(frozen=True, slots=True)
class Event:
    """A start or a stop, at a time of the days that fit. None fits every year, month or day.

    If it is `weekly`, `day` is a day of the week (0: Sunday) and `month` says which one in its month.
    """

    starts: bool
    weekly: bool
    year: int | None
    month: int | None
    day: int | None
    at: time

    def falls_on(self, day: date) -> bool:
        """Whether it comes on a day."""
        if self.weekly:
            which = (day.day - 1) // 7 + 1
            return self.day in (None, day.isoweekday() % 7) and self.month in (None, which)
        return self.year in (None, day.year) and self.month in (None, day.month) and self.day in (None, day.day)

    def last(self, now: datetime) -> datetime | None:
        """When it came for the last time, now included; None if it never did."""
        return next((moment for moment in self._moments(now.date(), -1) if moment <= now), None)

    def next(self, now: datetime) -> datetime | None:
        """When it comes again, now excluded; None if it never does."""
        return next((moment for moment in self._moments(now.date(), 1) if moment > now), None)

    def _moments(self, day: date, step: int) -> Iterable[datetime]:
        if self.year is not None and self.month is not None and self.day is not None and not self.weekly:
            return [datetime(self.year, self.month, self.day, self.at.hour, self.at.minute, self.at.second)]
        days = (day + timedelta(step * count) for count in range(REACH_DAYS))
        return (datetime.combine(day, self.at) for day in days if self.falls_on(day))


@dataclass(frozen=True, slots=True)
class Schedule:
    """The events of an item, in local time."""

    events: tuple[Event, ...]

    def runs(self, now: datetime) -> bool:
        """Whether the item is to run: the last event says it; before any, the next one says it is not so yet."""
        # Of two at the same moment, the one that was written later counts.
        past = [(moment, place) for place, event in enumerate(self.events) if (moment := event.last(now))]
        if past:
            return self.events[max(past)[1]].starts
        to_come = [(moment, place) for place, event in enumerate(self.events) if (moment := event.next(now))]
        return not self.events[min(to_come)[1]].starts

    def changes(self, now: datetime) -> datetime | None:
        """When that will be otherwise; None for never."""
        runs = self.runs(now)
        turns = [event.next(now) for event in self.events if event.starts != runs]
        return min(filter(None, turns), default=None)


class LocalTime:
    """The local time. The hour that is repeated when summer time ends does not pass twice: no event comes again."""

    def __init__(self, source: Callable[[], datetime] = datetime.now) -> None:
        self._source = source
        self._latest = datetime.min

    def __call__(self) -> datetime:
        now = self._source()
        if not timedelta(0) < self._latest - now <= REPEATED:  # more is a clock that was set
            self._latest = now
        return self._latest


@cache
def parse(text: str, item: str) -> Schedule:
    """The schedule that a text says. Raises `ProductionError` that names the item and says what to write."""
    return Schedule(tuple(_event(part.strip(), item) for part in text.split(",")))


def _event(text: str, item: str) -> Event:
    if text.startswith("@"):
        raise ProductionError(
            f"The schedule of {item} is the name {text!r}: named schedules are kept by IRIS alone. {_HOW}"
        )
    match = _EVENT.fullmatch(text)
    if match is None:
        raise ProductionError(f"The schedule of {item} has {text!r}. {_HOW}")
    action, *date_parts = match.groups()[:4]
    weekly = date_parts[0] == "WEEK"
    year, month, day = (None if part in ("*", "WEEK") else int(part) for part in date_parts)
    # Left of a * everything is a *, as on IRIS.
    month = None if day is None else month
    year = None if month is None else year
    try:
        if weekly and not (month in (None, 1, 2, 3, 4, 5) and day in (None, 0, 1, 2, 3, 4, 5, 6)):
            raise ValueError("a month has a day of the week five times (01 to 05), and the days are 00 to 06")
        if not weekly:
            date(year or 2000, month or 1, day or 1)  # 2000 and January have all days that there can be
        hour, minute, second = map(int, match.groups()[4:])
        at = time(hour, minute, second)
    except ValueError as error:
        raise ProductionError(f"The schedule of {item} has {text!r}, which never comes: {error}. {_HOW}") from error
    return Event(action == "START", weekly, year, month, day, at)
