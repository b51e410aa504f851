"""A session as it is shown: its picture, its messages, what they carry at a glance, and its log in place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from irislite.director import Director
from irislite.eventlog import LogEntry
from irislite.header import Header, Status
from irislite.messagereader import Glance
from irislite.visualtrace import Arrow, Trace, build

_UNITS = ((1.0, 1000.0, "mJ"), (1000.0, 1.0, "J"), (1_000_000.0, 0.001, "kJ"), (float("inf"), 0.000001, "MJ"))


class Row(NamedTuple):
    """A row of the picture: an arrow, or a log entry that was written between two of them."""

    arrow: Arrow | None
    entry: LogEntry | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session. `glances` has the bodies of the messages from `start` on, by their ids; at most `most` messages."""

    trace: Trace
    headers: dict[int, Header]
    glances: dict[int, Glance]
    log: list[LogEntry]
    start: int
    most: int

    @property
    def arrows(self) -> tuple[Arrow, ...]:
        """The arrows that are shown."""
        return self.trace.arrows[self.start : self.start + self.most]

    def rows(self, with_log: bool) -> Iterator[Row]:
        """The picture from top to bottom."""
        entries = iter(self._entries() if with_log else ())
        entry = next(entries, None)
        for arrow in self.arrows:
            while entry is not None and entry.time_logged < arrow.time:
                yield Row(None, entry)
                entry = next(entries, None)
            yield Row(arrow, None)
        while entry is not None:
            yield Row(None, entry)
            entry = next(entries, None)

    def glance(self, message_id: int) -> Glance | None:
        """The body of a message that is shown, at a glance."""
        return self.glances.get(self.headers[message_id].message_body_id)

    def label(self, arrow: Arrow) -> str:
        """What stands on an arrow: the class of what it carries."""
        glance = self.glance(arrow.header_id)
        return glance.class_name if glance is not None else arrow.description

    def column_of(self, entry: LogEntry) -> int | None:
        """The place of the host that wrote an entry; None for one that took no part."""
        return next(
            (place for place, column in enumerate(self.trace.columns) if column.name == entry.config_name), None
        )

    def _entries(self) -> list[LogEntry]:
        """The log entries from the first to the last arrow that is shown."""
        arrows, shown = self.trace.arrows, self.arrows
        begin = "" if self.start == 0 else shown[0].time
        after = self.start + len(shown)
        end = arrows[after].time if after < len(arrows) else "~"
        return [entry for entry in self.log if begin <= entry.time_logged < end]


def read(
    director: Director, session_id: int, start: int = 0, most: int = 1_000_000, before: SessionView | None = None
) -> SessionView:
    """A session as it is now; `before` is what it was: bodies do not change. Raises `UnknownSession`."""
    headers, log = director.store.session(session_id), director.eventlog.of_session(session_id)
    queued = any(header.status is Status.QUEUED for header in headers)
    trace = build(headers, director.router.claimed if queued else frozenset())
    start = max(0, min(start, len(headers) - 1))
    shown = headers[start : start + most]
    known = before.glances if before is not None else {}
    bodies = {header.message_body_id for header in shown} - {0}
    glances = {body: glance for body, glance in known.items() if body in bodies}
    glances |= director.store.glances(bodies - glances.keys()) if bodies - glances.keys() else {}
    return SessionView(trace, {header.id: header for header in headers}, glances, log, start, most)


def joules(energy: dict[str, Any] | None) -> float | None:
    """What an answer says it cost, in joules; None where it does not say, or nobody knows."""
    value = energy.get("joules") if energy is not None else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def energy_words(value: float | None) -> str:
    """Joules as people read them: `210 mJ`, `7.85 J`, `1.2 kJ`; empty for None."""
    if value is None:
        return ""
    _, factor, unit = next(step for step in _UNITS if value < step[0])
    return f"{value * factor:.3g} {unit}" if value * factor < 1000 else f"{value * factor:,.0f} {unit}"


def energy_note(energy: dict[str, Any] | None) -> str:
    """The same with its range and method: `0.21 J (0.11 J to 0.62 J; estimated-tdp)`."""
    value = joules(energy)
    if energy is None or value is None:
        return ""
    ends = [joules({"joules": energy.get(name)}) for name in ("low", "high")]
    span = " to ".join(energy_words(end) for end in ends) if None not in ends else ""
    about = "; ".join(part for part in (span, str(energy.get("method") or "")) if part)
    return f"{energy_words(value)} ({about})" if about else energy_words(value)
