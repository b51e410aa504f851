"""What goes over the socket between a model's process and those who ask it: JSON, with its length in front.

A request is {"open": {...}} once, then {"run": fields, "pieces": bool} any number of times. What comes back is any
number of {"log": text}, {"warn": text} and {"piece": text}, then {"opened": {...}}, {"answer": {...}} or
{"error": {...}}.
"""

import base64
import json
import socket
import struct
from typing import Any

import paths
from inference import errors
from inference.answer import Answer, Part, Picture

LARGEST = 512 * 1024 * 1024  # bytes of a frame
_HEAD = struct.Struct("!I")


class Ended(ConnectionError):
    """The other end is gone."""


def send(connection: socket.socket, frame: dict[str, Any]) -> None:
    """Raises `Ended`."""
    data = json.dumps(frame).encode()
    try:
        connection.sendall(_HEAD.pack(len(data)) + data)
    except OSError as error:
        raise Ended(str(error)) from error


def receive(connection: socket.socket) -> dict[str, Any]:
    """The next frame. Raises `Ended`."""
    (length,) = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if length > LARGEST:
        raise Ended(f"A frame of {length:,} bytes is larger than any: the other end is none of ours.")
    frame: dict[str, Any] = json.loads(_exactly(connection, length))
    return frame


def _exactly(connection: socket.socket, length: int) -> bytes:
    parts = []
    while length:
        try:
            part = connection.recv(min(length, 1 << 20))
        except OSError as error:
            raise Ended(str(error)) from error
        if not part:
            raise Ended("The connection was closed.")
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


def of_answer(answer: Answer) -> dict[str, Any]:
    """An answer as JSON; `to_answer` is the inverse."""
    return {
        "output": answer.output,
        "note": answer.note,
        "images": [{**vars(one), "data": base64.b64encode(one.data).decode()} for one in answer.images],
        "parts": [{**vars(one), "data": base64.b64encode(one.data).decode()} for one in answer.parts],
    }


def to_answer(found: dict[str, Any]) -> Answer:
    """See `of_answer`."""
    images = tuple(Picture(**{**one, "data": base64.b64decode(one["data"])}) for one in found["images"])
    parts = tuple(Part(**{**one, "data": base64.b64decode(one["data"])}) for one in found["parts"])
    return Answer(found["output"], images, found["note"], parts)


def of_error(error: Exception) -> dict[str, str]:
    """An error as JSON; `to_error` is the inverse."""
    return {"type": type(error).__name__, "text": str(error)}


def to_error(found: dict[str, str]) -> Exception:
    """The error of our own kinds that it was; anything else is told by its name."""
    if found["type"] == paths.PathNotAllowed.__name__:
        return paths.PathNotAllowed(found["text"])
    kind = getattr(errors, found["type"], None)
    if isinstance(kind, type) and issubclass(kind, errors.InferenceError):
        return kind(found["text"])
    return errors.PipelineFailed(f"The model's process failed: {found['type']}: {found['text']}. Report it.")
