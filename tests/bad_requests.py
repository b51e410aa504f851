"""Requests to models that nobody would send, for every task: wrong types, huge numbers, broken pictures, foreign paths.

    for request in generated(5_000, seed=1):
        ...request.task, request.kind, request.fields

The same seed gives the same requests. `GOOD` holds for each task a model, its settings and a request that is answered.
"""

import base64
import functools
import io
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import tiny_media
import tiny_models

PICTURE = "/irisdev/app/misc/000000039769.jpg"
LINE = tiny_models.LINES[0]
_DECISION = {"state": LINE, "questions": {"refund": {"type": "noul", "instructions": "Is a refund requested?"}}}


def data_uri(data: bytes, media_type: str = "application/octet-stream") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@functools.cache
def sound() -> str:
    return data_uri(tiny_media.sound(), "audio/wav")


@functools.cache
def film() -> str:
    return data_uri(tiny_media.film(), "video/mp4")


def _talk(kind: str, reference: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": kind, kind: reference}, {"type": "text", "text": "What is this?"}]}]


GOOD: dict[str, tuple[str, dict[str, Any], Callable[[], dict[str, Any]]]] = {
    "any-to-any": ("qwen2-audio", {}, lambda: {"text": _talk("audio", sound()), "max_new_tokens": 2}),
    "audio-classification": ("wav2vec2-classifier", {}, lambda: {"url": sound()}),
    "automatic-speech-recognition": ("whisper", {}, lambda: {"inputs": sound()}),
    "decision": ("gpt2-chat", {}, lambda: {"inputs": _DECISION}),
    "depth-estimation": ("dpt", {}, lambda: {"url": small_picture()}),
    "document-question-answering": (
        "layoutlm",
        {},
        lambda: {"image": small_picture(), "question": "What?", "word_boxes": [["Total", [10, 20, 90, 40]]]},
    ),
    "feature-extraction": ("bert-classifier", {}, lambda: {"inputs": LINE}),
    "fill-mask": ("bert-base-uncased", {}, lambda: {"inputs": "George lived in [MASK]."}),
    "image-classification": ("vit", {}, lambda: {"url": small_picture()}),
    "image-feature-extraction": ("vit", {}, lambda: {"url": small_picture()}),
    "image-segmentation": ("detr-resnet-50-panoptic", {}, lambda: {"url": small_picture()}),
    "image-text-to-text": (
        "llava",
        {},
        lambda: {"images": small_picture(), "text": "<image> What is this?", "max_new_tokens": 2},
    ),
    "keypoint-matching": ("superglue", {}, lambda: {"inputs": [small_picture(), small_picture()]}),
    "mask-generation": ("sam", {}, lambda: {"url": small_picture(), "points_per_crop": 2}),
    "object-detection": ("detr-resnet-50", {}, lambda: {"url": small_picture()}),
    "table-question-answering": ("tapas", {}, lambda: {"table": {"city": ["Rome", "Oslo"]}, "query": "Which?"}),
    "text-classification": ("bert-classifier", {}, lambda: {"inputs": LINE}),
    "text-generation": ("gpt2", {}, lambda: {"text_inputs": LINE, "max_new_tokens": 2}),
    "text-to-audio": ("vits", {}, lambda: {"text_inputs": "hello"}),
    "token-classification": ("camembert-ner", {"aggregation_strategy": "simple"}, lambda: {"inputs": LINE}),
    "video-classification": ("videomae", {"top_k": 2}, lambda: {"url": film()}),
    "zero-shot-audio-classification": ("clap", {"candidate_labels": "dog,bell"}, lambda: {"url": sound()}),
    "zero-shot-classification": ("bert-nli", {}, lambda: {"inputs": LINE, "candidate_labels": "food,politics"}),
    "zero-shot-image-classification": ("clip", {"candidate_labels": "cat,dog"}, lambda: {"url": small_picture()}),
    "zero-shot-object-detection": (
        "owlvit",
        {},
        lambda: {"url": small_picture(), "candidate_labels": ["cat", "dog"]},
    ),
}


@functools.cache
def small_picture() -> str:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(tiny_models.PICTURE) as picture:
        picture.resize((96, 64)).save(buffer, "JPEG")
    return data_uri(buffer.getvalue(), "image/jpeg")


@dataclass(frozen=True)
class Request:
    """`kind` says in a word what is wrong with it; `good` requests are in between, to see that they are answered."""

    task: str
    kind: str
    fields: dict[str, Any]


def generated(count: int, seed: int) -> Iterator[Request]:
    """`count` requests over all tasks, every twentieth a good one."""
    dice = random.Random(seed)
    tasks = list(GOOD)
    kinds = list(_SPOILT)
    for number in range(count):
        task = tasks[number % len(tasks)]
        fields = GOOD[task][2]()
        kind = "good" if number // len(tasks) % 20 == 0 else kinds[dice.randrange(len(kinds))]
        yield Request(task, kind, fields if kind == "good" else _SPOILT[kind](dice, task, fields))


def _main(fields: dict[str, Any]) -> str:
    return next(iter(fields))


def _wrong_type(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    name = dice.choice(list(fields))
    return {**fields, name: dice.choice(_rubbish(dice))}


def _nested(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    value: Any = dice.choice([fields[_main(fields)], None, {}, [], 1])
    for _ in range(dice.choice([1, 2, 3, 50, 500])):
        value = [value] if dice.random() < 0.5 else {dice.choice(["text", "inputs", "image", "url", "role", ""]): value}
    return {**fields, _main(fields): value}


def _long_list(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    value = fields[_main(fields)]
    elements = [
        dice.choice([value, "", None, 7, {}, "[MASK]", "/etc/passwd"]) for _ in range(dice.choice([0, 1, 2, 5]))
    ]
    return {**fields, _main(fields): elements}


def _letters(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    texts = ["", " \n\t", "\0", "\ud800", "🙂" * 300, "\u202eabc", "a\u0301" * 500, "﷽" * 50, "bad " * 3_000, "x" * 50_000,
             "".join(chr(dice.randrange(1, 0xD7FF)) for _ in range(200)), "{{ 7 * 7 }}", "<|im_end|>", "[MASK]" * 200,
             "<image>" * 9, "<|AUDIO|>", "<s></s><pad>", "'; DROP TABLE x; --", "%s%n", "{}", "{0.__class__}"]  # fmt: skip
    names = [name for name, value in fields.items() if isinstance(value, str)] or [_main(fields)]
    return {**fields, dice.choice(names): dice.choice(texts)}


def _places(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    places = ["/etc/passwd", "/irisdev/app/../../etc/passwd", "/irisdev/app/src/python/bo.py", "~/.ssh/id_rsa", "C:\\x.jpg",
              "/dev/zero", "/proc/self/environ", "/irisdev/app/misc", "/irisdev/app/misc/none.jpg", "a\0b.jpg", "x" * 5_000,
              "http://127.0.0.1:1/x", "http://169.254.169.254/latest/meta-data", "http://[::1]/", "http://0/", "https://10.0.0.1/",
              "http://localhost/x.jpg", "file:///etc/passwd", "ftp://host/x", "gopher://x", "http://", "http:///x", "http://a b/",
              "http://[::1", "http://127.1:99999/", "data:", "data:,", "data:image/png;base64,", "data:image/png;base64,????",
              "data:image/png;base64,AAAA", "//evil/x.jpg", "\\\\evil\\x.jpg"]  # fmt: skip
    place: Any = dice.choice(places)
    kind = dice.choice(["image", "audio", "video", "image_url"])
    forms = [place, [place, place], {"image": place}, {"url": place}, _talk(kind, place), [_talk(kind, place)],
             {"state": place, "questions": {}, "assets": {"a": dice.choice([place, {"data_base64": place}])}}]  # fmt: skip
    return {**fields, dice.choice([_main(fields), "url", "image", "images", "audio"]): dice.choice(forms)}


def _broken_media(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    reference = dice.choice([small_picture(), sound(), film(), *_other_files()])
    data = bytearray(base64.b64decode(reference.partition(",")[2]))
    way = dice.randrange(5)
    if way == 0:
        data = data[: dice.randrange(len(data))]
    elif way == 1:
        for _ in range(dice.choice([1, 10, 200])):
            data[dice.randrange(len(data))] = dice.randrange(256)
    elif way == 2:
        for place in range(8, min(64, len(data))):
            data[place] = dice.choice([0, 255, data[place]])
    elif way == 3:
        data = bytearray(data[:16] + dice.randbytes(400))
    names = [name for name, value in fields.items() if isinstance(value, str) and value.startswith("data:")]
    return {**fields, dice.choice(names or [_main(fields)]): data_uri(bytes(data))}


@functools.cache
def _other_files() -> list[str]:
    from PIL import Image

    files = []
    for kind in ("PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"):
        buffer = io.BytesIO()
        Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(buffer, kind)
        files.append(data_uri(buffer.getvalue()))
    files += [data_uri(tiny_media.sound(kind=kind)) for kind in ("FLAC", "OGG", "MP3")]
    files += [data_uri(tiny_media.film(kind=kind)) for kind in ("matroska", "avi")]
    return [*files, data_uri(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n"), data_uri(b"ffconcat version 1.0\n")]


def _wrong_option(dice: random.Random, task: str, fields: dict[str, Any]) -> dict[str, Any]:
    from inference import tasks

    known = sorted(tasks.lookup(task).call_options)
    name = dice.choice(known)
    value = dice.choice(_rubbish(dice) if dice.random() < 0.7 else [0, 1, 2, True, 0.5, "true", [], {}])
    if dice.random() < 0.25:
        place = dice.randrange(len(name) + 1)
        name = name[:place] + dice.choice("abcx_") + name[place + dice.randrange(2) :]
    return {**fields, name: value}


def _odd_options(dice: random.Random, task: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Several options at once that exist, with values of the right kind."""
    from inference import tasks

    known = sorted(tasks.lookup(task).call_options - set(fields))
    chosen = dice.sample(known, k=min(len(known), dice.choice([1, 2, 4])))
    values = [0, 1, 2, 3, 0.0, 0.5, 1.0, True, False, "word", "simple", ["a"], [1, 2], {"a": 1}]
    return {**fields, **{name: dice.choice(values) for name in chosen}}


def _injected(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    inner = dice.choice([
        {"custom_generate": "user/repository", "trust_remote_code": True}, {"images": ["/etc/passwd"]}, {"max_length": 10**9},
        {"streamer": "x"}, {"assistant_model": "gpt2"}, {"chat_template": "{{ 7 * 7 }}"}, {"num_beams": 10**9}, {"self": 1},
        {"padding": "max_length", "max_length": 10**6}, {"return_tensors": "np"}, {"size": {"height": 10**5, "width": 10**5}},
        {"voice_preset": "../../etc/x.npz"}, {"": 0}, {"__class__": "x"}, {"max_new_tokens": 10**9}, {"generation_config": {}},
    ])  # fmt: skip
    option = dice.choice(["generate_kwargs", "tokenizer_kwargs", "tokenize_kwargs", "processor_kwargs", "forward_params",
                          "preprocess_params", "image_processor_kwargs", "tokenizer_encode_kwargs", "model_kwargs"])  # fmt: skip
    return {**fields, option: inner}


def _missing(dice: random.Random, _: str, fields: dict[str, Any]) -> dict[str, Any]:
    dropped = dice.choice(list(fields))
    rest = {name: value for name, value in fields.items() if name != dropped}
    return dice.choice([rest, {}, {**fields, "inputs": "x", "text": "y"}, {**fields, dropped: None}, {"": fields}])


def _rubbish(dice: random.Random) -> list[Any]:
    return [
        None, True, False, 0, -1, 7, 10**9, -(10**9), 10**20, 10**400, 1e308, -0.0, float("nan"), float("inf"), "", " ", "x",
        "true", "null", "5", "-1", [], [[]], [None], [1, 2, 3], ["a", 1], {}, {"a": 1}, {"": None}, {"role": "user"},
        [{"role": "user"}], [{"role": None, "content": None}], [{"role": "user", "content": [{"type": "image"}]}],
        {"text": "a", "text_pair": "b"}, {"text": 5}, {"array": [0.1], "sampling_rate": 0}, {"array": "x", "sampling_rate": 1},
        {"table": [], "query": ""}, {"state": "x", "questions": "y"}, {"state": "x", "questions": {"a": {"type": "choice"}}},
        ["x"] * 40, list(range(1_000)), "x" * 100_000, dice.random() * 10**12, dice.randbytes(20).hex(),
    ]  # fmt: skip


_SPOILT: dict[str, Callable[[random.Random, str, dict[str, Any]], dict[str, Any]]] = {
    "wrong type": _wrong_type,
    "nested": _nested,
    "list": _long_list,
    "letters": _letters,
    "place": _places,
    "broken media": _broken_media,
    "wrong option": _wrong_option,
    "odd options": _odd_options,
    "injected": _injected,
    "missing": _missing,
}
