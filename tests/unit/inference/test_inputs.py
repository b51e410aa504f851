"""A request's fields become a pipeline's arguments, for every kind of input."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import paths
import tiny_models
from inference import inputs, tasks
from inference.errors import InputRefused, OptionUnknown, SourceRefused

PICTURE = "/irisdev/app/misc/000000039769.jpg"


def prepare(task: str, settings: dict[str, Any] | None = None, **fields: Any) -> inputs.Call:
    return inputs.prepare(tasks.lookup(task), fields, settings or {})


@pytest.mark.parametrize("field", ["inputs", "text_inputs", "text", "texts", "sequences", "prompt"])
def test_every_name_of_a_text(field: str) -> None:
    call = prepare("text-classification", **{field: "good", "top_k": 2})
    assert (call.main, call.options) == ("good", {"top_k": 2})


@pytest.mark.parametrize("field", ["inputs", "image", "images", "url"])
def test_every_name_of_a_picture(field: str) -> None:
    call = prepare("object-detection", **{field: PICTURE, "timeout": 3, "threshold": 0.1})
    assert call.main.size == (640, 480)
    assert call.options == {"threshold": 0.1}, "the picture is read here, so the pipeline needs no timeout"


def test_lists_pairs_and_chats() -> None:
    chat = [{"role": "user", "content": "hello"}]
    assert prepare("text-generation", inputs=chat).main == chat
    assert prepare("text-generation", inputs=[chat, chat]).main == [chat, chat]
    pair = {"text": "good", "text_pair": "bad"}
    assert prepare("text-classification", inputs=pair).main == pair
    with pytest.raises(InputRefused, match="takes a text or a list of texts"):
        prepare("fill-mask", inputs=chat)
    first, second = prepare("object-detection", inputs=[PICTURE, PICTURE]).main
    assert first.size == second.size


def test_a_picture_beside_other_fields() -> None:
    call = prepare("image-text-to-text", images=PICTURE, text="What is this?")
    assert isinstance(call.main, Image.Image)
    assert call.options == {"text": "What is this?"}
    call = prepare("document-question-answering", image=PICTURE, question="How many cats?")
    assert call.options == {"question": "How many cats?"}
    with pytest.raises(InputRefused, match="needs question"):
        prepare("document-question-answering", image=PICTURE)


def test_pictures_in_a_chat_are_read_here_and_nothing_else_is_followed() -> None:
    def chat(part: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [part, {"type": "text", "text": "What is this?"}]}]

    for name in ("url", "image", "path"):
        call = prepare("image-text-to-text", inputs=chat({"type": "image", name: PICTURE}))
        assert isinstance(call.main[0]["content"][0]["image"], Image.Image)
    with pytest.raises(paths.PathNotAllowed):
        prepare("image-text-to-text", inputs=chat({"type": "image", "url": "/etc/passwd"}))
    with pytest.raises(SourceRefused, match="private network"):
        prepare("any-to-any", inputs=chat({"type": "image", "url": "http://127.0.0.1/secret"}))
    with pytest.raises(InputRefused, match="Parts of the type audio cannot be sent"):
        prepare("any-to-any", inputs=chat({"type": "audio", "url": "http://host/sound"}))
    with pytest.raises(OptionUnknown, match="takes no field 'videos'"):
        prepare("any-to-any", text="hello", videos="/etc/passwd")
    with pytest.raises(paths.PathNotAllowed):
        prepare("decision", inputs={"state": "x", "assets": {"a": "/etc/passwd"}})


def test_sounds_come_as_bytes_and_films_as_checked_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(tmp_path))
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    assert prepare("automatic-speech-recognition", url=str(tmp_path / "a.wav")).main == b"RIFF"
    assert prepare("video-classification", inputs=str(tmp_path / "a.mp4")).main == str(tmp_path / "a.mp4")
    for task in ("audio-classification", "video-classification"):
        with pytest.raises(paths.PathNotAllowed):
            prepare(task, inputs="/etc/passwd")


def test_tables() -> None:
    table = {"city": ["Rome", "Oslo"]}
    asked = {"table": table, "query": "Which city is first?"}
    assert prepare("table-question-answering", **asked).main == asked
    assert prepare("table-question-answering", inputs=asked).main == asked
    with pytest.raises(InputRefused, match="needs a table and a query"):
        prepare("table-question-answering", table=table)


def test_candidate_labels_may_come_from_the_settings() -> None:
    with pytest.raises(InputRefused, match="needs candidate_labels"):
        prepare("zero-shot-classification", inputs="good")
    assert prepare("zero-shot-classification", {"candidate_labels": "good,bad"}, inputs="good").main == "good"
    call = prepare("zero-shot-object-detection", image=str(tiny_models.PICTURE), candidate_labels=["cat"])
    assert call.options == {"candidate_labels": ["cat"]}
