"""A request's fields become a pipeline's arguments, for every kind of input."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import paths
import tiny_media
import tiny_models
from inference import inputs, reading, tasks
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
    call = prepare("image-text-to-text", text="What is this?")
    assert (call.main, call.options) == (None, {"text": "What is this?"})
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
    for name in ("base64", "image_url"):
        with pytest.raises(paths.PathNotAllowed):
            prepare("image-text-to-text", inputs=chat({"type": "image", name: "/etc/passwd"}))
    with pytest.raises(paths.PathNotAllowed):
        prepare("image-text-to-text", inputs=chat({"type": "image_url", "image_url": {"url": "/etc/passwd"}}))
    with pytest.raises(SourceRefused, match="private network"):
        prepare("any-to-any", inputs=chat({"type": "audio", "url": "http://127.0.0.1/sound"}))
    with pytest.raises(InputRefused, match="Parts of the type video cannot be sent"):
        prepare("any-to-any", inputs=chat({"type": "video", "url": "http://host/film"}))
    with pytest.raises(OptionUnknown, match="takes no field 'videos'"):
        prepare("any-to-any", text="hello", videos="/etc/passwd")
    decision = {"state": "x", "questions": {}, "assets": {"a": "/etc/passwd"}}
    for given in (decision, json.dumps(decision), {**decision, "assets": {"a": {"url": "/etc/passwd"}}}):
        with pytest.raises((paths.PathNotAllowed, InputRefused), match=r"/etc/passwd"):
            prepare("decision", inputs=given)
    with pytest.raises(SourceRefused, match="no base64"):
        prepare("decision", inputs={**decision, "assets": {"a": {"data_base64": "/etc/passwd"}}})


def test_sounds_and_films_are_read_from_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(tmp_path))
    (tmp_path / "a.wav").write_bytes(tiny_media.sound())
    (tmp_path / "a.mp4").write_bytes(tiny_media.film())
    plain = base64.b64encode(tiny_media.sound()).decode()
    for given in (str(tmp_path / "a.wav"), f"data:audio/wav;base64,{plain}", plain):
        assert prepare("automatic-speech-recognition", url=given).main.seconds == 0.5
    raw = {"array": [0.0, 0.5, -0.5], "sampling_rate": 8000}
    assert prepare("audio-classification", inputs=raw).main.rate_hz == 8000
    with pytest.raises(InputRefused, match=r"Samples need their rate"):
        prepare("audio-classification", inputs=[0.0, 0.5])
    film = prepare("video-classification", inputs=str(tmp_path / "a.mp4")).main
    assert (film.width, film.height, film.frames) == (64, 48, 12)
    for task in ("audio-classification", "video-classification", "any-to-any"):
        field = "audio" if task == "any-to-any" else "inputs"
        with pytest.raises(paths.PathNotAllowed):
            prepare(task, **{"text": "x", field: "/etc/passwd"} if task == "any-to-any" else {field: "/etc/passwd"})


def test_tables() -> None:
    table = {"city": ["Rome", "Oslo"], "people": [2_800_000, None]}
    told = {"table": {"city": ["Rome", "Oslo"], "people": ["2800000", ""]}, "query": "Which city is first?"}
    asked = {"table": table, "query": "Which city is first?"}
    assert prepare("table-question-answering", **asked).main == told
    assert prepare("table-question-answering", inputs=asked).main == told
    rows = [{"city": "Rome", "people": 2_800_000}, {"city": "Oslo"}]
    assert prepare("table-question-answering", table=rows, query="Which city is first?").main == told
    with pytest.raises(InputRefused, match="A table and a query are needed"):
        prepare("table-question-answering", table=table)
    with pytest.raises(InputRefused, match="columns of the same length"):
        prepare("table-question-answering", table={"a": ["1"], "b": []}, query="x")
    with pytest.raises(InputRefused, match="All cells of the table are empty"):
        prepare("table-question-answering", table={"": [None]}, query="x")
    with pytest.raises(InputRefused, match="more than 20,000 cells"):
        prepare("table-question-answering", table={"a": ["1"] * 20_001}, query="x")


def test_candidate_labels_may_come_from_the_settings() -> None:
    with pytest.raises(InputRefused, match="needs candidate_labels"):
        prepare("zero-shot-classification", inputs="good")
    call = prepare("zero-shot-classification", {"candidate_labels": "good, bad"}, inputs="good")
    assert call.options == {"candidate_labels": ["good", "bad"]}
    for wrong in (5, ["good", ""], ["good", 5], {"good": 1}, "good,,bad"):
        with pytest.raises(InputRefused, match="must be a list of texts or a text with commas"):
            prepare("zero-shot-classification", inputs="good", candidate_labels=wrong)
    with pytest.raises(InputRefused, match="are too many"):
        prepare("zero-shot-classification", inputs="good", candidate_labels=["a"] * 1001)
    call = prepare("zero-shot-object-detection", image=str(tiny_models.PICTURE), candidate_labels=["cat"])
    assert call.options == {"candidate_labels": ["cat"]}


CHAT = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("task", "fields", "expected"),
    [
        ("text-classification", {"inputs": "good"}, False),
        ("text-classification", {"inputs": []}, False),
        ("text-classification", {"inputs": ["good", 5]}, True),
        ("text-classification", {"text": [{"text": "good", "text_pair": "bad"}]}, True),
        ("text-generation", {"inputs": CHAT}, False),
        ("text-generation", {"inputs": [CHAT, CHAT]}, True),
        ("token-classification", {"inputs": ["George", "lived"], "is_split_into_words": True}, False),
        ("token-classification", {"inputs": [["George"], ["lived"]], "is_split_into_words": True}, True),
        ("object-detection", {"url": ["a.jpg", "b.jpg"]}, True),
        ("keypoint-matching", {"inputs": ["a.jpg", "b.jpg"]}, False),
        ("keypoint-matching", {"inputs": [["a.jpg", "b.jpg"], ["c.jpg", "d.jpg"]]}, True),
        ("image-text-to-text", {"images": ["a.jpg", "b.jpg"], "text": "Which is better?"}, False),
        ("image-text-to-text", {"inputs": [{"images": "a.jpg", "text": "What?"}]}, True),
        ("image-text-to-text", {"text": ["one", "two"]}, True),
        ("any-to-any", {"text": ["one", "two"]}, True),
        ("any-to-any", {"text": ["one", "two"], "audio": ["a.wav", "b.wav"]}, False),
        ("document-question-answering", {"inputs": [{"image": "a.jpg", "question": "What?"}]}, True),
        ("audio-classification", {"inputs": [0.1, 0.2]}, False),
        ("audio-classification", {"inputs": ["a.wav"]}, True),
        ("table-question-answering", {"inputs": [{"table": {}, "query": ""}]}, True),
        ("table-question-answering", {"table": {"a": []}, "query": "x"}, False),
    ],
)
def test_what_is_a_list_of_elements(task: str, fields: dict[str, Any], expected: bool) -> None:
    assert inputs.several(tasks.lookup(task), fields) is expected


def prepare_each(task: str, **fields: Any) -> list[Any]:
    return inputs.prepare_each(tasks.lookup(task), fields, {})


def test_each_element_is_prepared_by_itself() -> None:
    calls = prepare_each("text-classification", inputs=["good", "", 5, "bad"], top_k=2)
    assert [type(call) for call in calls] == [inputs.Call, InputRefused, InputRefused, inputs.Call]
    assert [call.main for call in (calls[0], calls[3])] == ["good", "bad"]
    assert calls[0].options == calls[3].options == {"top_k": 2}
    assert calls[0].options is not calls[3].options
    pictures = prepare_each("object-detection", url=[PICTURE, "/etc/passwd", "http://127.0.0.1/", PICTURE])
    assert [type(call) for call in pictures] == [inputs.Call, paths.PathNotAllowed, SourceRefused, inputs.Call]
    assert pictures[0].main is pictures[3].main, "what is named twice is read once"


def test_elements_with_fields_of_their_own() -> None:
    first, second = prepare_each(
        "zero-shot-object-detection",
        inputs=[{"image": PICTURE, "candidate_labels": ["cat"]}, {"image": PICTURE, "candidate_lables": ["cat"]}],
    )
    assert first.options == {"candidate_labels": ["cat"]}
    assert isinstance(second, InputRefused)
    (asked,) = prepare_each("document-question-answering", inputs=[{"image": PICTURE, "question": "How many?"}])
    assert asked.options == {"question": "How many?"}


def test_what_is_wrong_for_all_elements_is_told_once() -> None:
    with pytest.raises(OptionUnknown, match="Did you mean top_k"):
        prepare_each("text-classification", inputs=["good", "bad"], top_kk=2)
    with pytest.raises(InputRefused, match="both hold the input"):
        prepare_each("text-classification", inputs=["good"], text="bad")
    with pytest.raises(InputRefused, match="Send at most 10,000 at once"):
        prepare_each("text-classification", inputs=["good"] * 10_001)


def test_a_request_holds_so_many_pixels_and_not_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LIMIT_PIXELS", 2 * 640 * 480)
    calls = prepare_each("object-detection", url=[PICTURE] * 3)
    assert [type(call) for call in calls] == [inputs.Call, inputs.Call, InputRefused]
    assert "Send them in several requests" in str(calls[2])


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        ("text-generation", {"inputs": "a", "num_beams": 10**6}, r"num_beams=1000000 is more than 64.*Lower it"),
        ("text-generation", {"inputs": "a", "top_p": 10**30}, r"top_p holds a number of more than 18 digits"),
        ("text-generation", {"inputs": "a", "temperature": float("nan")}, r"temperature holds nan, which is no number"),
        ("text-generation", {"inputs": "a", "bad_words_ids": [[10**30]]}, r"holds a number of more than 18 digits"),
        ("text-generation", {"inputs": "half \ud800 a letter"}, r"holds half a letter"),
        ("fill-mask", {"inputs": "[MASK]", "tokenizer_kwargs": "x"}, r"tokenizer_kwargs must be a JSON object"),
        ("mask-generation", {"url": PICTURE, "points_per_crop": 10_000}, r"more than 64"),
        ("video-classification", {"url": "x", "num_frames": True}, r"num_frames=True is no whole number above 0"),
        ("automatic-speech-recognition", {"url": "x", "chunk_length_s": 1e-9}, r"no number of at least 1"),
        ("keypoint-matching", {"inputs": [PICTURE]}, r"between two pictures"),
        ("keypoint-matching", {"inputs": [[PICTURE, PICTURE], [PICTURE, PICTURE]]}, r"An address, a path"),
        ("image-text-to-text", {"images": PICTURE}, r"A picture needs a text"),
        (
            "document-question-answering",
            {"image": PICTURE, "question": "a", "word_boxes": [["a", [1, 2]]]},
            r"word_boxes",
        ),
        ("document-question-answering", {"image": PICTURE, "question": ["a"]}, r"A text is needed, not list"),
        ("document-question-answering", {"image": PICTURE, "question": "a", "lang": "eng -c x"}, r"lang must be"),
        ("image-text-to-text", {"images": PICTURE, "text": [{"role": "user", "content": "a"}]}, r"A text is needed"),
        ("decision", {"inputs": "no JSON"}, r"A decision needs a state and questions"),
        ("zero-shot-classification", {"inputs": "a", "candidate_labels": "b", "hypothesis_template": "{"}, r"one \{\}"),
        ("any-to-any", {"text": [], "max_new_tokens": 5}, r"an empty list"),
    ],
)
def test_what_asks_for_too_much_or_makes_no_sense(task: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputRefused, match=message):
        prepare(task, **fields)


@pytest.mark.parametrize(
    ("task", "fields", "message"),
    [
        (
            "image-text-to-text",
            {"generate_kwargs": {"custom_generate": "user/repository"}},
            "takes no 'custom_generate'",
        ),
        ("image-text-to-text", {"generate_kwargs": {"temperatur": 1}}, "Did you mean temperature"),
        ("image-text-to-text", {"temperature": 1}, r"Put it into generate_kwargs"),
        ("image-text-to-text", {"processor_kwargs": {"images": ["/etc/passwd"]}}, "settings only"),
        ("text-generation", {"compile_config": {}}, "settings only"),
        ("text-generation", {"assistant_early_exit": 1}, "settings only"),
        (
            "document-question-answering",
            {"image": PICTURE, "question": "a", "tesseract_config": "-c x"},
            "settings only",
        ),
    ],
)
def test_what_could_run_code_or_read_files_is_no_option(task: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionUnknown, match=message):
        prepare(task, **({} if "image" in fields else {"text": "What is this?"}), **fields)


def test_a_chat_of_texts_is_one_of_texts_alone() -> None:
    """Where the library would follow what a message names."""
    for task in ("text-generation", "text-to-audio"):
        assert prepare(task, inputs=[{"role": "user", "content": [{"type": "text", "text": "a"}]}]).main
        for content in (
            [{"type": "audio", "url": "/etc/passwd"}],
            [{"type": "text", "text": "a", "url": "b"}],
            None,
            [],
            5,
        ):
            with pytest.raises(InputRefused, match="A message needs a role and a"):
                prepare(task, inputs=[{"role": "user", "content": content}])


def test_nothing_of_the_request_is_written_into() -> None:
    given = {"max_new_tokens": 10**5}
    prepare("image-text-to-text", text="What?", generate_kwargs=given).options["generate_kwargs"]["a"] = 1
    assert given == {"max_new_tokens": 10**5}


def test_free_parameters_hold_no_path() -> None:
    with pytest.raises(InputRefused, match=r"takes no 'voice_preset' of this kind"):
        prepare("text-to-audio", inputs="hello", preprocess_params={"voice_preset": "../../etc/voices.npz"})
    with pytest.raises(InputRefused, match=r"takes no 'trust_remote_code'"):
        prepare("text-to-audio", inputs="hello", forward_params={"trust_remote_code": True})
    prepare("text-to-audio", inputs="hello", forward_params={"speaker_id": 1, "speaker_embeddings": [0.1, 0.2]})
