"""The application API over a real server: messages, models, sessions, events, errors, request ids."""

import json

import pytest

from application.conftest import PASSWORD, Site


def test_a_model_is_asked_by_its_name(site: Site) -> None:
    with site.client("predictor") as client:
        answer = client.post("/api/v1/models/labels/predict", json={"inputs": "a good day"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["class"] == "msg.MLResponse"
    assert found["body"]["output"] == {"label": "good", "score": 0.75}
    assert found["session_id"] > 0


def test_a_message_names_the_request_and_the_key(site: Site) -> None:
    with site.client() as client:
        sent = client.post(
            "/api/v1/items/Labels/messages",
            json={"class": "msg.MLRequest", "body": {"inputs": "x"}},
            headers={"X-Request-ID": "my-id-1"},
        )
        assert sent.headers["X-Request-ID"] == "my-id-1"
        trace = client.get(f"/api/v1/sessions/{sent.json()['session_id']}?bodies=true").json()
    assert trace["finished"]
    request, response = trace["messages"]
    assert (request["source"], request["target"], request["type"]) == ("Application API", "Labels", "Request")
    assert "request my-id-1" in request["description"] and "a administrator" in request["description"]
    assert request["body"] == {"inputs": "x"} and response["answers"] == request["id"]
    assert response["body"]["output"]["label"] == "bad"
    assert [line["text"] for line in trace["log"]] == ["labelled 1"]
    assert "my-id-1" in (site.folder / "data" / "api" / "api.log").read_text()


def test_a_request_id_that_is_none_is_replaced(site: Site) -> None:
    with site.client() as client:
        answer = client.get("/api/v1/status", headers={"X-Request-ID": "a b\tc"})
    assert len(answer.headers["X-Request-ID"]) == 32


def test_items_and_models_are_listed(site: Site) -> None:
    with site.client() as client:
        items = {item["name"]: item for item in client.get("/api/v1/items").json()}
        models = client.get("/api/v1/models").json()
    assert set(items) == {"Application API", "Labels", "Off", "Tuner", "Finder"} and not items["Off"]["enabled"]
    assert [(model["name"], model["item"], model["enabled"]) for model in models] == [
        ("labels", "Labels", True), ("off", "Off", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("items/Label/messages", {"class": "msg.MLRequest"}, 404, "Did you mean 'Labels'?"),
        ("items/Labels/messages", {"class": "msg.MLRequst"}, 400, "Did you mean 'msg.MLRequest'"),
        ("items/Labels/messages", {"class": "os.system"}, 400, "no message class 'os.system'"),
        ("items/Labels/messages", {"class": "msg.MLResponse"}, 400, "no message class"),
        ("items/Labels/messages", {}, 422, "class: Field required"),
        ("items/Labels/messages", {"class": "msg.MLRequest", "timeout_s": 0}, 422, "timeout_s"),
        ("items/Off/messages", {"class": "msg.MLRequest"}, 503, "Off is disabled"),
        ("items/Labels/messages", {"class": "msg.MLRequest", "body": {"inputs": "raise"}}, 502, "asked to raise"),
        ("models/nothing/predict", {"inputs": "x"}, 404, "No item runs a model 'nothing'"),
        ("models/labels/predict", [1], 422, "dictionary"),
        ("models/labels/predict?timeout_s=1", {"inputs": "sleep"}, 504, "did not answer within 1 s"),
        ("models/labels/generate", {"inputs": "x"}, 400, "ask it with predict"),
        ("search", {"query": "a cat", "limit": 0}, 422, "limit"),
        ("search?item=Off", {"query": "a cat"}, 503, "disabled"),
        ("nowhere", {}, 404, "openapi.json"),
    ],
)
def test_an_error_says_what_to_do(site: Site, path: str, body: object, status: int, words: str) -> None:
    with site.client() as client:
        answer = client.post(f"/api/v1/{path}", json=body)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True), answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_half_a_character_is_refused(site: Site) -> None:
    with site.client() as client:
        answer = client.post(
            "/api/v1/models/labels/predict",
            content=b'{"inputs": "\\ud800"}',
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 422 and "surrogate" in answer.json()["error"]


def test_a_failed_message_leads_to_its_trace(site: Site) -> None:
    with site.client() as client:
        failed = client.post("/api/v1/models/labels/predict", json={"inputs": "raise"}).json()
        trace = client.get(f"/api/v1/sessions/{failed['session_id']}").json()
    assert [message["status"] for message in trace["messages"]] == ["Error", "Completed"]
    assert "asked to raise" in trace["messages"][1]["error"]


def events_of(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block.strip()]
    found = [{line.partition(": ")[0]: line.partition(": ")[2] for line in block} for block in blocks]
    return [(block["event"], json.loads(block["data"])) for block in found if "event" in block]


def test_a_training_is_followed(site: Site) -> None:
    with site.client("operator") as client:
        begun = client.post("/api/v1/models/labels/train", json={"table": "iris.Review"})
        assert begun.status_code == 202 and begun.headers["Location"] == begun.json()["session"]
        events = events_of(client.get(begun.json()["events"]).text)
    logged = [data["text"] for name, data in events if name == "log"]
    assert logged == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert events[-1] == ("end", {"session_id": begun.json()["session_id"]})
    statuses = [data["status"] for name, data in events if name == "message" and data["type"] == "Request"]
    assert statuses[-1] == "Completed"


def test_a_reader_goes_on_after_an_event(site: Site) -> None:
    with site.client("operator") as client:
        answer = client.post("/api/v1/models/labels/train?wait=true", json={}).json()
        log = client.get(f"/api/v1/sessions/{answer['session_id']}").json()["log"]
        text = client.get(
            f"/api/v1/sessions/{answer['session_id']}/events", headers={"Last-Event-ID": str(log[1]["id"])}
        ).text
    assert answer["body"]["output"] == {"verdict": "better"}
    assert [data["text"] for name, data in events_of(text) if name == "log"] == ["step 3 of 3"]


def test_a_search_goes_to_the_item_that_searches(site: Site) -> None:
    with site.client("predictor") as client:
        wish = {"query": "a lighthouse", "limit": 3, "filter": {"year": {"from": 2015}}}
        found = [client.post(f"/api/v1/search{item}", json=wish) for item in ("", "?item=Finder")]
    expected = [{"title": "a lighthouse", "limit": 3, "filter": {"year": {"from": 2015}}}]
    assert [answer.json()["body"]["output"] for answer in found] == [expected, expected]


def test_promotion_and_history(site: Site) -> None:
    with site.client() as client:
        assert client.post("/api/v1/models/labels/promote", json={}).json()["body"]["output"] == {"promoted": "labels"}
        assert client.get("/api/v1/models/labels/history?limit=3").json()["body"]["output"] == [{"limit": 3}]


def test_the_portal_and_the_rest_of_the_server_are_as_before(site: Site) -> None:
    with site.client("") as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "items": 4, "not_running": 0})
        assert client.get("/api/iop/status").status_code == 401
        assert client.get("/api/iop/status", auth=("SuperUser", PASSWORD)).json()["status"] == "running"
        assert client.get("/api/v10").status_code == 401
