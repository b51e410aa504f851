"""The items of the production that rooms work through: found by their class, their settings, what they answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irislite.actor import acting
from irislite.config import Item, options
from irislite.director import Director
from irislite.views import ItemState
from rooms.errors import NobodyCan


@dataclass(frozen=True)
class Done:
    """What an item answered, as the fields of its response, and the session that holds the trace."""

    item: str
    session_id: int
    body: Mapping[str, Any]

    @property
    def output(self) -> Any:
        """What the response holds, None for nothing."""
        return self.body.get("output")

    @property
    def note(self) -> str:
        """What it says to the user, "" for nothing."""
        return str(self.body.get("note") or "")


def kind(item: Item) -> str:
    """The name of its class, without the module."""
    return item.class_name.rpartition(".")[2]


def of(director: Director, *kinds: str) -> list[Item]:
    """The items of these classes. Raises `ProductionError` without a production."""
    production = director.productions.production(director.status()["production"])
    return [item for item in production.items if kind(item) in kinds]


def at_work(director: Director, wanted: str) -> Item:
    """The item of this class that runs, or the first that does not. Raises `NobodyCan`."""
    found = of(director, wanted)
    if not found:
        raise NobodyCan(f"No item of the production is of the class {wanted}: add one, as production.py does.")
    states = {view.name: view.state for view in director.items()}
    return next((item for item in found if states.get(item.name) == ItemState.RUNNING), found[0])


def settings(item: Item) -> dict[str, str]:
    """An item's settings by name, whether they are declared ones or lines of `%settings`."""
    own = {name: text for (target, name), text in item.settings.items() if target == "Host"}
    return {**own, **options(own.get("%settings"))}


def ask(director: Director, item: str, request: str, fields: Mapping[str, Any], timeout_s: float) -> Done:
    """Send an item a message of class `request` for the user at work, and wait. Raises what the item refuses."""
    found = director.test(item, request, json.dumps(dict(fields)), timeout_s, acting.get().name)
    return Done(item, found.session_id, json.loads(found.body) if found.body else {})


def tell(director: Director, item: str, request: str, fields: Mapping[str, Any]) -> int:
    """The same without waiting. Returns the session of the message."""
    return director.test_async(item, request, json.dumps(dict(fields)), acting.get().name).session_id
