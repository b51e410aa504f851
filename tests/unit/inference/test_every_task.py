"""Every task that transformers registers, with a tiny model, as an item runs it: opened, asked, and its answer told.

The outputs are those of the plain transformers pipeline with the same model, asked with plain arrays and pictures.
"""

import base64
import io
import json
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tiny_media
import tiny_models
from inference import pipeline, suppression
from inference.answer import Answer, json_safe
from unit.inference.local_server import Reply, Server

PICTURE = "/irisdev/app/misc/000000039769.jpg"
LINE = tiny_models.LINES[0]
DECISION = {
    "state": LINE,
    "questions": {
        "refund": {"type": "noul", "instructions": "Is a refund requested?"},
        "tone": {"type": "choice", "instructions": "What is the tone?", "criteria": {"calm": None, "angry": "shouts"}},
    },
}
TABLE = {"city": ["Rome", "Oslo"], "people": ["2800000", "700000"]}
WORDS = [["Total", [10, 20, 90, 40]], ["price", [100, 20, 190, 40]]]
TALKING = [
    {"role": "user", "content": [{"type": "audio", "audio": "SOUND"}, {"type": "text", "text": "What do you hear?"}]}
]


def picture() -> Image.Image:
    with Image.open(tiny_models.PICTURE) as opened:
        return opened.convert("RGB")


def samples() -> Any:
    import soundfile

    return soundfile.read(io.BytesIO(tiny_media.sound()), dtype="float32")[0]


@dataclass(frozen=True)
class Case:
    """One task: its tiny model, a request (SOUND and FILM stand for theirs), and how the plain pipeline is asked."""

    model: str
    request: dict[str, Any]
    plain: Callable[[Any], Any] | None
    shows: tuple[int, ...] = ()
    """The widths of the pictures in the answer."""
    parts: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    same: Callable[[Any], Any] = lambda output: output
    """What is compared of the two outputs."""


CASES = {
    "any-to-any": Case(
        "qwen2-audio",
        {"text": TALKING, "max_new_tokens": 4, "return_full_text": False},
        lambda plain: plain(
            [{**TALKING[0], "content": [{"type": "audio", "audio": samples()}, TALKING[0]["content"][1]]}],
            max_new_tokens=4,
            return_full_text=False,
        ),
        same=lambda output: [one["generated_text"] for one in output],
    ),
    "audio-classification": Case("wav2vec2-classifier", {"url": "SOUND"}, lambda plain: plain(samples())),
    "automatic-speech-recognition": Case(
        "wav2vec2-ctc",
        {"inputs": "SOUND", "return_timestamps": "char"},
        lambda plain: plain(samples(), return_timestamps="char"),
    ),
    "decision": Case("gpt2-chat", {"inputs": DECISION}, lambda plain: plain(DECISION)),
    "depth-estimation": Case(
        "dpt",
        {"url": PICTURE},
        lambda plain: plain(picture()),
        shows=(1288, 640),
        parts=("application/x-npy",),
        same=lambda output: sorted(output),
    ),
    "document-question-answering": Case(
        "layoutlm",
        {"image": PICTURE, "question": "What is the price?", "word_boxes": WORDS},
        lambda plain: plain(picture(), "What is the price?", word_boxes=[tuple(one) for one in WORDS]),
    ),
    "feature-extraction": Case("bert-classifier", {"inputs": LINE}, lambda plain: plain(LINE)),
    "fill-mask": Case(
        "bert-base-uncased",
        {"inputs": "George Washington lived in [MASK].", "top_k": 3},
        lambda plain: plain("George Washington lived in [MASK].", top_k=3),
    ),
    "image-classification": Case("vit", {"url": PICTURE, "top_k": 2}, lambda plain: plain(picture(), top_k=2)),
    "image-feature-extraction": Case("vit", {"url": PICTURE}, lambda plain: plain(picture())),
    "image-segmentation": Case(
        "detr-resnet-50-panoptic",
        {"url": PICTURE, "threshold": 0.5},
        lambda plain: plain(picture(), threshold=0.5),
        shows=(640, 640, 640, 640),
        same=lambda output: [(one["label"], one["score"]) for one in output],
    ),
    "image-text-to-text": Case(
        "llava",
        {"images": PICTURE, "text": "<image> What is this?", "max_new_tokens": 4},
        lambda plain: plain(picture(), text="<image> What is this?", max_new_tokens=4),
    ),
    "keypoint-matching": Case(
        "superglue", {"inputs": [PICTURE, PICTURE]}, lambda plain: plain([picture(), picture()]), shows=(1288,)
    ),
    # Without torchvision the plain pipeline cannot thin out its masks; ours can, see `test_masks_...` below.
    "mask-generation": Case(
        "sam",
        {"url": PICTURE, "points_per_crop": 4, "pred_iou_thresh": -100.0, "stability_score_thresh": 0.0},
        None,
        shows=(640, 640),
    ),
    "object-detection": Case("detr-resnet-50", {"url": PICTURE}, lambda plain: plain(picture()), shows=(640,)),
    "table-question-answering": Case(
        "tapas",
        {"table": TABLE, "query": "Which city is first?"},
        lambda plain: plain({"table": dict(TABLE), "query": "Which city is first?"}),
    ),
    "text-classification": Case(
        "bert-classifier", {"inputs": LINE, "top_k": None}, lambda plain: plain(LINE, top_k=None)
    ),
    "text-generation": Case(
        "gpt2-chat", {"inputs": LINE, "max_new_tokens": 6}, lambda plain: plain(LINE, max_new_tokens=6)
    ),
    "text-to-audio": Case(
        "vits",
        {"text_inputs": "hello there"},
        lambda plain: plain("hello there"),
        parts=("audio/wav",),
        same=lambda output: output["sampling_rate"],
    ),
    "token-classification": Case(
        "camembert-ner",
        {"inputs": "George Washington lived in washington", "aggregation_strategy": "simple"},
        lambda plain: plain("George Washington lived in washington", aggregation_strategy="simple"),
    ),
    "video-classification": Case("videomae", {"url": "FILM", "top_k": 2}, lambda plain: plain("FILM", top_k=2)),
    "zero-shot-audio-classification": Case(
        "clap",
        {"url": "SOUND", "candidate_labels": ["a dog", "a bell"]},
        lambda plain: plain(samples(), candidate_labels=["a dog", "a bell"]),
    ),
    "zero-shot-classification": Case(
        "bert-nli",
        {"inputs": LINE, "candidate_labels": "politics, food"},
        lambda plain: plain(LINE, candidate_labels=["politics", "food"]),
    ),
    "zero-shot-image-classification": Case(
        "clip",
        {"url": PICTURE},
        lambda plain: plain(picture(), candidate_labels=["cat", "dog"]),
        settings={"candidate_labels": "cat,dog"},
    ),
    "zero-shot-object-detection": Case(
        "owlvit",
        {"url": PICTURE, "candidate_labels": ["cat", "dog"], "threshold": 0.0, "top_k": 5},
        lambda plain: plain(picture(), candidate_labels=["cat", "dog"], threshold=0.0, top_k=5),
        shows=(640,),
    ),
}
ALIASES = {
    "ner": "token-classification",
    "sentiment-analysis": "text-classification",
    "text-to-speech": "text-to-audio",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the tiny models; each is built when it is first asked for."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path_factory.mktemp("every")
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def allowed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(root))


def folder_of(root: Path, kind: str) -> Path:
    return root / kind if (root / kind).exists() else tiny_models.build(kind, root / kind)


def filled(value: Any, root: Path) -> Any:
    """`value` with the paths of a sound and a film where they are named."""
    if value in ("SOUND", "FILM"):
        file = root / ("sound.wav" if value == "SOUND" else "film.mp4")
        file.exists() or file.write_bytes(tiny_media.sound() if value == "SOUND" else tiny_media.film())
        return str(file)
    if isinstance(value, list):
        return [filled(one, root) for one in value]
    return {name: filled(part, root) for name, part in value.items()} if isinstance(value, dict) else value


def asked(root: Path, task: str, case: Case, request: dict[str, Any] | None = None) -> Answer:
    import torch

    folder = folder_of(root, case.model)
    model = pipeline.open(case.model, task, path=str(folder.parent), options=case.settings)
    torch.manual_seed(0)
    answer = pipeline.run(model, filled(request or case.request, root))
    pipeline.close(model)
    json.dumps(answer.output, allow_nan=False)
    return answer


def test_the_table_is_whole() -> None:
    from transformers.pipelines import PIPELINE_REGISTRY

    assert {*CASES, *ALIASES} == set(PIPELINE_REGISTRY.get_supported_tasks())


@pytest.mark.parametrize("task", [*CASES, *ALIASES])
def test_a_task(root: Path, task: str) -> None:
    case = CASES[ALIASES.get(task, task)]
    answer = asked(root, task, case)
    assert tuple(shown.width for shown in answer.images) == case.shows
    for shown in answer.images:
        with Image.open(io.BytesIO(shown.data)) as opened:
            assert (opened.format, shown.media_type, opened.size) == ("PNG", "image/png", (shown.width, shown.height))
    assert tuple(part.media_type for part in answer.parts) == case.parts
    if case.plain is not None:
        assert case.same(answer.output) == approximately(case.same(plainly(root, task, case)))


def plainly(root: Path, task: str, case: Case) -> Any:
    """What the transformers pipeline gives to the same model."""
    import torch
    from transformers import pipeline as plain

    made = plain(task, model=str(folder_of(root, case.model)))
    torch.manual_seed(0)
    filled("FILM", root)
    ask = case.plain
    assert ask is not None
    output = ask(_WithFilm(made, str(root / "film.mp4")) if case.request.get("url") == "FILM" else made)
    return json_safe(output, lambda image: {"picture": image.size})


@dataclass
class _WithFilm:
    plain: Any
    film: str

    def __call__(self, _: str, **options: Any) -> Any:
        return self.plain(self.film, **options)


def approximately(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: approximately(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(approximately(part) for part in value)
    return pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value


def test_depth_comes_as_numbers_and_as_a_picture(root: Path) -> None:
    import gzip

    import numpy as np

    answer = asked(root, "depth-estimation", CASES["depth-estimation"])
    assert answer.output == {
        "predicted_depth": {"part": 0, "shape": [480, 640], "dtype": "float32"},
        "depth": {"picture": 1},
    }
    depth = np.load(io.BytesIO(gzip.decompress(answer.parts[0].data)))
    from transformers import pipeline as plain

    expected = plain("depth-estimation", model=str(root / "dpt"))(picture())["predicted_depth"]
    assert np.allclose(depth, expected.numpy(), atol=1e-4)


def test_speech_comes_as_a_wav_file(root: Path) -> None:
    answer = asked(root, "text-to-speech", CASES["text-to-audio"])
    with wave.open(io.BytesIO(answer.parts[0].data)) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        assert answer.output == {
            "audio": {"part": 0, "seconds": pytest.approx(file.getnframes() / 16_000, abs=0.001)},
            "sampling_rate": 16_000,
        }


def test_masks_are_thinned_out_without_torchvision(root: Path) -> None:
    import torch
    from transformers import pipeline as plain
    from transformers.utils import is_torchvision_available

    case = CASES["mask-generation"]
    if not is_torchvision_available():
        with pytest.raises(ImportError, match="Torchvision"):
            plain("mask-generation", model=str(folder_of(root, case.model)))(picture(), points_per_crop=4)
    answer = asked(root, "mask-generation", case, {**case.request, "crops_nms_thresh": 1.0, "output_bboxes_mask": True})
    assert len(answer.output["masks"]) == len(answer.output["scores"]) == len(answer.output["bounding_boxes"]) > 1
    assert [mask["picture"] for mask in answer.output["masks"]] == list(range(1, len(answer.images)))
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10]])
    scores = torch.tensor([0.5, 0.9, 0.1, 0.5])
    assert suppression.best(boxes, scores, 0.7) == [1, 2]
    assert suppression.best(boxes, scores, 0.9) == [1, 0, 2]
    assert suppression.best(boxes, scores, 1.0) == [1, 0, 3, 2]
    assert suppression.best(boxes[:0], scores[:0], 0.7) == []


def test_speech_that_is_generated_from_speech(root: Path) -> None:
    """A sequence-to-sequence model too, at its own rate, from a file with another and two channels."""
    case = Case("whisper", {"inputs": "x"}, None)
    sound = base64.b64encode(tiny_media.sound(rate_hz=44_100, channels=2)).decode()
    text = asked(root, "automatic-speech-recognition", case, {"inputs": sound}).output["text"]
    assert text == asked(root, "automatic-speech-recognition", case, {"inputs": "SOUND"}).output["text"]
    answer = asked(
        root, "automatic-speech-recognition", case, {"inputs": "SOUND", "generate_kwargs": {"max_new_tokens": 10**5}}
    )
    assert answer.note == "max_new_tokens was lowered from 100000 to 60, the most for this model."


@pytest.mark.parametrize(
    ("task", "content"),
    [
        ("image-classification", lambda: tiny_models.PICTURE.read_bytes()),
        ("audio-classification", tiny_media.sound),
        ("video-classification", tiny_media.film),
    ],
)
def test_every_form_of_an_input(
    root: Path, server: Server, monkeypatch: pytest.MonkeyPatch, task: str, content: Callable[[], bytes]
) -> None:
    """An address, a path, a data URI, base64, and a list of them all are answered alike."""
    data = content()
    monkeypatch.setenv("EVERGREEN_ALLOW_PRIVATE_URLS", "1")
    server.answer = lambda request: Reply(200, data)
    file = root / f"{task}.bin"
    file.write_bytes(data)
    plain = base64.b64encode(data).decode()
    forms = [f"{server.url}/it?size=2", str(file), f"data:application/octet-stream;base64,{plain}", plain]
    case = CASES[task]
    answers = [asked(root, task, case, {"url": form, "top_k": 2}).output for form in forms]
    assert all(answer == approximately(answers[0]) for answer in answers)
    together = asked(root, task, case, {"inputs": [*forms, "/etc/passwd"], "top_k": 2})
    assert together.output[:4] == approximately(answers)
    assert set(together.output[4]) == {"error"}
    assert together.note == "1 of 5 elements failed; each tells why at its place."
