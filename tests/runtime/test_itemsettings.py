"""The settings that every host has: alerts, retries, delays, and those that do nothing and say so."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from irislite.director import Director
from irislite.errors import ProductionError, RequestFailed
from irislite.eventlog import LogType
from irislite.header import Status

COMPONENTS = '''
import time
from dataclasses import dataclass
from iop import BusinessOperation, BusinessProcess, Message, handler


@dataclass
class Ask(Message):
    text: str = ""


class Worker(BusinessOperation):
    """Fails as it is told; how often it was asked is counted."""

    def on_init(self):
        self.count = 0

    @handler(Ask)
    def ask(self, request: Ask):
        self.count += 1
        self.log_info(f"asked {request.text}")
        if request.text == "offline":
            raise ConnectionRefusedError("nobody is there")
        if request.text == "third" and self.count < 3:
            raise ConnectionError("not yet")
        if request.text == "value":
            raise ValueError("a bad value")
        if request.text.startswith("sleep "):
            time.sleep(float(request.text[6:]))
        return Ask(text=f"{request.text} {self.count}")


class Plan(BusinessProcess):
    @handler(Ask)
    def ask(self, request: Ask):
        raise ValueError("no plan")


class Alarmed(BusinessOperation):
    """Writes down the alerts it gets; one about Plan it passes on to Worker, which fails."""

    def on_message(self, request):
        self.log_info(f"alert {request.SourceConfigName}: {request.AlertText} ({request.SessionId})")
        if request.SourceConfigName == "Plan":
            self.send_request_sync("Worker", Ask(text="value"))
        if "poison" in request.AlertText:
            raise RuntimeError("cannot tell")
'''
ALERTED = 'p.operation("Ens.Alert", c.Alarmed, settings={"AlertOnError": "1"})\n'


def worker(**settings: str) -> str:
    return f'p.operation("Worker", c.Worker, settings={settings!r})\n'


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., str]:
    """Asks an item and returns the text of the answer."""

    def ask_one(director: Director, text: str, target: str = "Worker") -> str:
        result = director.test(target, request_class(tmp_path), json.dumps({"text": text}), 10)
        return json.loads(result.body)["text"] if result.body else ""

    return ask_one


def request_class(folder: Path) -> str:
    return f"{next(folder.glob('components_*.py')).stem}.Ask"


def texts(director: Director, type: LogType | None = None, config_name: str | None = None) -> list[str]:
    """The texts of the log, oldest first."""
    return [entry.text for entry in reversed(director.eventlog.newest(200, type, config_name))]


def eventually(check: Callable[[], object], timeout_s: float = 8) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alerts(director: Director) -> list[str]:
    return [text for text in texts(director, LogType.INFO, "Ens.Alert") if text.startswith("alert ")]


def test_an_error_sends_an_alert_in_its_session(run_production, ask) -> None:
    director = run_production(COMPONENTS, ALERTED + worker(AlertOnError="true"))
    with pytest.raises(RequestFailed) as failed:
        ask(director, "value")
    eventually(lambda: alerts(director))
    assert alerts(director) == [f"alert Worker: ValueError: a bad value ({failed.value.session_id})"]
    (alert,) = [h for h in director.store.session(failed.value.session_id) if h.target_config_name == "Ens.Alert"]
    assert (alert.source_config_name, alert.message_body_class_name) == ("Worker", "Ens.AlertRequest")
    assert texts(director, LogType.ALERT) == ["ValueError: a bad value"]


def test_without_the_setting_there_is_no_alert_and_without_the_item_only_the_log_tells(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker() + 'p.operation("Other", c.Worker, settings={"AlertOnError": "1"})')
    for target in ("Worker", "Other"):
        with pytest.raises(RequestFailed):
            ask(director, "value", target)
    eventually(lambda: texts(director, LogType.ALERT))
    assert texts(director, LogType.ALERT, "Other") == ["ValueError: a bad value"]
    assert texts(director, LogType.ALERT, "Worker") == []
    assert not any("alert" in text for text in texts(director, LogType.WARNING))


def test_alerts_do_not_go_round_in_circles(run_production, ask) -> None:
    director = run_production(
        COMPONENTS, ALERTED + worker(AlertOnError="1") + 'p.process("Plan", c.Plan, settings={"AlertOnError": "1"})'
    )
    with pytest.raises(RequestFailed):
        ask(director, "x", "Plan")
    # Ens.Alert passes it on to Worker, which fails, and so does Ens.Alert: nobody is told again.
    eventually(lambda: texts(director, LogType.ERROR, "Ens.Alert"))
    assert len(alerts(director)) == 1
    assert texts(director, LogType.ALERT) == ["ValueError: no plan"]


def test_a_long_queue_and_a_long_wait_send_one_alert_each(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, ALERTED + worker(QueueCountAlert="2", QueueWaitAlert="1"))
    header = director.test_async("Worker", request_class(tmp_path), '{"text": "sleep 3.5"}')
    for _ in range(3):
        director.test_async("Worker", request_class(tmp_path), '{"text": "x"}')
    eventually(lambda: director.item("Worker").processed == 4)
    found = alerts(director)
    assert sorted(text.split(":")[1].split("for")[0].strip() for text in found) == [
        f"Message {header.id} waits",
        "Worker has 3 messages waiting in its queue. ()",
    ]
    assert any(text.endswith(f"({header.session_id})") for text in found)


def test_a_retry_handles_the_same_message_again_until_it_works(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E<ConnectionError>=R,E=F", RetryInterval="0.02"))
    assert ask(director, "third") == "third 3"
    tries = [text for text in texts(director, LogType.WARNING, "Worker") if "tried again" in text]
    assert tries == ["ConnectionError: not yet. It is tried again in 0.02 s."] * 2
    with pytest.raises(RequestFailed, match="a bad value"):
        ask(director, "value")
    assert texts(director, LogType.INFO, "Worker").count("asked value") == 1


def test_a_retry_ends_with_the_failure_timeout(run_production, ask) -> None:
    director = run_production(
        COMPONENTS, worker(ReplyCodeActions="E*nobody=R", RetryInterval="0.02", FailureTimeout="0.1", AlertOnError="1")
    )
    with pytest.raises(RequestFailed, match="nobody is there"):
        ask(director, "offline")
    assert texts(director, LogType.INFO, "Worker").count("asked offline") > 1
    eventually(lambda: texts(director, LogType.ALERT))
    assert len(texts(director, LogType.ALERT)) == 1


def test_without_reply_code_actions_nothing_is_tried_again(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker(RetryInterval="0.02", FailureTimeout="-1"))
    with pytest.raises(RequestFailed, match="nobody is there"):
        ask(director, "offline")
    assert texts(director, LogType.INFO, "Worker").count("asked offline") == 1


def test_a_stop_leaves_a_message_that_waits_for_its_next_try_in_the_queue(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=R", RetryInterval="600", FailureTimeout="-1"))
    header = director.test_async("Worker", request_class(tmp_path), '{"text": "third"}')
    eventually(lambda: any("tried again" in text for text in texts(director, LogType.WARNING)))
    assert director.store.header(header.id).status is Status.QUEUED
    director.apply_settings("Worker", {("Host", "RetryInterval"): "0.02"})
    eventually(lambda: director.store.header(header.id).status is Status.COMPLETED)


@pytest.mark.parametrize(
    ("actions", "status", "level"),
    [("E=S", Status.SUSPENDED, LogType.ERROR), ("E=W", Status.COMPLETED, LogType.WARNING),
     ("E<OSError>=F,E=C", Status.COMPLETED, LogType.INFO), ("E*other=C", Status.ERROR, LogType.ERROR)],
)  # fmt: skip
def test_reply_code_actions_say_what_becomes_of_a_message(run_production, tmp_path, actions, status, level) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions=actions))
    header = director.test_async("Worker", request_class(tmp_path), '{"text": "value"}')
    eventually(lambda: director.store.header(header.id).status is status)
    assert any("a bad value" in text for text in texts(director, level, "Worker"))


def test_a_throttled_item_handles_everything_in_order(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, worker(ThrottleDelay="10"))
    for number in range(4):
        director.test_async("Worker", request_class(tmp_path), json.dumps({"text": str(number)}))
    eventually(lambda: len(texts(director, LogType.INFO, "Worker")) == 4)
    assert texts(director, LogType.INFO, "Worker") == [f"asked {number}" for number in range(4)]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("RetryInterval", "soon", "RetryInterval of Worker is 'soon': write a number"),
        ("FailureTimeout", "-2", "or -1"),
        ("AlertOnError", "maybe", "write true or false"),
        ("ReplyCodeActions", "E=D", "The actions here are"),
        ("ReplyCodeActions", "E#5001=R", "write E .any error"),
    ],
)
def test_a_bad_value_puts_the_item_in_error(run_production, name: str, text: str, told: str) -> None:
    director = run_production(COMPONENTS, worker())
    with pytest.raises(ProductionError, match=told):
        director.apply_settings("Worker", {("Host", name): text})
    assert director.item("Worker").state == "error"


def test_what_has_no_effect_is_told_and_what_has_one_is_shown(run_production) -> None:
    director = run_production(
        COMPONENTS,
        worker(AlertOnError="1", ArchiveIO="1", SendSuperSession="1")
        + 'p.process("Plan", c.Plan, settings={"ReplyCodeActions": "E=R"})\n',
    )
    for name in ("ArchiveIO", "SendSuperSession", "ReplyCodeActions"):
        told = f"The setting {name} has no effect: IRIS has it"
        eventually(lambda told=told: any(told in text for text in texts(director, LogType.WARNING)))
    warnings = texts(director, LogType.WARNING)
    assert not any("The setting AlertOnError has no effect" in text for text in warnings)
    shown = {view.name: view for view in director.settings("Worker")}
    assert (shown["AlertOnError"].value, shown["AlertOnError"].type) == ("1", "Boolean")
    assert (shown["RetryInterval"].value, shown["RetryInterval"].default) == (None, 5)
    assert shown["RetryInterval"].description
    assert "RetryInterval" not in {view.name for view in director.settings("Plan")}
