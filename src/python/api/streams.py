"""Parts of an answer as they come: a socket that the item writes to while it works, one for each request.

The message that the item gets names the stream. Its parts come beside the messages, so that a trace has one request
and one response, however many tokens were written. One JSON object a line: {"text": ...} any number of times, then
{"answer": {...}} or {"error": ...}. Item and application run on one machine, in one process or in several.
"""

import json
import secrets
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paths

_PART_BYTES = 65_536
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes of one line


class Stream:
    """The reading end. `name` is what the message says."""

    def __init__(self, name: str, listening: socket.socket) -> None:
        self.name = name
        self._listening = listening
        self._connection: socket.socket | None = None
        self._rest = b""

    def read(self, timeout_s: float) -> list[dict[str, Any]] | None:
        """What has come, at least one object or an empty list after `timeout_s`; None when the item has ended it."""
        deadline_s = time.monotonic() + timeout_s
        if self._connection is None:
            if not _ready(self._listening, deadline_s):
                return []
            self._connection, _ = self._listening.accept()
        while b"\n" not in self._rest:
            if not _ready(self._connection, deadline_s):
                return []
            part = self._connection.recv(_PART_BYTES)
            if not part or len(self._rest) > LARGEST_ANSWER:
                return None
            self._rest += part
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Stop reading: an item that still writes notices, and stops."""
        if self._connection is not None:
            self._connection.close()
        self._listening.close()


@contextmanager
def opened() -> Iterator[Stream]:
    """A stream of a new name."""
    name = secrets.token_hex(16)
    path = paths.socket_root() / f"{name}.stream"
    listening = socket.socket(socket.AF_UNIX)
    stream = Stream(name, listening)
    try:
        listening.bind(str(path))
        listening.listen(1)
        yield stream
    finally:
        stream.close()
        path.unlink(missing_ok=True)


def _ready(readable: socket.socket, deadline_s: float) -> bool:
    return bool(select.select([readable], [], [], max(0.0, deadline_s - time.monotonic()))[0])
