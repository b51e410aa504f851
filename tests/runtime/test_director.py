"""A production of every kind of host: requests, answers, errors, items that come and go."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import iop
import iris
import pytest
from iop.messages.serialization import serialize_message

from irislite.bridge.objects import Ref
from irislite.director import Director
from irislite.errors import (
    BadRequest,
    ClassNotFound,
    ItemNotRunning,
    ProductionError,
    RequestFailed,
    RequestTimeout,
    UnknownItem,
)
from irislite.header import MessageType, Status
from irislite.views import ItemState
from runtime.asking import ask
from waiting import eventually


def test_a_request_is_answered_and_leaves_a_full_trace(director: Director, ask_class: str) -> None:
    result = director.test("Echo", ask_class, '{"text": "you"}')
    assert json.loads(result.body) == {"text": "Hello you!", "number": 3}
    request, response = director.store.session(result.session_id)
    assert (request.type, response.type) == (MessageType.REQUEST, MessageType.RESPONSE)
    assert request.status is response.status is Status.COMPLETED
    assert request.corresponding_message_id == response.id
    assert response.corresponding_message_id == request.id
    assert director.store.response_to(request.id) == response
    (line,) = director.eventlog.of_session(result.session_id)
    assert (line.text, line.config_name, line.message_id) == ("asked you", "Echo", request.id)


def test_a_setting_of_the_item_has_its_declared_type_and_a_line_of_settings_is_text(
    director: Director, ask_class: str
) -> None:
    assert ask(director, ask_class, "x") == {"text": "Hello x!", "number": 3}


def test_a_process_asks_and_answers(director: Director, ask_class: str) -> None:
    assert ask(director, ask_class, "you", "Chain")["text"] == "Hello you!"


@pytest.mark.parametrize("target", ["Chain", "Actor"])
def test_a_process_fans_out_and_keeps_its_state_between_answers(
    director: Director, ask_class: str, target: str
) -> None:
    answer = ask(director, ask_class, "fan a,b,c", target, timeout_s=60)
    assert answer == {"text": "a=Hello a!|b=Hello b!|c=Hello c!", "number": 3}


def test_an_error_in_a_call_of_a_process_reaches_its_caller(director: Director, ask_class: str) -> None:
    with pytest.raises(RequestFailed, match="asked to raise"):
        ask(director, ask_class, "fan a,raise", "Chain", timeout_s=60)


def test_an_operation_that_raises_answers_with_the_error_and_goes_on(director: Director, ask_class: str) -> None:
    with pytest.raises(RequestFailed, match="ValueError: it was asked to raise"):
        ask(director, ask_class, "raise")
    header = director.store.latest(10, target="Echo")[1]
    assert (header.status, header.is_error) == (Status.ERROR, True)
    assert "ValueError" in header.error_text
    (line,) = director.eventlog.of_session(header.session_id)
    assert "Traceback" in line.stack
    assert line.message_id == header.id
    assert ask(director, ask_class, "again")["text"] == "Hello again!"


def test_an_answer_that_comes_too_late_is_discarded(director: Director, ask_class: str) -> None:
    with pytest.raises(RequestTimeout, match=r"0\.05 s"):
        ask(director, ask_class, "sleep 0.3", timeout_s=0.05)
    eventually(lambda: director.store.latest(1)[0].type is MessageType.RESPONSE)
    assert director.store.latest(1)[0].status is Status.DISCARDED


def test_an_asynchronous_request_keeps_its_answer(director: Director, ask_class: str) -> None:
    header = director.test_async("Echo", ask_class, '{"text": "later"}')
    eventually(lambda: director.store.response_to(header.id))
    response = director.store.response_to(header.id)
    assert json.loads(director.store.body(response.message_body_id).content)["text"] == "Hello later!"


def test_a_polling_service_sends_in_sessions_of_its_own(director: Director) -> None:
    director.enable_item("Poll", True)
    eventually(lambda: len({header.session_id for header in director.store.latest(100, target="Poll")}) >= 2)
    director.enable_item("Poll", False)
    sessions = {header.session_id for header in director.store.latest(100, target="Poll")}
    assert len(sessions) >= 2


def test_a_service_is_created_from_outside_through_iop(director: Director) -> None:
    service = iop.Director.create_python_business_service("Door")
    assert service.on_process_input("you").text == "Hello you!"
    with pytest.raises(ProductionError, match="no service"):
        director.create_service("Echo")


@pytest.mark.parametrize(
    ("target", "classname", "body", "error", "words"),
    [
        ("Echo", "Ask", "{}", BadRequest, "has no module"),
        ("Echo", "nowhere.Ask", "{}", BadRequest, "cannot be imported"),
        ("Echo", "{module}.Aks", "{}", BadRequest, "Did you mean 'Ask'"),
        ("Echo", "{module}.Echo", "{}", BadRequest, "no message class"),
        ("Echo", "{ask}", "{nonsense", BadRequest, "no valid JSON"),
        ("Echo", "{ask}", "[1]", BadRequest, "must be an object"),
        ("Ekho", "{ask}", "{}", UnknownItem, "Did you mean 'Echo'"),
        ("Off", "{ask}", "{}", ItemNotRunning, "Not wanted yet.*Enable"),
        ("Broken", "{ask}", "{}", ItemNotRunning, "no model here.*start it again"),
        ("Door", "{ask}", "{}", ItemNotRunning, "is a service"),
    ],
)
def test_bad_requests_are_refused_with_what_to_do(
    director: Director, ask_class: str, target: str, classname: str, body: str, error: type, words: str
) -> None:
    classname = classname.replace("{ask}", ask_class).replace("{module}", ask_class.rpartition(".")[0])
    eventually(lambda: director.item("Broken").state is ItemState.ERROR)
    with pytest.raises(error, match=words):
        director.test(target, classname, body)


def test_items_tell_their_state_and_why(director: Director) -> None:
    eventually(lambda: director.item("Broken").state is ItemState.ERROR)
    states = {view.name: (view.state, view.reason) for view in director.items()}
    assert states["Echo"] == (ItemState.RUNNING, "")
    assert states["Off"] == (ItemState.DISABLED, "Not wanted yet.")
    assert states["Broken"][1] == "RuntimeError: no model here"
    assert states["BrokenActor"] == (ItemState.ERROR, "RuntimeError: no plan here")
    assert states["Actor"] == (ItemState.RUNNING, "")
    assert director.status()["status"] == "troubled"
    with pytest.raises(ProductionError, match="no model here"):
        director.restart_item("Broken")


def test_settings_are_shown_changed_and_kept(
    director: Director, ask_class: str, production_file: Path, open_director: Callable[[], Director]
) -> None:
    shown = {view.name: view for view in director.settings("Echo")}
    assert shown["greeting"].default == "Hello"
    assert shown["greeting"].description == "What is said first."
    assert shown["number"].value == "3"
    changes = director.apply_settings("Echo", {("Host", "greeting"): "Bye", ("Host", "number"): None}, pool_size=2)
    assert changes == ["pool size 1 → 2", "greeting '(default)' → 'Bye'", "number '3' → '(default)'"]
    assert ask(director, ask_class, "x") == {"text": "Bye x!", "number": 7}
    assert director.apply_settings("Echo", {("Host", "greeting"): "Bye"}) == []
    director.close()
    again = open_director()
    again.load(production_file)
    again.start()
    assert ask(again, ask_class, "x")["text"] == "Bye x!"
    assert again.item("Echo").pool_size == 2


def test_a_host_setting_of_the_wrong_type_is_a_warning_not_a_stop(director: Director, ask_class: str) -> None:
    director.apply_settings("Echo", {("Host", "number"): "many", ("Host", "Nonsense"): "1"})
    assert ask(director, ask_class, "x")["number"] == 7
    texts = [entry.text for entry in director.eventlog.newest(20, config_name="Echo")]
    assert any("number is 'many'" in text for text in texts)
    assert any("Nonsense has no effect" in text for text in texts)


def test_a_disabled_item_comes_back(director: Director, ask_class: str) -> None:
    director.enable_item("Echo", False)
    with pytest.raises(ItemNotRunning, match="disabled"):
        ask(director, ask_class, "x")
    director.enable_item("Echo", True)
    assert ask(director, ask_class, "x")["text"] == "Hello x!"


def test_the_queue_outlives_stop_and_start(director: Director, ask_class: str) -> None:
    director.test_async("Echo", ask_class, '{"text": "sleep 0.2"}')
    headers = [director.test_async("Echo", ask_class, json.dumps({"text": str(n)})) for n in range(5)]
    director.stop()
    with pytest.raises(ItemNotRunning, match="No production is running"):
        ask(director, ask_class, "x")
    assert next(row for row in director.queue_counts("")["items"] if row["item"] == "Echo")["count"] >= 4
    director.start()
    eventually(lambda: all(director.store.header(header.id).status is Status.COMPLETED for header in headers))


def test_update_applies_what_changed_and_leaves_the_rest_running(
    director: Director, production_file: Path, ask_class: str
) -> None:
    before = director._hosting._pools["Chain"]
    production_file.write_text(production_file.read_text().replace("suffix=!", "suffix=?"))
    director.load(production_file)
    director.update()
    assert director._hosting._pools["Chain"] is before
    assert ask(director, ask_class, "x")["text"] == "Hello x?"


def test_what_iop_asks_of_iris_is_answered(director: Director, ask_class: str) -> None:
    from iop.migration import utils
    from iop.runtime import director as local

    assert local.status_production()["Status"] in ("running", "troubled")
    assert local.get_default_production() == "Test.Production"
    assert list(local.list_productions()) == ["Test.Production"]
    exported = json.loads(utils.export_production("Test.Production"))["Test.Production"]
    assert [item["@Name"] for item in exported["Item"]][:2] == ["Poll", "Door"]
    assert local.test_component("Echo", classname=ask_class, body='{"text": "iop"}').text == "Hello iop!"
    connections = utils.export_production_connections("Test.Production")
    assert next(row for row in connections["items"] if row["item"] == "Chain")["connections"] == ["Echo", "Other"]
    local.stop_component("Echo")
    assert director.item("Echo").state is ItemState.DISABLED
    local.start_component("Echo")
    assert {binding["classname"] for binding in utils.list_bindings()} >= {"Echo", "Chain"}
    with pytest.raises(RuntimeError, match="is used by"):
        utils.unbind_component(director.item("Echo").class_name)


def test_what_irislite_does_not_have_is_named(director: Director) -> None:
    with pytest.raises(ClassNotFound, match=r"Ens\.Nonsense"):
        iris.cls("Ens.Nonsense")
    with pytest.raises(NotImplementedError, match=r"Ens\.Director\.Explode"):
        iris.cls("Ens.Director").Explode()
    with pytest.raises(NotImplementedError, match="SomeGlobal"):
        iris.gref("^SomeGlobal")
    with pytest.raises(AttributeError, match="lock"):
        iris.lock  # noqa: B018
    assert iris.runtime.state == "embedded-local"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PRODUCTIONS = [", "SyntaxError"),
        ("x = 1", "names no production"),
        ("import not_there_at_all", "not_there_at_all"),
    ],
)
def test_a_settings_file_that_is_wrong_is_refused(tmp_path: Path, open_director, text: str, words: str) -> None:
    file = tmp_path / "wrong_settings.py"
    file.write_text(text)
    with pytest.raises(ProductionError, match=words):
        open_director().load(file)


def test_a_secret_in_a_request_is_not_stored(director: Director, ask_class: str) -> None:
    result = director.test("Echo", ask_class, '{"text": "x", "api_key": "hush-hush"}')
    stored = director.store.body(director.store.header(result.request_id).message_body_id)
    assert "hush" not in stored.content


def test_an_actor_takes_new_settings_and_can_be_disabled_and_enabled(director: Director, ask_class: str) -> None:
    assert ask(director, ask_class, "x", "Actor")["text"] == "Hello x!"
    eventually(lambda: director.item("Actor").processed == 1)
    director.enable_item("Actor", False)
    with pytest.raises(ItemNotRunning, match="disabled"):
        ask(director, ask_class, "x", "Actor")
    director.enable_item("Actor", True)
    assert ask(director, ask_class, "y", "Actor")["text"] == "Hello y!"
    director.apply_settings("Chain", {}, pool_size=0)
    assert ask(director, ask_class, "z", "Chain")["text"] == "Hello z!"
    director.apply_settings("Chain", {}, pool_size=2)
    assert ask(director, ask_class, "z", "Chain")["text"] == "Hello z!"


def test_json_that_cannot_be_stored_is_refused(director: Director, ask_class: str) -> None:
    for body in ("[" * 100_000, '{"text": "\\ud800"}', '{"text": NaN}'):
        with pytest.raises(BadRequest, match="no valid JSON"):
            director.test("Echo", ask_class, body)


def test_a_transaction_that_a_handler_leaves_open_is_rolled_back(director: Director, ask_class: str) -> None:
    component = director._hosting.component(director._production.item("Echo"))

    def forgetful(self, request):
        iris.tstart()
        iris.sql.exec("CREATE TABLE x.Left (a INTEGER)")

    handler_of = component.ask
    component.ask = iop.handler(ask_class)(forgetful)
    try:
        director.test("Echo", ask_class, "{}")
    finally:
        component.ask = handler_of
    eventually(lambda: any("left open" in entry.text for entry in director.eventlog.newest(20)))
    assert "x.Left" not in director.tables.tables()


def test_an_error_is_answered_though_nobody_waits(director: Director, ask_class: str) -> None:
    header = director.test_async("Chain", ask_class, '{"text": "fan a,raise"}')
    eventually(lambda: director.store.response_to(header.id))
    response = director.store.response_to(header.id)
    assert response.is_error
    assert "asked to raise" in response.error_text


@pytest.mark.parametrize(("text", "words"), [("exit", "SystemExit: 3"), ("odd", "ValueError: a file named")])
def test_whatever_a_handler_raises_the_item_goes_on(director: Director, ask_class: str, text: str, words: str) -> None:
    with pytest.raises(RequestFailed, match=words):
        ask(director, ask_class, text, timeout_s=60)
    assert ask(director, ask_class, "again", timeout_s=60)["text"] == "Hello again!"


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_secret_reaches_the_target_however_large_the_message(director: Director, ask_class: str, size: int) -> None:
    director.test_async("Echo", ask_class, '{"text": "sleep 0.1"}')
    body = json.dumps({"text": "key", "api_key": "hush", "more": "x" * size})
    assert json.loads(director.test("Echo", ask_class, body).body)["text"] == "hush"


def test_who_waits_for_an_item_that_then_fails_to_start_is_told(director: Director, ask_class: str) -> None:
    director.enable_item("Late", True)
    with pytest.raises(RequestFailed, match="no download"):
        ask(director, ask_class, "x", "Late", timeout_s=60)


def test_a_pool_size_of_0_is_for_processes(director: Director, ask_class: str) -> None:
    director.apply_settings("Echo", {}, pool_size=0)
    assert director.item("Echo").reason == "Its pool size is 0."
    with pytest.raises(ItemNotRunning, match="pool size of 0"):
        ask(director, ask_class, "x")


def test_an_answer_does_not_overtake_the_process_that_waits_for_another(director: Director, ask_class: str) -> None:
    answer = ask(director, ask_class, "early", "Chain", timeout_s=60)
    assert answer == {"text": "a=Hello a!|begun", "number": 1}


@pytest.mark.parametrize("text", ["early raise", "reply raise"])
def test_a_process_answers_once(director: Director, ask_class: str, text: str) -> None:
    header = director.test_async("Chain", ask_class, json.dumps({"text": text}))
    eventually(lambda: director.store.header(header.id).status is Status.ERROR)
    time.sleep(0.2)
    session = director.store.session(header.session_id)
    answers = [h for h in session if h.type is MessageType.RESPONSE and h.source_config_name == "Chain"]
    assert len(answers) == 1
    assert director.store.response_to(header.id) == answers[0]


def test_a_call_interval_that_is_none_is_told(director: Director) -> None:
    director.apply_settings("Poll", {("Adapter", "CallInterval"): "5s"})
    with pytest.raises(ProductionError, match="CallInterval is '5s'"):
        director.enable_item("Poll", True)


def test_a_disabled_item_says_so_in_whole_sentences(director: Director, ask_class: str) -> None:
    with pytest.raises(ItemNotRunning) as told:
        director.test("Off", ask_class, "{}")
    assert str(told.value) == (
        "Off is disabled. Not wanted yet. Enable it first: in the portal, or with POST /api/iop/component/start."
    )
    with pytest.raises(ItemNotRunning, match=r"Late is disabled\. Enable it first"):
        director.test("Late", ask_class, "{}")


def test_a_call_that_is_asked_for_later_tells_its_return_queue(director: Director) -> None:
    header_id, queue, end, answer = Ref(), Ref(), Ref(), Ref()
    handle = director.create_service("Door")
    request = serialize_message(sys.modules[type(handle.component).__module__].Ask("you"))
    handle.dispatchSendRequestAsyncNG("Echo", request, -1, None, header_id, queue, end)
    assert queue.value == director.store.header(header_id.value).return_queue_name
    eventually(lambda: handle.dispatchIsRequestDone(-1, end.value, queue.value, header_id.value, answer) == 2)


def test_a_component_offers_examples_that_fit_its_item(run_production, tmp_path: Path) -> None:
    components = """
from dataclasses import dataclass
from iop import BusinessOperation, Message, handler

@dataclass
class Ask(Message):
    text: str = "plain"

class Echo(BusinessOperation):
    @classmethod
    def examples(cls, settings):
        return {Ask: {"text": settings["task"]}}

    @handler(Ask)
    def ask(self, request: Ask):
        return request
"""
    items = (
        "p.operation('One', c.Echo, settings={'%settings': 'task=fill-mask'})\n"
        "p.operation('Two', c.Echo, settings={'%settings': 'task=ner'})\np.operation('None', c.Echo)"
    )
    director = run_production(components, items)
    offered = {name: director.request_classes(name)[0].template for name in ("One", "Two", "None")}
    assert offered == {"One": {"text": "fill-mask"}, "Two": {"text": "ner"}, "None": {"text": "plain"}}
