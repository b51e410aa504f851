"""A hosted model by its address: what `requests.md` lets users type."""

import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from inference.answer import Answer
from inference.errors import EndpointError, EndpointUnreachable, HostNotAllowed, InferenceError
from inference.hosted import gate
from inference.hosted.hosting import Hosting
from unit.inference.hosted_server import Provider, Reply, as_events, as_json, serving

KEY = "hf_ThisIsTheSecretKey"
TYPED = (
    '{"api_url":"https://api-inference.huggingface.co/models/gpt2",'
    '"payload":"Can you please let us know more details about your ","api_key":"----------------------"}'
)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with serving() as served:
        yield served


def post(
    provider: Provider, payload: Any = "a", api_key: str = KEY, path: str = "/models/x", **settings: Any
) -> Answer:
    hosting = Hosting.parse(**{"failure_timeout": 0, **settings})
    return hosting.call({"api_url": provider.url + path, "payload": payload, "api_key": api_key})


def test_the_request_as_users_type_it_goes_to_the_router(provider: Provider) -> None:
    provider.answer = lambda _: as_json([{"generated_text": "all you need to know"}])
    lines: list[str] = []
    answer = Hosting.parse(router=provider.url).call(json.loads(TYPED), log=lines.append)
    assert answer.output == [{"generated_text": "all you need to know"}]
    (request,) = provider.requests
    assert (request.method, request.path) == ("POST", "/hf-inference/models/gpt2")
    assert json.loads(request.body) == {"inputs": json.loads(TYPED)["payload"]}
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    assert "api_key is a placeholder of dashes and is not sent." in lines
    instead = f"{provider.url}/hf-inference/models/gpt2"
    assert f"api-inference.huggingface.co is closed; calling {instead} instead." in lines


def test_the_router_is_hugging_faces_unless_a_setting_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unknown(host: Any, *_: Any, **__: Any) -> Any:
        asked.append(host if isinstance(host, str) else host.decode())
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(EndpointUnreachable, match=r"cannot be reached .*Check the address and this machine's network"):
        Hosting.parse().call(json.loads(TYPED))
    assert asked == ["router.huggingface.co"]


def test_the_rewrite_can_be_forbidden(provider: Provider) -> None:
    with pytest.raises(EndpointError, match=r"closed.*Give https://router.huggingface.co/hf-inference/models/gpt2 as"):
        Hosting.parse(router=provider.url, rewrite_old_host="false").call(json.loads(TYPED))
    assert provider.requests == []


@pytest.mark.parametrize("payload", [{"inputs": "a", "parameters": {"top_k": 1}}, ["a", "b"], {"messages": []}])
def test_other_payloads_are_sent_as_they_are(provider: Provider, payload: Any) -> None:
    provider.answer = lambda request: Reply(200, request.body, {"Content-Type": "application/json"})
    assert post(provider, payload).output == payload
    assert provider.requests[0].headers["Authorization"] == f"Bearer {KEY}"


def test_nothing_to_send(provider: Provider) -> None:
    with pytest.raises(InferenceError, match=r"payload is missing\. Give"):
        post(provider, None)
    with pytest.raises(InferenceError, match=r"api_url and inputs do not go together"):
        Hosting.parse().call({"api_url": provider.url, "inputs": "a"})
    assert provider.requests == []


@pytest.mark.parametrize("url", ["gpt2", "ftp://host/x", "https://", "file:///etc/passwd", "http://[::1", "//host/x"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(EndpointError, match=r"is no web address.*Give it as https"):
        Hosting.parse().call({"api_url": url, "payload": "a"})


def test_no_secret_in_the_address() -> None:
    with pytest.raises(EndpointError, match="give the key in api_key") as caught:
        Hosting.parse().call({"api_url": f"https://user:{KEY}@router.huggingface.co/x", "payload": "a"})
    assert KEY not in str(caught.value)


def test_a_picture_comes_as_an_image(provider: Provider) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20)).save(buffer, "JPEG")
    provider.answer = lambda _: Reply(200, buffer.getvalue(), {"Content-Type": "image/jpeg"})
    answer = post(provider)
    (picture,) = answer.images
    assert answer.output == {"picture": 0}
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 30, 20)
    assert picture.data == buffer.getvalue()


@pytest.mark.parametrize(
    ("content_type", "content", "kind"),
    [
        ("audio/flac", b"sound", "audio/flac"),
        ("application/octet-stream", b"RIFF\0\0\0\0WAVEfmt", "audio/wav"),
        ("", b"fLaC....", "audio/flac"),
        ("video/mp4", b"film", "video/mp4"),
    ],
)
def test_a_sound_comes_as_a_part(provider: Provider, content_type: str, content: bytes, kind: str) -> None:
    provider.answer = lambda _: Reply(200, content, {"Content-Type": content_type})
    answer = post(provider)
    assert answer.output == {"part": 0}
    assert [(part.media_type, part.data) for part in answer.parts] == [(kind, content)]


def test_plain_text_comes_as_text_and_odd_numbers_as_none(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, b"fine", {"Content-Type": "text/plain"})
    assert post(provider).output == "fine"
    provider.answer = lambda _: Reply(200, b'{"score": NaN}', {"Content-Type": "application/json"})
    assert post(provider).output == {"score": None}


def test_a_broken_picture_is_told(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, b"no picture", {"Content-Type": "image/png"})
    with pytest.raises(InferenceError, match="is no picture that can be read"):
        post(provider)


def test_a_stream_is_gathered_by_its_media_type(provider: Provider) -> None:
    pieces = [{"object": "chat.completion.chunk", "choices": [{"delta": {"content": letter}}]} for letter in "hello"]
    provider.answer = lambda _: as_events(*pieces)
    answer = post(provider, {"messages": [], "stream": True}, path="/v1/chat/completions")
    assert answer.output["choices"][0]["message"] == {"role": "assistant", "content": "hello"}
    assert answer.output["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (400, {"error": "inputs missing"}, r"400 Bad Request: inputs missing\. The request does not suit the model"),
        (400, {"error": ["a is wrong", {"message": "b too"}]}, r"400 Bad Request: a is wrong; b too\."),
        (400, {"error": {"message": "no", "code": "x"}}, r"400 Bad Request: no\. The request"),
        (400, "just a text", r"400 Bad Request: just a text\."),
        (401, {"error": "bad key"}, r"401 Unauthorized: bad key\. The key is wrong or has expired\. Make a token"),
        (402, {"error": {"code": 7}}, r'402 Payment Required: \{"code": 7\}\. The account .* Add credit'),
        (403, {"message": "no right"}, r"403 Forbidden: no right\. .*right to make calls to inference providers"),
        (404, {"error": "no"}, r"404 Not Found: no\. No model is served there\. .*run the model here with MLOperation"),
        (410, {}, r"410 Gone\. This address is closed\. Use"),
        (413, {}, r"413 .*\. What was sent is too large\. Send less"),
        (418, {"detail": "teapot"}, r"418 .*: teapot\. Correct the request as the server says"),
        (422, {"detail": [{"msg": "field required"}]}, r"422 .*: field required\. .*Compare it with the example"),
        (429, {"error": "slow down!"}, r"429 Too Many Requests: slow down! Too many requests\. Wait"),
        (500, {"error": "oops"}, r"500 Internal Server Error: oops\. The server failed\. Try again later"),
        (503, {"error": "loading"}, r"503 Service Unavailable: loading\. The model is not ready"),
    ],
)
def test_errors_say_what_to_do(provider: Provider, status: int, content: Any, message: str) -> None:
    provider.answer = lambda _: as_json(content, status)
    with pytest.raises(EndpointError, match=message) as caught:
        post(provider)
    assert caught.value.status == status
    assert len(provider.requests) == 1


def test_a_page_for_browsers_is_not_repeated(provider: Provider) -> None:
    provider.answer = lambda _: Reply(502, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
    with pytest.raises(EndpointError, match=r"502 Bad Gateway\. The server failed"):
        post(provider)


def test_an_endless_error_is_cut(provider: Provider) -> None:
    provider.answer = lambda _: Reply(400, chunks=[b"x" * 100_000] * 200)
    with pytest.raises(EndpointError, match=r"400 Bad Request: x+\.\.\.") as caught:
        post(provider)
    assert len(str(caught.value)) < 600


def test_time_runs_out_before_the_answer_and_in_it(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, delay_s=60.0)
    with pytest.raises(EndpointUnreachable, match=r"no whole answer within 0\.2 s\. Raise timeout") as caught:
        post(provider, timeout=0.2)
    assert isinstance(caught.value, ConnectionError)
    drops: list[bytes | float | None] = [b"x", 0.05] * 40
    provider.answer = lambda _: Reply(200, chunks=drops)
    with pytest.raises(EndpointUnreachable, match=r"no whole answer within 0\.3 s"):
        post(provider, timeout=0.3)


def test_the_time_limit_is_that_of_the_whole_answer(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, chunks=[b"x", 60.0, b"x"], delay_s=0.4)
    began = time.monotonic()
    with pytest.raises(EndpointUnreachable, match=r"within 0\.6 s"):
        post(provider, timeout=0.6)
    assert time.monotonic() - began < 30, "it is not the provider that is waited for"


def test_a_message_has_its_own_time_limit(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, delay_s=60.0)
    with pytest.raises(EndpointUnreachable, match=r"within 0\.2 s"):
        Hosting.parse().call({"api_url": provider.url, "payload": "a", "timeout": 0.2})
    with pytest.raises(EndpointError, match=r"timeout is -1\. Write a number of seconds"):
        Hosting.parse().call({"api_url": provider.url, "payload": "a", "timeout": -1})


def test_a_cut_answer(provider: Provider) -> None:
    provider.answer = lambda _: Reply(200, chunks=[b'{"a": ', None])
    with pytest.raises(EndpointUnreachable, match=r"broke the connection off .*Send the request again"):
        post(provider)


def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(EndpointUnreachable, match=rf"127\.0\.0\.1:{port} cannot be reached .*Check the address"):
        Hosting.parse().call({"api_url": f"http://127.0.0.1:{port}/", "payload": "a"})


def test_no_certificate(provider: Provider) -> None:
    with pytest.raises(EndpointUnreachable, match=r"127\.0\.0\.1:\d+ cannot be reached"):
        Hosting.parse().call({"api_url": provider.url.replace("http", "https"), "payload": "a"})


def test_an_answer_that_is_too_large(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LIMIT_BYTES", 100_000)
    provider.answer = lambda _: Reply(200, chunks=[b"x" * 50_000] * 1_000)
    with pytest.raises(EndpointError, match=r"The answer is larger than .*Ask for less"):
        post(provider)


def test_answers_are_asked_for_as_they_are(provider: Provider) -> None:
    """Compressed ones could be small on the way and fill the memory."""
    provider.answer = lambda _: as_json({})
    post(provider)
    assert provider.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"timeout": "soon"}, "timeout is 'soon'. Write a number of seconds"),
        ({"failure_timeout": "-1"}, "failure_timeout is '-1'"),
        ({"rewrite_old_host": "maybe"}, "Write true or false"),
        ({"router": "router.huggingface.co"}, "is no web address"),
        ({"allowed_hosts": "*"}, "allowed_hosts has '\\*', which is no host"),
        ({"allowed_hosts": "https://host/path"}, "which is no host"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, str], words: str) -> None:
    with pytest.raises(EndpointError, match=words):
        Hosting.parse(**settings)


def test_redirects_are_told_and_not_followed(provider: Provider) -> None:
    with serving() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            provider.answer = lambda _, status=status: Reply(status, headers={"Location": f"{elsewhere.url}/y?t={KEY}"})
            with pytest.raises(EndpointError, match=r"leads on to http://.*\?t=<key>.*Use that address") as caught:
                post(provider)
            assert KEY not in str(caught.value)
        assert elsewhere.requests == []
    assert len(provider.requests) == 5


def test_only_allowed_hosts_are_called(provider: Provider) -> None:
    with pytest.raises(HostNotAllowed, match=r"127\.0\.0\.1 is not one of the hosts .*Nothing was sent.*allowed_hosts"):
        post(provider, allowed_hosts="router.huggingface.co")
    with pytest.raises(HostNotAllowed):
        post(provider, allowed_hosts=f"127.0.0.1:{provider.port + 1}")
    assert provider.requests == []
    provider.answer = lambda request: as_json({"ok": request.path})
    assert post(provider, allowed_hosts=f"127.0.0.1:{provider.port}").output == {"ok": "/models/x"}
