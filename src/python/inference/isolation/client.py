"""The side that asks: connections to a model's process, which is started when it is not there."""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paths
import settinglines
from inference import library, streaming
from inference.answer import Answer, Log
from inference.errors import InputRefused, ModelProcessEnded
from inference.isolation import frames
from inference.transfer import Watch

TRIES = 3
"""How often a request is sent, if the process ends each time: it may be this request that ends it."""

_START_S = 60.0  # until a process listens; the load of the model comes after that
_LAST_WORDS = 2_000  # characters of what a process printed before it ended


def _silent(_: str) -> None:
    pass


@dataclass(eq=False)
class Model:
    """A model that is open in its process. Any number of threads may run it, each over a connection of its own."""

    folder: Path
    task: str
    options: Mapping[str, Any]
    device: str = "cpu"
    backend: str = ""
    _idle: list[socket.socket] = field(default_factory=list, repr=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _is_open: bool = field(default=True, repr=False)

    @property
    def socket_path(self) -> Path:
        """Where its process listens: one for each folder, task and options."""
        told = json.dumps([str(self.folder.absolute()), self.task, dict(self.options)], sort_keys=True, default=str)
        return paths.socket_root() / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.model"


def open(
    name: str,
    task: str,
    *,
    path: str | None = None,
    model_url: str | None = None,
    repo_id: str | None = None,
    revision: str | None = None,
    allow_pickle: bool = False,
    options: Mapping[str, Any] | None = None,
    log: Log = _silent,
    warn: Log | None = None,
    watch: Watch | None = None,
) -> Model:
    """Find (or download) a model, and open it in its process; arguments and errors are those of `pipeline.open`."""
    chosen = dict(options or {})
    asked = {key: None if (value := chosen.pop(key, None)) is None else str(value) for key in ("revision", "token")}
    folder = library.find(
        (name or "").strip(),
        path=path,
        model_url=model_url,
        repo_id=repo_id,
        revision=revision or asked["revision"],
        token=asked["token"],
        allow_pickle=allow_pickle,
        log=log,
        warn=warn,
        watch=watch,
    )
    typed = {key: settinglines.typed(value) for key, value in chosen.items()}
    model = Model(folder, (task or "").strip(), typed)
    with _asked(model, log, warn or log):
        pass  # so that what is wrong is told now
    return model


def run(
    model: Model, fields: Mapping[str, Any], *, log: Log = _silent, pieces: streaming.Pieces | None = None
) -> Answer:
    """Answer one request, as `pipeline.run` does.

    If the process ends meanwhile, another is started and the request is sent again. Raises what `pipeline.run` does,
    and `ModelProcessEnded` if it ended `TRIES` times, or after pieces were handed on.
    """
    request = {"run": dict(fields), "pieces": pieces is not None}
    reader = _Reader(pieces)
    for tried in range(1, TRIES + 1):
        try:
            with _asked(model, log, log) as connection:
                frames.send(connection, request)
                found = _result(connection, log, log, reader)
        except frames.Ended as error:
            if reader.has_left:
                raise InputRefused("Nobody read the text any more, so it was not written to its end.") from error
            log(f"The process of {model.folder.name} has ended while it worked ({error}); it is started again.")
            if reader.has_read or tried == TRIES:
                times = "once" if tried == 1 else f"{tried} times"
                raise ModelProcessEnded(
                    f"The process of {model.folder.name} ended {times} while it worked on this request. If others are "
                    f"answered, it is this one: ask for less at once.{_last_words(model.socket_path)}"
                ) from error
        else:
            model.device, model.backend = found["device"], found["backend"]
            return frames.to_answer(found["answer"])
    raise AssertionError("the last try returns or raises")


def close(model: Model) -> None:
    """Say that the one who opened `model` is done with it."""
    with model._guard:
        model._is_open = False
        idle, model._idle = model._idle, []
    for connection in idle:
        connection.close()


@contextmanager
def _asked(model: Model, log: Log, warn: Log) -> Iterator[socket.socket]:
    """A connection over which the model is open, kept for the next request unless something is raised."""
    with model._guard:
        connection = model._idle.pop() if model._idle else None
    if connection is None:
        connection = _opened(model, log, warn)
    try:
        yield connection
    except frames.Ended:
        _forget(model)  # the others lead to the same process
        connection.close()
        raise
    except Exception:  # the process's own answer: the connection is fine
        _keep(model, connection)
        raise
    except BaseException:  # this thread is being ended in the middle of an answer
        connection.close()
        raise
    _keep(model, connection)


def _keep(model: Model, connection: socket.socket) -> None:
    with model._guard:
        if model._is_open:
            model._idle.append(connection)
            return
    connection.close()


def _forget(model: Model) -> None:
    with model._guard:
        idle, model._idle = model._idle, []
    for connection in idle:
        connection.close()


def _opened(model: Model, log: Log, warn: Log) -> socket.socket:
    opening = {
        "name": model.folder.name,
        "path": str(model.folder.parent.absolute()),
        "task": model.task,
        "options": dict(model.options),
    }
    for _ in range(TRIES):
        connection = _connected(model.socket_path)
        try:
            frames.send(connection, {"open": opening})
            model.device = _result(connection, log, warn, _Reader(None))["opened"]["device"]
        except frames.Ended:  # it was about to end when it was asked
            connection.close()
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise ModelProcessEnded(
        f"The process of {model.folder.name} ended {TRIES} times while it loaded: is there memory enough for it?"
        f"{_last_words(model.socket_path)}"
    )


class _Reader:
    """Whoever reads a text while it is written, if anybody does."""

    def __init__(self, pieces: streaming.Pieces | None) -> None:
        self._pieces = pieces
        self.has_read = self.has_left = False

    def take(self, connection: socket.socket, text: str) -> None:
        """Hand a piece on; when nobody reads any more, the process learns it by a connection that is gone."""
        if self._pieces is not None:
            self.has_read = True
            if not self._pieces(text):
                self.has_left = True
                connection.shutdown(socket.SHUT_RDWR)
                raise frames.Ended("nobody reads the text")  # what came before the shutdown is not looked at


def _result(connection: socket.socket, log: Log, warn: Log, reader: _Reader) -> dict[str, Any]:
    """What comes at the end; what comes before is handed on. Raises the error that it is."""
    while True:
        frame = frames.receive(connection)
        if "log" in frame:
            log(frame["log"])
        elif "warn" in frame:
            warn(frame["warn"])
        elif "piece" in frame:
            reader.take(connection, frame["piece"])
        elif "error" in frame:
            raise frames.to_error(frame["error"])
        else:
            return frame


def _connected(path: Path) -> socket.socket:
    """A connection to the process that listens at `path`, started if there is none."""
    connection = _tried(path)
    if connection is not None:
        return connection
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of all who find nobody listening, one starts it
        connection = _tried(path)
        if connection is not None:
            return connection
        return _started(path)


def _started(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    # It finds what this process finds: inside IRIS the packages lie where a plain python3 does not look.
    sources = [str(Path(__file__).resolve().parents[2]), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(sources))}
    with path.with_suffix(".log").open("wb") as printed:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [_python(), "-P", "-m", "inference.isolation.server", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env=environment,
            start_new_session=True,  # Ctrl-C in a terminal is for those who ask; the process ends after them
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it leaves no trace in the process table
    deadline_s = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline_s:
        connection = _tried(path)
        if connection is not None:
            return connection
        time.sleep(0.02)
    raise ModelProcessEnded(
        f"The process of a model did not start.{_last_words(path)} Set isolation=none to do without."
    )


def _tried(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def _last_words(path: Path) -> str:
    try:
        printed = path.with_suffix(".log").read_text(errors="replace").strip()
    except OSError:
        printed = ""
    return f" It said last: {printed[-_LAST_WORDS:]}" if printed else ""


def _python() -> str:
    """The interpreter: inside IRIS `sys.executable` is IRIS itself."""
    if Path(sys.executable or "").name.startswith("python"):
        return sys.executable
    found = shutil.which("python3", path=os.pathsep.join([str(Path(sys.prefix) / "bin"), os.environ.get("PATH", "")]))
    if found is None:
        raise ModelProcessEnded(
            "There is no python3 on the path to run a model with: install it, or set isolation=none."
        )
    return found
