"""The settings that every host has: alerts, retries, delays, and those that do nothing and say so."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from irislite import settingspage
from irislite.director import Director
from irislite.errors import ProductionError, RequestFailed
from irislite.eventlog import LogType
from irislite.header import Status
from waiting import eventually

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
        if request.text == "status":
            raise RuntimeError("ERROR #6000: no line")
        if request.text == "locked":
            if self.count == 1:
                raise PermissionError("locked")
            return Ask(text=request.api_key)
        if request.text == "silent":
            return None
        if request.text.startswith("sleep "):
            time.sleep(float(request.text[6:]))
        return Ask(text=f"{request.text} {self.count}")


class Unready(BusinessOperation):
    def on_init(self):
        raise OSError("no network")


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


@pytest.mark.parametrize("alerted", [ALERTED, ""])
def test_a_start_that_fails_sends_one_alert_whatever_the_pool_size(run_production, alerted: str) -> None:
    items = 'p.operation("Unready", c.Unready, pool_size=3, settings={"AlertOnError": "1"})\n'
    director = run_production(COMPONENTS, items + 'p.operation("Quiet", c.Unready)\n' + alerted)
    eventually(lambda: texts(director, LogType.ALERT))
    director.flush()
    assert texts(director, LogType.ALERT) == ["Unready could not be started: OSError: no network"]
    if alerted:
        eventually(lambda: alerts(director))
        assert alerts(director) == ["alert Unready: Unready could not be started: OSError: no network ()"]


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


def test_a_message_whose_retry_a_stop_interrupts_stays_before_those_that_came_later(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=R", RetryInterval="600", FailureTimeout="-1"))
    director.test_async("Worker", request_class(tmp_path), '{"text": "third"}')
    eventually(lambda: any("tried again" in text for text in texts(director, LogType.WARNING)))
    for text in ("a", "b"):
        last = director.test_async("Worker", request_class(tmp_path), json.dumps({"text": text}))
    director.apply_settings("Worker", {("Host", "RetryInterval"): "0.02"})
    eventually(lambda: director.store.header(last.id).status is Status.COMPLETED)
    director.flush()
    asked = [text for text in texts(director, LogType.INFO, "Worker") if text.startswith("asked")]
    assert asked == ["asked third"] * 4 + ["asked a", "asked b"]


def test_a_caller_of_a_suspended_message_is_told_at_once(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=S"))
    with pytest.raises(
        RequestFailed, match=r"was suspended by its ReplyCodeActions after ValueError.*Resubmit"
    ) as failed:
        ask(director, "value")
    (header,) = director.store.session(failed.value.session_id)
    assert header.status is Status.SUSPENDED
    director.apply_settings("Worker", {("Host", "ReplyCodeActions"): "E=C"})
    assert director.messages.resubmit([header.id])[0].done
    eventually(lambda: director.store.header(header.id).status is Status.COMPLETED)


def test_a_message_that_its_item_suspends_keeps_its_secrets(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=S"))
    header = director.test_async("Worker", request_class(tmp_path), '{"text": "locked", "api_key": "sesame"}')
    eventually(lambda: director.store.header(header.id).status is Status.SUSPENDED)
    assert "sesame" not in director.store.body(header.message_body_id).content
    assert director.messages.resubmit([header.id])[0].done
    eventually(lambda: director.store.response_to(header.id))
    answer = director.store.body(director.store.response_to(header.id).message_body_id)
    assert json.loads(answer.content) == {"text": "sesame"}


def test_an_item_that_disables_itself_keeps_its_message_first_in_the_queue(run_production, tmp_path) -> None:
    director = run_production(
        COMPONENTS,
        worker(ReplyCodeActions="E<ConnectionError>=RD", RetryInterval="0", FailureTimeout="0", AlertOnError="1"),
    )
    ids = [
        director.test_async("Worker", request_class(tmp_path), json.dumps({"text": text})).id
        for text in ("sleep 0.3", "offline", "x")
    ]
    eventually(lambda: director.item("Worker").state == "disabled")
    assert [director.store.header(id_).status for id_ in ids] == [Status.COMPLETED, Status.QUEUED, Status.QUEUED]
    eventually(lambda: director.item("Worker").queue_count == 2)  # the member that had the message has laid it back
    (told,) = texts(director, LogType.ALERT)
    assert told.startswith("Worker is disabled by its ReplyCodeActions after ConnectionRefusedError")
    director.apply_settings("Worker", {("Host", "ReplyCodeActions"): "E=C"})
    director.enable_item("Worker", True)
    eventually(lambda: director.store.header(ids[2]).status is Status.COMPLETED)
    director.flush()
    asked = [text for text in texts(director, LogType.INFO, "Worker") if text.startswith("asked")]
    assert asked == ["asked sleep 0.3", "asked offline", "asked offline", "asked x"]


def test_a_caller_of_an_item_that_disables_itself_is_told_and_its_request_stays(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=D"))
    with pytest.raises(RequestFailed, match=r"is disabled by its ReplyCodeActions.*stays first in the queue") as failed:
        ask(director, "value")
    assert director.item("Worker").state == "disabled"
    (header,) = director.store.session(failed.value.session_id)
    assert header.status is Status.QUEUED
    director = run_production()  # it stays disabled, and a request whose caller has gone is laid aside
    assert director.item("Worker").state == "disabled"
    assert director.store.header(header.id).status is Status.SUSPENDED


@pytest.mark.parametrize(
    ("actions", "text", "status"),
    [
        ("E#6000=C", "status", Status.COMPLETED),
        ("E#6000=C", "value", Status.ERROR),
        ("E#5002=C", "value", Status.COMPLETED),  # what Python raises has this code on IRIS
        ("E#5002=C", "status", Status.ERROR),
        ("(E#6000,E*bad)=S,E=C", "value", Status.SUSPENDED),
        ("(E#6000,E*bad)=S,E=C", "status", Status.SUSPENDED),
        ("E=W,E*bad=S", "value", Status.SUSPENDED),  # a warning alone decides nothing
        ("E=W,E*bad=S", "status", Status.COMPLETED),
        ("X=F", "silent", Status.ERROR),
        ("X=S", "silent", Status.SUSPENDED),
        ("X=W", "silent", Status.COMPLETED),
        ("E=F", "silent", Status.COMPLETED),
        ("X=F,E=C", "value", Status.COMPLETED),
    ],
)
def test_codes_say_which_messages_are_meant(run_production, tmp_path, actions: str, text: str, status: Status) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions=actions))
    header = director.test_async("Worker", request_class(tmp_path), json.dumps({"text": text}))
    eventually(lambda: director.store.header(header.id).status not in (Status.QUEUED, Status.DELIVERED))
    assert director.store.header(header.id).status is status


def test_no_reply_is_told_to_the_caller(run_production, ask) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="X=RF", RetryInterval="0.02", FailureTimeout="0.05"))
    with pytest.raises(RequestFailed, match="the component gave no reply"):
        ask(director, "silent")
    assert ask(director, "you").startswith("you")


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
        ("ReplyCodeActions", "E=Q", "The actions here are"),
        ("ReplyCodeActions", "E#soon=R", "write E .any error"),
        ("ReplyCodeActions", "E=F,:?R=R", "HL7"),
        ("ReplyCodeActions", "(E,:AE)=R", "HL7"),
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


def test_traces_of_a_component_are_written_whatever_the_setting_says(run_production, ask) -> None:
    # `iop` writes them straight into the log, as on IRIS: LogTraceEvents is for IRIS's own trace elements.
    source = COMPONENTS.replace('self.log_info(f"asked', 'self.trace(f"asked')
    director = run_production(source, worker() + 'p.operation("On", c.Worker, log_trace_events=True)\n')
    for name in ("Worker", "On"):
        ask(director, "you", name)
        eventually(lambda name=name: texts(director, LogType.TRACE, name) == ["asked you"])


def test_a_message_whose_retry_a_stop_interrupts_keeps_its_secrets(run_production, tmp_path) -> None:
    director = run_production(COMPONENTS, worker(ReplyCodeActions="E=R", RetryInterval="600", FailureTimeout="-1"))
    header = director.test_async("Worker", request_class(tmp_path), '{"text": "locked", "api_key": "sesame"}')
    eventually(lambda: any("tried again" in text for text in texts(director, LogType.WARNING)))
    director.enable_item("Worker", False)
    assert director.messages.suspend([header.id])[0].done
    assert director.store.header(header.id).status is Status.SUSPENDED
    director.apply_settings("Worker", {("Host", "RetryInterval"): "0.02"})
    director.enable_item("Worker", True)
    assert director.messages.resubmit([header.id])[0].done
    eventually(lambda: director.store.response_to(header.id))
    answer = director.store.body(director.store.response_to(header.id).message_body_id)
    assert json.loads(answer.content) == {"text": "sesame"}


def test_a_misspelt_setting_is_told_once_with_what_was_perhaps_meant(run_production, tmp_path) -> None:
    director = run_production(
        COMPONENTS,
        worker(AlertOnEror="1", AlertOnError="0") + 'p.process("Plan", c.Plan, settings={"ThrotleDelay": "1"})\n',
    )
    for text in "ab":
        with pytest.raises(RequestFailed, match="no plan"):
            director.test("Plan", request_class(tmp_path), json.dumps({"text": text}))
    eventually(lambda: any("Did you mean 'AlertOnError'?" in text for text in texts(director, LogType.WARNING)))
    told = [text for text in texts(director, LogType.WARNING) if "The setting ThrotleDelay" in text]
    assert len(told) == director.item("Plan").pool_size
    assert told[0].endswith("knows it. Did you mean 'ThrottleDelay'?")


def test_nobody_looks_when_no_queue_is_watched_any_more(run_production) -> None:
    director = run_production(COMPONENTS, worker(QueueCountAlert="5"))
    assert "irislite-rounds" in {thread.name for thread in threading.enumerate()}
    configured = director.productions.production("Own.Production")
    item = settingspage.changed(configured.item("Worker"), {("Host", "QueueCountAlert"): None})
    director.productions.save(configured.with_item(item))
    director.update()
    assert "irislite-rounds" not in {thread.name for thread in threading.enumerate()}
