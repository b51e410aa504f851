"""From what a pipeline gives to an answer: JSON, pictures drawn on, sounds written, large things put aside.

answer = compose(task, [call], [output], notes=[], many=False)
"""

import gzip
import io
import json
from collections.abc import Sequence
from typing import Any

from inference import audio, drawing, images
from inference.answer import Answer, Part, Picture, json_safe
from inference.inputs import Call, Refusal
from inference.tasks import Task

LIMIT_JSON_BYTES = 1_000_000
"""What of an output is larger than this as JSON becomes a part."""

LIMIT_NUMBERS = 20_000
"""An array with more numbers becomes a part without being written as JSON first."""

LIMIT_PART_BYTES = 50_000_000
"""What is larger even compressed is left out, and the note says so."""


def compose(
    task: Task, calls: Sequence[Call | Refusal], outputs: Sequence[Any], notes: Sequence[str], *, many: bool
) -> Answer:
    """The answer to a request: of one call, or (`many`) of a list of them, in their order.

    `outputs[i]` is what the pipeline gave for `calls[i]` alone, or the error it failed with; it is not looked at where
    `calls[i]` is a refusal. In a list an error is `{"error": "..."}` at its place, and the note counts them.
    """
    aside = _Aside()
    results: list[Any] = []
    told = list(notes)
    for place, (call, output) in enumerate(zip(calls, outputs, strict=True)):
        failed = call if not isinstance(call, Call) else output if isinstance(output, Exception) else None
        if failed is not None:
            results.append({"error": str(failed)})
            continue
        assert isinstance(call, Call)  # noqa: S101 - what is no error is a call
        where = f"Element {place}: " if many else ""
        results.append(_shown(task, call, output, aside, told, where))
        told += [where + note for note in call.notes]
    errors = sum(isinstance(one, dict) and set(one) == {"error"} for one in results)
    if many and errors:
        told.insert(len(notes), f"{errors} of {len(results)} elements failed; each tells why at its place.")
    output = aside.large(results if many else results[0])
    return Answer(output, tuple(aside.pictures), " ".join(dict.fromkeys([*told, *aside.notes])), tuple(aside.parts))


class _Aside:
    """What an output holds that does not belong in JSON."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.parts: list[Part] = []
        self.notes: list[str] = []

    def picture(self, image: Any, title: str = "") -> dict[str, int]:
        self.pictures.append(images.encode(image, title or ("mask" if image.mode in ("1", "L") else "")))
        return {"picture": len(self.pictures) - 1}

    def part(self, media_type: str, data: bytes, title: str, *, compress: bool = False) -> dict[str, Any]:
        if compress:
            data = gzip.compress(data, compresslevel=5, mtime=0)
        if len(data) > LIMIT_PART_BYTES:
            self.notes.append(
                f"{title} has {len(data) // 1_000_000} MB and was left out. Ask for less at once: fewer elements, a "
                "smaller picture, a shorter text."
            )
            return {"left_out": title}
        self.parts.append(Part(media_type, data, "gzip" if compress else "", title))
        return {"part": len(self.parts) - 1}

    def array(self, value: Any) -> dict[str, Any] | None:
        """A large array or tensor as a part in NumPy's format."""
        import numpy as np

        numbers = value.numel() if hasattr(value, "numel") else getattr(value, "size", 1)
        if numbers <= LIMIT_NUMBERS:
            return None
        plain = value.detach().cpu() if hasattr(value, "detach") else value
        plain = plain.float() if str(getattr(plain, "dtype", "")) == "torch.bfloat16" else plain
        array = np.asarray(plain)
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        title = f"An array of {' x '.join(map(str, array.shape))} numbers"
        where = self.part("application/x-npy", buffer.getvalue(), title, compress=True)
        return {**where, "shape": list(array.shape), "dtype": str(array.dtype)}

    def large(self, value: Any) -> Any:
        """`value` with what is too large put aside: its own parts first, so that as much as can be stays in sight."""
        size, value = self._measured(value)
        return self._put(value) if size > LIMIT_JSON_BYTES else value

    def _measured(self, value: Any) -> tuple[int, Any]:
        """The length of `value` as JSON (about), after the parts of it that are too large were put aside."""
        if isinstance(value, dict) or (isinstance(value, list) and not _are_numbers(value)):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            inner = [self._measured(value[key]) for key in keys]
            size = sum(part for part, _ in inner) + 8 * len(inner)
            if size > LIMIT_JSON_BYTES:
                parts = [
                    (self._put(part), 60) if length > LIMIT_JSON_BYTES else (part, length) for length, part in inner
                ]
                size = sum(length for _, length in parts) + 8 * len(parts)
                inner = [(length, part) for part, length in parts]
            changed = [part for _, part in inner]
            return size, dict(zip(keys, changed, strict=True)) if isinstance(value, dict) else changed
        return len(json.dumps(value)), value

    def _put(self, value: Any) -> dict[str, Any]:
        data = json.dumps(value).encode()
        title = f"A list of {len(value):,}" if isinstance(value, list) else "A large value"
        return {**self.part("application/json", data, title, compress=True), "bytes": len(data)}


def _are_numbers(values: list[Any]) -> bool:
    """Whether a list holds nothing that could be large itself, so that it is measured at once."""
    return not any(isinstance(one, dict | list | str) for one in values)


def _shown(task: Task, call: Call, output: Any, aside: _Aside, told: list[str], where: str) -> Any:
    """One call's output as JSON, with what is drawn or written put aside."""
    if task.name in ("object-detection", "zero-shot-object-detection", "image-segmentation"):
        for picture, found in _pairs(call.main, output):
            _detections(task, picture, found, aside)
            if not found:
                told.append(f"{where}Nothing was found above the threshold; a lower threshold shows more.")
    elif task.name == "mask-generation":
        output = [_masks(picture, found, aside) for picture, found in _pairs(call.main, output)]
        output = output if isinstance(call.main, list) else output[0]
    elif task.name == "keypoint-matching":
        first, second = call.main
        aside.picture(drawing.matches(first, second, output), f"{len(output)} matching keypoints")
    elif task.name == "depth-estimation":
        for picture, found in _pairs(call.main, output):
            aside.picture(drawing.depth(picture, found["depth"]), "Depth: bright is what the model gives a high number")
    elif task.name in ("text-to-audio", "any-to-any", "image-text-to-text"):
        output = _sounds(_without_echo(output), aside)
    return json_safe(output, aside.picture, aside.array)


def _pairs(main: Any, output: Any) -> list[tuple[Any, Any]]:
    return list(zip(main, output, strict=True)) if isinstance(main, list) else [(main, output)]


def _detections(task: Task, picture: Any, found: list[dict[str, Any]], aside: _Aside) -> None:
    labels = ", ".join(str(one["label"]) for one in found[:20]) or "nothing found"
    if task.name == "image-segmentation":
        aside.picture(drawing.masks(picture, found), f"Segments: {labels}")
    else:
        aside.picture(drawing.boxes(picture, found), f"Detections: {labels}")


def _masks(picture: Any, found: dict[str, Any], aside: _Aside) -> dict[str, Any]:
    """A mask-generation's output with its masks as pictures, and all of them drawn on the picture."""
    from PIL import Image

    arrays = [mask.numpy() if hasattr(mask, "numpy") else mask for mask in found["masks"]]
    masks = [Image.fromarray((mask > 0).astype("uint8") * 255) for mask in arrays]
    scores = [float(score) for score in found["scores"]]
    segments = [
        {"label": f"{place}", "score": score, "mask": mask}
        for place, (mask, score) in enumerate(zip(masks, scores, strict=True))
    ]
    aside.picture(drawing.masks(picture, segments), f"{len(masks)} masks")
    boxes = {"bounding_boxes": found["bounding_boxes"]} if "bounding_boxes" in found else {}
    coded = {"rle_mask": found["rle_mask"]} if "rle_mask" in found else {}
    return {"masks": [mask.convert("1") for mask in masks], "scores": scores, **boxes, **coded}


def _without_echo(value: Any) -> Any:
    """An output without the pictures and sounds of the chat that it repeats: who asked has them."""
    if isinstance(value, list):
        return [_without_echo(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("type")
    if kind in ("image", "audio") and not isinstance(value.get(kind), str | None):
        return {"type": kind, kind: "as in the request"}
    return {name: _without_echo(part) for name, part in value.items()}


def _sounds(output: Any, aside: _Aside) -> Any:
    """`output` with every sound that was generated as a WAV file among the parts."""
    if isinstance(output, list):
        return [_sounds(one, aside) for one in output]
    if not isinstance(output, dict):
        return output
    for name in ("audio", "generated_audio"):
        rate_hz = output.get("sampling_rate") or 24_000
        if name in output and hasattr(output[name], "shape"):
            sound = output[name]
            seconds = sound.shape[-1] / rate_hz if sound.shape else 0.0
            where = aside.part("audio/wav", audio.encode(sound, int(rate_hz)), f"{seconds:.2f} s of sound")
            return {**output, name: {**where, "seconds": round(seconds, 3)}}
    return output
