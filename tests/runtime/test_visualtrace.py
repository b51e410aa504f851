"""The picture of a session: columns, arrows, durations."""

import pytest

from irislite.header import BusinessType, Header, Invocation, MessageType, Priority, Status
from irislite.visualtrace import ArrowKind, Column, Share, build, shares

SERVICE, PROCESS, OPERATION = BusinessType.SERVICE, BusinessType.PROCESS, BusinessType.OPERATION
KINDS = {"Reader": SERVICE, "Router": PROCESS, "Writer": OPERATION, "Mailer": OPERATION, "Auditor": PROCESS}


def at(ms: float) -> str:
    return f"2026-11-21 10:00:{ms / 1000:09.6f}"


def request(id: int, source: str, target: str, created_ms: float = 0, processed_ms: float | None = None,
            status: Status = Status.COMPLETED, **changes: object) -> Header:  # fmt: skip
    header = Header(
        id=id, session_id=1, type=MessageType.REQUEST, invocation=Invocation.QUEUE, status=status,
        priority=Priority.ASYNC, source_config_name=source, target_config_name=target,
        source_business_type=KINDS.get(source, BusinessType.UNKNOWN),
        target_business_type=KINDS.get(target, BusinessType.UNKNOWN),
        target_queue_name=target, return_queue_name="", business_process_id=0,
        message_body_class_name="IOP.Message", message_body_id=id, description="", time_created=at(created_ms),
        time_processed=at(created_ms if processed_ms is None else processed_ms), is_error=False, error_text="",
        corresponding_message_id=0,
    )  # fmt: skip
    return header._replace(**changes)  # type: ignore[arg-type]


def response(id: int, to: Header, created_ms: float, error_text: str = "") -> Header:
    return request(id, to.target_config_name, to.source_config_name, created_ms)._replace(
        type=MessageType.RESPONSE, corresponding_message_id=to.id, is_error=bool(error_text), error_text=error_text,
    )  # fmt: skip


def test_no_headers_are_an_empty_picture() -> None:
    trace = build([])
    assert (trace.columns, trace.arrows, trace.finished) == ((), (), True)


def test_request_and_answer() -> None:
    asked = request(1, "Reader", "Writer", 0, 250)
    trace = build([asked, response(2, asked, 250)])
    assert trace.columns == (Column("Reader", SERVICE), Column("Writer", OPERATION))
    first, second = trace.arrows
    assert (first.number, first.kind, first.source, first.target) == (1, ArrowKind.REQUEST, 0, 1)
    assert (second.number, second.kind, second.source, second.target) == (2, ArrowKind.RESPONSE, 1, 0)
    assert (first.offset_ms, second.offset_ms) == (0, 250)
    assert (first.duration_ms, second.duration_ms) == (250, None)
    assert trace.finished
    assert trace.duration_ms == 250
    assert trace.session_id == 1


def test_services_left_processes_in_the_middle_operations_right() -> None:
    trace = build([
        request(1, "Router", "Writer"), request(2, "Router", "Auditor"), request(3, "Reader", "Router"),
        request(4, "Auditor", "Mailer"),
    ])  # fmt: skip
    assert [column.name for column in trace.columns] == ["Reader", "Router", "Auditor", "Writer", "Mailer"]


def test_order_of_the_headers_does_not_matter() -> None:
    asked = request(1, "Reader", "Writer")
    answer = response(2, asked, 5)
    assert build([answer, asked]) == build([asked, answer])


def test_fan_out_of_a_process() -> None:
    """Three calls are under way at once; each arrow has the time to its own answer, in whatever order they come."""
    asked = request(1, "Reader", "Router", 0, 1)
    calls = [request(2, "Router", "Writer", 1), request(3, "Router", "Mailer", 2), request(4, "Router", "Writer", 3)]
    answers = [response(5, calls[1], 10), response(6, calls[0], 30), response(7, calls[2], 40)]
    trace = build([asked, *calls, *answers, response(8, asked, 45)])
    assert [arrow.number for arrow in trace.arrows] == list(range(1, 9))
    assert [arrow.duration_ms for arrow in trace.arrows[:4]] == [45, 29, 8, 37]
    names = [column.name for column in trace.columns]
    assert [(names[arrow.source], names[arrow.target]) for arrow in trace.arrows[4:]] == [
        ("Mailer", "Router"), ("Writer", "Router"), ("Writer", "Router"), ("Router", "Reader"),
    ]  # fmt: skip


def test_request_that_nobody_answers() -> None:
    """An asynchronous request without an answer lasts until its handling ends."""
    arrow = build([request(1, "Reader", "Writer", 100, 180)]).arrows[0]
    assert (arrow.duration_ms, arrow.failed) == (80, False)


@pytest.mark.parametrize("status", [Status.CREATED, Status.QUEUED, Status.DEFERRED])
def test_unfinished(status: Status) -> None:
    trace = build([request(1, "Reader", "Writer", status=status)])
    assert not trace.finished
    assert trace.arrows[0].duration_ms is None


def test_suspended_waits_for_an_operator() -> None:
    trace = build([request(1, "Reader", "Writer", status=Status.SUSPENDED)])
    assert trace.finished
    assert trace.arrows[0].duration_ms is None


def test_message_that_is_worked_on_is_delivered() -> None:
    headers = [request(id, "Reader", "Writer", status=Status.QUEUED) for id in (1, 2)]
    headers.append(request(3, "Reader", "Writer"))
    trace = build(headers, delivered=frozenset({1, 3}))
    assert [arrow.status for arrow in trace.arrows] == [Status.DELIVERED, Status.QUEUED, Status.COMPLETED]
    assert not trace.finished


def test_error_with_an_answer() -> None:
    asked = request(1, "Reader", "Writer", 0, 7, status=Status.ERROR, is_error=True, error_text="ValueError: no")
    trace = build([asked, response(2, asked, 7, "ValueError: no")])
    assert [arrow.kind for arrow in trace.arrows] == [ArrowKind.REQUEST, ArrowKind.ERROR]
    assert [arrow.failed for arrow in trace.arrows] == [True, True]
    assert trace.finished


def test_error_that_nobody_waited_for() -> None:
    """No response is made up: the request itself is marked."""
    trace = build([request(1, "Reader", "Writer", 0, 7, status=Status.ERROR, is_error=True)])
    assert [(arrow.kind, arrow.failed, arrow.duration_ms) for arrow in trace.arrows] == [(ArrowKind.REQUEST, True, 7)]


def test_late_answer_is_shown_as_discarded() -> None:
    asked = request(1, "Reader", "Writer", 0, 5)
    trace = build([asked, response(2, asked, 9)._replace(status=Status.DISCARDED)])
    assert trace.arrows[1].status is Status.DISCARDED
    assert trace.finished


def test_first_of_two_answers_counts() -> None:
    asked = request(1, "Reader", "Writer", 0, 5)
    trace = build([asked, response(2, asked, 5), response(3, asked, 900)])
    assert trace.arrows[0].duration_ms == 5


def test_message_to_oneself() -> None:
    arrow = build([request(1, "Router", "Router")]).arrows[0]
    assert arrow.source == arrow.target == 0


def test_unknown_hosts_stand_where_they_were_seen() -> None:
    trace = build([request(1, "curl", "Router"), request(2, "Router", "elsewhere")])
    assert [column.name for column in trace.columns] == ["curl", "Router", "elsewhere"]
    assert trace.columns[0].kind is BusinessType.UNKNOWN


def test_kind_that_is_told_later_counts() -> None:
    first = request(1, "Reader", "Writer")._replace(target_business_type=BusinessType.UNKNOWN)
    trace = build([first, request(2, "Router", "Writer")])
    assert trace.columns == (Column("Reader", SERVICE), Column("Router", PROCESS), Column("Writer", OPERATION))


def test_description_or_body_class() -> None:
    trace = build([request(1, "Reader", "Writer", description="nightly"), request(2, "Reader", "Writer")])
    assert [arrow.description for arrow in trace.arrows] == ["nightly", "IOP.Message"]


def test_time_is_told_apart_into_queue_and_work() -> None:
    asked = request(1, "Reader", "Router", 0, 100, time_taken=at(30))
    called = request(2, "Router", "Writer", 40, 90, time_taken=at(50))
    trace = build([asked, called, response(3, called, 90), response(4, asked, 100), request(5, "Reader", "Mailer", 60)])
    first, second, third, _, last = trace.arrows
    assert (first.waited_ms, first.worked_ms, first.duration_ms) == (30, 70, 100)
    assert (second.waited_ms, second.worked_ms, second.duration_ms) == (10, 40, 50)
    assert (third.waited_ms, third.worked_ms, last.waited_ms, last.worked_ms) == (None, None, None, None)
    assert shares(trace) == [Share("Writer", 1, 10, 40, 40), Share("Router", 1, 30, 70, 20)]


def test_calls_at_the_same_time_are_left_out_once() -> None:
    asked = request(1, "Reader", "Router", 0, 100, time_taken=at(0))
    calls = [request(2, "Router", "Writer", 10, 60, time_taken=at(10)),
             request(3, "Router", "Mailer", 20, 70, time_taken=at(20))]  # fmt: skip
    found = {share.name: share for share in shares(build([asked, *calls]))}
    assert (found["Router"].worked_ms, found["Router"].own_ms) == (100, 40)
