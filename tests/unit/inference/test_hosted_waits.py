"""Busy and loading models are called again, as long as they ask and no longer than the failure timeout."""

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

from inference.errors import EndpointError
from inference.hosted.hosting import Hosting
from inference.hosted.refusal import Refusal
from inference.hosted.waits import asked_wait_s
from unit.inference.hosted_server import Provider, Reply, as_json, one_by_one, serving


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as served:
        yield served


def call(provider: Provider, failure_timeout: float = 100.0) -> tuple[Any, list[float], list[str]]:
    """The answer's output, the waits, the log."""
    waits: list[float] = []
    lines: list[str] = []
    answer = Hosting.parse(failure_timeout=failure_timeout).call(
        {"api_url": f"{provider.url}/x", "payload": "a"}, log=lines.append, pause=waits.append
    )
    return answer.output, waits, lines


def refusal(headers: dict[str, str], content: bytes = b"") -> Refusal:
    return Refusal(429, "", "host", "/", headers, content)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_model_is_called_again(provider: Provider, status: int) -> None:
    busy = as_json({"error": "busy"}, status, **{"Retry-After": "7"})
    provider.answer = one_by_one(busy, busy, as_json({"ok": 1}))
    output, waits, lines = call(provider)
    assert output == {"ok": 1}
    assert waits == [7.0, 7.0]
    waited = [line for line in lines if "waiting 7 s as it asks" in line]
    assert len(waited) == 2
    assert "Try 1" in waited[0] and f"answered {status}" in waited[0] and "busy." in waited[0]
    assert len(provider.requests) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 410, 413, 422, 500, 501])
def test_others_are_not(provider: Provider, status: int) -> None:
    provider.answer = lambda _: as_json({"error": "no"}, status, **{"Retry-After": "1"})
    with pytest.raises(EndpointError) as caught:
        call(provider)
    assert caught.value.status == status
    assert len(provider.requests) == 1


def test_without_a_wait_that_is_asked_for_they_grow(provider: Provider) -> None:
    provider.answer = one_by_one(*[Reply(503)] * 9, as_json("ok"))
    output, waits, lines = call(provider, failure_timeout=200)
    assert output == "ok"
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert "by our own count" in lines[0]


def test_a_longer_wait_than_is_left_ends_the_call_at_once(provider: Provider) -> None:
    provider.answer = lambda _: as_json({"error": "busy"}, 429, **{"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(EndpointError, match=r"asks to wait 3600 s, longer than .*failure_timeout \(100 s\)") as caught:
        call(provider)
    assert caught.value.status == 429
    assert time.monotonic() - began < 5
    assert len(provider.requests) == 1


def test_real_waits_end_with_the_failure_timeout(provider: Provider) -> None:
    provider.answer = lambda _: Reply(503, headers={"Retry-After": "0"})
    began = time.monotonic()
    with pytest.raises(EndpointError, match=r"It was called \d times\. The model is not ready") as caught:
        Hosting.parse(failure_timeout=1.4).call({"api_url": f"{provider.url}/x", "payload": "a"})
    calls = len(provider.requests)
    assert f"called {calls} times" in str(caught.value)
    assert 2 <= calls <= 3, "a wait of 0 s must not become a busy loop"
    assert 0.45 * (calls - 1) < time.monotonic() - began < 30


def test_no_time_for_a_second_try(provider: Provider) -> None:
    provider.answer = lambda _: Reply(503)
    with pytest.raises(EndpointError):
        call(provider, failure_timeout=0)
    assert len(provider.requests) == 1


def date(in_s: float) -> Callable[[], str]:
    return lambda: formatdate(time.time() + in_s, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "content", "seconds"),
    [
        ({"retry-after": "12"}, b"", 12),
        ({"retry-after": "0.5"}, b"", 0.5),
        ({"retry-after": date(30)}, b"", 30),
        ({"retry-after": date(3630), "date": date(3600)}, b"", 30),  # a server whose clock is wrong
        ({"retry-after": date(-30)}, b"", 0),
        ({"retry-after": "soon"}, b"", None),
        ({"retry-after": "-5"}, b"", None),
        ({"retry-after": "Wed, 99 Foo 2015"}, b"", None),
        ({"ratelimit": '"api";r=0;t=55', "ratelimit-policy": '"fixed window";"api";q=500;w=300'}, b"", 55),
        ({"ratelimit": '"minute";r=0;t=20, "day";r=0;t=400, "month";r=9;t=99999'}, b"", 400),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, b"", 50),
        ({"ratelimit": "limit=100, remaining=7, reset=50"}, b"", None),
        ({"ratelimit-limit": "10", "ratelimit-remaining": "0", "ratelimit-reset": "41"}, b"", 41),
        ({"ratelimit-remaining": "5", "ratelimit-reset": "41"}, b"", None),
        ({"ratelimit-reset": "41"}, b"", 41),
        ({"x-ratelimit-reset": lambda: str(int(time.time()) + 40)}, b"", 40),
        ({"x-ratelimit-reset-requests": "2m59.5s", "x-ratelimit-remaining-requests": "0"}, b"", 179.5),
        ({"x-ratelimit-reset-tokens": "250ms"}, b"", 0.25),
        ({"retry-after": "3", "ratelimit": '"api";r=0;t=55'}, b'{"estimated_time": 9}', 3),
        ({}, b'{"error": "loading", "estimated_time": 20.5}', 20.5),
        ({}, b'{"estimated_time": "long"}', None),
        ({}, b'{"estimated_time": NaN}', None),
        ({}, b'{"estimated_time": true}', None),
        ({}, b"[1]", None),
        ({}, b"\xff\xfe", None),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, Any], content: bytes, seconds: float | None) -> None:
    now = {name: value() if callable(value) else value for name, value in headers.items()}
    asked = asked_wait_s(refusal(now, content))
    assert asked == (None if seconds is None else pytest.approx(seconds, abs=2))


def test_a_rate_limit_and_an_estimate_are_honoured_over_http(provider: Provider) -> None:
    provider.answer = one_by_one(
        Reply(429, headers={"RateLimit": '"api";r=0;t=11'}),
        as_json({"error": "Model is loading", "estimated_time": 20.0}, 503),
        as_json("ok"),
    )
    assert call(provider)[1] == [11.0, 20.0]
