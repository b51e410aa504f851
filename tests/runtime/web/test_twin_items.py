"""The JSON twin of new items, jobs, queues and tests to repeat."""

from runtime.web.sample import Site
from waiting import eventually

BASE = "/api/irislite"


def test_an_item_is_added_copied_enabled_and_removed(site: Site) -> None:
    forms = {form["class_name"]: form for form in site.call("GET", f"{BASE}/components").json()}
    name = next(name for name in forms if name.endswith("Greeter"))
    assert (forms[name]["kind"], forms[name]["fields"], forms[name]["is_own"]) == ("Operation", [], False)
    made = site.call("POST", f"{BASE}/items", json={"name": "Second/Greeter", "class_name": name, "comment": "mine"})
    assert made.status_code == 201 and (made.json()["state"], made.json()["comment"]) == ("running", "mine")
    assert site.test("you", target="Second/Greeter").json()["body"] == '{"text":"Hello you"}'
    again = site.call("POST", f"{BASE}/items", json={"name": "Second/Greeter", "class_name": name})
    assert again.status_code in (400, 409) and "already" in again.json()["error"]
    copy = site.call("POST", f"{BASE}/items/Second/Greeter/copy", json={"name": "Third"})
    assert copy.status_code == 201 and copy.json()["state"] == "disabled"
    assert site.call("PUT", f"{BASE}/items/Third/enabled", json={"enabled": True}).json()["state"] == "running"
    for gone in ("Second/Greeter", "Third"):
        assert site.call("DELETE", f"{BASE}/items/{gone}").json() == {"removed": gone}
        assert site.call("DELETE", f"{BASE}/items/{gone}").status_code == 404
    assert site.call("POST", f"{BASE}/recover", json={}).json() == {"recovered": []}
    entries = site.director.audit.entries(20)
    assert {"Add an item to the production, and start it if the production runs", "Remove an item from the production; "
            "its messages stay"} <= {entry.action for entry in entries}  # fmt: skip


def test_jobs_and_queue_of_an_item(site: Site) -> None:
    sent = [
        site.call("POST", f"{BASE}/tests", json={
            "target": "Greeter", "classname": f"{site.module}.Ask", "body": {"text": text}
        }).json()["message_id"]
        for text in ("sleep 0.6", "after", "last")
    ]  # fmt: skip
    eventually(lambda: site.director.item("Greeter").in_progress)
    queue = site.call("GET", f"{BASE}/items/Greeter/queue").json()
    assert [(message["id"], message["status"]) for message in queue] == [
        (sent[0], "Delivered"), (sent[1], "Queued"), (sent[2], "Queued"),
    ]  # fmt: skip
    assert [job["message_id"] for job in site.call("GET", f"{BASE}/items/Greeter/jobs").json()] == [sent[0]]
    assert len(site.call("GET", f"{BASE}/items/Greeter/queue", params={"limit": 1}).json()) == 1
    eventually(lambda: not site.call("GET", f"{BASE}/items/Greeter/queue").json())
    assert site.call("GET", f"{BASE}/items/Nobody/jobs").status_code == 404


def test_tests_are_kept_and_forgotten(site: Site) -> None:
    site.call("DELETE", f"{BASE}/tests")
    body = {"target": "Greeter", "classname": f"{site.module}.Ask", "body": {"text": "again", "token": "hf_secret"}}
    sent = site.call("POST", f"{BASE}/tests", json=body)
    assert sent.status_code == 202
    (kept,) = site.call("GET", f"{BASE}/tests").json()
    assert kept == sent.json() and "hf_secret" not in kept["body"] and "********" in kept["body"]
    refused = site.call("POST", f"{BASE}/tests", json={**body, "target": "Nobody"})
    assert refused.status_code == 404
    assert site.call("DELETE", f"{BASE}/tests").json() == {"forgotten": 1}
    assert site.call("GET", f"{BASE}/tests").json() == []


def test_request_classes_come_with_fields_and_examples(site: Site) -> None:
    (request,) = site.call("GET", f"{BASE}/items/Greeter/requests").json()
    assert request["fields"] == [{"name": "text", "type": "text", "default": "", "required": False, "choices": []}]
    assert request["examples"] == []
