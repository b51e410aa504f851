"""Serve the app until Ctrl-C: the port, the signals, the log lines that are worth it."""

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from irislite.errors import IrisliteError

STOP_GRACE_S = 3  # for requests that are being answered when the server stops
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class ServerError(IrisliteError, OSError):
    """The server cannot listen where it should."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `ServerError` that says what to do."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ServerError(f"The host {host!r} is not known ({error}): set HOST to 127.0.0.1 or 0.0.0.0.") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ServerError(_reason(error, host, port)) from error
    return listening


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"The port {port} of {host} is taken: stop the program that has it, or start with PORT={port + 1}."
    if error.errno == errno.EACCES:
        return f"The port {port} may not be used by this user: start with a PORT above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This machine does not have the address {host}: set HOST to 127.0.0.1 or 0.0.0.0."
    return f"The server cannot listen on {host}:{port}: {error}. Set HOST and PORT to a free address."


class Server(uvicorn.Server):
    """uvicorn that tells when it answers, and that returns from Ctrl-C instead of raising it again."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        # No X-Forwarded-For: who guesses passwords could write into it what he likes.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, proxy_headers=False, server_header=False,
            timeout_graceful_shutdown=STOP_GRACE_S,
        )  # fmt: skip
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the server; what comes after the server is the caller's."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    app: ASGIApp, host: str, port: int, ready: Callable[[], None], listening: socket.socket | None = None
) -> None:
    """Serve the app in this thread until Ctrl-C or SIGTERM.

    `ready()` is called as soon as the server answers; it must not block. `listening` is a socket of
    `listen`, for a caller who wants to know early that the port is free. Raises `ServerError`.
    """
    with listening or listen(host, port) as bound:
        Server(app, ready).run(sockets=[bound])
