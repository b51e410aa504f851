"""Calls of a hosted model, against a server on this machine."""

import io
import json
import time
from typing import Any

import pytest
from PIL import Image

from inference import endpoint
from inference.errors import EndpointError, EndpointUnreachable
from unit.inference.local_server import Reply, Request, Server

KEY = "hf_ThisIsTheSecretKey"


def reply_json(content: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})


def test_a_text_becomes_inputs_and_json_comes_back(server: Server) -> None:
    server.answer = lambda _: reply_json([{"generated_text": "hello"}])
    answer = endpoint.post(f"{server.url}/models/gpt2", "Can you please let us know more details about your ", KEY)
    assert answer.output == [{"generated_text": "hello"}]
    (request,) = server.requests
    assert json.loads(request.body) == {"inputs": "Can you please let us know more details about your "}
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("payload", [{"inputs": "a", "parameters": {"top_k": 1}}, ["a", "b"]])
def test_other_payloads_are_sent_as_they_are(server: Server, payload: Any) -> None:
    server.answer = lambda request: Reply(200, request.body, {"Content-Type": "application/json"})
    assert endpoint.post(server.url, payload, KEY).output == payload


def test_nothing_to_send(server: Server) -> None:
    with pytest.raises(EndpointError, match=r"payload is missing\. Give"):
        endpoint.post(server.url, None, KEY)
    assert server.requests == []


@pytest.mark.parametrize("key", [None, "", "   ", "----------------------"])
def test_a_key_that_is_none_is_not_sent(server: Server, key: str | None) -> None:
    server.answer = lambda _: reply_json({"error": "Invalid credentials"}, 401)
    lines: list[str] = []
    with pytest.raises(
        EndpointError, match=r"401 Unauthorized: Invalid credentials\. No key was sent\. Put a token"
    ) as caught:
        endpoint.post(server.url, "a", key, log=lines.append)
    assert caught.value.status == 401
    assert "Authorization" not in server.requests[0].headers
    assert ("placeholder" in "".join(lines)) == (key is not None and "-" in key)


def test_the_old_host_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request of the documents, letter by letter: its host is closed."""
    import requests

    request = (
        '{"api_url":"https://api-inference.huggingface.co/models/gpt2",'
        '"payload":"Can you please let us know more details about your ","api_key":"----------------------"}'
    )
    called: list[str] = []

    def refuse(url: str, **_: Any) -> Any:
        called.append(url)
        raise requests.exceptions.ConnectionError("no network in tests")

    monkeypatch.setattr(requests, "post", refuse)
    lines: list[str] = []
    with pytest.raises(EndpointUnreachable, match=r"router\.huggingface\.co cannot be reached"):
        endpoint.post(**json.loads(request), log=lines.append)
    assert called == ["https://router.huggingface.co/hf-inference/models/gpt2"]
    assert lines[0] == f"api-inference.huggingface.co is closed; calling {called[0]} instead."


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (400, {"error": "inputs missing"}, r"400 Bad Request: inputs missing\. The payload does not suit the model"),
        (401, {"error": "bad key"}, r"401 Unauthorized: bad key\. The key is missing or wrong\. Put a token"),
        (402, {"error": {"code": 7}}, r'402 Payment Required: \{"code": 7\}\. The account .* Add credit'),
        (403, {"message": "no right"}, r"403 Forbidden: no right\. .*right to call inference providers"),
        (404, {"error": "no"}, r"404 Not Found: no\. No model is served at this address\. Check api_url"),
        (410, {}, r"410 Gone: \{\}\. This address is closed\."),
        (418, {"detail": "teapot"}, r"418 .*: teapot\. Correct the request as the server says"),
        (429, {"error": "slow down!"}, r"429 Too Many Requests: slow down! Too many requests\. Wait"),
        (500, {"error": "oops"}, r"500 Internal Server Error: oops\. The server failed\. Try again later"),
        (503, {"error": "loading", "estimated_time": 20}, r"503 Service Unavailable: loading\. The model is not ready"),
    ],
)
def test_errors_say_what_to_do(server: Server, status: int, content: Any, message: str) -> None:
    server.answer = lambda _: reply_json(content, status)
    with pytest.raises(EndpointError, match=message) as caught:
        endpoint.post(server.url, "a", KEY)
    assert caught.value.status == status


def test_retry_after_is_told(server: Server) -> None:
    server.answer = lambda _: reply_json({"error": "busy"}, 503, **{"Retry-After": "20"})
    with pytest.raises(EndpointError, match="The server asks to wait 20 s"):
        endpoint.post(server.url, "a", KEY)


def test_a_page_for_browsers_is_not_repeated(server: Server) -> None:
    server.answer = lambda _: Reply(502, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
    with pytest.raises(EndpointError, match=r"502 Bad Gateway\. The server failed"):
        endpoint.post(server.url, "a", KEY)


def test_no_message_holds_the_key(server: Server) -> None:
    def echo(request: Request) -> Reply:
        return reply_json({"error": f"you sent {request.headers['Authorization']}"}, 400)

    server.answer = echo
    with pytest.raises(EndpointError, match="you sent Bearer <key>") as caught:
        endpoint.post(server.url, "a", KEY)
    assert KEY not in repr(caught.value)
    server.answer = lambda _: Reply(302, headers={"Location": f"https://elsewhere/?token={KEY}"})
    with pytest.raises(
        EndpointError, match=r"leads on to https://elsewhere/\?token=<key>\. Use that address"
    ) as caught:
        endpoint.post(server.url, "a", KEY)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 2, "a redirect is not followed with the key"


@pytest.mark.parametrize("key", ["hf_a b", "hf_a\nHost: evil", "hf_ä"])
def test_a_key_that_cannot_be_one(server: Server, key: str) -> None:
    with pytest.raises(EndpointError, match="letters that no key has") as caught:
        endpoint.post(server.url, "a", key)
    assert key not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize("url", ["", "gpt2", "ftp://host/x", "https://", "file:///etc/passwd"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(EndpointError, match="is no web address"):
        endpoint.post(url, "a", KEY)


def test_http_needs_to_be_allowed_beyond_this_machine() -> None:
    with pytest.raises(EndpointError, match="is not encrypted"):
        endpoint.post("http://models.example/gpt2", "a", KEY)
    with pytest.raises(EndpointUnreachable):
        endpoint.post("http://127.0.0.1:9/", "a", KEY, allow_http=True)


def test_time_runs_out(server: Server) -> None:
    def sleep(_: Request) -> Reply:
        time.sleep(0.5)
        return Reply(200)

    server.answer = sleep
    with pytest.raises(EndpointUnreachable, match=r"no answer within 0\.1 s\. Raise the time limit") as caught:
        endpoint.post(server.url, "a", KEY, timeout_s=0.1)
    assert isinstance(caught.value, ConnectionError)


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(EndpointUnreachable, match=r"nobody\.invalid cannot be reached .*Check api_url"):
        endpoint.post("https://nobody.invalid/models/x", "a", KEY)


def test_a_picture_and_a_sound_come_as_parts(server: Server) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "JPEG")
    server.answer = lambda _: Reply(200, buffer.getvalue(), {"Content-Type": "image/jpeg"})
    answer = endpoint.post(server.url, "a cat", KEY)
    (picture,) = answer.images
    assert answer.output == {"picture": 0}
    assert (picture.media_type, picture.width, picture.height, picture.data) == (
        "image/jpeg",
        30,
        20,
        buffer.getvalue(),
    )
    server.answer = lambda _: Reply(200, b"sound", {"Content-Type": "audio/flac"})
    assert endpoint.post(server.url, "a", KEY).output == {"media_type": "audio/flac", "base64": "c291bmQ="}


def test_plain_text_comes_as_text(server: Server) -> None:
    server.answer = lambda _: Reply(200, b"fine", {"Content-Type": "text/plain"})
    assert endpoint.post(server.url, "a", KEY).output == "fine"


def test_an_answer_that_is_too_large(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LIMIT_BYTES", 1000)
    server.answer = lambda _: Reply(200, b"x" * 5000)
    with pytest.raises(EndpointError, match="The answer is larger than"):
        endpoint.post(server.url, "a", KEY)
