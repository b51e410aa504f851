"""A production without models behind irislite's server, with the application API mounted, for a module's tests."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_api
from irislite.web.applications import applications_of
from runtime.web.serving import serving

PASSWORD = "a password of the tests"
PRODUCTION = """
from iop import Production
import bs
from application import hosts

production = Production("Application.Test")
production.service("Application API", bs.ApplicationService)
production.operation("Labels", hosts.Labels, pool_size=4, settings={"%settings": "name=labels\\ntask=text-classification"})
production.operation("Off", hosts.Labels, enabled=False, settings={"%settings": "name=off\\ntask=text-classification"})
production.operation("Tuner", hosts.Tuner, pool_size=2, settings={"%settings": "model_name=labels"})
production.operation("Finder", hosts.Search, class_name="Python.SearchOperation")
PRODUCTIONS = [production]
APPLICATIONS = {"/api/v1": "api.app:create", "/v2": "api.app:create"}
"""


@dataclass
class Site:
    """Where it is served, its runtime, its data folder, and a key for each role."""

    url: str
    director: Director
    folder: Path
    keys: dict[str, str]

    def client(self, role: str = "administrator", **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)


@pytest.fixture(scope="module")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """A context manager that serves the production; its arguments are environment variables."""
    from contextlib import contextmanager

    from api.keys import ROLES, Keys

    @contextmanager
    def made(**environment: str) -> Iterator[Site]:
        folder = tmp_path_factory.mktemp("application")
        changed = {**environment, "EVERGREEN_DATA": str(folder / "data"), "EVERGREEN_RUN": str(folder / "run")}
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        file = folder / "application_production.py"
        file.write_text(PRODUCTION)
        director = Director(folder / "home", synchronous="NORMAL")
        try:
            director.load(file)
            director.start()
            accounts = Accounts.open(folder / "home", "SuperUser", PASSWORD)
            keys = Keys.open()
            made_keys = {role: keys.create(f"a {role}", role)[1] for role in ROLES}
            keys.close()
            with serving(create_api(director, accounts, applications=applications_of(file))) as url:
                yield Site(url, director, folder, made_keys)
        finally:
            director.close()
            sys.modules.pop("application_production", None)
            sys.path[:] = [entry for entry in sys.path if not entry.startswith(str(folder))]
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    yield made


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Any]) -> Iterator[Site]:
    """The production, served with the limits that it has by default."""
    with make_site() as served:
        yield served
