"""A session as a picture: its headers as columns and numbered arrows, and where its time went."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from irislite.header import BusinessType, Header, MessageType, Status

# A message that is in one of these goes on by itself; Suspended waits for an operator.
UNFINISHED = frozenset({Status.CREATED, Status.QUEUED, Status.DELIVERED, Status.DEFERRED})
_GROUPS = {BusinessType.SERVICE: 0, BusinessType.PROCESS: 1, BusinessType.OPERATION: 2}


class ArrowKind(StrEnum):
    """What an arrow stands for; an error is a response that carries one."""

    REQUEST = "request"
    RESPONSE = "response"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Column:
    """One host that took part. `kind` is unknown if no header tells it."""

    name: str
    kind: BusinessType


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message, from column to column (indexes into the trace's columns).

    `number` counts from 1 in the order of the messages. `time` is when it was created, as in
    the header; `offset_ms` the same, since the session began. `duration_ms` is, for a request,
    the time to its answer or to the end of its handling, None while it is under way, and None
    for a response. `waited_ms` is how much of it passed in the queue and `worked_ms` how long a
    pool member had it; None where nobody took it, or not yet, or nobody knows. `failed` says that
    its handling ended in an error, or that it carries one.
    """

    number: int
    header_id: int
    kind: ArrowKind
    source: int
    target: int
    time: str
    offset_ms: float
    duration_ms: float | None
    waited_ms: float | None
    worked_ms: float | None
    status: Status
    description: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Share:
    """What one host had of a session's time: in its queue, at work, and of that without waiting for others.

    `own_ms` leaves out the time in which calls that the host made meanwhile were not answered yet.
    """

    name: str
    requests: int
    waited_ms: float
    worked_ms: float
    own_ms: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A session's picture. `duration_ms` is from its first message to the last thing that happened."""

    session_id: int
    columns: tuple[Column, ...]
    arrows: tuple[Arrow, ...]
    finished: bool
    duration_ms: float


def build(headers: Sequence[Header], delivered: frozenset[int] = frozenset()) -> Trace:
    """The picture of a session.

    `headers` are the session's, in any order; `delivered` the ids of those that a pool member
    works on now: their rows say Queued. Services are left, processes in the middle, operations
    right, each group in the order in which its hosts first took part.
    """
    if not headers:
        return Trace(0, (), (), True, 0.0)
    ordered = sorted(headers, key=lambda header: header.id)
    columns = _columns(ordered)
    places = {column.name: place for place, column in enumerate(columns)}
    answers = _answers(ordered)
    start = _moment(ordered[0].time_created)
    arrows = []
    for number, header in enumerate(ordered, 1):
        status = Status.DELIVERED if header.id in delivered and header.status is Status.QUEUED else header.status
        arrows.append(
            Arrow(
                number=number,
                header_id=header.id,
                kind=_kind(header),
                source=places[header.source_config_name],
                target=places[header.target_config_name],
                time=header.time_created,
                offset_ms=_elapsed_ms(start, header.time_created),
                duration_ms=_duration_ms(header, status, answers.get(header.id)),
                waited_ms=_elapsed_ms(_moment(header.time_created), header.time_taken) if header.time_taken else None,
                worked_ms=_elapsed_ms(_moment(header.time_taken), header.time_processed) if header.time_taken else None,
                status=status,
                description=header.description or header.message_body_class_name,
                failed=header.is_error or status is Status.ERROR,
            )
        )
    end = max(max(header.time_created, header.time_processed) for header in ordered)
    return Trace(
        session_id=ordered[0].session_id,
        columns=columns,
        arrows=tuple(arrows),
        finished=not any(arrow.status in UNFINISHED for arrow in arrows),
        duration_ms=_elapsed_ms(start, end),
    )


def shares(trace: Trace) -> list[Share]:
    """Where the time went: what each host had of it, the most at work first."""
    requests = [arrow for arrow in trace.arrows if arrow.kind is ArrowKind.REQUEST]
    found = []
    for place, column in enumerate(trace.columns):
        taken = [arrow for arrow in requests if arrow.target == place and arrow.worked_ms is not None]
        if not taken:
            continue
        calls = [
            (arrow.offset_ms, arrow.offset_ms + arrow.duration_ms)
            for arrow in requests
            if arrow.source == place and arrow.duration_ms is not None
        ]
        worked = sum(arrow.worked_ms or 0.0 for arrow in taken)
        others = sum(_covered_ms(_at_work(arrow), calls) for arrow in taken)
        waited = sum(arrow.waited_ms or 0.0 for arrow in taken)
        found.append(Share(column.name, len(taken), round(waited, 3), round(worked, 3), round(worked - others, 3)))
    return sorted(found, key=lambda share: -share.own_ms)


def _at_work(arrow: Arrow) -> tuple[float, float]:
    begin = arrow.offset_ms + (arrow.waited_ms or 0.0)
    return begin, begin + (arrow.worked_ms or 0.0)


def _covered_ms(span: tuple[float, float], parts: Iterable[tuple[float, float]]) -> float:
    """How much of a span lies in any of the parts, each millisecond counted once."""
    covered, at = 0.0, span[0]
    for begin, end in sorted(parts):
        begin, end = max(begin, at), min(end, span[1])
        if end > begin:
            covered, at = covered + end - begin, end
    return covered


def _columns(headers: Iterable[Header]) -> tuple[Column, ...]:
    kinds: dict[str, BusinessType] = {}
    groups: dict[str, int] = {}
    for header in headers:
        for name, kind, unknown_group in (
            (header.source_config_name, header.source_business_type, 0),
            (header.target_config_name, header.target_business_type, 2),
        ):
            if kinds.get(name, BusinessType.UNKNOWN) is BusinessType.UNKNOWN:
                kinds[name] = kind
                # A host of unknown kind stands where it was first seen: as sender left, as receiver right.
                groups[name] = _GROUPS.get(kind, groups.get(name, unknown_group))
    return tuple(Column(name, kinds[name]) for name in sorted(kinds, key=lambda name: groups[name]))


def _answers(headers: Iterable[Header]) -> dict[int, Header]:
    """The first answer to each request, by the request's id."""
    answers: dict[int, Header] = {}
    for header in headers:
        if header.type is MessageType.RESPONSE:
            answers.setdefault(header.corresponding_message_id, header)
    return answers


def _kind(header: Header) -> ArrowKind:
    if header.type is MessageType.REQUEST:
        return ArrowKind.REQUEST
    return ArrowKind.ERROR if header.is_error else ArrowKind.RESPONSE


def _duration_ms(header: Header, status: Status, answer: Header | None) -> float | None:
    if header.type is MessageType.RESPONSE:
        return None
    if answer is not None:
        return _elapsed_ms(_moment(header.time_created), answer.time_created)
    if status in UNFINISHED or status is Status.SUSPENDED:
        return None
    return _elapsed_ms(_moment(header.time_created), header.time_processed)


def _elapsed_ms(start: datetime, time: str) -> float:
    return round((_moment(time) - start).total_seconds() * 1000, 3)


def _moment(time: str) -> datetime:
    return datetime.fromisoformat(time)
