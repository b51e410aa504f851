"""The limits: the size of a body, the rate of a key, requests at a time; and the doors of the address space."""

import threading
from collections.abc import Callable, Iterator

import httpx
import pytest

from api.access import Identity, Rates
from api.errors import TooMany
from application.conftest import Site
from evergreen_client import Evergreen
from waiting import eventually


@pytest.fixture(scope="module")
def narrow(make_site: Callable) -> Iterator[Site]:
    with make_site(EVERGREEN_API_RATE="0", EVERGREEN_API_PLACES="2", EVERGREEN_API_BODY_MB="0.01") as site:
        yield site


def test_a_large_body_is_refused(narrow: Site) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"inputs": "'
        yield b"x" * 20_000
        yield b'"}'

    with narrow.client() as client:
        whole = client.post("/api/v1/models/labels/predict", json={"inputs": "x" * 20_000})
        unsaid = client.post(
            "/api/v1/models/labels/predict", content=chunks(), headers={"Content-Type": "application/json"}
        )
        fitting = client.post("/api/v1/models/labels/predict", json={"inputs": "x" * 5_000})
    assert (whole.status_code, unsaid.status_code, fitting.status_code) == (413, 413, 200)
    assert "larger than 0.01 MB" in whole.json()["error"] and whole.headers["X-Request-ID"]


def test_a_compressed_body_is_refused(narrow: Site) -> None:
    with narrow.client() as client:
        answer = client.post("/api/v1/models/labels/predict", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_more_requests_than_places_have_to_wait(narrow: Site) -> None:
    seen = threading.Event()

    def sleep_on() -> None:
        while not seen.is_set():
            patient.predict("labels", inputs="sleep")

    with narrow.client() as client, Evergreen(narrow.url, narrow.keys["predictor"]) as patient:
        sleepers = [threading.Thread(target=sleep_on) for _ in "ab"]
        for sleeper in sleepers:
            sleeper.start()
        try:
            refused = _until(429, lambda: client.get("/api/v1/status"))
            alive = client.get("/v2/health/live")
        finally:
            seen.set()
            for sleeper in sleepers:
                sleeper.join()
        assert refused.headers["Retry-After"] == "1" and "2 requests" in refused.json()["error"]
        assert alive.status_code == 200
        assert client.get("/api/v1/status").status_code == 200


def test_a_key_has_a_rate(site: Site) -> None:
    with site.client() as client:
        made = client.post("/api/v1/keys", json={"name": "slow", "rate": 1}).json()
        key = {"Authorization": f"Bearer {made['key']}"}
        answers = [client.get("/api/v1/status", headers=key) for _ in range(2)]
        refused = _until(429, lambda: client.get("/api/v1/status", headers=key))
        assert client.get("/api/v1/status").status_code == 200  # another key has its own
    assert [answer.status_code for answer in answers] == [200, 200]
    assert refused.headers["Retry-After"] == "1" and "1 requests a second" in refused.json()["error"]


def test_a_rate_lets_pass_what_it_says() -> None:
    now = 0.0
    rates, caller = Rates(10, lambda: now), Identity("1", "one", "predictor")
    passed = 0
    for _ in range(1_000):  # ten seconds, a hundred requests in each
        now += 0.01
        try:
            rates.take(caller)
            passed += 1
        except TooMany as error:
            assert error.retry_after_s >= 1
    assert 115 <= passed <= 121  # the first two seconds' worth at once, then ten a second


def test_a_foreign_page_and_a_foreign_host_are_refused(site: Site) -> None:
    with site.client() as client:
        foreign = client.post("/api/v1/models/labels/promote", json={}, headers={"Origin": "https://elsewhere.example"})
        rebound = client.get("/api/v1/status", headers={"Host": "elsewhere.example"})
    assert (foreign.status_code, rebound.status_code) == (403, 421)


def test_what_the_environment_says_must_be_a_number(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from api.app import create

    monkeypatch.setenv("EVERGREEN_DATA", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_API_RATE", "many")
    with pytest.raises(ValueError, match="EVERGREEN_API_RATE is 'many'"):
        create()


def _until(status: int, ask: Callable[[], httpx.Response]) -> httpx.Response:
    return eventually(lambda: answer if (answer := ask()).status_code == status else None)
