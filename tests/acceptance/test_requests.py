"""Everything users already type, letter by letter, on tiny models of the same architectures."""

import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from acceptance.running import Server, make_root, served

SETTINGS = {
    "HuggingFace gpt2 local": "model_url=https://huggingface.co/gpt2\nname=gpt2\ntask=text-generation",
    "HuggingFace ner local": "name=camembert-ner\nmodel_url=https://huggingface.co/Jean-Baptiste/camembert-ner\n"
    "task=ner\naggregation_strategy=simple",
    "HuggingFace bert local": "name=bert-base-uncased\nmodel_url=https://huggingface.co/bert-base-uncased\n"
    "task=fill-mask",
    "HuggingFace Image resnet local": "name=detr-resnet-50\n"
    "model_url=https://huggingface.co/facebook/detr-resnet-50\ntask=object-detection",
    "HuggingFace Image panoptic local": "name=detr-resnet-50-panoptic\n"
    "model_url=https://huggingface.co/facebook/detr-resnet-50-panoptic\ntask=image-segmentation",
}


def ml(server: Server, item: str, body: str) -> dict[str, Any]:
    return json.loads(server.test(item, "msg.MLRequest", body)["body"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A production of its own: what is set wrong and taken away here no other test may find."""
    with served(make_root(tmp_path_factory.mktemp("root"))) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def items(server: Server) -> None:
    """The items with the settings as users type them, enabled."""
    for item, text in SETTINGS.items():
        server.configure(item, text)
        assert server.call("POST", "/api/iop/component/start", json={"component": item}).ok


@pytest.fixture
def picture_server(server: Server) -> Iterator[str]:
    """A web server that has the picture under the path of requests' URL."""
    data = (server.root / "misc" / "000000039769.jpg").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()


@pytest.mark.parametrize(
    "body",
    [
        '{"text_inputs":"Unfortunately, the outcome","max_length":100,"num_return_sequences":3}',
        '{"text_inputs":"George Washington lived","max_length":30,"num_return_sequences":3}',
    ],
)
def test_text_generation(server: Server, body: str) -> None:
    output = ml(server, "HuggingFace gpt2 local", body)["output"]
    assert len(output) == 3
    assert all(entry["generated_text"].startswith(json.loads(body)["text_inputs"]) for entry in output)


def test_named_entities(server: Server) -> None:
    output = ml(server, "HuggingFace ner local", '{"inputs":"George Washington lived in washington"}')["output"]
    assert isinstance(output, list)
    assert all({"entity_group", "word", "score"} <= entry.keys() for entry in output)


def test_fill_mask(server: Server) -> None:
    output = ml(server, "HuggingFace bert local", '{"inputs":"George Washington lived in [MASK]."}')["output"]
    assert len(output) == 5
    assert all({"token_str", "score", "sequence"} <= entry.keys() for entry in output)


@pytest.mark.parametrize("item", ["HuggingFace Image resnet local", "HuggingFace Image panoptic local"])
def test_a_picture_by_path_is_answered_with_a_drawn_picture(server: Server, item: str) -> None:
    answer = ml(server, item, '{"url":"/irisdev/app/misc/000000039769.jpg"}')
    assert isinstance(answer["output"], list)
    assert answer["images"][0]["media_type"] == "image/png"
    assert answer["images"][0]["data"].startswith("iVBOR")


def test_a_picture_by_url(server: Server, picture_server: str) -> None:
    # The request's host cannot be reached here; its path is the same.
    body = '{"url":"http://images.cocodataset.org/val2017/000000039769.jpg"}'
    body = body.replace("http://images.cocodataset.org", picture_server)
    assert ml(server, "HuggingFace Image resnet local", body)["images"]


def test_a_hosted_model(server: Server) -> None:
    seen: dict[str, Any] = {}

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen["path"], seen["key"] = self.path, self.headers.get("Authorization")
            seen["body"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps([{"generated_text": "all you need to know"}]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    request = {
        "api_url": f"http://127.0.0.1:{httpd.server_port}/models/gpt2",
        "payload": "Can you please let us know more details about your ",
        "api_key": "hf_a_very_secret_key",
    }
    result = server.test("HuggingFace API", "msg.HFRequest", request)
    httpd.shutdown()
    assert json.loads(result["body"])["output"] == [{"generated_text": "all you need to know"}]
    assert seen["body"] == {"inputs": request["payload"]}
    assert seen["key"] == "Bearer hf_a_very_secret_key"
    session = server.call("GET", f"/api/irislite/sessions/{result['session_id']}").text
    assert "hf_a_very_secret_key" not in session
    stored = b"".join(file.read_bytes() for file in server.home.glob("messages.db*"))
    assert b"hf_a_very_secret_key" not in stored


def test_tuning_and_promotion_with_the_settings_users_type(server: Server) -> None:
    server.configure("Python.TuningOperation", "path=/irisdev/app/src/model/\nmodel_name=bert-base-cased\nnum_labels=5")
    body = (
        '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","limit":20,"p_of_train":0.8,'
        '"output_dir":"/irisdev/app/src/model/checkpoints","evaluation_strategy":"steps",'
        '"learning_rate":0.01,"num_train_epochs":1}'
    )
    report = json.loads(server.test("Python.TuningOperation", "msg.TrainRequest", body)["body"])["output"]
    assert report["rows"]["train"] == 16
    assert {"old_metrics", "new_metrics"} <= report.keys()
    assert (server.root / "src/model/temp-bert-base-cased").is_dir()
    server.test("Python.TuningOperation", "msg.OverrideRequest", {})
    server.configure("Python.MLOperation", "name=bert-base-cased\ntask=text-classification")
    answer = ml(server, "Python.MLOperation", '{"inputs":"This was a really bad experience"}')
    assert answer["output"][0]["label"] in {"1", "2", "3", "4", "5"}
    assert answer["note"] == ""


@pytest.mark.parametrize(
    ("item", "classname", "body", "words"),
    [
        ("Python.MLOperation", "msg.MLReqest", "{}", "Did you mean 'MLRequest'"),
        ("Python.MLOperation", "MLRequest", "{}", "has no module"),
        ("Python.MLOperation", "msg.MLRequest", '{"inputs": ', "no valid JSON"),
        ("Python.MLOperaton", "msg.MLRequest", "{}", "Did you mean 'Python.MLOperation'"),
        ("Python.MLOperation", "msg.MLRequest", '{"inputs": ""}', "empty"),
        ("Python.MLOperation", "msg.MLRequest", "{}", "inputs"),
        ("HuggingFace bert local", "msg.MLRequest", '{"inputs": "no mask"}', "MASK"),
        ("HuggingFace Image resnet local", "msg.MLRequest", '{"url": "/irisdev/app/misc/reviews.csv"}', "no picture|not.* picture|image"),
        ("HuggingFace Image resnet local", "msg.MLRequest", '{"url": "/etc/passwd"}', "outside the allowed folders"),
        ("HuggingFace Image resnet local", "msg.MLRequest", '{"url": "/irisdev/app/misc/../../x.jpg"}', "outside the allowed folders"),
        ("HuggingFace Image resnet local", "msg.MLRequest", '{"url": "/irisdev/app/misc/none.jpg"}', "none.jpg"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Reviews"}', "iris.Review"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,Text","table":"iris.Review"}', "ReviewText"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText FROM x; DROP TABLE iris.Review --","table":"iris.Review"}', "."),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewText,ReviewLabel","table":"iris.Review"}', "number"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","p_of_train":0}', "p_of_train"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","p_of_train":1}', "p_of_train"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","limit":2}', "rows"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","learnin_rate":1}', "learning_rate"),
        ("Python.TuningOperation", "msg.TrainRequest", '{"columns":"ReviewLabel,ReviewText","table":"iris.Review","output_dir":"/etc"}', "outside the allowed folders"),
    ],
)  # fmt: skip
def test_bad_requests_say_what_to_do(server: Server, item: str, classname: str, body: str, words: str) -> None:
    refusal = server.refusal(item, classname, body)
    assert re.search(words, refusal), refusal
    assert "Traceback" not in refusal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name=not-there\ntask=text-classification", "not-there"),
        ("name=gpt2\ntask=text-generaton", "text-generation"),
        ("name=gpt2\ntask=summarization", "text-generation"),
        ("name=gpt2\ntask=text-generation\nagregation_strategy=simple", "agregation_strategy"),
        ("name=../gpt2\ntask=text-generation", "name"),
        ("", "task"),
    ],
)
def test_bad_settings_put_the_item_in_error_with_the_cure(server: Server, text: str, words: str) -> None:
    settings = {"settings": [{"target": "Host", "name": "%settings", "value": text}]}
    server.call("PUT", "/api/irislite/items/HuggingFace%20gpt2%20local/settings", json=settings)
    refusal = server.refusal("HuggingFace gpt2 local", "msg.MLRequest", {"inputs": "x"})
    assert words in refusal


def test_too_few_or_odd_labels(server: Server) -> None:
    server.configure("Python.TuningOperation", "model_name=bert-base-cased\nnum_labels=3")
    body = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 50}
    assert "num_labels" in server.refusal("Python.TuningOperation", "msg.TrainRequest", body)


def test_a_model_that_has_gone_is_missed(server: Server) -> None:
    shutil.rmtree(server.root / "src/model/camembert-ner")
    server.call("POST", "/api/iop/component/restart", json={"component": "HuggingFace ner local"})
    assert server.call("GET", "/api/irislite/items/HuggingFace%20ner%20local").ok
