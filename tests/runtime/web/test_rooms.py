"""The rooms that a settings file adds to the portal."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from irislite.errors import ProductionError
from irislite.web.portal import rooms
from irislite.web.portal.layout import Room

FILE = Path("/anywhere/shop_settings.py")


async def page() -> None:
    """Never built here."""


def settings(monkeypatch: pytest.MonkeyPatch, *names: str, **modules: Room | None) -> None:
    made = ModuleType("shop_settings")
    made.ROOMS = list(names)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_settings", made)
    for name, room in modules.items():
        module = ModuleType(name)
        if room is not None:
            module.ROOM = room  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)


def test_rooms_come_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    tea, milk = Room("/tea", "Tea", "coffee", page), Room("/milk", "Milk", "water", page)
    settings(monkeypatch, "room_milk", "room_tea", room_tea=tea, room_milk=milk)
    assert rooms.rooms_of(FILE) == (milk, tea)
    assert rooms.rooms_of(Path("/anywhere/without.py")) == ()


@pytest.mark.parametrize(
    ("names", "room", "words"),
    [
        (["no_such_room"], None, "No module named"),
        (["room_tea"], None, "Correct ROOMS"),
        (["room_tea", "room_tea"], Room("/tea", "Tea", "coffee", page), "takes /tea"),
        (["room_tea"], Room("/production", "Mine", "coffee", page), "takes /production"),
    ],
)
def test_what_is_wrong_with_one_is_told(
    monkeypatch: pytest.MonkeyPatch, names: list[str], room: Room | None, words: str
) -> None:
    settings(monkeypatch, *names, room_tea=room)
    with pytest.raises(ProductionError, match=words):
        rooms.rooms_of(FILE)
