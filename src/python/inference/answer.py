"""What an inference gives back: an output that JSON can carry, and beside it pictures and other parts."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Log = Callable[[str], None]
"""Takes one line for the event log."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture; `title` says in words what it shows."""

    media_type: str
    data: bytes = field(repr=False)
    width: int
    height: int
    title: str = ""


@dataclass(frozen=True)
class Part:
    """Something that is no picture and too large or too binary for JSON: a sound, a large list, an array.

    `encoding` is "gzip" if `data` is compressed, else ''; `title` says in words what it is.
    """

    media_type: str
    data: bytes = field(repr=False)
    encoding: str = ""
    title: str = ""


@dataclass(frozen=True)
class Answer:
    """`output` holds only what `json.dumps` takes; `note` is what the reader should know, or ''.

    Where `output` holds `{"picture": 0}` or `{"part": 0}`, the value is `images[0]` or `parts[0]`.
    """

    output: Any
    images: tuple[Picture, ...] = ()
    note: str = ""
    parts: tuple[Part, ...] = ()


def json_safe(value: Any, picture: Callable[[Any], Any], array: Callable[[Any], Any] | None = None) -> Any:
    """`value` with arrays and tensors as lists, numbers as Python's, keys as text, and NaN or infinity as None.

    Every PIL image in it is replaced by what `picture(image)` returns, and every array for which `array(it)` is not
    None by that. Raises TypeError for anything that has no JSON form.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode(errors="replace").decode()  # half a letter, as a tokenizer may leave it, is no UTF-8
    if isinstance(value, Enum):
        return json_safe(value.value, picture, array)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_safe(part, picture, array) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(part, picture, array) for part in value]
    if hasattr(value, "tolist"):  # numpy's and torch's numbers and arrays
        aside = array(value) if array else None
        return json_safe(value.tolist(), picture, array) if aside is None else aside
    if type(value).__module__.startswith("PIL."):
        return picture(value)
    if hasattr(value, "messages"):  # a chat of a text-generation pipeline
        return json_safe(value.messages, picture, array)
    raise TypeError(f"A pipeline's {type(value).__name__} has no JSON form; report it with the task and the model.")
