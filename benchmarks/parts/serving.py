"""The REST service over a runtime, on a free port of this machine, and a client of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from parts import paths  # noqa: F401 - makes the next ones importable

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from runtime.web.serving import serving

PASSWORD = "benchmark"  # noqa: S105 - of a server that lives as long as the benchmark


@dataclass(frozen=True)
class Client:
    """Sends signed-in requests."""

    url: str
    session: requests.Session

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """An answer, whatever it is."""
        return self.session.request(method, self.url + path, timeout=60, **options)

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """The JSON of an answer that is none of an error."""
        answer = self.call("GET", path, params=query)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def served(director: Director) -> Iterator[Client]:
    """A server, while the block runs."""
    accounts = Accounts.open(director.home, "SuperUser", PASSWORD)
    with serving(create_api(director, accounts)) as url, requests.Session() as session:
        session.auth = ("SuperUser", PASSWORD)
        yield Client(url, session)
