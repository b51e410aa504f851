"""What `iop`'s command line prints about productions, in its shapes."""

from collections.abc import Callable
from typing import Any

from irislite.bridge import components
from irislite.config import Item, Production
from irislite.header import BusinessType
from irislite.productions import Component, Productions
from irislite.views import ProductionStatus


def listing(productions: Productions, running: str, status: str) -> dict[str, dict[str, Any]]:
    """Every production with its status and times (`iop --list`)."""
    default = productions.kept("default_production")
    result = {}
    for name in productions.names():
        started, stopped = productions.times(name)
        result[name] = {
            "Status": (status if name == running else ProductionStatus.STOPPED).title(),
            "LastStartTime": started,
            "LastStopTime": stopped,
            "AutoStart": int(name == default),
        }
    return result


def bindings(productions: Productions, unused_only: bool) -> list[dict[str, Any]]:
    """The registered Python classes and who uses them (`iop --bindings`)."""
    used = users(productions)
    return [
        {
            "class": name,
            "super": _super_of(component),
            "module": component.module,
            "classname": component.classname,
            "classpaths": component.classpaths,
            "used": int(name in used),
            "used_by": [{"production": production, "item": item} for production, item in used.get(name, [])],
        }
        for name, component in sorted(productions.components().items())
        if not (unused_only and name in used)
    ]


def users(productions: Productions) -> dict[str, list[tuple[str, str]]]:
    """Which items use which class, as production and item."""
    result: dict[str, list[tuple[str, str]]] = {}
    for name in productions.names():
        for item in productions.production(name).items:
            result.setdefault(item.class_name, []).append((name, item.name))
    return result


def _super_of(component: Component) -> str:
    """The class of `iop` that a component extends, under IRIS's name; empty if it cannot be loaded."""
    try:
        found = components.import_class(component.module, component.classname, component.classpaths)
    except Exception:  # noqa: BLE001 - the component's own code; why it fails is told when an item starts
        return ""
    info = found._get_info()  # empty for a class that is no component
    return f"IOP.{info[0].rpartition('.')[2]}" if info else ""


def connections(production: Production, registered: dict[str, Component]) -> dict[str, Any]:
    """Which items send to which, as far as their code tells (`iop` draws its graphs from it).

    IRIS also tells module, class name and class paths. `iop` 4.1 takes these for settings of the item: each
    plan would remove them, and no rollback would be found complete.
    """
    rows = []
    for item in production.items:
        row: dict[str, Any] = {"item": item.name, "class_name": item.class_name, "kind": "component"}
        found, warnings = [], []
        try:
            loaded = components.load(item, registered)
            if (kind := components.kind(loaded)) is not BusinessType.UNKNOWN:
                row["kind"] = kind.name.lower()
            if adapter := loaded._get_info()[4:]:
                row["adapter_class_name"] = adapter[0]
            row["iop"] = 1
            instance = components.build(loaded)
            components.apply_settings(instance, item)
            found = sorted({*instance.on_get_connections(), *_duplex_target(loaded, item)})
        except Exception as error:  # noqa: BLE001 - the item's own code; the diagram shows the others
            warnings.append(f"{type(error).__name__}: {error}")
        rows.append({**row, "connections": found, "warnings": warnings})
    return {"production": production.name, "items": rows, "warnings": []}


def _duplex_target(component: Any, item: Item) -> set[str]:
    """The process that gets the documents of a duplex service or operation."""
    name = (item.setting(components.DUPLEX_TARGET) or "").strip() if components.sends_documents(component) else ""
    return {name} if name else set()


def queue_counts(production: Production, count_of: Callable[[Item], int]) -> dict[str, Any]:
    """How many messages wait for each item (`iop --queue`)."""
    rows = [
        {
            "item": item.name,
            "queue_name": item.name,
            "class_name": item.class_name,
            "exists": 1,
            "count": count_of(item),
        }
        for item in production.items
    ]
    return {"production": production.name, "items": rows, "warnings": []}
