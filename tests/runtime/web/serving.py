"""An app behind a real server, on a free port of this machine, for as long as a block runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from irislite.web.server import Server, listen


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve it in a thread; yields its URL."""
    listening, up = listen("127.0.0.1", 0), threading.Event()
    server = Server(app, up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert up.wait(60), "the server does not answer"
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
