"""What a pipeline gives becomes an answer: JSON, pictures, and parts for what is too large or no JSON at all."""

import gzip
import io
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from inference import drawing, outcome, tasks
from inference.answer import Answer
from inference.errors import InputRefused, PipelineFailed
from inference.inputs import Call


def compose(task: str, output: Any, main: Any = "text", notes: tuple[str, ...] = ()) -> Answer:
    answer = outcome.compose(tasks.lookup(task), [Call(main, {}, [])], [output], notes, many=False)
    json.dumps(answer.output, allow_nan=False)
    return answer


def unpacked(answer: Answer, number: int) -> Any:
    part = answer.parts[number]
    assert (part.media_type, part.encoding) == ("application/json", "gzip")
    return json.loads(gzip.decompress(part.data))


def test_what_is_small_stays() -> None:
    answer = compose("text-classification", [{"label": "good", "score": np.float32(0.5)}], notes=("A note.",))
    assert answer == Answer([{"label": "good", "score": 0.5}], (), "A note.", ())


def test_what_is_large_is_put_aside_and_its_neighbours_stay() -> None:
    rows = [[float(row)] * 60_000 for row in range(6)]
    answer = compose("feature-extraction", {"name": "x", "rows": rows, "few": [1.0]})
    assert answer.output["name"] == "x"
    assert answer.output["few"] == [1.0]
    assert answer.output["rows"] == {"part": 0, "bytes": len(json.dumps(rows))}
    assert unpacked(answer, 0) == rows
    assert answer.parts[0].title == "A list of 6"
    long = compose("text-generation", [{"generated_text": "a" * 1_500_000}, {"generated_text": "b"}])
    assert long.output[0]["generated_text"]["part"] == 0
    assert long.output[1] == {"generated_text": "b"}
    assert unpacked(long, 0) == "a" * 1_500_000


def test_many_middling_elements_go_together() -> None:
    answer = compose("text-generation", ["x" * 300_000] * 5)
    assert set(answer.output) == {"part", "bytes"}
    assert unpacked(answer, 0) == ["x" * 300_000] * 5


@pytest.mark.parametrize("kind", [np.zeros((200, 200), dtype=np.float32), torch.ones(3, 10_000, dtype=torch.bfloat16)])
def test_large_arrays_keep_their_numbers(kind: Any) -> None:
    answer = compose("feature-extraction", {"vectors": kind, "few": kind[:2, :2]})
    assert answer.output["few"] == kind[:2, :2].tolist()
    assert answer.output["vectors"] == {"part": 0, "shape": list(kind.shape), "dtype": "float32"}
    array = np.load(io.BytesIO(gzip.decompress(answer.parts[0].data)))
    assert np.array_equal(array, np.asarray(kind.float() if isinstance(kind, torch.Tensor) else kind))


def test_what_is_too_large_even_so_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "LIMIT_PART_BYTES", 1_000)
    answer = compose("feature-extraction", {"vectors": np.random.default_rng(0).random((300, 300))})
    assert answer.output["vectors"]["left_out"] == "An array of 300 x 300 numbers"
    assert "was left out. Ask for less at once" in answer.note
    assert answer.parts == ()


def test_numbers_that_are_none_and_letters_that_are_half() -> None:
    answer = compose("text-generation", {"score": float("nan"), "text": "half \ud800", "all": np.array([np.inf, 1.0])})
    assert answer.output == {"score": None, "text": "half ?", "all": [None, 1.0]}


def test_a_list_with_errors() -> None:
    calls = [Call("a", {}, ["A text was cut."]), InputRefused("It is empty. Send one."), Call("c", {}, [])]
    outputs = [[{"label": "good"}], None, PipelineFailed("It failed. Check it.")]
    answer = outcome.compose(tasks.lookup("text-classification"), calls, outputs, ["Untrained."], many=True)
    assert answer.output == [
        [{"label": "good"}],
        {"error": "It is empty. Send one."},
        {"error": "It failed. Check it."},
    ]
    assert answer.note == ("Untrained. 2 of 3 elements failed; each tells why at its place. Element 0: A text was cut.")


def test_nothing_found_is_said_for_the_element_it_concerns() -> None:
    picture = Image.new("RGB", (64, 48))
    found = [{"label": "cat", "score": 0.9, "box": {"xmin": 1, "ymin": 1, "xmax": 9, "ymax": 9}}]
    calls: list[Any] = [Call(picture, {}, []), Call(picture, {}, [])]
    answer = outcome.compose(tasks.lookup("object-detection"), calls, [found, []], [], many=True)
    assert answer.note == "Element 1: Nothing was found above the threshold; a lower threshold shows more."
    assert [shown.title for shown in answer.images] == ["Detections: cat", "Detections: nothing found"]


def test_several_sounds_of_a_model_that_answers_with_any_of_them() -> None:
    output = [{"generated_audio": torch.zeros(1, 24_000), "input_text": "x"}]
    answer = compose("any-to-any", output)
    assert answer.output == [{"generated_audio": {"part": 0, "seconds": 1.0}, "input_text": "x"}]
    assert answer.parts[0].media_type == "audio/wav"


def test_the_pictures_of_a_chat_are_not_sent_back() -> None:
    part = {"type": "image", "image": Image.new("RGB", (64, 48))}
    answer = compose("image-text-to-text", [{"input_text": [{"role": "user", "content": [part]}]}])
    assert answer.images == ()
    assert answer.output[0]["input_text"][0]["content"] == [{"type": "image", "image": "as in the request"}]


def test_depth_and_matches_are_drawn_beside_each_other() -> None:
    picture = Image.new("RGB", (640, 480), (90, 90, 90))
    ramp = Image.linear_gradient("L").resize((640, 480))
    depth = drawing.depth(picture, ramp)
    assert depth.size == (1288, 480)
    near, far = depth.getpixel((1000, 4)), depth.getpixel((1000, 475))
    assert sum(near) < sum(far), "what is low is dark"  # type: ignore[arg-type]
    matches = [{"keypoint_image_0": {"x": 10, "y": 10}, "keypoint_image_1": {"x": 600, "y": 400}, "score": 0.5}] * 300
    drawn = drawing.matches(picture, picture, matches)
    assert drawn.getpixel((10, 10)) != (90, 90, 90)
    assert drawn.getpixel((648 + 600, 400)) != (90, 90, 90)
    assert drawing.matches(picture, Image.new("RGB", (64, 96)), []).size == (640 + 8 + 320, 480)
