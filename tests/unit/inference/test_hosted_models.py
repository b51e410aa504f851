"""A hosted model by its name, through Hugging Face's client, against a server that speaks router and hub."""

import base64
import io
import json
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from inference.answer import Answer
from inference.errors import (
    EndpointError,
    EndpointUnreachable,
    HostNotAllowed,
    InferenceError,
    InputRefused,
    OptionUnknown,
    TaskUnknown,
)
from inference.hosted import gate
from inference.hosted.hosting import Hosting
from inference.hosted.tasks import _ARGUMENTS, find, media_type
from unit.inference.hosted_server import Provider, Reply, as_events, as_json, one_by_one, serving
from unit.inference.local_server import Request

KEY = "hf_ThisIsTheSecretKey"
MODEL = "org/model"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    from inference.hosted import client

    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    client.forget()
    with serving() as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def call(provider: Provider, request: dict[str, Any], log: Callable[[str], None] = print, **settings: Any) -> Answer:
    hosting = Hosting.parse(**{"router": provider.url, "failure_timeout": 0, "timeout": 20, **settings})
    return hosting.call({"model": MODEL, "api_key": KEY, **request}, log=log)


def picture_bytes(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, kind)
    return buffer.getvalue()


def sound_bytes() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 800)
    return buffer.getvalue()


PICTURE, SOUND = picture_bytes(), sound_bytes()
PICTURE_URI = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
SOUND_URI = "data:audio/wav;base64," + base64.b64encode(SOUND).decode()
MASK = base64.b64encode(PICTURE).decode()
ROW = {"label": "A", "score": 0.5}

# task, request, the body that the server must see, what it answers, the output
BY_HF_INFERENCE = [
    ("text-classification", {"inputs": "x"}, {"inputs": "x", "parameters": {}}, [[ROW]], [ROW]),
    ("text-classification", {"inputs": "x", "parameters": {"top_k": 2}}, {"inputs": "x", "parameters": {"top_k": 2}}, [[ROW]], [ROW]),
    ("token-classification", {"inputs": "x", "parameters": {"aggregation_strategy": "simple"}},
     {"inputs": "x", "parameters": {"aggregation_strategy": "simple"}},
     [{"entity_group": "PER", "score": 0.9, "word": "x", "start": 0, "end": 1}],
     [{"entity_group": "PER", "score": 0.9, "word": "x", "start": 0, "end": 1}]),
    ("fill-mask", {"inputs": "a [MASK]"}, {"inputs": "a [MASK]", "parameters": {}},
     [{"score": 0.1, "token": 5, "token_str": "b", "sequence": "a b"}],
     [{"score": 0.1, "token": 5, "token_str": "b", "sequence": "a b"}]),
    ("question-answering", {"inputs": {"question": "q", "context": "c"}},
     {"inputs": {"question": "q", "context": "c"}, "parameters": {}},
     {"answer": "c", "score": 1.0, "start": 0, "end": 1}, {"answer": "c", "score": 1.0, "start": 0, "end": 1}),
    ("table-question-answering", {"inputs": {"query": "q", "table": {"a": ["1"]}}},
     {"inputs": {"query": "q", "table": {"a": ["1"]}}, "parameters": {}}, {"answer": "1", "coordinates": [[0, 0]]},
     {"answer": "1", "coordinates": [[0, 0]]}),
    ("tabular-classification", {"inputs": {"a": ["1"]}}, {"table": {"a": ["1"]}, "parameters": {}}, ["yes"], ["yes"]),
    ("summarization", {"inputs": "long"}, {"inputs": "long", "parameters": {}}, [{"summary_text": "short"}], {"summary_text": "short"}),
    ("translation", {"inputs": "x"}, {"inputs": "x", "parameters": {}}, [{"translation_text": "y"}], {"translation_text": "y"}),
    ("feature-extraction", {"inputs": "x"}, {"inputs": "x"}, [[0.5, 1.0]], [[0.5, 1.0]]),
    ("feature-extraction", {"inputs": ["x", "y"]}, {"inputs": ["x", "y"]}, [[0.5], [1.0]], [[0.5], [1.0]]),
    ("sentence-similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}},
     {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": {}}, [0.5], [0.5]),
    ("zero-shot-classification", {"inputs": "x", "parameters": {"candidate_labels": ["a", "b"]}},
     {"inputs": "x", "parameters": {"candidate_labels": ["a", "b"], "multi_label": False}}, [ROW], [ROW]),
    ("text-generation", {"inputs": "x", "parameters": {"max_new_tokens": 3}},
     {"inputs": "x", "parameters": {"max_new_tokens": 3}, "stream": None}, [{"generated_text": "xyz"}], "xyz"),
    ("document-question-answering", {"inputs": {"image": PICTURE_URI, "question": "q"}},
     {"inputs": {"question": "q", "image": MASK}, "parameters": {}}, [{"answer": "a", "score": 1.0, "start": 0, "end": 0}],
     [{"answer": "a", "score": 1.0, "start": 0, "end": 0}]),
]  # fmt: skip


@pytest.mark.parametrize(("task", "request_", "body", "said", "output"), BY_HF_INFERENCE)
def test_tasks_of_texts(
    provider: Provider, task: str, request_: dict[str, Any], body: Any, said: Any, output: Any
) -> None:
    provider.serve(MODEL, task, "hf-inference")
    provider.answer = lambda _: as_json(said)
    answer = call(provider, {"task": task, **request_})
    assert answer.output == output
    (post,) = provider.posts
    assert post.path.startswith(f"/hf-inference/models/{MODEL}")
    assert post.headers["Authorization"] == f"Bearer {KEY}"
    seen = json.loads(post.body)
    assert {name: value for name, value in seen.items() if value is not None} == {
        name: value for name, value in body.items() if value is not None
    }
    assert all("Authorization" not in each.headers for each in provider.requests if each.method == "GET")


@pytest.mark.parametrize(
    ("task", "said", "output"),
    [
        ("image-classification", [ROW], [ROW]),
        ("object-detection", [{**ROW, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}],
         [{**ROW, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}]),
        ("image-to-text", [{"generated_text": "a cat"}], {"generated_text": "a cat"}),
        ("image-segmentation", [{**ROW, "mask": MASK}], [{**ROW, "mask": {"picture": 0}}]),
    ],
)  # fmt: skip
def test_tasks_of_pictures(provider: Provider, task: str, said: Any, output: Any) -> None:
    provider.serve(MODEL, task, "hf-inference")
    provider.answer = lambda _: as_json(said)
    answer = call(provider, {"task": task, "inputs": PICTURE_URI})
    assert answer.output == output
    assert len(answer.images) == (task == "image-segmentation")
    (post,) = provider.posts
    assert post.body == PICTURE
    assert post.headers["Content-Type"] == "image/png"


def test_a_picture_with_parameters_goes_as_json(provider: Provider) -> None:
    provider.serve(MODEL, "image-classification", "hf-inference")
    provider.answer = lambda _: as_json([ROW])
    call(provider, {"task": "image-classification", "inputs": {"image": PICTURE_URI}, "parameters": {"top_k": 1}})
    (post,) = provider.posts
    assert post.headers["Content-Type"] == "application/json"
    assert json.loads(post.body) == {"inputs": MASK, "parameters": {"top_k": 1}}


def test_speech_both_ways(provider: Provider) -> None:
    provider.serve(MODEL, "automatic-speech-recognition", "hf-inference")
    provider.answer = lambda _: as_json({"text": "hello"})
    assert call(provider, {"task": "automatic-speech-recognition", "inputs": SOUND_URI}).output == {"text": "hello"}
    assert provider.posts[0].body == SOUND
    assert provider.posts[0].headers["Content-Type"] == "audio/wav"

    provider.serve("org/speaker", "text-to-speech", "hf-inference")
    provider.answer = lambda _: Reply(200, b"fLaC...", {"Content-Type": "audio/flac"})
    answer = call(provider, {"model": "org/speaker", "inputs": "hello"})
    assert answer.output == {"part": 0}
    assert (answer.parts[0].media_type, answer.parts[0].data) == ("audio/flac", b"fLaC...")

    provider.serve("org/cleaner", "audio-to-audio", "hf-inference")
    blob = base64.b64encode(SOUND).decode()
    provider.answer = lambda _: as_json([{"label": "voice", "content-type": "audio/x-odd", "blob": blob}])
    answer = call(provider, {"model": "org/cleaner", "inputs": SOUND_URI})
    assert answer.output[0]["label"] == "voice"
    assert answer.output[0]["blob"] == {"part": 0}
    assert (answer.parts[0].media_type, answer.parts[0].data) == ("audio/wav", SOUND)


def test_a_text_becomes_a_picture(provider: Provider) -> None:
    provider.serve(MODEL, "text-to-image", "hf-inference")
    provider.answer = lambda _: Reply(200, picture_bytes("JPEG"), {"Content-Type": "image/jpeg"})
    answer = call(provider, {"task": "text-to-image", "inputs": "a cat", "parameters": {"width": 64, "height": 32}})
    assert answer.output == {"picture": 0}
    assert (answer.images[0].width, answer.images[0].height) == (30, 20)
    assert json.loads(provider.posts[0].body)["parameters"] == {"width": 64, "height": 32}
    provider.answer = lambda _: Reply(200, picture_bytes()[:-30], {"Content-Type": "image/png"})
    with pytest.raises(EndpointError, match="The picture in the answer is damaged"):
        call(provider, {"task": "text-to-image", "inputs": "a cat"})
    provider.answer = lambda _: as_json({"picture": "none"})
    with pytest.raises(
        EndpointError, match=r"answered what the task does not answer .*Check that task is what the model"
    ):
        call(provider, {"task": "text-to-image", "inputs": "a cat"})


CHAT = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}  # fmt: skip


def test_a_chat_goes_to_the_router(provider: Provider) -> None:
    provider.answer = lambda _: as_json(CHAT, **{"X-Inference-Provider": "groq"})
    lines: list[str] = []
    messages = [{"role": "user", "content": "Hi"}]
    request = {"messages": messages, "parameters": {"max_tokens": 5, "temperature": 0}, "bill_to": "my-company"}
    answer = call(provider, request, log=lines.append)
    assert answer.output["choices"][0]["message"]["content"] == "Hello!"
    assert answer.output["usage"]["total_tokens"] == 3
    (post,) = provider.requests
    assert post.path == "/v1/chat/completions"
    assert post.headers["X-Hf-Bill-To"] == "my-company"
    seen = json.loads(post.body)
    assert (seen["model"], seen["messages"], seen["max_tokens"], seen["temperature"]) == (MODEL, messages, 5, 0)
    assert any(line.startswith("Answered by groq in ") for line in lines)


def test_a_chat_with_a_provider_and_without_a_task(provider: Provider) -> None:
    provider.serve(MODEL, "conversational", "together", "groq")
    provider.answer = lambda _: as_json(CHAT)
    call(provider, {"provider": "groq", "inputs": "Hi"})
    assert provider.posts[-1].path == "/groq/openai/v1/chat/completions"
    assert json.loads(provider.posts[-1].body)["model"] == f"groq-id/{MODEL}"
    call(provider, {"model": f"{MODEL}:fastest", "inputs": "Hi"})
    assert json.loads(provider.posts[-1].body)["model"] == f"{MODEL}:fastest"
    call(provider, {"task": "chat-completion", "inputs": "Hi"})
    assert json.loads(provider.posts[-1].body)["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_picture_of_ours_in_a_chat_is_sent_along(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(tmp_path))
    (tmp_path / "cat.png").write_bytes(PICTURE)
    (tmp_path / "cat.txt").write_text("no picture")
    provider.answer = lambda _: as_json(CHAT)

    def ask(url: str) -> None:
        content = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": url}}]
        call(provider, {"messages": [{"role": "user", "content": content}]})

    ask(str(tmp_path / "cat.png"))
    sent = json.loads(provider.posts[-1].body)["messages"][0]["content"]
    assert sent[1]["image_url"]["url"] == PICTURE_URI
    ask("https://example.com/cat.png")
    assert (
        json.loads(provider.posts[-1].body)["messages"][0]["content"][1]["image_url"]["url"]
        == "https://example.com/cat.png"
    )
    with pytest.raises(PermissionError, match="outside the allowed folders"):
        ask("/etc/passwd")
    with pytest.raises(InputRefused, match="is no picture"):
        ask(str(tmp_path / "cat.txt"))
    with pytest.raises(PermissionError, match="outside the allowed folders"):
        call(provider, {"task": "image-classification", "inputs": "/etc/passwd"})
    assert len(provider.posts) == 2


def test_an_endpoint_of_ones_own(provider: Provider) -> None:
    provider.answer = lambda _: as_json(CHAT)
    call(provider, {"model": provider.url, "task": "chat", "inputs": "Hi", "api_key": ""})
    assert provider.posts[-1].path == "/v1/chat/completions"
    provider.answer = lambda _: as_json([[ROW]])
    answer = call(provider, {"model": f"{provider.url}/mine", "task": "text-classification", "inputs": "x"})
    assert provider.posts[-1].path == "/mine"
    assert answer.output == [ROW]
    with pytest.raises(InputRefused, match="task is missing"):
        call(provider, {"model": provider.url, "inputs": "x"})
    with pytest.raises(EndpointError, match="give the key in api_key"):
        call(provider, {"model": "https://a:b@x.endpoints.huggingface.cloud", "task": "chat", "inputs": "x"})


# -- who serves what -----------------------------------------------------------------------


def test_a_model_that_nobody_serves(provider: Provider) -> None:
    provider.serve(MODEL, "text-classification")
    for request in ({}, {"task": "text-classification"}, {"provider": "together", "task": "text-generation"}):
        with pytest.raises(EndpointError, match=rf"No provider serves {MODEL}\. Choose one of .*MLOperation"):
            call(provider, {"inputs": "x", **request})
    assert provider.posts == []


def test_a_provider_that_does_not_serve_it(provider: Provider) -> None:
    provider.serve(MODEL, "conversational", "together", "groq")
    served = rf"{MODEL} is served by together \(conversational\), groq \(conversational\)\. Set provider and task"
    with pytest.raises(EndpointError, match=served):
        call(provider, {"inputs": "x", "provider": "nscale", "task": "chat"})
    with pytest.raises(EndpointError, match=rf"nscale does not serve {MODEL}\. {served}"):
        call(provider, {"inputs": "x", "provider": "nscale"})
    with pytest.raises(EndpointError, match=r"There is no provider 'gorq'\. Did you mean groq"):
        call(provider, {"inputs": "x", "provider": "gorq", "task": "chat"})
    assert provider.posts == []


def test_a_task_that_it_does_not_do(provider: Provider) -> None:
    provider.serve(MODEL, "conversational", "together")
    with pytest.raises(EndpointError, match=rf"together.*{MODEL} is served by together \(conversational\)"):
        call(provider, {"inputs": "x", "provider": "together", "task": "text-to-image"})
    provider.serve("org/labels", "text-classification", "hf-inference")
    with pytest.raises(EndpointError, match=r"doesn't support task 'fill-mask'.*hf-inference \(text-classification\)"):
        call(provider, {"model": "org/labels", "inputs": "x", "task": "fill-mask"})
    assert provider.posts == []


def test_what_the_hub_said_is_not_kept_after_a_failure(provider: Provider) -> None:
    provider.serve(MODEL, "conversational", "together")
    with pytest.raises(EndpointError):
        call(provider, {"inputs": "x", "provider": "groq", "task": "chat"})
    provider.serve(MODEL, "conversational", "groq")
    provider.answer = lambda _: as_json(CHAT)
    call(provider, {"inputs": "x", "provider": "groq", "task": "chat"})
    assert provider.posts[0].path == "/groq/openai/v1/chat/completions"


def test_a_model_that_the_hub_does_not_know(provider: Provider) -> None:
    for request in ({}, {"task": "text-classification"}, {"task": "text-classification", "provider": "hf-inference"}):
        with pytest.raises(
            EndpointError, match=r"404 .*The hub has no such model, or it is private.*spelling"
        ) as caught:
            call(provider, {"inputs": "x", **request})
        assert caught.value.status == 404
    assert provider.posts == []


def test_the_router_says_that_nobody_serves_it(provider: Provider) -> None:
    provider.serve(MODEL, "conversational", "together")
    words = f"The requested model '{MODEL}' is not supported by any provider you have enabled."
    provider.answer = lambda _: as_json({"error": {"message": words, "code": "model_not_supported"}}, 400)
    with pytest.raises(
        EndpointError, match=r"400 .*any provider you have enabled\. .*served by together \(conversational\)"
    ):
        call(provider, {"messages": [{"role": "user", "content": "x"}]})


def test_a_missing_right(provider: Provider) -> None:
    words = "This authentication method does not have sufficient permissions to call Inference Providers"
    provider.answer = lambda _: as_json({"error": words}, 403)
    with pytest.raises(
        EndpointError, match=r"403 Forbidden: This auth.*Give its token the right to make calls"
    ) as caught:
        call(provider, {"messages": [{"role": "user", "content": "x"}]})
    assert caught.value.status == 403


def test_no_key(provider: Provider) -> None:
    with pytest.raises(EndpointError, match=r"There is no key\. Put a token"):
        call(provider, {"inputs": "x", "task": "chat", "api_key": ""})
    assert provider.requests == []


def test_a_busy_hub_and_a_loading_model_are_waited_for(provider: Provider) -> None:
    provider.serve(MODEL, "text-classification", "hf-inference")
    provider.answer = one_by_one(as_json({"error": "Model is loading", "estimated_time": 0.5}, 503), as_json([[ROW]]))
    lines: list[str] = []
    assert call(provider, {"inputs": "x"}, log=lines.append, failure_timeout=5).output == [ROW]
    assert any("Model is loading. Try 1; waiting 0.5 s as it asks" in line for line in lines)


def test_the_hub_may_be_offline(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EndpointUnreachable, match=r"HF_HUB_OFFLINE is set\. Unset it .*or give api_url"):
        call(provider, {"inputs": "x", "task": "chat"})


# -- what a request may not say ------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"model": ""}, InputRefused, "neither model nor api_url"),
        ({"model": "../../etc"}, InputRefused, "is no model's name"),
        ({"model": "a/b/c"}, InputRefused, "is no model's name"),
        ({"model": "a b"}, InputRefused, "is no model's name"),
        ({"model": "a/..%2f"}, InputRefused, "is no model's name"),
        ({"model": 5}, InputRefused, "model is no text but a int"),
        ({"api_key": [KEY]}, InputRefused, "^api_key is no text but a list. Give it as a text.$"),
        ({"task": "text-classification", "inputs": ["a", "b"]}, InputRefused, "takes one text at a time"),
        ({"task": "text-to-image", "inputs": {"a": "b"}}, InputRefused, "takes one prompt at a time"),
        ({"provider": "to/gether"}, InputRefused, "provider is 'to/gether'"),
        ({"bill_to": "a\nb"}, InputRefused, "bill_to is"),
        ({"task": "text-clasification"}, TaskUnknown, "Did you mean text-classification"),
        ({"task": "text-classification", "parameters": {"topk": 1}}, OptionUnknown, "Did you mean top_k"),
        ({"task": "text-classification", "parameters": {"model": "x"}}, OptionUnknown, "takes no parameter 'model'"),
        ({"task": "text-classification", "parameters": {"stream": True}}, OptionUnknown, "Move it out of parameters"),
        ({"task": "text-classification", "parameters": [1]}, InputRefused, "must be a JSON object"),
        ({"task": "text-classification", "stream": True}, OptionUnknown, "cannot stream"),
        ({"stream": "yes"}, InputRefused, "Give true or false"),
        ({"inputs": None}, InputRefused, "nothing for the model to work on"),
        ({"task": "question-answering", "inputs": "only this"}, InputRefused, "lacks context. Send inputs as a JSON"),
        ({"task": "question-answering", "inputs": {"question": "q", "text": "c"}}, InputRefused, "have no 'text'"),
        ({"task": "image-classification", "inputs": ["a"]}, InputRefused, "as one text"),
        ({"messages": ["hello"], "inputs": None}, InputRefused, "messages must be a list"),
        ({"messages": [], "inputs": None}, InputRefused, "messages must be a list"),
        ({"messages": [{"role": "user"}]}, OptionUnknown, "do not go together"),
        ({"messages": [{"role": "user"}], "inputs": None, "task": "fill-mask"}, OptionUnknown, "are for a chat"),
        ({"payload": "x"}, OptionUnknown, "payload goes with api_url"),
        ({"modle": "x"}, OptionUnknown, "no field 'modle'. Did you mean model"),
    ],
)
def test_requests_that_make_no_sense(provider: Provider, request_: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call(provider, {"task": "chat", "inputs": "x", **request_})
    assert provider.posts == []


def test_every_task_has_its_method_in_the_client() -> None:
    import inspect

    from huggingface_hub import InferenceClient

    for name in _ARGUMENTS:
        task = find(name)
        taken = inspect.signature(getattr(InferenceClient, task.method)).parameters
        assert set(task.arguments) <= set(taken), name
    methods = {name for name, _ in inspect.getmembers(InferenceClient, inspect.isfunction) if not name.startswith("_")}
    assert methods - {find(name).method for name in _ARGUMENTS} == {"close", "get_endpoint_info", "health_check"}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PICTURE, "image/png"), (picture_bytes("JPEG"), "image/jpeg"), (picture_bytes("WEBP"), "image/webp"),
        (picture_bytes("GIF"), "image/gif"), (SOUND, "audio/wav"), (b"\0\0\0\x18ftypisom", "video/mp4"), (b"?", ""), (b"", ""),
    ],
)  # fmt: skip
def test_what_bytes_are(data: bytes, kind: str) -> None:
    assert media_type(data) == kind


# -- providers that work in the background ---------------------------------------------------


def test_a_provider_with_a_queue(provider: Provider) -> None:
    provider.serve(MODEL, "text-to-video", "fal-ai")
    path = f"/fal-ai/fal-ai-id/{MODEL}"
    states = iter(["IN_PROGRESS", "COMPLETED"])

    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return as_json(
                {"request_id": "7", "status": "IN_QUEUE", "response_url": "https://queue.fal.run/some/requests/7"}
            )
        if request.path.startswith("/fal-ai/some/requests/7/status"):
            return as_json({"status": next(states)})
        if request.path.startswith("/fal-ai/some/requests/7"):
            return as_json({"video": {"url": f"{provider.url}/film.mp4"}})
        return Reply(200, b"\0\0\0\x18ftypisom....", {"Content-Type": "video/mp4"})

    provider.answer = answer
    result = call(provider, {"inputs": "a cat runs"})
    assert (result.output, result.parts[0].media_type) == ({"part": 0}, "video/mp4")
    assert provider.posts[0].path.startswith(path)
    keyed = {request.path: "Authorization" in request.headers for request in provider.requests}
    assert keyed.pop("/film.mp4") is False
    assert all(has for asked, has in keyed.items() if asked.startswith("/fal-ai/"))


def test_a_queue_that_never_ends_is_left_when_time_is_up(provider: Provider) -> None:
    provider.serve(MODEL, "text-to-video", "fal-ai")
    queued = {"request_id": "7", "status": "IN_QUEUE", "response_url": "https://queue.fal.run/some/requests/7"}
    provider.answer = lambda _: as_json(queued)
    began = time.monotonic()
    with pytest.raises(EndpointUnreachable, match=r"no whole answer within 0\.8 s"):
        call(provider, {"inputs": "a cat", "timeout": 0.8})
    assert time.monotonic() - began < 30


def test_results_that_lie_elsewhere_are_fetched_without_the_key(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.serve(MODEL, "text-to-image", "replicate")
    with serving() as elsewhere:
        elsewhere.answer = lambda _: Reply(200, PICTURE, {"Content-Type": "image/png"})
        provider.answer = lambda _: as_json({"output": f"{elsewhere.url}/cat.png"})
        assert len(call(provider, {"inputs": "a cat"}).images) == 1
        assert "Authorization" not in elsewhere.requests[0].headers
        elsewhere.requests.clear()
        with pytest.raises(HostNotAllowed):  # http, and not ours: a result is not fetched from just anywhere
            call(provider, {"inputs": "a cat"}, allowed_hosts=f"127.0.0.1:{provider.port}")
        assert elsewhere.requests == []
        provider.answer = lambda _: as_json({"output": None, "model": "m"})
        with pytest.raises(EndpointUnreachable, match="gave no whole answer"):
            call(provider, {"inputs": "a cat"})


def test_a_redirect_never_carries_the_key_to_another_host(provider: Provider) -> None:
    provider.serve(MODEL, "text-to-image", "wavespeed")
    with serving() as elsewhere:
        elsewhere.answer = lambda _: as_json({"data": {"status": "completed", "outputs": [f"{elsewhere.url}/cat.png"]}})

        def answer(request: Request) -> Reply:
            if request.method == "POST":
                return as_json({"data": {"urls": {"get": "https://api.wavespeed.ai/api/v3/predictions/1/result"}}})
            return Reply(307, headers={"Location": f"{elsewhere.url}/result"})

        provider.answer = answer
        with pytest.raises(InferenceError):  # what elsewhere sends is no picture
            call(provider, {"inputs": "a cat"})
        assert elsewhere.requests
        assert all("Authorization" not in request.headers for request in elsewhere.requests)
        assert "Authorization" in provider.requests[-1].headers
        elsewhere.requests.clear()
        provider.answer = lambda _: Reply(307, headers={"Location": f"{elsewhere.url}/post"})
        with pytest.raises(EndpointError, match="leads on to"):
            call(provider, {"inputs": "a cat"})
        assert elsewhere.requests == []


# -- streams -----------------------------------------------------------------------------------


def chunk(**delta: Any) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": delta}]}


END = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
MESSAGES = [{"role": "user", "content": "Hi"}]


def test_a_streamed_chat_looks_as_if_it_had_come_whole(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    from inference.hosted import stream

    monkeypatch.setattr(stream, "_REPORT_EVERY_S", 0.05)
    events = [chunk(role="assistant"), *(chunk(content=letter, reasoning_content=".") for letter in "Hello!"), END]
    provider.answer = lambda _: as_events(*events, pause_s=0.02)
    lines: list[str] = []
    output = call(provider, {"messages": MESSAGES, "stream": True}, log=lines.append).output
    assert output == {
        "id": "1", "object": "chat.completion", "model": "m", "usage": {"total_tokens": 3},
        "choices": [{
            "index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hello!", "reasoning_content": "......"},
        }],
    }  # fmt: skip
    assert json.loads(provider.posts[0].body)["stream"] is True
    assert any(line.startswith("The answer so far: ") for line in lines)
    assert any(line.startswith("The stream has ended: 12 letters in 8 pieces") for line in lines)


def test_streamed_tool_calls_and_several_choices(provider: Provider) -> None:
    calls = [
        [{"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}],
        [{"index": 0, "function": {"arguments": '{"a"'}}],
        [{"index": 0, "function": {"arguments": ": 1}"}}],
        [{"index": 1, "id": "c2", "function": {"name": "find", "arguments": "{}"}}],
    ]
    second = {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]}
    provider.answer = lambda _: as_events(*(chunk(tool_calls=each) for each in calls), second, END)
    choices = call(provider, {"messages": MESSAGES, "stream": True}).output["choices"]
    assert [call["function"] for call in choices[0]["message"]["tool_calls"]] == [
        {"name": "look", "arguments": '{"a": 1}'},
        {"name": "find", "arguments": "{}"},
    ]
    assert choices[1]["message"]["content"] == "b"


def test_a_streamed_text(provider: Provider) -> None:
    provider.serve(MODEL, "text-generation", "hf-inference")
    tokens = [
        {"index": n, "token": {"id": n, "text": text, "logprob": 0, "special": False}} for n, text in enumerate("abc")
    ]
    last = {
        "index": 3,
        "token": {"id": 3, "text": "</s>", "special": True},
        "generated_text": "abc",
        "details": {"seed": 1},
    }
    provider.answer = lambda _: as_events(*tokens, last, done=False)
    assert call(provider, {"inputs": "x", "stream": True}).output == "abc"


@pytest.mark.parametrize("done", [True, False])
def test_a_stream_that_breaks_off(provider: Provider, done: bool) -> None:
    provider.answer = lambda _: as_events(chunk(content="Hel"), done=False)
    with pytest.raises(EndpointUnreachable, match=r"broke off after 3 letters.*Send the request again"):
        call(provider, {"messages": MESSAGES, "stream": True})
    headers = {"Content-Type": "text/event-stream"}
    cut = [f"data: {json.dumps(chunk(content='Hel'))}\n\n".encode(), None]
    provider.answer = lambda _: Reply(headers=headers, chunks=cut)
    with pytest.raises(EndpointUnreachable, match="broke the connection off"):
        call(provider, {"messages": MESSAGES, "stream": True})
    assert len(provider.posts) == 2


def test_a_stream_that_becomes_an_error_or_nonsense(provider: Provider) -> None:
    for error in (
        {"error": "CUDA out of memory", "error_type": "generation"},
        {"error": {"message": "CUDA out of memory"}},
    ):
        provider.answer = lambda _, error=error: as_events(chunk(content="Hel"), error)
        with pytest.raises(EndpointError, match=r"broke off.*CUDA out of memory.*Send the request again"):
            call(provider, {"messages": MESSAGES, "stream": True})
    provider.answer = lambda _: Reply(headers={"Content-Type": "text/event-stream"}, chunks=[b"data: {no json\n\n"])
    with pytest.raises(EndpointError, match="answered what the task does not answer"):
        call(provider, {"messages": MESSAGES, "stream": True})


def test_a_slow_stream_and_an_endless_one(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.answer = lambda _: as_events(*[chunk(content="x")] * 100, pause_s=0.05)
    with pytest.raises(EndpointUnreachable, match=r"within 0\.3 s"):
        call(provider, {"messages": MESSAGES, "stream": True, "timeout": 0.3})
    monkeypatch.setattr(gate, "LIMIT_BYTES", 10_000)
    provider.answer = lambda _: as_events(*[chunk(content="x" * 1000)] * 100)
    with pytest.raises(EndpointError, match="larger than"):
        call(provider, {"messages": MESSAGES, "stream": True})


def test_a_busy_stream_is_called_again(provider: Provider) -> None:
    provider.answer = one_by_one(Reply(503, headers={"Retry-After": "0"}), as_events(chunk(content="Hi"), END))
    output = call(provider, {"messages": MESSAGES, "stream": True}, failure_timeout=5).output
    assert output["choices"][0]["message"]["content"] == "Hi"


def test_pages_for_browsers_and_garbage(provider: Provider) -> None:
    for body, kind in (
        (b"<html>maintenance</html>", "text/html"),
        (b"\xff\xfe\x00", "application/json"),
        (b"", "text/plain"),
    ):
        provider.answer = lambda _, body=body, kind=kind: Reply(200, body, {"Content-Type": kind})
        with pytest.raises(EndpointError, match="answered what the task does not answer"):
            call(provider, {"messages": MESSAGES})
    provider.answer = lambda _: Reply(504, b"<html>gateway</html>", {"Content-Type": "text/html"})
    with pytest.raises(EndpointError, match=r"504 Gateway Timeout\. The server failed") as caught:
        call(provider, {"messages": MESSAGES})
    assert caught.value.status == 504
