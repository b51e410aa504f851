"""A stop of an item ends what it waits for outside: a hosted model's pause, a download."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from iop import Production

import bo
import msg
import tiny_models
from inference import library
from irislite.testing import Running, running
from irislite.views import ItemState
from unit.inference.hosted_server import Reply, as_json, one_by_one
from unit.inference.hosted_server import serving as hosted
from unit.inference.hub_server import LocalHub, cut, hub_of
from waiting import eventually

NAME = "Jean-Baptiste/camembert-ner"
PATIENCE_S = 20.0


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    folder = tmp_path / "remote"
    tiny_models.build("camembert-ner", folder)
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with hub_of(NAME, {file.name: file.read_bytes() for file in folder.iterdir()}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.hub.url)
        yield served


def wait_for(production: Running, words: str) -> None:
    def told() -> list[str]:
        return [entry.text for entry in production.log]

    eventually(lambda: any(words in text for text in told()), told)


def test_a_pause_of_a_hosted_model_ends_and_its_message_is_the_first_again(tmp_path: Path) -> None:
    with hosted() as provider:
        provider.answer = one_by_one(Reply(503, headers={"Retry-After": "60"}), as_json({"ok": 1}), as_json({"ok": 2}))
        with running({"Hosted": bo.HFOperation}, home=tmp_path / "home") as production:
            ask = msg.HFRequest(api_url=f"{provider.url}/x", payload="a")
            first = production.send_async("Hosted", ask)
            wait_for(production, "waiting 60 s as it asks")
            second = production.send_async("Hosted", ask)
            began_s = time.monotonic()
            production.override("Hosted", enabled=False)
            assert time.monotonic() - began_s < PATIENCE_S / 2
            production.override("Hosted", enabled=True)
            production.wait_idle()
            answers = [production.trace_of(session)[1] for session in (first, second)]
    assert [answer.status for answer in answers] == ["Completed"] * 2
    assert [answer.body.output for answer in answers] == [{"ok": 1}, {"ok": 2}]


def test_a_download_ends_at_a_stop_and_goes_on_at_the_next_start(tmp_path: Path, remote: LocalHub) -> None:
    production = Production("Stopping.Production")
    lines = f"name=ner\ntask=ner\npath={tmp_path}\nmodel_url=https://huggingface.co/{NAME}"
    production.operation("Model", bo.MLOperation, settings={"%settings": lines}, enabled=False)
    reached, go_on = threading.Event(), threading.Event()

    def held(reply):
        reached.set()
        assert go_on.wait(PATIENCE_S)
        return cut(70_000)(reply)

    remote.faults["model.safetensors"] = [held]
    with running(production, home=tmp_path / "home", check=False) as started:
        starting = threading.Thread(target=lambda: started.director.enable_item("Model", True))
        starting.start()
        assert reached.wait(PATIENCE_S)
        stopping = threading.Thread(target=lambda: started.director.enable_item("Model", False))
        stopping.start()
        time.sleep(0.2)
        go_on.set()
        stopping.join(PATIENCE_S)
        starting.join(PATIENCE_S)
        assert not stopping.is_alive()
        assert started.item("Model").state == ItemState.DISABLED
        assert not [entry.text for entry in started.log if "failed" in entry.text]
        assert not (tmp_path / "ner").exists()
        asked = len(remote.sent("model.safetensors"))
        started.override("Model", enabled=True)
    assert remote.sent("model.safetensors")[asked:] == ["bytes=65536-"]
    assert (tmp_path / "ner" / "config.json").is_file()


def test_who_watches_a_download_may_stop_it(tmp_path: Path, remote: LocalHub) -> None:
    class Enough(Exception):
        pass

    def look(done_bytes: int, total_bytes: int) -> None:
        if done_bytes > total_bytes / 2:
            raise Enough

    found = {"path": str(tmp_path), "model_url": f"https://huggingface.co/{NAME}", "log": lambda _: None}
    with pytest.raises(Enough):
        library.find("ner", **found, watch=look)
    assert not (tmp_path / "ner").exists()
    assert (library.find("ner", **found) / "model.safetensors").is_file()
