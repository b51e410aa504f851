"""The process of one model: `python -m inference.isolation.server SOCKET`. Everyone who connects opens the model.

It ends when the last one has left, a little later, so that a restart of an item finds the model loaded.
"""

import os
import socket
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import paths
from inference import pipeline
from inference.errors import InferenceError
from inference.isolation import frames

LINGER_S = 5.0
_OURS = (InferenceError, paths.PathNotAllowed)


class Server:
    """Takes connections at a socket until nobody is connected any more."""

    def __init__(self, path: Path, linger_s: float) -> None:
        self._path = path
        self._linger_s = linger_s
        self._connected = 0
        self._guard = threading.Lock()

    def serve(self) -> None:
        """Work until nobody has been connected for a while."""
        listening = socket.socket(socket.AF_UNIX)
        self._path.unlink(missing_ok=True)  # of a process that was killed: whoever started this one holds the lock
        listening.bind(str(self._path))
        listening.listen(128)
        listening.settimeout(self._linger_s)
        while True:
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                if not self._connected:
                    self._path.unlink(missing_ok=True)  # whoever comes now starts another process
                    return
                continue
            with self._guard:
                self._connected += 1
            threading.Thread(target=self._attend, args=[Line(connection)], daemon=True).start()

    def _attend(self, line: "Line") -> None:
        """One connection, as long as it lasts."""
        model: pipeline.Model | None = None
        try:
            while True:
                request = frames.receive(line.connection)
                try:
                    if model is None:
                        model = _opened(line, request["open"])
                    else:
                        _run(line, model, request)
                except _OURS as error:
                    line.send({"error": frames.of_error(error)})
        except frames.Ended:
            pass  # it has left
        finally:
            line.connection.close()
            if model is not None:
                pipeline.close(model)
            with self._guard:
                self._connected -= 1


class Line:
    """The way back to one who asks. A backend that is made in the background tells of it there, too."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        self.connection = connection
        self._guard = threading.Lock()

    def send(self, frame: dict[str, Any]) -> None:
        """Raises `frames.Ended`."""
        with self._guard:
            frames.send(self.connection, frame)

    def tell(self, kind: str, text: str) -> bool:
        """The same for what matters only as long as somebody is there. False if nobody is."""
        try:
            self.send({kind: text})
        except frames.Ended:
            return False
        return True

    def log(self, text: str) -> None:
        """A line for the event log."""
        self.tell("log", text)

    def warn(self, text: str) -> None:
        """A line that an operator should see."""
        self.tell("warn", text)


def _opened(line: Line, asked: dict[str, Any]) -> pipeline.Model:
    model = pipeline.open(
        asked["name"], asked["task"], path=asked["path"], options=asked["options"], log=line.log, warn=line.warn
    )
    line.send({"opened": {"device": model.device}})
    return model


def _run(line: Line, model: pipeline.Model, request: dict[str, Any]) -> None:
    pieces = partial(line.tell, "piece") if request["pieces"] else None
    answer = pipeline.run(model, request["run"], log=line.log, pieces=pieces)
    line.send({"answer": frames.of_answer(answer), "device": model.device, "backend": model.backend})


def main() -> None:
    """The process."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # see bo.py
    Server(Path(sys.argv[1]), float(os.environ.get("EVERGREEN_LINGER_S", LINGER_S))).serve()
    os._exit(0)  # a backend that is being converted writes staged files: it may end anywhere


if __name__ == "__main__":
    main()
