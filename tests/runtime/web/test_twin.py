"""The JSON twin of the portal's pages."""

from concurrent.futures import ThreadPoolExecutor

from runtime.web.sample import Site
from waiting import eventually

BASE = "/api/irislite"


def test_items(site: Site) -> None:
    items = {item["name"]: item for item in site.call("GET", f"{BASE}/items").json()}
    assert {name: (item["kind"], item["state"]) for name, item in items.items()} == {
        "Door": ("Service", "running"), "Relay": ("Process", "running"), "Greeter": ("Operation", "running"),
        "Off/Line": ("Operation", "disabled"),
    }  # fmt: skip
    assert items["Off/Line"]["reason"] == "Not wanted yet."
    assert site.call("GET", f"{BASE}/items/Off/Line").json() == items["Off/Line"]
    assert site.call("GET", f"{BASE}/items/Off%2FLine").json() == items["Off/Line"]
    for path in ("Greter", "Greter/settings", "Greter/requests"):
        answer = site.call("GET", f"{BASE}/items/{path}")
        assert answer.status_code == 404 and "'Greeter'" in answer.json()["error"]


def test_settings_are_read_and_changed(site: Site) -> None:
    path = f"{BASE}/items/Greeter/settings"
    greeting = next(setting for setting in site.call("GET", path).json() if setting["name"] == "greeting")
    assert greeting["value"] is None
    assert (greeting["default"], greeting["description"]) == ("Hello", "What is said first.")
    change = {"settings": [{"target": "Host", "name": "greeting", "value": "Bye"}], "pool_size": 2}
    changes = site.call("PUT", path, json=change).json()["changes"]
    assert len(changes) == 2 and "pool size 1 → 2" in changes
    assert site.test("you", restart=False).json()["body"] == '{"text":"Bye you"}'
    back = {"settings": [{"name": "greeting", "value": None}], "pool_size": 1}
    assert len(site.call("PUT", path, json=back).json()["changes"]) == 2
    assert site.call("PUT", path, json=back).json()["changes"] == []
    for wrong in ({"settings": [{"target": "Moon", "name": "a", "value": "b"}]}, {"pool_size": -1}, {"settings": 7}):
        assert site.call("PUT", path, json=wrong).status_code == 422


def test_requests_come_with_templates(site: Site) -> None:
    (request,) = site.call("GET", f"{BASE}/items/Greeter/requests").json()
    assert (request["name"], request["template"]) == (f"{site.module}.Ask", {"text": ""})
    assert request["description"] == "Says hello."


def test_messages_and_sessions(site: Site) -> None:
    session_id = site.test("there", target="Relay").json()["session_id"]
    session = site.call("GET", f"{BASE}/sessions/{session_id}").json()
    messages = session["messages"]
    assert [(m["type"], m["source_config_name"], m["target_config_name"], m["status"]) for m in messages] == [
        ("Request", "EnsLib.Testing.Service", "Relay", "Completed"), ("Request", "Relay", "Greeter", "Completed"),
        ("Response", "Greeter", "Relay", "Completed"), ("Response", "Relay", "EnsLib.Testing.Service", "Completed"),
    ]  # fmt: skip
    assert messages[0]["body"] == {
        "class_name": "IOP.Message", "classname": f"{site.module}.Ask", "content": {"text": "there"}
    }  # fmt: skip
    assert messages[0]["response_id"] == messages[3]["id"] and messages[3]["response_id"] is None
    assert [column["name"] for column in session["trace"]["columns"]] == ["EnsLib.Testing.Service", "Relay", "Greeter"]
    assert [arrow["number"] for arrow in session["trace"]["arrows"]] == [1, 2, 3, 4]
    assert session["trace"]["finished"]
    assert site.call("GET", f"{BASE}/messages/{messages[1]['id']}").json() == messages[1]

    newest = site.call("GET", f"{BASE}/messages", params={"limit": 2}).json()
    assert [message["id"] for message in newest] == [messages[3]["id"], messages[2]["id"]]
    older = site.call("GET", f"{BASE}/messages", params={"limit": 2, "before_id": newest[-1]["id"]}).json()
    assert [message["id"] for message in older] == [messages[1]["id"], messages[0]["id"]]
    of_relay = site.call("GET", f"{BASE}/messages", params={"target": "Relay", "limit": 10}).json()
    assert all("Relay" in (message["source_config_name"], message["target_config_name"]) for message in of_relay)
    for path in ("messages/999999999", "sessions/999999999"):
        assert site.call("GET", f"{BASE}/{path}").status_code == 404
    for path in ("messages/0", "messages/x", f"messages/{2**70}", "messages?limit=0"):
        assert site.call("GET", f"{BASE}/{path}").status_code == 422


def test_a_message_that_is_being_worked_on_is_delivered(site: Site) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(site.test, "sleep 0.8")
        eventually(lambda: site.director.item("Greeter").in_progress)
        message = site.call("GET", f"{BASE}/messages", params={"limit": 1}).json()[0]
        session = site.call("GET", f"{BASE}/sessions/{message['session_id']}").json()
        assert message["status"] == session["messages"][0]["status"] == "Delivered"
        assert session["trace"]["arrows"][0]["status"] == "Delivered" and not session["trace"]["finished"]
        assert session["messages"][0]["response_id"] is None
        slow.result()


def test_the_log_is_searched(site: Site) -> None:
    start = site.call("GET", f"{BASE}/log?top=1").json()[0]["id"]
    site.test("boom")
    for since in ({}, {"since_id": start}):
        found = site.call("GET", f"{BASE}/log", params={"type": "Error", "item": "Greeter", "text": "ASKED", **since})
        assert len(found.json()) >= 1
        entry = found.json()[0]
        assert entry["type"] == "Error" and "Traceback" in entry["stack"] and entry["config_name"] == "Greeter"
        assert site.call("GET", f"{BASE}/sessions/{entry['session_id']}").json()["log"][0]["id"] == entry["id"]
    nothing = {"since_id": start, "item": "Nobody"}
    assert site.call("GET", f"{BASE}/log", params=nothing).json() == []
    assert site.call("GET", f"{BASE}/log?type=Loud").status_code == 422
