"""What a message carries, made fit to be read: its JSON, cut where it is long, and its pictures."""

import base64
import binascii
import json
from typing import Any, NamedTuple

# What browsers show as a picture and never run: no SVG.
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
LONGEST_STRING = 4_000  # characters of one value
LONGEST_CODE = 120  # the same for a value without a single space, as base64 is
LONGEST_LIST = 200


class Picture(NamedTuple):
    """A picture of a body. `data` is as the message has it: base64, not checked."""

    title: str
    media_type: str
    data: object
    size: str


def parsed(content: str) -> Any:
    """The JSON value of a body's text; None for a text that is none, as a pickle's."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def shortened(value: Any) -> Any:
    """A JSON value that is fit to be read: long texts and lists are cut, and say so."""
    if isinstance(value, str):
        return cut(value, LONGEST_STRING if " " in value[:LONGEST_CODE] else LONGEST_CODE)
    if isinstance(value, dict):
        return {str(name): shortened(part) for name, part in value.items()}
    if isinstance(value, list):
        parts = [shortened(part) for part in value[:LONGEST_LIST]]
        return parts if len(value) <= LONGEST_LIST else [*parts, f"… and {len(value) - LONGEST_LIST:,} more"]
    return value


def cut(text: str, longest: int) -> str:
    """A text, and what was left out of it if it is too long."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters in all)"


def pictures(value: Any) -> list[Picture]:
    """The pictures of a body's JSON value."""
    images = value.get("images") if isinstance(value, dict) else None
    return [
        Picture(
            title=str(image.get("title") or f"Picture {number}"),
            media_type=str(image.get("media_type", "")),
            data=image.get("data"),
            size=f"{image.get('width', '?')} × {image.get('height', '?')} pixels",
        )
        for number, image in enumerate(images if isinstance(images, list) else [], 1)
        if isinstance(image, dict)
    ]


def without_pictures(value: Any) -> Any:
    """The value with a word in place of its pictures: they are shown, so they need not be spelled."""
    found = pictures(value)
    if not found:
        return value
    size = sum(len(picture.data) for picture in found if isinstance(picture.data, str))
    return value | {"images": f"{len(found)}, shown above ({size:,} characters)"}


def decoded(picture: Picture) -> bytes | None:
    """The bytes of a picture that browsers show; None if it is none."""
    if picture.media_type not in MEDIA_TYPES or not isinstance(picture.data, str):
        return None
    try:
        return base64.b64decode(picture.data, validate=True)
    except (ValueError, binascii.Error):
        return None
