"""What every page of the production shows: drawn once for all of them, with what has changed since the last one."""

import json
from dataclasses import dataclass
from typing import Any

from irislite.header import BusinessType
from irislite.views import ItemState, ItemView
from irislite.web.portal.controls import STATE_WORDS

_COLUMNS = (
    ("Services", BusinessType.SERVICE),
    ("Processes", BusinessType.PROCESS),
    ("Operations", BusinessType.OPERATION),
    ("Not loaded", BusinessType.UNKNOWN),  # only there if there are such: their classes cannot be loaded
)
Card = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The board at a moment: columns as `[{"title", "items": [card]}]`, and the cards by their items' names.

    `change` has the cards that are otherwise than in the version before, as JSON; None if it needs the columns anew.
    """

    version: int
    columns: tuple[dict[str, Any], ...]
    cards: dict[str, Card]
    change: str | None

    def since(self, before: "Snapshot") -> str | None:
        """The same since any earlier one: for a page that has missed some."""
        return self.change if self.version == before.version + 1 else _changed(before, self.columns, self.cards)


def drawn(items: list[ItemView], stopped: bool, before: Snapshot | None) -> Snapshot:
    """The items as cards; `before` itself if they look the same."""
    known = before.cards if before is not None else {}
    cards = {}
    for item in items:
        card, old = _card(item, stopped), known.get(item.name)
        cards[item.name] = old if old == card else card  # the same object: quick to compare
    columns = tuple(
        {"title": title, "items": own}
        for title, kind in _COLUMNS
        if (own := tuple(cards[item.name] for item in items if item.kind is kind)) or kind is not BusinessType.UNKNOWN
    )
    if before is None:
        return Snapshot(0, columns, cards, None)
    change = _changed(before, columns, cards)
    return before if change == "[]" else Snapshot(before.version + 1, columns, cards, change)


def _changed(before: Snapshot, columns: tuple[dict[str, Any], ...], cards: dict[str, Card]) -> str | None:
    if _places(before.columns) != _places(columns):
        return None
    return json.dumps([card for name, card in cards.items() if card != before.cards[name]])


def _names(category: str) -> tuple[str, ...]:
    """An item may be of several categories, with commas."""
    return tuple(name for part in category.split(",") if (name := part.strip()))


def _places(columns: tuple[dict[str, Any], ...]) -> list[tuple[str, list[str]]]:
    return [(column["title"], [card["name"] for card in column["items"]]) for column in columns]


def _card(item: ItemView, stopped: bool) -> Card:
    reason = item.comment if stopped and item.state is ItemState.STOPPED else item.reason or item.comment
    return {
        "name": item.name, "class_name": item.class_name, "categories": _names(item.category), "state": str(item.state),
        "label": STATE_WORDS.get(item.state, item.state.capitalize()), "reason": reason, "queue": item.queue_count,
        "busy": item.in_progress, "pool": item.pool_size, "processed": item.processed, "last": item.last_activity,
        "recent": item.throughput if any(item.throughput) else (),
    }  # fmt: skip
