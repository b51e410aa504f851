"""Schedules: what their text says for a moment, and items that start and stop by them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from irislite import rounds, schedule
from irislite.director import Director
from irislite.errors import ItemNotRunning, ProductionError, RequestFailed
from irislite.header import Status
from irislite.testpage import TESTER
from irislite.views import ItemState
from runtime.test_itemsettings import request_class, texts
from waiting import eventually

OFFICE = "START:*-*-*T08:00:00,STOP:*-*-*T17:00:00"
COMPONENTS = """
from dataclasses import dataclass
import time
from iop import BusinessOperation, BusinessProcess, BusinessService, Message, handler


@dataclass
class Ask(Message):
    text: str = ""


class Echo(BusinessOperation):
    @handler(Ask)
    def ask(self, request: Ask):
        self.log_info(f"asked {request.text}")
        if request.text.startswith("sleep "):
            time.sleep(float(request.text[6:]))
        return Ask(text=f"Hello {request.text}")


class Relay(BusinessProcess):
    @handler(Ask)
    def ask(self, request: Ask):
        return Ask(text=f"Relayed {request.text}")


class Door(BusinessService):
    pass
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "now", "runs", "changes"),
    [
        (OFFICE, "2026-11-21 12:00:00", True, "2026-11-21 17:00:00"),
        (OFFICE, "2026-11-21 07:59:59", False, "2026-11-21 08:00:00"),
        (OFFICE, "2026-11-21 08:00:00", True, "2026-11-21 17:00:00"),
        (OFFICE, "2026-11-21 17:00:00", False, "2026-11-22 08:00:00"),
        ("STOP:WEEK-*-00T10:00:00,START:WEEK-*-01T08:30:00", "2026-11-22 10:00:00", False, "2026-11-23 08:30:00"),
        ("STOP:WEEK-*-00T10:00:00,START:WEEK-*-01T08:30:00", "2026-11-21 10:00:00", True, "2026-11-22 10:00:00"),
        ("START:WEEK-03-02T09:00:00,STOP:WEEK-03-05T16:00:00", "2026-11-19 00:00:00", True, "2026-11-20 16:00:00"),
        ("START:WEEK-03-02T09:00:00,STOP:WEEK-03-05T16:00:00", "2026-11-21 00:00:00", False, "2026-12-15 09:00:00"),
        ("START:*-*-02T08:00:00,STOP:*-*-10T20:30:00", "2026-11-21 00:00:00", False, "2026-12-02 08:00:00"),
        ("START:*-*-31T08:00:00,STOP:*-*-10T00:00:00", "2026-11-21 00:00:00", False, "2026-12-31 08:00:00"),
        ("START:*-02-29T00:00:00,STOP:*-03-01T00:00:00", "2026-11-21 00:00:00", False, "2028-02-29 00:00:00"),
        # Left of a * everything is a *.
        ("START:2030-05-*T02:00:00,STOP:WEEK-02-*T03:00:00", "2026-11-21 02:30:00", True, "2026-11-21 03:00:00"),
        ("STOP:2010-12-31T23:59:59", "2010-12-01 00:00:00", True, "2010-12-31 23:59:59"),
        ("STOP:2010-12-31T23:59:59", "2026-11-21 00:00:00", False, None),
        ("START:2030-01-01T00:00:00", "2026-11-21 00:00:00", False, "2030-01-01 00:00:00"),
        ("START:2011-01-03T06:45:00", "2026-11-21 00:00:00", True, None),
        ("STOP:*-*-*T02:00:00,START:*-*-*T02:00:00", "2026-11-21 12:00:00", True, "2026-11-22 02:00:00"),
    ],
)
def test_the_last_event_says_whether_an_item_runs(text: str, now: str, runs: bool, changes: str | None) -> None:
    found = schedule.parse(text, "Echo")
    assert found.runs(at(now)) is runs
    assert found.changes(at(now)) == (at(changes) if changes else None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("always", "has 'always'. Write events"),
        ("START:*-*-*T08:00:00,", "has ''. Write events"),
        ("START:*-*-*T08:00:00;STOP:*-*-*T17:00:00", "Write events with commas"),
        ("START:*-*-*T*:00:00", "Write events"),
        ("start:*-*-*T08:00:00", "START or STOP"),
        ("STOP:2026-02-30T08:00:00", "never comes: day is out of range"),
        ("STOP:*-13-01T08:00:00", "never comes: month must be"),
        ("STOP:*-*-*T24:00:00", "never comes: hour must be"),
        ("STOP:WEEK-06-01T08:00:00", "five times"),
        ("STOP:WEEK-*-07T08:00:00", "00 to 06"),
        ("@Daytime", "named schedules are kept by IRIS alone"),
    ],
)
def test_a_wrong_text_is_refused_when_it_is_loaded(run_production, text: str, told: str) -> None:
    with pytest.raises(ProductionError, match=f"The schedule of Echo .*{told}"):
        run_production(COMPONENTS, f'p.operation("Echo", c.Echo, schedule={text!r})')


def test_an_hour_that_is_repeated_brings_no_event_again() -> None:
    times = iter(["2026-10-25 02:59:59", "2026-10-25 02:00:00", "2026-10-25 03:00:01", "2026-10-20 00:00:00"])
    local_time = schedule.LocalTime(lambda: at(next(times)))
    seen = [local_time() for _ in range(4)]
    # The last step is larger than an hour: somebody has set the clock.
    assert [f"{time:%d %H:%M:%S}" for time in seen] == ["25 02:59:59", "25 02:59:59", "25 03:00:01", "20 00:00:00"]


class Clock:
    """A local time that tests set."""

    def __init__(self) -> None:
        self.now = at("2026-11-21 07:00:00")

    def __call__(self) -> datetime:
        return self.now

    def forward(self, hours: float) -> None:
        self.now += timedelta(hours=hours)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_director(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Director]]:
    """As the common one, with a clock of the test's own, at which the runtime looks often."""
    monkeypatch.setattr(rounds, "PERIOD_S", 0.01)
    opened: list[Director] = []

    def open_one() -> Director:
        opened.append(Director(tmp_path / "home", synchronous="NORMAL", clock=clock))
        return opened[-1]

    yield open_one
    for director in opened:
        director.close()


def state(director: Director, name: str = "Echo") -> ItemState:
    return director.item(name).state


def test_an_item_starts_and_stops_by_its_schedule_and_its_queue_goes_on(run_production, tmp_path, clock) -> None:
    director = run_production(
        COMPONENTS, f'p.operation("Echo", c.Echo, schedule="{OFFICE}")\np.operation("Any", c.Echo)'
    )
    ask = request_class(tmp_path)
    assert (state(director), state(director, "Any")) == (ItemState.STOPPED, ItemState.RUNNING)
    assert director.item("Echo").reason == "Echo is stopped by its schedule until 2026-11-21 08:00:00."
    with pytest.raises(ItemNotRunning, match=r"until 2026-11-21 08:00:00\. Ask again then"):
        director.test("Echo", ask, '{"text": "now"}')
    early = director.test_async("Echo", ask, '{"text": "early"}')
    assert director.store.header(early.id).status is Status.QUEUED

    clock.forward(1)
    eventually(lambda: state(director) is ItemState.RUNNING)
    eventually(lambda: director.store.header(early.id).status is Status.COMPLETED)
    assert json.loads(director.test("Echo", ask, '{"text": "you"}', 5).body) == {"text": "Hello you"}

    clock.forward(9)
    eventually(lambda: state(director) is ItemState.STOPPED)
    assert state(director, "Any") is ItemState.RUNNING
    director.flush()
    told = [text for text in texts(director, config_name="Echo") if "by its schedule" in text]
    assert told == ["Echo is started by its schedule.", "Echo is stopped by its schedule."]
    assert director.status()["status"] == "running"


def test_a_restart_brings_the_state_that_the_schedule_says(run_production, clock) -> None:
    director = run_production(COMPONENTS, f'p.operation("Echo", c.Echo, schedule="{OFFICE}")')
    assert state(director) is ItemState.STOPPED
    clock.forward(4)
    director = run_production()
    eventually(lambda: state(director) is ItemState.RUNNING)
    director.restart_item("Echo")
    assert state(director) is ItemState.RUNNING
    clock.forward(12)
    director.restart()
    assert state(director) is ItemState.STOPPED


def test_a_disabled_item_stays_so_and_an_enabled_one_waits_for_its_time(run_production, clock) -> None:
    director = run_production(COMPONENTS, f'p.operation("Echo", c.Echo, enabled=False, schedule="{OFFICE}")')
    clock.forward(1)
    director.follow_schedules()
    assert state(director) is ItemState.DISABLED
    director.enable_item("Echo", True)
    assert state(director) is ItemState.RUNNING
    director.enable_item("Echo", False)
    clock.forward(9)
    director.enable_item("Echo", True)
    assert state(director) is ItemState.STOPPED
    clock.forward(15)
    eventually(lambda: state(director) is ItemState.RUNNING)


def test_who_waits_for_an_item_that_its_schedule_stops_is_told(run_production, tmp_path, clock) -> None:
    clock.forward(1)
    director = run_production(COMPONENTS, f'p.operation("Echo", c.Echo, schedule="{OFFICE}")')
    ask = request_class(tmp_path)
    director.test_async("Echo", ask, '{"text": "sleep 0.4"}')
    eventually(lambda: director.item("Echo").in_progress)
    call = director.router.call(TESTER, "Echo", None)
    clock.forward(9)
    assert call.wait(60)
    with pytest.raises(RequestFailed, match=r"stopped by its schedule until 2026-11-22 08:00:00\. The request stays"):
        call.answer()
    assert director.store.header(call.header.id).status is Status.QUEUED


def test_a_process_of_the_shared_pool_gets_its_own_with_a_schedule(run_production, tmp_path, clock) -> None:
    items = (
        f'p.process("Relay", c.Relay, pool_size=0, schedule="{OFFICE}")\np.service("Door", c.Door, schedule="{OFFICE}")'
    )
    director = run_production(COMPONENTS, f'{items}\np.process("Actor", c.Relay, pool_size=0)')
    header = director.test_async("Relay", request_class(tmp_path), '{"text": "x"}')
    assert director.test("Actor", request_class(tmp_path), '{"text": "y"}', 5)
    assert director.store.header(header.id).status is Status.QUEUED
    assert state(director, "Door") is ItemState.STOPPED
    clock.forward(1)
    eventually(lambda: director.store.header(header.id).status is Status.COMPLETED)
    eventually(lambda: state(director, "Door") is ItemState.RUNNING)


def test_a_plan_changes_a_schedule_and_refuses_a_wrong_one(run_production, clock) -> None:
    director = run_production(COMPONENTS, 'p.operation("Echo", c.Echo)')

    def plan(text: str) -> dict[str, str]:
        operation = {"op_type": "set_item_field", "item": "Echo", "field": "schedule", "after": text}
        return director.apply_plan("Own.Production", [operation])[0]

    assert "The schedule of Echo has 'x'" in plan("x")["message"]
    assert plan(OFFICE)["status"] == "applied"
    director.update()
    assert state(director) is ItemState.STOPPED
    clock.forward(1)
    eventually(lambda: state(director) is ItemState.RUNNING)
    assert plan("")["status"] == "applied"
    director.update()
    clock.forward(9)
    director.follow_schedules()
    eventually(lambda: state(director) is ItemState.RUNNING)


def test_a_wrong_text_from_an_earlier_time_puts_the_item_in_error(run_production) -> None:
    director = run_production(COMPONENTS, 'p.operation("Echo", c.Echo)\np.operation("Any", c.Echo)')
    director.stop()
    director._database.write(
        lambda connection: connection.execute(
            "UPDATE production SET current = json_set(current, '$.Item[0].@Schedule', 'always')"
        )
    )
    director.start()
    eventually(lambda: state(director) is ItemState.ERROR)
    assert "The schedule of Echo has 'always'" in director.item("Echo").reason
    assert state(director, "Any") is ItemState.RUNNING
