"""Items added to a production, copied and removed: what that makes of it."""

from collections.abc import Iterable
from dataclasses import replace

from irislite.config import SETTINGS_TEXT, Item, Production
from irislite.errors import ProductionError

LONGEST_NAME = 128  # characters
_RESERVED = ("Ens.Actor", "Ens.Alarm")  # names of queues that are no item's


def new_item(name: str, class_name: str, settings: dict[str, str], comment: str = "") -> Item:
    """An enabled item with a pool of one and lines of `%settings`. Raises `ProductionError` for a bad name or value."""
    for key, text in settings.items():
        if "\n" in text or "\r" in text:
            raise ProductionError(f"{key} has more than one line: write it in one.")
    lines = "\n".join(f"{key}={text}" for key, text in settings.items())
    return Item(
        name=checked_name(name),
        class_name=class_name,
        category="",
        pool_size=1,
        enabled=True,
        foreground=False,
        comment=comment,
        log_trace_events=False,
        schedule="",
        settings={("Host", SETTINGS_TEXT): lines} if lines else {},
    )


def added(production: Production, item: Item) -> Production:
    """The production with one item more, at its end. Raises `ProductionError` if it has one of that name."""
    if any(item.name == other.name for other in production.items):
        raise ProductionError(f"{production.name} has an item {item.name!r} already: choose another name.")
    return replace(production, items=(*production.items, item))


def copied(production: Production, name: str, new_name: str) -> Production:
    """The production with a copy of an item, right behind it; disabled, so that its settings can be changed first."""
    item = production.item(name)
    copy = replace(item, name=checked_name(new_name), enabled=False)
    items = list(added(production, copy).items[:-1])
    items.insert(items.index(item) + 1, copy)
    return replace(production, items=tuple(items))


def removed(production: Production, name: str) -> Production:
    """The production without an item. Raises `UnknownItem`."""
    production.item(name)
    return replace(production, items=tuple(item for item in production.items if item.name != name))


def checked_name(name: str) -> str:
    """A name that an item may have, without blanks at its ends. Raises `ProductionError`."""
    name = name.strip()
    if not name:
        raise ProductionError("The item has no name: give it one.")
    if len(name) > LONGEST_NAME:
        raise ProductionError(f"The item's name has {len(name)} characters: {LONGEST_NAME} are the most.")
    if not name.isprintable() or name.startswith("_") or name in _RESERVED:
        raise ProductionError(f"The item cannot be called {name!r}: choose a name of letters, digits, dots and blanks.")
    return name


def free_name(name: str, taken: Iterable[str]) -> str:
    """A name for a copy that nobody has yet: `name 2`, `name 3` and so on."""
    names = set(taken)
    number = 2
    while (found := f"{name} {number}") in names:
        number += 1
    return found
