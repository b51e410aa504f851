"""The REST service over a runtime, on a free port of this machine, and a client of it."""

import threading
from typing import Any

import requests
from parts import paths  # noqa: F401 - makes the next ones importable

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from irislite.web.server import Server, listen

PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as the benchmark


class Served:
    """A server, while the block runs."""

    def __init__(self, director: Director) -> None:
        accounts = Accounts.open(director.home, "SuperUser", PASSWORD)
        up, self._listening = threading.Event(), listen("127.0.0.1", 0)
        self._server = Server(create_api(director, accounts), up.set)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]}, daemon=True)
        self._thread.start()
        if not up.wait(30):
            raise TimeoutError("The server does not answer.")
        self._url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._session = requests.Session()
        self._session.auth = ("SuperUser", PASSWORD)

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._session.close()

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """A signed-in request, whatever its answer."""
        return self._session.request(method, self._url + path, timeout=60, **options)

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """The JSON of an answer that is none of an error."""
        answer = self.call("GET", path, params=query)
        answer.raise_for_status()
        return answer.json()
