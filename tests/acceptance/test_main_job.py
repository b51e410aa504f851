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


def test_the_stock_iop_command_line_drives_it(server: Server) -> None:
    assert json.loads(server.iop("--status")) == {"production": "iris.Production", "status": "running"}
    assert json.loads(server.iop("--list"))["iris.Production"]["Status"] == "Running"
    assert len(server.iop("--log", "10").strip().splitlines()) >= 10
    queues = json.loads(server.iop("--queue"))["items"]
    assert {"item": "Python.MLOperation", "exists": 1, "count": 0}.items() <= next(
        row for row in queues if row["item"] == "Python.MLOperation"
    ).items()
    exported = json.loads(server.iop("--export"))["iris.Production"]
    assert [(item["@Name"], item["@ClassName"]) for item in exported["Item"]] == [
        ("HuggingFace API", "Python.HFOperation"),
        ("HuggingFace gpt2 local", "Python.MLOperation"),
        ("HuggingFace ner local", "Python.MLOperation"),
        ("HuggingFace bert local", "Python.MLOperation"),
        ("HuggingFace Image resnet local", "Python.MLOperation"),
        ("HuggingFace Image panoptic local", "Python.MLOperation"),
        ("Python.MLOperation", "Python.MLOperation"),
        ("Python.TuningOperation", "Python.TuningOperation"),
    ]
    body = '{"inputs":"This was a really bad experience"}'
    answer = server.iop("--test", "Python.MLOperation", "-C", "msg.MLRequest", "-B", body)
    assert "msg.MLResponse" in answer
    assert re.search(r'"label": ?\\?"?[1-5]|label', answer)


def test_the_tuned_model_answers_with_the_users_labels(server: Server) -> None:
    body = {"inputs": "This was a really bad experience"}
    answer = json.loads(server.test("Python.MLOperation", "msg.MLRequest", body)["body"])
    assert answer["output"][0]["label"] in {"1", "2"}
    assert answer["note"] == ""


def test_a_training_answers_with_old_and_new_metrics_and_leaves_lines_in_the_log(server: Server) -> None:
    body = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 40, "num_train_epochs": 1}
    result = server.test("Python.TuningOperation", "msg.TrainRequest", body)
    report = json.loads(result["body"])["output"]
    assert {"accuracy", "f1_macro", "loss", "confusion_matrix"} <= report["new_metrics"].keys()
    assert report["old_metrics"].keys() >= {"accuracy"}
    session = server.call("GET", f"/api/irislite/sessions/{result['session_id']}").json()
    lines = [entry["text"] for entry in session["log"]]
    assert any("step" in line and "loss" in line for line in lines)
    assert (server.root / "src/model/temp-all-MiniLM-L6-v2/model.safetensors").is_file()


def test_an_override_without_a_training_says_so(server: Server) -> None:
    server.test("Python.TuningOperation", "msg.OverrideRequest", {})
    words = server.refusal("Python.TuningOperation", "msg.OverrideRequest", {})
    assert words.endswith("No temporary model detected, run a training first.")
    assert (server.root / "src/model/previous-all-MiniLM-L6-v2").is_dir()


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
    assert time.monotonic() - began < 5
