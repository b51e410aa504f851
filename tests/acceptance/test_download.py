"""Items as users type them, on a machine without models: the hub (a local one) has them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tiny_models
from acceptance.running import PROJECT, Server, served
from unit.inference.hub_server import LocalHub, hub_of

SETTINGS = "name=detr-resnet-50\nmodel_url=https://huggingface.co/facebook/detr-resnet-50\ntask=object-detection"
ITEM = "HuggingFace Image resnet local"


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """The detector as the hub has it: the main branch needs timm, the branch no_timm does not."""
    built = tiny_models.build("detr-resnet-50", tmp_path_factory.mktemp("detr"))
    files = {file.name: file.read_bytes() for file in built.iterdir()}
    config = json.loads(files["config.json"]) | {"backbone_config": None, "backbone": "resnet50"}
    main = files | {"config.json": json.dumps(config | {"use_timm_backbone": True}).encode()}
    with hub_of("facebook/detr-resnet-50", main, no_timm=files) as hub:
        yield hub


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, remote: LocalHub) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("bare")
    shutil.copytree(PROJECT / "misc", root / "misc")
    with served(root, HF_ENDPOINT=remote.hub.url, HF_HUB_OFFLINE="0") as server:
        yield server


def test_an_item_downloads_its_model_and_answers(server: Server, remote: LocalHub) -> None:
    server.configure(ITEM, SETTINGS)
    answer = json.loads(server.test(ITEM, "msg.MLRequest", '{"url":"/irisdev/app/misc/000000039769.jpg"}')["body"])
    assert isinstance(answer["output"], list)
    assert answer["images"][0]["media_type"] == "image/png"
    log = server.iop("--log", "40")
    assert "needs the package timm; taking its branch no_timm" in log
    assert f"Downloaded facebook/detr-resnet-50 (commit {remote.commit('no_timm')})" in log
    record = json.loads((Path(server.root) / "src/model/detr-resnet-50/.evergreen.json").read_text())
    assert (record["revision"], record["taken"]) == (None, "no_timm")


def test_a_tuning_item_downloads_the_model_to_be_tuned(server: Server, remote: LocalHub) -> None:
    url = "https://huggingface.co/facebook/detr-resnet-50"
    server.configure("Python.TuningOperation", f"path=/irisdev/app/src/model/\nmodel_name=base\nmodel_url={url}")
    assert (Path(server.root) / "src/model/base/model.safetensors").is_file()


def test_an_item_whose_model_cannot_be_had_says_why(server: Server) -> None:
    settings = "model_url=https://huggingface.co/gpt2\nname=gpt2\ntask=text-generation"
    with pytest.raises(AssertionError, match=r"there is no such model, or it is private\. Check the spelling"):
        server.configure("HuggingFace gpt2 local", settings)
