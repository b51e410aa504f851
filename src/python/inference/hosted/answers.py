"""What a hosted model sends back, as an answer: JSON, pictures, and other media as parts."""

import json
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any

from inference import images
from inference.answer import Answer, Part, Picture, json_safe
from inference.errors import EndpointError
from inference.hosted.tasks import media_type

_TITLES = {"image": "The model's picture", "audio": "The model's sound", "video": "The model's film"}


def of_bytes(content_type: str, content: bytes) -> Answer:
    """An answer's body: a picture among the images, a sound or a film among the parts, JSON, or text."""
    kind = content_type.split(";")[0].strip().lower()
    if kind in ("", "application/octet-stream", "binary/octet-stream"):
        kind = media_type(content) or kind
    if kind.startswith("image/"):
        image = images.decode(content, what="The picture in the answer")
        return Answer({"picture": 0}, (Picture(kind, content, image.width, image.height, _TITLES["image"]),))
    if kind.startswith(("audio/", "video/")) or kind.endswith("/octet-stream"):
        return Answer({"part": 0}, parts=(_part(kind, content),))
    text = content.decode("utf-8", errors="replace")
    try:
        return _Collected().answer(json.loads(text))
    except ValueError:
        return Answer(text)


def of_value(value: Any, content_type: str) -> Answer:
    """What a method of Hugging Face's client returned; `content_type` is what the server called it."""
    if isinstance(value, bytes):
        return of_bytes(media_type(value) or content_type, value)
    return _Collected().answer(value)


def plain(value: Any) -> Any:
    """The client's objects as dictionaries, with all that the server sent and without what it left out."""
    if is_dataclass(value) and not isinstance(value, type):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items() if inner is not None}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def without(key: str, answer: Answer) -> Answer:
    """The answer with the key taken out of its texts, should a server have repeated it."""
    return replace(answer, output=_hidden(answer.output, key)) if key else answer


class _Collected:
    """An output whose pictures and sounds are laid beside it."""

    def __init__(self) -> None:
        self._pictures: list[Picture] = []
        self._parts: list[Part] = []

    def answer(self, value: Any) -> Answer:
        output = json_safe(self._bytes_aside(plain(value)), self._picture_aside)
        return Answer(output, tuple(self._pictures), parts=tuple(self._parts))

    def _bytes_aside(self, value: Any, kind: str = "") -> Any:
        if isinstance(value, bytes):
            self._parts.append(_part(media_type(value) or kind or "application/octet-stream", value))
            return {"part": len(self._parts) - 1}
        if isinstance(value, dict):
            kind = str(value.get("content_type", ""))  # of a sound that audio-to-audio answers
            return {name: self._bytes_aside(inner, kind) for name, inner in value.items()}
        return [self._bytes_aside(inner) for inner in value] if isinstance(value, list) else value

    def _picture_aside(self, image: Any) -> dict[str, int]:
        if image.width * image.height > images.LIMIT_PIXELS:
            raise EndpointError(
                f"The answer has a picture of {image.width} x {image.height} pixels. Ask for a smaller one."
            )
        try:
            self._pictures.append(images.encode(image, _TITLES["image"]))
        except OSError as error:  # a picture is only read now
            raise EndpointError(f"The picture in the answer is damaged ({error}). Send the request again.") from None
        return {"picture": len(self._pictures) - 1}


def _part(kind: str, content: bytes) -> Part:
    return Part(kind, content, title=_TITLES.get(kind.split("/")[0], "What the model made"))


def _hidden(value: Any, key: str) -> Any:
    if isinstance(value, str):
        return value.replace(key, "<key>")
    if isinstance(value, dict):
        return {name.replace(key, "<key>"): _hidden(inner, key) for name, inner in value.items()}
    return [_hidden(inner, key) for inner in value] if isinstance(value, list) else value
