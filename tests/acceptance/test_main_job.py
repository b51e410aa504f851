"""From the first start to a tuned, promoted, answering model, and on to the second start."""

import json
import re
import time

from acceptance.running import Server


def test_the_first_start_does_the_main_job_by_itself(server: Server) -> None:
    text = "".join(server.output)
    assert re.search(r"1/3 .*2/3 .*3/3 ", text, re.DOTALL)
    assert text.count(f"{server.url}/trace?session=") == 3
    old, new = map(float, re.search(r"accuracy\s+([\d.]+)\s+([\d.]+)", text).groups())
    assert new > max(old, 0.2) + 0.2, "the new model must be well above the old one and above chance"


def test_the_password_is_made_shown_once_and_kept_for_its_owner_alone(server: Server) -> None:
    password = server.auth[1]
    assert sum(password in line for line in server.output) == 1
    assert (server.home / "password").stat().st_mode & 0o777 == 0o600


def test_the_tuned_model_answers_with_the_users_labels(server: Server) -> None:
    body = {"inputs": "This was a really bad experience"}
    answer = json.loads(server.test("Python.MLOperation", "msg.MLRequest", body)["body"])
    assert answer["output"][0]["label"] in {"1", "2"}
    assert answer["note"] == ""


def test_a_second_start_finds_messages_settings_and_models_again(server: Server) -> None:
    session = server.test("Python.MLOperation", "msg.MLRequest", {"inputs": "fine"})["session_id"]
    server.configure("HuggingFace API", "timeout=5")
    assert server.stop() == 0, "Ctrl-C stops cleanly"
    server.output.clear()
    server.start()
    assert "main job" not in "".join(server.output)
    assert server.call("GET", f"/api/irislite/sessions/{session}").json()["messages"][0]["id"] == session
    settings = server.call("GET", "/api/irislite/items/HuggingFace%20API/settings").json()
    assert any(row["value"] == "timeout=5" for row in settings)
    answer = json.loads(server.test("Python.MLOperation", "msg.MLRequest", {"inputs": "really bad"})["body"])
    assert answer["output"][0]["label"] in "12345"


def test_the_address_users_know_leads_to_the_production_page(server: Server) -> None:
    path = "/csp/irisapp/EnsPortal.ProductionConfig.zen?PRODUCTION=iris.Production"
    answer = server.call("GET", path, allow_redirects=False)
    assert answer.is_redirect
    assert "/production" in answer.headers["location"]


def test_the_portal_answers_while_a_model_loads(server: Server) -> None:
    began = time.monotonic()
    server.call("POST", "/api/iop/component/restart", json={"component": "Python.MLOperation"})
    assert server.call("GET", "/signin").ok
    assert time.monotonic() - began < 30, "it is not the loading that is waited for"
