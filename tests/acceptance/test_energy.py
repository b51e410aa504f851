"""What an answer cost, through the running production: with a method, a range, and nothing where nothing is known."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from acceptance.running import Server, make_root, served
from unit.inference.hosted_server import Provider, as_json, serving

ITEM = "HuggingFace bert local"
SETTINGS = "name=bert-base-uncased\ntask=fill-mask"
METHODS = ("measured-gpu-counter", "measured-rapl", "estimated-tdp", "unavailable")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        provider.answer = lambda _: as_json([{"generated_text": "so it goes"}])
        yield provider


@pytest.fixture(scope="module")
def server(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(make_root(tmp_path_factory.mktemp("root"))) as server:
        server.configure("HuggingFace API", f"router={provider.url}")
        yield server


def ask(server: Server, text: str = "I lived in [MASK].") -> dict[str, Any]:
    return json.loads(server.test(ITEM, "msg.MLRequest", {"inputs": text})["body"])


def test_an_answer_says_what_it_cost_and_how_that_is_known(server: Server) -> None:
    server.configure(ITEM, f"{SETTINGS}\ngrid_gco2_per_kwh=50")
    answer = ask(server)
    cost = answer["energy"]
    assert cost["method"] in METHODS[:3]
    assert 0 < cost["low"] <= cost["joules"] <= cost["high"]
    assert cost["carbon_g"] == pytest.approx(cost["joules"] / 3.6e6 * 50, rel=0.01)
    assert 0 < cost["carbon_low_g"] <= cost["carbon_g"] <= cost["carbon_high_g"]
    assert cost["grid"] == {"factor": 50.0, "unit": "gCO2e/kWh", "source": "the setting grid_gco2_per_kwh"}
    assert cost["cpu_s"] > 0
    assert cost["duration_s"] > 0
    assert "energy" not in json.dumps(answer["output"])


def test_the_first_answer_does_not_bear_the_load_which_has_a_line_of_its_own(server: Server) -> None:
    server.configure(ITEM, SETTINGS)
    log = server.call("GET", "/api/iop/log?top=200").text
    assert "Loading bert-base-uncased: " in log
    assert "of processor time" in log
    cost = ask(server)["energy"]
    assert cost["cpu_s"] < 0.5, "loading the libraries alone takes more than a second"
    assert cost["grid"]["factor"] == 473.0
    deadline_s = time.monotonic() + 60  # other items may load still
    while ask(server)["energy"]["shared"] and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert ask(server)["energy"]["shared"] is False, "nobody else is at work"


def test_answers_at_the_same_time_share_what_was_spent(server: Server) -> None:
    texts = [f"{'We lived there for long. ' * (n % 5)}I lived in [MASK]." for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        costs = [answer["energy"] for answer in pool.map(lambda text: ask(server, text), texts)]
    assert all(cost["method"] in METHODS[:3] for cost in costs)
    assert all(cost["joules"] > 0 for cost in costs)


def test_a_hosted_model_costs_nobody_knows_what(server: Server) -> None:
    body = {"api_url": "https://api-inference.huggingface.co/models/gpt2", "payload": "So", "api_key": "hf_key"}
    result = server.test("HuggingFace API", "msg.HFRequest", body)
    cost = json.loads(result["body"])["energy"]
    assert (cost["method"], cost["joules"], cost["carbon_g"]) == ("unavailable", None, None)
    assert "hosted" in cost["scope"]


def test_a_training_says_what_it_cost(server: Server) -> None:
    server.configure("Python.TuningOperation", "model_name=bert-base-cased\nnum_labels=5")
    body = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": 20, "max_steps": 1}
    answer = json.loads(server.test("Python.TuningOperation", "msg.TrainRequest", body)["body"])
    assert answer["energy"]["method"] in METHODS[:3]
    assert answer["energy"]["cpu_s"] > 0.01
    report = json.loads((server.root / "src/model/temp-bert-base-cased/report.json").read_text())
    assert 0 < report["energy"]["joules"] <= answer["energy"]["joules"]
    assert report["energy"] == answer["output"]["energy"]


def test_turned_off_it_says_nothing_and_a_wrong_setting_says_what_to_write(server: Server) -> None:
    server.configure(ITEM, f"{SETTINGS}\nenergy=false")
    assert ask(server)["energy"] is None
    with pytest.raises(AssertionError, match=r"grid_gco2_per_kwh=much is no number from 0 to 5000. Set it to"):
        server.configure(ITEM, f"{SETTINGS}\ngrid_gco2_per_kwh=much")
