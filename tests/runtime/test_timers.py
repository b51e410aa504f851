"""Timers of business processes: they fire, limit a wait, survive a restart and a crash, and hold nobody up."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from irislite.alarm import seconds_of
from irislite.director import Director
from irislite.errors import BadRequest, RequestFailed
from irislite.header import Header, MessageType, Status
from runtime import asking
from runtime.asking import answer_text as answer
from runtime.asking import eventually, kill_when

COMPONENTS = '''
from dataclasses import dataclass
import time
import iris
from iop import BusinessOperation, BusinessProcess, Message, handler


@dataclass
class Ask(Message):
    text: str = ""


class Slow(BusinessOperation):
    @handler(Ask)
    def ask(self, request):
        time.sleep(float(request.text))
        return Ask(text=f"slept {request.text}")


class Waiter(BusinessProcess):
    """`timer`: waits for nothing else. `call limit duration`: waits for a call, at most so long. """

    PERSISTENT_PROPERTY_LIST = ["said"]
    said: str = ""

    @handler(Ask)
    def ask(self, request):
        words = request.text.split()
        if words[0] == "timer":
            self.set_timer(words[1], "bell")
        elif words[0] == "call":
            self.send_request_async("Slow", Ask(text=words[1]), completion_key="call")
            self.set_timer(words[2], "bell")
        elif words[0] == "raise":
            self.set_timer(60, "bell")
            self.send_request_async("Slow", Ask(text="no number"), completion_key="call")

    def on_response(self, request, response, call_request, call_response, completion_key):
        kind = type(call_response).__name__
        if completion_key == "bell":
            assert call_response._IsA("Ens.AlarmResponse") and call_request._IsA("Ens.AlarmRequest")
        self.said += f"{completion_key} {kind},"
        if completion_key == "bell" and request.text.endswith("again") and self.said.count("bell") < 3:
            self.set_timer("PT0.01S", "bell")
        if completion_key == "bell" and request.text.endswith("enough"):
            self.iris_handle.ClearAllPendingResponses()
        return Ask(text=self.said)


class Sleeper(BusinessOperation):
    """Asks the alarm itself, as any host may."""

    @handler(Ask)
    def ask(self, request):
        alarm = iris.cls("Ens.AlarmRequest")._New()
        alarm.Duration = request.text
        return Ask(text=type(self.send_request_sync("Ens.Alarm", alarm, timeout=60)).__name__)
'''
ITEMS = """
p.process("Waiter", c.Waiter, pool_size=2)
p.process("Actor", c.Waiter, pool_size=0)
p.operation("Slow", c.Slow)
p.operation("Sleeper", c.Sleeper)
"""


@pytest.fixture
def director(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS)


def ask_name(director: Director) -> str:
    return asking.message_class(director, "Waiter")


def ask(director: Director, text: str, target: str = "Waiter") -> str:
    return asking.ask(director, ask_name(director), text, target, timeout_s=60)["text"]


def send(director: Director, text: str) -> Header:
    return director.test_async("Waiter", ask_name(director), json.dumps({"text": text}))


def alarms(director: Director, session_id: int) -> list[Header]:
    return [header for header in director.store.session(session_id) if header.target_config_name == "Ens.Alarm"]


@pytest.mark.parametrize("target", ["Waiter", "Actor"])
@pytest.mark.parametrize("duration", ["0", "0.01", "PT0.01S", "pt0.01s"])
def test_a_timer_fires_and_reaches_the_process(director: Director, target: str, duration: str) -> None:
    assert ask(director, f"timer {duration}", target) == "bell AlarmResponse,"


def test_a_timer_is_in_the_trace(director: Director) -> None:
    header = send(director, "timer 0.01")
    answer(director, header.id)
    _, request, response, _ = director.store.session(header.session_id)
    assert (request.target_config_name, request.message_body_class_name) == ("Ens.Alarm", "Ens.AlarmRequest")
    assert (response.type, response.message_body_class_name) == (MessageType.RESPONSE, "Ens.AlarmResponse")
    assert request.status is response.status is Status.COMPLETED
    assert director.store.body(request.message_body_id).content == '{"Duration": "0.01"}'


def test_a_timer_that_is_set_again_fires_again(director: Director) -> None:
    assert ask(director, "timer 0.01 again") == "bell AlarmResponse," * 3


def test_a_process_does_not_wait_for_the_timer_once_its_calls_are_answered(director: Director) -> None:
    header = send(director, "call 0.01 3600")
    assert answer(director, header.id) == "call Ask,"
    (alarm,) = alarms(director, header.session_id)
    assert alarm.status is Status.DISCARDED


def test_a_timer_that_fires_lets_the_other_answers_come(director: Director) -> None:
    assert ask(director, "call 0.2 0.01") == "bell AlarmResponse,call Ask,"


def test_a_process_can_stop_waiting_when_its_timer_fires(director: Director) -> None:
    header = send(director, "call 0.3 0.01 enough")
    assert answer(director, header.id) == "bell AlarmResponse,"
    late = eventually(
        lambda: [h for h in director.store.session(header.session_id)
                 if h.source_config_name == "Slow" and h.status is not Status.QUEUED]
    )  # fmt: skip
    assert late[0].status is Status.DISCARDED


def test_a_process_that_fails_leaves_no_timer(director: Director) -> None:
    with pytest.raises(RequestFailed, match="could not convert"):
        ask(director, "raise")
    session = director.store.latest(1)[0].session_id
    assert [alarm.status for alarm in alarms(director, session)] == [Status.DISCARDED]


def test_the_alarm_answers_any_host(director: Director) -> None:
    assert ask(director, "0.01", "Sleeper") == "AlarmResponse"
    with pytest.raises(RequestFailed, match="give a number of seconds"):
        ask(director, "soon", "Sleeper")


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(10, 10), (1.5, 1.5), ("10", 10), ("PT15s", 15), ("P1DT1H1M1.5S", 90_061.5), ("P1Y2M", 425 * 86_400), ("PT0S", 0)],
)
def test_durations(duration: object, seconds: float) -> None:
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("duration", ["", "soon", "-1", "P", "PT", "P1DT", "10S", "nan", "inf", "1e99", None, [1]])
def test_what_is_no_duration_is_told(duration: object) -> None:
    with pytest.raises(BadRequest, match="PT10S"):
        seconds_of(duration)


def test_a_bad_duration_is_told_where_it_is_set(director: Director) -> None:
    with pytest.raises(RequestFailed, match="The timer's duration is 'soon'"):
        ask(director, "timer soon")


def test_a_timer_survives_stop_and_start_and_a_restart(
    director: Director, run_production: Callable[..., Director]
) -> None:
    header = send(director, "timer 0.4 again")
    time.sleep(0.1)
    director.stop()
    director.start()
    director = run_production()
    assert answer(director, header.id) == "bell AlarmResponse," * 3


def test_a_timer_that_is_overdue_after_a_restart_fires_at_once(
    director: Director, run_production: Callable[..., Director]
) -> None:
    headers = [send(director, "timer 0.3") for _ in range(20)]
    director.stop()
    time.sleep(0.4)
    director = run_production()
    assert {answer(director, header.id) for header in headers} == {"bell AlarmResponse,"}


def test_a_timer_survives_a_crash(director: Director, run_production: Callable[..., Director], tmp_path: Path) -> None:
    name = ask_name(director)
    director.close()
    is_set = "any(h.target_config_name == 'Ens.Alarm' for h in director.store.session(header.session_id))"
    header_id = kill_when(is_set, tmp_path, "Waiter", name, "timer 1")
    assert answer(run_production(), header_id) == "bell AlarmResponse,"
