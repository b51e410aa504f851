"""A real server over a small production, for all tests of a module."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from runtime.web.sample import PASSWORD, Site, write_production
from runtime.web.serving import serving as run_server


@pytest.fixture(scope="module")
def serving() -> Iterator[Callable[[Any], str]]:
    """Serves an app on a free port in a thread, until the module's tests are done. Returns its URL."""
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(run_server(app))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, serving: Callable[[Any], str]) -> Iterator[Site]:
    """The small production, running, behind a server."""
    folder = tmp_path_factory.mktemp("site")
    module = f"web_{uuid.uuid4().hex}"
    production = f"Web.P{module[4:12]}"
    file = write_production(folder, production, module)
    director = Director(folder / "home", synchronous="NORMAL")
    accounts = Accounts.open(folder / "home", "SuperUser", PASSWORD)
    try:
        director.load(file)
        director.start(production)
        url = serving(create_api(director, accounts, largest_body=1_000_000))
        yield Site(url, director, accounts, production, module, file)
    finally:
        director.close()
        for name in [name for name in sys.modules if name.startswith(module)]:
            del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(folder))]
