"""Hosted models through the running production: typed as users type it, traced, and without a key left anywhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests

from acceptance.running import Server, make_root, served
from unit.inference.hosted_server import Provider, Reply, as_events, as_json, one_by_one, serving
from waiting import eventually

ITEM, CLASS = "HuggingFace API", "msg.HFRequest"
KEYS = ("hf_typed_in_the_message", "hf_of_the_credential", "hf_of_the_environment")
CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}]}
MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        provider.serve("org/chat", "conversational", "together")
        provider.serve("org/picture", "text-to-image", "hf-inference")
        provider.serve("org/speaker", "text-to-speech", "hf-inference")
        yield provider


@pytest.fixture(scope="module")
def hosted(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"HF_ENDPOINT": provider.url, "HF_HUB_OFFLINE": "0", "HF_TOKEN": KEYS[2], "HF_TOKEN_TEAM": KEYS[1]}
    with served(make_root(tmp_path_factory.mktemp("root")), **environment) as server:
        server.configure(ITEM, f"router={provider.url}\nfailure_timeout=5")
        yield server


def ask(server: Server, request: dict[str, Any]) -> Any:
    return json.loads(server.test(ITEM, CLASS, request)["body"])


def log_of(server: Server) -> str:
    return server.call("GET", "/api/iop/log?top=50").text


def test_the_request_as_users_type_it(hosted: Server, provider: Provider) -> None:
    provider.answer = lambda _: as_json([{"generated_text": "all you need to know"}])
    body = (
        '{"api_url":"https://api-inference.huggingface.co/models/gpt2",'
        '"payload":"Can you please let us know more details about your ","api_key":"----------------------"}'
    )
    assert json.loads(hosted.test(ITEM, CLASS, body)["body"])["output"] == [{"generated_text": "all you need to know"}]
    assert provider.posts[-1].path == "/hf-inference/models/gpt2"
    assert "is closed; calling" in log_of(hosted)


def test_a_chat_a_stream_a_picture_and_a_sound(hosted: Server, provider: Provider) -> None:
    provider.answer = lambda _: as_json(CHAT)
    typed = {"model": "org/chat", "messages": MESSAGES, "api_key": KEYS[0], "parameters": {"max_tokens": 9}}
    assert ask(hosted, typed)["output"]["choices"][0]["message"]["content"] == "Hello!"
    assert provider.posts[-1].headers["Authorization"] == f"Bearer {KEYS[0]}"

    pieces = [{"choices": [{"index": 0, "delta": {"content": letter}}]} for letter in "Hello!"]
    provider.answer = lambda _: as_events(*pieces)
    streamed = ask(hosted, {"model": "org/chat", "messages": MESSAGES, "stream": True})
    assert streamed["output"]["choices"][0]["message"]["content"] == "Hello!"
    assert "The stream has ended: 6 letters" in log_of(hosted)

    picture = (hosted.root / "misc" / "000000039769.jpg").read_bytes()
    provider.answer = lambda _: Reply(200, picture, {"Content-Type": "image/jpeg"})
    answer = ask(hosted, {"model": "org/picture", "inputs": "two cats"})
    assert answer["output"] == {"picture": 0}
    assert answer["images"][0]["data"].startswith("iVBOR")

    provider.answer = lambda _: Reply(200, b"fLaC....", {"Content-Type": "audio/flac"})
    answer = ask(hosted, {"model": "org/speaker", "inputs": "hello"})
    assert answer["output"] == {"part": 0}
    assert (answer["parts"][0]["media_type"], answer["parts"][0]["data"]) == ("audio/flac", "ZkxhQy4uLi4=")


def test_keys_come_from_three_places_and_stay_nowhere(hosted: Server, provider: Provider) -> None:
    provider.answer = lambda request: as_json({"error": f"no, {request.headers['Authorization']}"}, 400)
    request = {"api_url": f"{provider.url}/models/x", "payload": "a"}
    assert "Bearer <key>" in hosted.refusal(ITEM, CLASS, {**request, "api_key": KEYS[0]})
    assert provider.posts[-1].headers["Authorization"] == f"Bearer {KEYS[0]}"
    assert "Bearer <key>" in hosted.refusal(ITEM, CLASS, request)
    assert provider.posts[-1].headers["Authorization"] == f"Bearer {KEYS[2]}"
    hosted.configure(ITEM, f"router={provider.url}\nfailure_timeout=5\ncredential=team")
    assert "Bearer <key>" in hosted.refusal(ITEM, CLASS, request)
    assert provider.posts[-1].headers["Authorization"] == f"Bearer {KEYS[1]}"
    hosted.configure(ITEM, f"router={provider.url}\nfailure_timeout=5\ncredential=nobody")
    assert "There is no credential 'nobody'" in hosted.refusal(ITEM, CLASS, request)
    hosted.configure(ITEM, f"router={provider.url}\nfailure_timeout=5\nallowed_hosts=router.huggingface.co")
    count = len(provider.requests)
    assert "Nothing was sent" in hosted.refusal(ITEM, CLASS, {**request, "api_key": KEYS[0]})
    assert len(provider.requests) == count
    hosted.configure(ITEM, f"router={provider.url}\nfailure_timeout=5")
    stored = b"".join(file.read_bytes() for file in hosted.home.glob("**/*") if file.is_file())
    shown = "".join(hosted.output) + log_of(hosted) + hosted.call("GET", "/api/irislite/messages").text
    for key in KEYS:
        assert key.encode() not in stored
        assert key not in shown


def test_a_message_that_lost_its_key_asks_for_it(hosted: Server, provider: Provider) -> None:
    count = len(provider.requests)
    typed = {"model": "org/chat", "messages": MESSAGES, "api_key": "********"}
    assert "send the message again with it" in hosted.refusal(ITEM, CLASS, typed)
    assert len(provider.requests) == count


def test_a_busy_model_is_waited_for_in_the_log(hosted: Server, provider: Provider) -> None:
    provider.answer = one_by_one(as_json({"error": "busy"}, 503, **{"Retry-After": "1"}), as_json(CHAT))
    assert ask(hosted, {"model": "org/chat", "messages": MESSAGES})["output"]["choices"]
    assert "waiting 1 s as it asks" in log_of(hosted)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "neither model nor api_url"),
        ({"model": "org/none", "inputs": "x"}, "The hub has no such model"),
        ({"model": "org/chat", "inputs": "x", "task": "text-to-image"}, "is served by together (conversational)"),
        ({"model": "org/chat", "inputs": "x", "parameters": {"max_token": 1}}, "Did you mean max_tokens"),
        ({"api_url": "http://169.254.169.254/latest", "payload": "x"}, "not one of the hosts"),
        ({"modle": "org/chat"}, "Did you mean model"),
    ],
)
def test_bad_requests_say_what_to_do(hosted: Server, request_: dict[str, Any], words: str) -> None:
    refusal = hosted.refusal(ITEM, CLASS, request_)
    assert words in refusal
    assert "Traceback" not in refusal


def test_settings_that_make_no_sense_put_the_item_in_error(hosted: Server, provider: Provider) -> None:
    text = "timeout=soon"
    settings = {"settings": [{"target": "Host", "name": "%settings", "value": text}]}
    hosted.call("PUT", "/api/irislite/items/HuggingFace%20API/settings", json=settings)
    assert "timeout is 'soon'" in hosted.refusal(ITEM, CLASS, {"model": "org/chat", "inputs": "x"})
    hosted.configure(ITEM, f"router={provider.url}\nfailure_timeout=5")


def test_a_crash_takes_the_key_and_the_message_asks_for_it(hosted: Server, provider: Provider) -> None:
    """The last test of this file: it kills the server."""
    provider.answer = lambda _: Reply(delay_s=20)
    count = len(provider.posts)
    typed = {"api_url": f"{provider.url}/slow", "payload": "a", "api_key": KEYS[0]}

    def send() -> None:
        with suppress(requests.ConnectionError):
            hosted.call(
                "POST", "/api/iop/test", json={"target": ITEM, "classname": CLASS, "body": typed, "restart": False}
            )

    sender = threading.Thread(target=send)
    sender.start()
    eventually(lambda: len(provider.posts) > count)
    hosted.process.kill()
    hosted.process.wait(60)
    sender.join(60)
    hosted.output.clear()
    hosted.start()
    found = hosted.call("GET", "/api/irislite/messages?status=Suspended").json()
    (message,) = [each["id"] for each in found]
    answer = hosted.call("POST", "/api/irislite/messages/resubmit", json={"ids": [message]})
    assert answer.ok, answer.text
    eventually(lambda: "send the message again with it" in log_of(hosted))
    assert len(provider.posts) == count + 1, "nothing is sent without its key"
