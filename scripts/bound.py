"""A pytest plugin: `import iris` answers from an irislite runtime in this process (`pytest -p bound`).

It is how conformance.py runs tests that were written to run inside InterSystems IRIS. The data folder is
temporary; its `messages.log` is where these tests look for the console log of an installation.
"""

import os
import tempfile
from pathlib import Path

import iris  # noqa: F401 - before the variables below: the wrapper looks for a real installation there
import pytest

from irislite.director import Director

_folder = tempfile.TemporaryDirectory(prefix="irislite-bound-")
_home = Path(_folder.name) / "home"
_director = Director(_home, synchronous="NORMAL", echo=lambda type, item, text: print(f"[{type.name}] {item} {text}"))
_installation = Path(_folder.name) / "installation"
_installation.mkdir()
(_installation / "mgr").symlink_to(_home)
(_home / "messages.log").touch()
os.environ.update(IRISINSTALLDIR=str(_installation), IRISNAMESPACE=os.environ.get("IRISNAMESPACE", "IRISAPP"))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Close the runtime when all tests are done."""
    _director.close()
    _folder.cleanup()
