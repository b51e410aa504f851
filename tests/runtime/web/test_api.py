"""The REST service: what bad input and unusual states answer."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from irislite.director import Director
from irislite.eventlog import LogType
from runtime.web.sample import Site
from waiting import eventually


def error_of(site: Site, status: int, method: str, path: str, **options: Any) -> str:
    answer = site.call(method, path, **options)
    assert answer.status_code == status, answer.text
    assert "Traceback" not in answer.text
    return str(answer.json()["error"])


def test_a_test_answers_with_class_body_and_session(site: Site) -> None:
    answer = site.test("you").json()
    assert answer.pop("session_id") > 0
    assert answer == {"classname": f"{site.module}.Answer", "body": '{"text":"Hello you"}', "truncated": False}


@pytest.mark.parametrize("carrier", ["IOP.Message", "Grongier.PEX.Message"])
def test_the_request_types_of_the_test_page(site: Site, carrier: str) -> None:
    fields = {"classname": f"{site.module}.Ask", "json": '{"text": "old"}'}
    for request in (
        {"classname": carrier, "body": fields},
        {"request_type": carrier, "classname": fields["classname"], "body": fields["json"]},
    ):
        answer = site.call("POST", "/api/iop/test", json={"target": "Greeter", "restart": False, **request})
        assert "Hello old" in answer.json()["body"], answer.text
    answer = site.call("POST", "/api/iop/test", json={"target": "Greeter", "classname": carrier, "body": "{}"})
    assert answer.status_code == 400


def test_a_failed_test_carries_the_targets_words(site: Site) -> None:
    answer = site.test("boom")
    assert answer.status_code == 500
    assert "the greeter was asked to fail" in answer.json()["error"]


def test_a_test_need_not_wait(site: Site) -> None:
    answer = site.test("later", wait=False)
    assert answer.status_code == 202
    ids = answer.json()
    path = f"/api/irislite/messages/{ids['message_id']}"
    eventually(lambda: site.call("GET", path).json()["status"] == "Completed")
    assert site.call("GET", path).json()["session_id"] == ids["session_id"]


def test_a_working_item_is_not_restarted_and_a_timeout_is_told(site: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(site.test, "sleep 1")
        eventually(lambda: site.director.item("Greeter").in_progress)
        answer = site.test("hurry", timeout=0.1)
        assert answer.status_code == 504
        assert "longer timeout" in answer.json()["error"]
        assert slow.result().json()["body"] == '{"text":"Hello sleep 1"}'
    log = site.call("GET", "/api/irislite/log", params={"text": "is not restarted before the test"}).json()
    assert log and log[0]["text"].startswith("Greeter works on a message")


def test_items_that_take_no_test(site: Site) -> None:
    assert "Not wanted yet." in error_of(site, 409, "POST", "/api/iop/test", json={"target": "Off/Line"})
    assert "is a service" in error_of(site, 409, "POST", "/api/iop/test", json={"target": "Door"})
    text = error_of(site, 404, "POST", "/api/iop/test", json={"target": "Greter"})
    assert "'Greeter'" in text
    assert "target" in error_of(site, 400, "POST", "/api/iop/test", json={})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"classname": "{module}.Nothing"}, "has no class"),
        ({"classname": "no_such_module.Ask"}, "cannot be imported"),
        ({"classname": "Ask"}, "no module"),
        ({"classname": "{module}.Greeter"}, "no message class"),
        ({"classname": "{module}.Ask", "body": "{{"}, "no valid JSON"),
        ({"classname": "{module}.Ask", "body": "[1]"}, "must be an object"),
    ],
)
def test_messages_that_are_none(site: Site, fields: dict[str, str], words: str) -> None:
    fields = {name: text.format(module=site.module) for name, text in fields.items()}
    assert words in error_of(site, 400, "POST", "/api/iop/test", json={"target": "Greeter", "restart": False, **fields})


@pytest.mark.parametrize(
    "body",
    [
        {"target": 7}, {"target": "Greeter", "body": 7}, {"target": "Greeter", "timeout": -1},
        {"target": "Greeter", "body": "\ud800"}, {"target": "\ud800"}, {"target": "Greeter", "timeout": "soon"},
        {"target": "Greeter", "restart": "perhaps"}, [1], "text",
    ],
)  # fmt: skip
def test_nonsense_is_refused(site: Site, body: object) -> None:
    assert "not as it must be" in error_of(site, 422, "POST", "/api/iop/test", json=body)


@pytest.mark.parametrize("body", [{"text": "\ud800"}, {"number": float("nan")}])
def test_bodies_that_cannot_be_stored(site: Site, body: dict[str, object]) -> None:
    text = json.dumps({"target": "Greeter", "classname": f"{site.module}.Ask", "body": body})
    options = {"data": text, "headers": {"Content-Type": "application/json"}}
    assert "cannot be stored" in error_of(site, 400, "POST", "/api/iop/test", **options)


@pytest.mark.parametrize("text", ["{", '{"target": }', "", "\\", "[" * 100_000])
def test_a_body_that_is_no_json(site: Site, text: str) -> None:
    answer = site.call("POST", "/api/iop/test", data=text, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]


def test_a_namespace_that_is_not_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for namespace in ("IRISAPP", "user", ""):
        expected = 404 if namespace == "" else 200
        assert site.call("GET", f"/api/iop/status?namespace={namespace}").status_code == expected
    assert "'NOWHERE'" in error_of(site, 404, "GET", "/api/iop/status?namespace=NOWHERE")
    assert "'NOWHERE'" in error_of(site, 404, "POST", "/api/iop/update", json={"namespace": "NOWHERE"})
    answer = site.call("POST", "/api/iop/update?namespace=NOWHERE", json={"namespace": "USER"})
    assert answer.json() == {"status": "updated", "production": site.production}
    monkeypatch.setenv("IRISNAMESPACE", "MINE")
    assert site.call("GET", "/api/iop/status?namespace=mine").status_code == 200


def test_productions_and_components_that_are_not_there(site: Site) -> None:
    for path in ("export", "queues", "connections"):
        assert site.production in error_of(site, 404, "GET", f"/api/iop/{path}?production=Web.None")
    assert "'Web.None'" in error_of(site, 404, "PUT", "/api/iop/default", json={"production": "Web.None"})
    error_of(site, 422, "PUT", "/api/iop/default", json={})
    for action in ("start", "stop", "restart"):
        assert "'Greter'" in error_of(site, 404, "POST", f"/api/iop/component/{action}", json={"item": "Greter"})
        assert "component" in error_of(site, 400, "POST", f"/api/iop/component/{action}", json={})
    assert "is running" in error_of(site, 409, "POST", "/api/iop/start", json={"production": "Web.None"})


def test_a_component_is_stopped_started_and_restarted(site: Site) -> None:
    for action, status, state in (("stop", "stopped", "disabled"), ("restart", "restarted", "running"),
                                  ("restart", "restarted", "running"), ("start", "started", "running")):  # fmt: skip
        answer = site.call("POST", f"/api/iop/component/{action}", json={"component": "Greeter"})
        assert answer.json() == {"status": status, "component": "Greeter"}
        assert site.director.item("Greeter").state == state


def test_bindings(site: Site) -> None:
    rows = site.call("GET", "/api/iop/bindings").json()
    used = next(row["class"] for row in rows if row["classname"] == "Greeter")
    assert site.call("GET", "/api/iop/bindings?unused=1").json() == []
    assert "remove these items first" in error_of(site, 409, "DELETE", "/api/iop/binding", params={"class": used})
    assert "class" in error_of(site, 400, "DELETE", "/api/iop/binding")


def test_connections_tell_kind_class_and_targets(site: Site) -> None:
    answer = site.call("GET", "/api/iop/connections").json()
    rows = {row["item"]: row for row in answer["items"]}
    assert (answer["production"], answer["warnings"]) == (site.production, [])
    assert rows["Relay"]["kind"] == "process" and rows["Relay"]["connections"] == ["Greeter"]
    assert rows["Relay"]["iop"] == 1 and rows["Relay"]["warnings"] == []
    assert rows["Greeter"]["class_name"].startswith("Python.")


def test_a_parameter_that_is_empty_counts_as_one_that_is_not_there(site: Site) -> None:
    assert len(site.call("GET", "/api/iop/log?top=&since_id=").json()) <= 10
    assert site.call("GET", "/api/iop/bindings?unused=").json() == site.call("GET", "/api/iop/bindings").json()
    assert site.call("GET", "/api/iop/bindings?unused=perhaps").status_code == 200


def test_documents_that_are_no_classes_of_iop_are_refused(site: Site) -> None:
    path = "/api/atelier/v1/IRISAPP"
    assert site.call("PUT", f"{path}/doc/IOP.Utils.cls", json={"content": []}).json()["status"]["errors"] == []
    assert "Mine.cls is ObjectScript" in error_of(site, 501, "PUT", f"{path}/doc/Mine.cls", json={"content": []})
    assert "Mine.cls is ObjectScript" in error_of(site, 501, "POST", f"{path}/action/compile", json=["Mine.cls"])
    error_of(site, 404, "POST", "/api/atelier/v1/NOWHERE/action/compile", json=["IOP.Utils.cls"])


def test_the_log_pages_on(site: Site) -> None:
    newest = site.call("GET", "/api/iop/log?top=3").json()
    assert [entry["id"] for entry in newest] == sorted((entry["id"] for entry in newest), reverse=True)
    assert set(newest[0]) == {
        "id", "config_name", "job", "message_id", "session_id", "source_class", "source_method", "text", "time_logged",
        "type",
    }  # fmt: skip
    since = site.call("GET", f"/api/iop/log?since_id={newest[-1]['id']}").json()
    assert [entry["id"] for entry in since][:2] == [newest[1]["id"], newest[0]["id"]]
    for query in ("top=0", "top=all", "since_id=-1", f"since_id={2**70}"):
        error_of(site, 422, "GET", f"/api/iop/log?{query}")


def test_an_error_nobody_thought_of_is_logged_and_answered_with_a_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Director, _production: str) -> None:
        raise KeyError("a secret of the implementation")

    monkeypatch.setattr(Director, "queue_counts", fail)
    text = error_of(site, 500, "GET", "/api/iop/queues")
    assert "event log" in text and "secret" not in text
    # The answer does not wait for the disk.
    (entry,) = eventually(lambda: site.director.eventlog.newest(1, LogType.ERROR, text="KeyError"))
    assert "GET /api/iop/queues failed: KeyError" in entry.text
    assert "Traceback" in entry.stack
