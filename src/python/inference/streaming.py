"""A text handed on while it is written: to a function, or to a reader behind a socket.

with open_stream(paths.socket_root(), name) as stream:
    answer = pipeline.run(model, fields, pieces=stream.pieces)
    stream.end(answer)
"""

import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.errors import InputRefused

if TYPE_CHECKING:
    from inference.inputs import Call

Pieces = Callable[[str], bool]
"""Takes a piece of text; False if nobody reads it any more, so that the writing may end."""

_NAME = re.compile(r"[0-9a-f]{32}")
_SEND_S = 5.0  # how long a reader may hold up the writing


class Stream:
    """The writing end. Without a reader everything goes on, and nothing is sent."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection

    @property
    def pieces(self) -> Pieces | None:
        """What a model hands its text to; None if nobody reads."""
        return self.send if self._connection is not None else None

    def send(self, text: str) -> bool:
        """Hand on a piece of text. False if the reader has left."""
        return self._write({"text": text})

    def end(self, answer: Any) -> None:
        """Say that this is the whole answer; `answer` is what `json.dumps` takes."""
        self._write({"answer": answer})

    def fail(self, text: str) -> None:
        """Say why there will be no answer."""
        self._write({"error": text})

    def _write(self, line: dict[str, Any]) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.sendall(json.dumps(line).encode() + b"\n")
        except OSError:  # it has left, or does not read
            self._connection.close()
            self._connection = None
        return self._connection is not None


@contextmanager
def open_stream(folder: Path, name: str) -> Iterator[Stream]:
    """The stream `name` of a reader that waits in `folder`; one without a reader if it waits no more, as for a message
    that is handled again after a crash. What is raised meanwhile is told to the reader. Raises `InputRefused`.
    """
    if name and not _NAME.fullmatch(name):
        raise InputRefused("The stream must be named by 32 hexadecimal digits, or not at all: leave it out.")
    connection = _connected(folder / f"{name}.stream") if name else None
    stream = Stream(connection)
    try:
        yield stream
    except Exception as error:
        stream.fail(str(error))
        raise
    finally:
        if connection is not None:
            connection.close()


def _connected(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SEND_S)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def hand_on(pipeline: Any, task: str, call: "Call", settings: Mapping[str, Any], pieces: Pieces) -> None:
    """Let `pieces` have the text of a call while it is written. Raises `InputRefused` where that cannot be."""
    if task != "text-generation":
        raise InputRefused(f"{task} has no text that comes in pieces: ask without a stream.")
    wanted = {**settings, **call.options}
    for option in ("num_return_sequences", "num_beams"):
        if (wanted.get(option) or 1) > 1:
            raise InputRefused(f"Of several texts at once none can be handed on: leave out {option}.")
    from transformers import StoppingCriteria, StoppingCriteriaList

    writing = Writing(pipeline.tokenizer, pieces)

    class Unread(StoppingCriteria):  # type: ignore[misc] # transformers is not typed
        """Ends a text that nobody reads."""

        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
            import torch

            return torch.full((input_ids.shape[0],), not writing.is_read, device=input_ids.device, dtype=torch.bool)

    call.options["streamer"] = writing
    call.options["stopping_criteria"] = StoppingCriteriaList([Unread()])


class Writing:
    """A streamer of transformers: tokens come in, the text goes out as soon as its letters are whole."""

    def __init__(self, tokenizer: Any, pieces: Pieces) -> None:
        self.is_read = True
        self._tokenizer = tokenizer
        self._pieces = pieces
        self._is_prompt = True  # the first that comes is what is continued
        self._tokens: list[int] = []
        self._told = 0  # so many tokens are told
        self._before = 0  # from here on they are decoded: a word may look otherwise without the one before it

    def put(self, value: Any) -> None:
        """Take tokens."""
        if self._is_prompt:
            self._is_prompt = False
            return
        self._tokens += value.reshape(-1).tolist()
        text = self._new()
        # A letter may be cut: it has up to four bytes, and a token of some models is one.
        if text and (not text.endswith("\ufffd") or len(self._tokens) - self._told > 4):
            self._tell(text)

    def end(self) -> None:
        """Tell what is left."""
        if text := self._new():
            self._tell(text)

    def _new(self) -> str:
        return self._text(len(self._tokens))[len(self._text(self._told)) :]

    def _tell(self, text: str) -> None:
        self._before, self._told = self._told, len(self._tokens)
        if self.is_read:
            self.is_read = self._pieces(text)

    def _text(self, end: int) -> str:
        return str(self._tokenizer.decode(self._tokens[self._before : end], skip_special_tokens=True))
