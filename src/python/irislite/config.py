"""Productions and items as they are configured: `iop`'s dictionaries in and out, edits merged."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from irislite.errors import ProductionError, UnknownItem, near

SETTINGS_TEXT = "%settings"
# Settings that describe where the Python class is, not what it does.
PLUMBING = frozenset(
    {"%module", "%classname", "%classpaths", "%enable", "%timeout", "%port", "%traceback", "%Venv"}
    | {"%PythonInterpreterPath", "%PythonPath", "%PythonRuntimeLibrary", "%PythonRuntimeLibraryVersion"}
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a production. `settings` maps (target, name) to text; targets are Host and Adapter."""

    name: str
    class_name: str
    category: str
    pool_size: int
    enabled: bool
    foreground: bool
    comment: str
    log_trace_events: bool
    schedule: str
    settings: Mapping[tuple[str, str], str]

    def setting(self, name: str, target: str = "Host") -> str | None:
        """A setting's text, or None if it is not set."""
        return self.settings.get((target, name))

    def options(self, target: str = "Host") -> dict[str, str]:
        """The lines of `%settings`, by name."""
        return options(self.setting(SETTINGS_TEXT, target))


@dataclass(frozen=True, slots=True)
class Production:
    """A production: its items in order, and what belongs to all of them."""

    name: str
    description: str
    actor_pool_size: int
    testing_enabled: bool
    log_general_trace_events: bool
    settings: Mapping[str, str]
    items: tuple[Item, ...]

    def item(self, name: str) -> Item:
        """The item of that name. Raises `UnknownItem` with near matches."""
        for item in self.items:
            if item.name == name:
                return item
        raise UnknownItem(
            f"The production {self.name} has no item {name!r}.{near(name, (item.name for item in self.items))}"
        )

    def with_item(self, changed: Item) -> "Production":
        """The same production with one item changed."""
        return replace(self, items=tuple(changed if item.name == changed.name else item for item in self.items))


def options(text: str | None) -> dict[str, str]:
    """The lines `name=value` of a `%settings` text, by name; the values stay text."""
    pairs = (line.partition("=") for line in (text or "").replace("\r", "").split("\n"))
    return {name.strip(): value for name, _, value in pairs if name.strip()}


def from_dict(name: str, data: Mapping[str, Any]) -> Production:
    """The production that a dictionary in `iop`'s shape describes (`@Name`, `Item`, `Setting`, `#text`)."""
    items = tuple(_item_from_dict(entry) for entry in _as_list(data.get("Item")))
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise ProductionError(f"The production {name} has two items named {item.name!r}: rename one of them.")
        seen.add(item.name)
    return Production(
        name=name,
        description=_text(data.get("Description")),
        actor_pool_size=whole(data.get("ActorPoolSize"), 2, f"ActorPoolSize of {name}"),
        testing_enabled=flag(data.get("@TestingEnabled"), True),
        log_general_trace_events=flag(data.get("@LogGeneralTraceEvents"), False),
        settings={_text(entry.get("@Name")): _text(entry.get("#text")) for entry in _as_list(data.get("Setting"))},
        items=items,
    )


def to_dict(production: Production) -> dict[str, Any]:
    """The dictionary in `iop`'s shape; the inverse of `from_dict`."""
    data: dict[str, Any] = {
        "@Name": production.name,
        "@TestingEnabled": flag_text(production.testing_enabled),
        "@LogGeneralTraceEvents": flag_text(production.log_general_trace_events),
        "Description": production.description,
        "ActorPoolSize": str(production.actor_pool_size),
    }
    if production.settings:
        data["Setting"] = [{"@Name": name, "#text": text} for name, text in production.settings.items()]
    data["Item"] = [_item_to_dict(item) for item in production.items]
    return data


def merge(current: Production, old_source: Production, new_source: Production) -> Production:
    """What should run when the file has changed from `old_source` to `new_source`.

    What the file changed wins; what it left alone keeps the edits that were made in the portal.
    """
    was = {item.name: item for item in old_source.items}
    is_now = {item.name: item for item in current.items}
    items = []
    for item in new_source.items:
        before, edited = was.get(item.name), is_now.get(item.name)
        if before is not None and edited is not None:
            items.append(_merge_item(edited, before, item))
        elif before != item:  # one that was removed in the portal stays away until the file says something new of it
            items.append(item)
    # Items that were added in the portal stay; items that the file dropped go.
    items += [item for item in current.items if item.name not in was and all(item.name != i.name for i in items)]
    return replace(new_source, items=tuple(items))


def overruled(edited: Production, old_source: Production, merged: Production) -> list[str]:
    """The items of which a changed file has taken edits back: what was added, changed or removed is so no longer."""
    was, before, after = (
        {item.name: _parts(item) for item in production.items} for production in (old_source, edited, merged)
    )
    names = []
    for name in {**before, **was}:
        old, new, now = was.get(name, {}), before.get(name, {}), after.get(name, {})
        if any(old.get(part) != new.get(part) and new.get(part) != now.get(part) for part in {**old, **new}):
            names.append(name)
    return names


def _parts(item: Item) -> dict[Any, Any]:
    """An item's fields and settings, side by side."""
    fields = {name: getattr(item, name) for name in Item.__dataclass_fields__ if name != "settings"}
    return {**fields, **item.settings}


def _merge_item(edited: Item, before: Item, after: Item) -> Item:
    changes: dict[str, Any] = {}
    for name in Item.__dataclass_fields__:
        if name != "settings" and getattr(before, name) == getattr(after, name):
            changes[name] = getattr(edited, name)
    settings: dict[tuple[str, str], str] = {}
    for key in {**after.settings, **edited.settings}:
        old, new = before.settings.get(key), after.settings.get(key)
        value = edited.settings.get(key) if old == new else new
        if value is not None:
            settings[key] = value
    return replace(after, settings=settings, **changes)


def _item_from_dict(data: Mapping[str, Any]) -> Item:
    name = _text(data.get("@Name"))
    if not name:
        raise ProductionError("An item of the production has no @Name: give it one.")
    return Item(
        name=name,
        class_name=_text(data.get("@ClassName")),
        category=_text(data.get("@Category")),
        pool_size=whole(data.get("@PoolSize"), 1, f"@PoolSize of {name}"),
        enabled=flag(data.get("@Enabled"), True),
        foreground=flag(data.get("@Foreground"), False),
        comment=_text(data.get("@Comment")),
        log_trace_events=flag(data.get("@LogTraceEvents"), False),
        schedule=_text(data.get("@Schedule")),
        settings={
            (_text(entry.get("@Target")) or "Host", _text(entry.get("@Name"))): _text(entry.get("#text"))
            for entry in _as_list(data.get("Setting"))
        },
    )


def _item_to_dict(item: Item) -> dict[str, Any]:
    data: dict[str, Any] = {
        "@Name": item.name,
        "@Category": item.category,
        "@ClassName": item.class_name,
        "@PoolSize": str(item.pool_size),
        "@Enabled": flag_text(item.enabled),
        "@Foreground": flag_text(item.foreground),
        "@Comment": item.comment,
        "@LogTraceEvents": flag_text(item.log_trace_events),
        "@Schedule": item.schedule,
    }
    if item.settings:
        data["Setting"] = [
            {"@Target": target, "@Name": name, "#text": text} for (target, name), text in item.settings.items()
        ]
    return data


def _as_list(value: Any) -> list[Any]:
    # xmltodict gives a single element as a mapping and several as a list.
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def flag(value: Any, default: bool) -> bool:
    """A yes or no as `iop` and IRIS write it; `default` for nothing."""
    if value is None or value == "":
        return default
    return str(value).strip().lower() in ("true", "1", "yes", "on")


def flag_text(value: bool) -> str:
    """The same the other way round."""
    return "true" if value else "false"


def whole(value: Any, default: int, what: str) -> int:
    """A whole number, 0 or more; `default` for nothing. Raises `ProductionError` that names `what`."""
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0:
        raise ProductionError(f"{what} is {value!r}: it must be a whole number, 0 or more.")
    return number
