"""Inputs to calibrate a backend with, and others to judge it by: texts of this project or of the operator, pictures."""

import csv
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import paths
from inference import rows
from inference.errors import OptionUnknown
from inference.tasks import Task

CALIBRATING, JUDGING = 128, 400
"""How many texts calibrate, and how many others judge."""

_PICTURES = 48
_WIDEST_CROP = 0.9
_LABELS = ["two cats", "a dog", "a bowl of fruit", "people in a street", "something else"]
_TOKENS = 1024


def texts(calibration: str) -> tuple[list[str], list[str]]:
    """Texts to calibrate with and others to judge by: from the file `calibration`, or this project's own reviews.

    A `.csv` file gives its longest column, any other one text a line. Raises `OptionUnknown` if there are too few.
    """
    file = source(calibration)
    try:
        found = _column(file) if file.suffix == ".csv" else file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OptionUnknown(
            f"The texts to calibrate with cannot be read from {file} ({error}). Set calibration to a file with a text "
            "on each line."
        ) from error
    found = list(dict.fromkeys(text.strip() for text in found if text.strip()))
    if len(found) < 20:
        raise OptionUnknown(f"{file} holds {len(found)} different texts; at least 20 are needed. Add some.")
    rng = random.Random(5)  # noqa: S311 - not for secrets
    rng.shuffle(found)
    half = len(found) // 2
    if calibration:
        return found[:half][:CALIBRATING], found[half:][:JUDGING]
    # The reviews are short; joined by two and three they cover the lengths that people write.
    return list(_joined(found[:half], CALIBRATING, rng)), list(_joined(found[half:], JUDGING, rng))


def source(calibration: str) -> Path:
    """The file that `texts` reads."""
    return paths.from_container(calibration) if calibration else paths.project_root() / "misc" / "reviews.csv"


def _joined(found: list[str], count: int, rng: random.Random) -> Iterator[str]:
    for _ in range(count):
        yield " ".join(rng.sample(found, rng.choice((1, 1, 2, 2, 3, 5))))


def _column(file: Path) -> list[str]:
    with file.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in csv.reader(stream) if line][1:]
    widest = max(range(len(lines[0])), key=lambda place: sum(len(line[place]) for line in lines[:100])) if lines else 0
    return [line[widest] for line in lines if len(line) > widest]


def of_texts(pipeline: Any, task: Task, given: list[str]) -> list[dict[str, Any]]:
    """The model's inputs for these texts; those that the model could not read are left out."""
    names = pipeline.tokenizer.model_input_names
    before = dict(pipeline._preprocess_params)
    if task.name == "zero-shot-classification":
        before.setdefault("candidate_labels", ["good", "bad"])
    made = []
    for text in given:
        if task.name == "fill-mask":
            words = text.split()
            words[len(words) // 2] = pipeline.tokenizer.mask_token
            text = " ".join(words)
        pieces = pipeline.preprocess(text, **before)
        for piece in [pieces] if isinstance(pieces, Mapping) else list(pieces):
            inputs = {name: piece[name] for name in names if name in piece}
            if inputs["input_ids"].shape[1] <= min(pipeline.tokenizer.model_max_length, _TOKENS):
                made.append(inputs)
    return made


def of_pictures(pipeline: Any, task: Task) -> list[dict[str, Any]]:
    """The model's inputs for crops of the pictures in `misc/`, with labels in words where the model takes such."""
    from PIL import Image

    before = dict(pipeline._preprocess_params)
    if task.name == "zero-shot-image-classification":
        before.setdefault("candidate_labels", _LABELS)

    rng = random.Random(5)  # noqa: S311 - not for secrets
    files = [file for file in sorted((paths.project_root() / "misc").iterdir()) if file.suffix in (".jpg", ".png")]
    made = []
    for place in range(_PICTURES if files else 0):
        with Image.open(files[place % len(files)]) as picture:
            share = rng.uniform(0.2, _WIDEST_CROP)
            width, height = int(picture.width * share), int(picture.height * share)
            left, top = rng.randint(0, picture.width - width), rng.randint(0, picture.height - height)
            crop = picture.convert("RGB").crop((left, top, left + width, top + height))
        inputs = dict(pipeline.preprocess(crop, **before))
        if "text_inputs" in inputs:
            del inputs["candidate_labels"]
            inputs |= inputs.pop("text_inputs")[0]
        made.append(inputs)
    return made


def batches(inputs: list[dict[str, Any]], pads: Mapping[str, int]) -> list[dict[str, Any]]:
    """The inputs as a server would see them: some alone, the rest in batches of like length; all alone, where one input
    has rows of several kinds, such as a picture and its labels."""
    if any(len({len(value) for value in one.values()}) > 1 for one in inputs):
        return inputs
    measured = [(rows.measure(one, padding=True), one) for one in inputs]
    alone = [one for _, one in measured[::8]]
    rest = sorted((pair for place, pair in enumerate(measured) if place % 8), key=lambda pair: pair[0][0])
    made: list[list[dict[str, Any]]] = []
    kind_before = None
    for (size, kind), one in rest:
        if not made or kind != kind_before or size * (len(made[-1]) + 1) > _TOKENS:
            made.append([])
        made[-1].append(one)
        kind_before = kind
    return [*alone, *(rows.join(batch, pads) for batch in made)]
