"""Applications that a settings file names: found by name, made once, kept off the runtime's own addresses."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import coroutines
from irislite.errors import ProductionError
from irislite.web.applications import Applications, applications_of


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """A settings file, loaded, that names these applications; `shop:create` is one."""
    made: list[str] = []

    def settings(applications: dict[str, str]) -> Path:
        shop, file = ModuleType("shop"), ModuleType("settings_of_shop")
        shop.create = lambda: made.append("shop") or f"shop {len(made)}"  # type: ignore[attr-defined]
        file.APPLICATIONS = applications  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "shop", shop)
        monkeypatch.setitem(sys.modules, "settings_of_shop", file)
        return Path("settings_of_shop.py")

    return settings


def test_an_application_is_made_once_for_all_its_paths(named: Callable[[dict[str, str]], Path]) -> None:
    found = applications_of(named({"/shop": "shop:create", "/till": "shop:create"}))
    assert found == {"/shop": "shop 1", "/till": "shop 1"}
    assert applications_of(Path("without_applications.py")) == {}


@pytest.mark.parametrize(
    ("path", "name", "words"),
    [
        ("shop", "shop:create", "write it as in /api/v1"),
        ("/shop/", "shop:create", "write it as in /api/v1"),
        ("/", "shop:create", "write it as in /api/v1"),
        ("/api", "shop:create", "cannot be an application's"),
        ("/api/iop/more", "shop:create", "cannot be an application's"),
        ("/shop", "shop:open", "no attribute 'open'"),
        ("/shop", "no_such_module:create", "No module named"),
        ("/shop", "shop", "Correct APPLICATIONS"),
    ],
)
def test_one_that_cannot_be_is_told(named: Callable[[dict[str, str]], Path], path: str, name: str, words: str) -> None:
    with pytest.raises(ProductionError, match=words):
        applications_of(named({path: name}))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/shop", "shop"), ("/shop/a", "shop"), ("/shop/a/b", "inner"), ("/shopping", "runtime"), ("/", "runtime")],
)
def test_the_longest_path_wins(path: str, expected: str) -> None:
    asked: list[str] = []

    def app(name: str) -> Any:
        async def called(*_: Any) -> None:
            asked.append(name)

        return called

    served = Applications(app("runtime"), {"/shop": app("shop"), "/shop/a/b": app("inner")})
    coroutines.run(served({"type": "http", "path": path}, None, None))  # type: ignore[arg-type]
    coroutines.run(served({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert asked == [expected, "runtime"]
