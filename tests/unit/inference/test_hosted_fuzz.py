"""Whatever a request says and whatever a server answers, the outcome is an answer or a clear error."""

import json
import random
from typing import Any

import pytest

import paths
from inference.answer import Answer
from inference.errors import InferenceError
from inference.hosted.hosting import Hosting
from inference.hosted.tasks import _ARGUMENTS
from unit.inference.hosted_server import Provider, Reply, serving
from unit.inference.local_server import Request

KEY = "hf_ThisIsTheSecretKey"
COUNT = 250
MEDIA = "data:image/png;base64,iVBORw0KGgo="
VALUES: tuple[Any, ...] = (
    *(None, "", "x", 0, -1, 1.5, True, [], {}, [1], ["a", None], {"a": {"b": [1]}}, "é\u2028", "x" * 5000, [[]], MEDIA),
    *(
        "/etc/passwd",
        "http://127.0.0.1:9/x",
        "\ud800",
        {"question": "q", "context": "c"},
        {"image": MEDIA, "question": 1},
    ),
    *(
        {"table": 1, "query": []},
        {"role": 5},
        [{"role": "user", "content": [{"type": "image_url", "image_url": 5}, 7]}],
    ),
)
BODIES = (
    *(b"", b"{}", b"[]", b"null", b"5", b'"text"', b"{", b"<html>", b"\xff\xfe", b"[[]]", b'[{"label": 1}]', b"[null]"),
    *(
        b'{"choices": 5}',
        b'{"choices": [null]}',
        b'{"error": {"a": []}}',
        b'{"error": null}',
        b'{"estimated_time": -1}',
    ),
    *(b'data: {"choices": [5]}\n\n', b'data: {"token": {}}\n\ndata: [DONE]\n\n', b"data: 5\n\n", b"data: null\n\n"),
    *(b"[" * 200_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    b'data: {"choices": [{"index": "a", "delta": {"content": 5, "tool_calls": [5]}}]}\n\ndata: [DONE]\n\n',
)
TYPES = (
    "application/json",
    "text/event-stream",
    "image/png",
    "audio/flac",
    "text/html",
    "",
    "application/octet-stream",
)
STATUSES = (*(200,) * 14, 204, 301, 302, 308, 400, 401, 404, 418, 429, 500, 503, 599)


def request(chance: random.Random, provider: Provider, served: str) -> dict[str, Any]:
    """A request that makes sense for the task that is served, or one that does not."""
    way = chance.choice(("url", "model", "model", "model", "endpoint", "odd"))
    fields: dict[str, Any] = {"api_key": KEY, "timeout": 2}
    if way == "url":
        return {**fields, "api_url": f"{provider.url}/x", "payload": chance.choice(VALUES)}
    if way == "odd":
        names = (
            "api_url",
            "payload",
            "model",
            "provider",
            "task",
            "inputs",
            "parameters",
            "messages",
            "stream",
            "bill_to",
        )
        return fields | {name: chance.choice(VALUES) for name in chance.sample(names, 4)}
    fields["model"] = provider.url if way == "endpoint" else chance.choice(("org/model", "org/none", "org/empty"))
    fields |= {"task": chance.choice([*_ARGUMENTS, None]), "inputs": chance.choice(VALUES)}
    if chance.random() < 0.5:
        fitting = {name: MEDIA if name in ("image", "audio") else "x" for name in _ARGUMENTS[served]}
        fields |= {"task": served, "inputs": fitting if served != "conversational" else "x"}
    if chance.random() < 0.3:
        fields["provider"] = chance.choice(("hf-inference", "together", "fal-ai", "replicate", "nobody", "auto"))
    if chance.random() < 0.3:
        fields["stream"] = True
    if chance.random() < 0.3:
        fields["parameters"] = {
            chance.choice(("top_k", "candidate_labels", "extra_body", "max_tokens")): chance.choice(VALUES)
        }
    return fields


def test_an_answer_or_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from inference.hosted import client

    chance = random.Random(5)
    answered = 0
    with serving() as provider:
        monkeypatch.setenv("HF_ENDPOINT", provider.url)
        provider.models["org/empty"] = {"pipeline_tag": None, "tags": [], "inferenceProviderMapping": {}}
        hosting = Hosting.parse(router=provider.url, failure_timeout=0)
        for number in range(COUNT):
            served = chance.choice(list(_ARGUMENTS))
            provider.serve("org/model", served, "hf-inference", "together", "fal-ai")
            body, status, kind = chance.choice(BODIES), chance.choice(STATUSES), chance.choice(TYPES)
            headers = {"Content-Type": kind, **({"Location": "/elsewhere"} if 300 <= status < 400 else {})}

            def answer(_: Request, reply: Reply = Reply(status, body, headers)) -> Reply:  # noqa: B008 - one for each
                return reply

            provider.answer = answer
            asked = request(chance, provider, served)
            client.forget()
            try:
                given = hosting.call(asked)
            except (InferenceError, paths.PathNotAllowed) as error:
                assert str(error).rstrip().endswith((".", ")", "?", "!")), (asked, error)
                assert KEY not in str(error)
            else:
                assert isinstance(given, Answer), number
                json.dumps(given.output, allow_nan=False).encode()
                answered += 1
    assert answered > COUNT / 30, "the generator must not only make nonsense"
