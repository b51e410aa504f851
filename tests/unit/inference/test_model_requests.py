"""The requests that users already type, letter by letter, with tiny models in the folders of the real ones."""

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import settinglines
import tiny_models
from inference import pipeline
from inference.answer import Answer
from unit.inference.local_server import Reply, Server

SETTINGS = {
    "gpt2": "model_url=https://huggingface.co/gpt2\nname=gpt2\ntask=text-generation",
    "camembert-ner": (
        "name=camembert-ner\nmodel_url=https://huggingface.co/Jean-Baptiste/camembert-ner\n"
        "task=ner\naggregation_strategy=simple"
    ),
    "bert-base-uncased": ("name=bert-base-uncased\nmodel_url=https://huggingface.co/bert-base-uncased\ntask=fill-mask"),
    "detr-resnet-50": (
        "name=detr-resnet-50\nmodel_url=https://huggingface.co/facebook/detr-resnet-50\ntask=object-detection"
    ),
    "detr-resnet-50-panoptic": (
        "name=detr-resnet-50-panoptic\nmodel_url=https://huggingface.co/facebook/detr-resnet-50-panoptic\n"
        "task=image-segmentation"
    ),
    "bert-base-cased": "name=bert-base-cased\ntask=text-classification",
    "bert-classifier": "name=bert-classifier\ntask=text-classification",
}


def ask(model_root: Path, model: str, request: str) -> Answer:
    options: dict[str, Any] = settinglines.parse_lines(SETTINGS[model])
    own = {name: options.pop(name, None) for name in ("name", "task", "model_url")}
    opened = pipeline.open(path=str(model_root), options=options, **own)
    answer = pipeline.run(opened, json.loads(request))
    pipeline.close(opened)
    json.dumps(answer.output, allow_nan=False)
    return answer


@pytest.mark.parametrize(
    "request_json",
    [
        '{"text_inputs":"Unfortunately, the outcome","max_length":100,"num_return_sequences":3}',
        '{"text_inputs":"George Washington lived","max_length":30,"num_return_sequences":3}',
    ],
)
def test_text_generation(model_root: Path, request_json: str) -> None:
    answer = ask(model_root, "gpt2", request_json)
    request = json.loads(request_json)
    texts = [one["generated_text"] for one in answer.output]
    assert len(texts) == len(set(texts)) == 3, "three answers, and three different ones"
    assert all(text.startswith(request["text_inputs"]) for text in texts)
    counted = ask(model_root, "gpt2", json.dumps(request | {"return_tensors": True}))
    lengths = [len(one["generated_token_ids"]) for one in counted.output]
    assert max(lengths) <= request["max_length"]


def test_ner(model_root: Path) -> None:
    answer = ask(model_root, "camembert-ner", '{"inputs":"George Washington lived in washington"}')
    found = [(one["entity_group"], one["word"], one["start"], one["end"]) for one in answer.output]
    assert found == [("PER", "George Washington", 0, 17), ("LOC", "washington", 27, 37)]
    assert all(type(one["score"]) is float and one["score"] > 0.9 for one in answer.output)
    assert answer.note == ""


def test_fill_mask(model_root: Path) -> None:
    answer = ask(model_root, "bert-base-uncased", '{"inputs":"George Washington lived in [MASK]."}')
    assert len(answer.output) == 5
    assert all(one["sequence"].startswith("george washington lived in") for one in answer.output)


@pytest.mark.parametrize(("model", "labels"), [("bert-classifier", 5), ("bert-base-cased", 2)])
def test_text_classification(model_root: Path, model: str, labels: int) -> None:
    answer = ask(model_root, model, '{"inputs":"This was a really bad experience"}')
    assert [one["label"] in {f"LABEL_{n}" for n in range(labels)} for one in answer.output] == [True]
    assert ("untrained" in answer.note) == (model == "bert-base-cased")


COCO = '{"url":"http://images.cocodataset.org/val2017/000000039769.jpg"}'
LOCAL = '{"url":"/irisdev/app/misc/000000039769.jpg"}'


@pytest.fixture
def coco(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The host of the picture's address is the local server."""
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host == "images.cocodataset.org":
            return resolve("127.0.0.1", server.port, *rest, **more)
        return resolve(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    monkeypatch.setenv("EVERGREEN_ALLOW_PRIVATE_URLS", "1")
    server.answer = lambda request: Reply(200, tiny_models.PICTURE.read_bytes())
    return server


@pytest.mark.parametrize("request_json", [COCO, LOCAL])
def test_object_detection(model_root: Path, coco: Server, request_json: str) -> None:
    answer = ask(model_root, "detr-resnet-50", request_json)
    assert [one["label"] for one in answer.output] == [label for label, _, _ in tiny_models.SEEN]
    assert set(answer.output[0]["box"]) == {"xmin", "ymin", "xmax", "ymax"}
    (drawn,) = answer.images
    assert (drawn.media_type, drawn.width, drawn.height) == ("image/png", 640, 480)
    assert drawn.title == "Detections: cat, cat, remote, remote, couch"
    assert changed_share(drawn.data) > 0.02
    if request_json == COCO:
        assert coco.requests[0].path == "/val2017/000000039769.jpg"
        assert coco.requests[0].headers["Host"] == "images.cocodataset.org"


@pytest.mark.parametrize("request_json", [COCO, LOCAL])
def test_image_segmentation(model_root: Path, coco: Server, request_json: str) -> None:
    answer = ask(model_root, "detr-resnet-50-panoptic", request_json)
    assert answer.output
    drawn, *masks = answer.images
    assert (drawn.width, drawn.media_type) == (640, "image/png")
    assert drawn.height > 480, "a legend stands below the picture"
    assert changed_share(drawn.data) > 0.2
    assert len(masks) == len(answer.output)
    for segment in answer.output:
        mask = answer.images[segment["mask"]["picture"]]
        with Image.open(io.BytesIO(mask.data)) as decoded:
            assert decoded.size == (640, 480)
            assert {value for _, value in decoded.getcolors()} == {0, 255}


def changed_share(png: bytes) -> float:
    """The share of the picture's pixels that the drawing changed."""
    from PIL import ImageChops

    with Image.open(io.BytesIO(png)) as drawn, Image.open(tiny_models.PICTURE) as original:
        assert drawn.format == "PNG"
        difference = ImageChops.difference(drawn.convert("RGB").crop((0, 0, 640, 480)), original.convert("RGB"))
        return 1 - difference.convert("L").point(lambda value: 255 if value > 24 else 0).histogram()[0] / (640 * 480)
