"""What `iop`'s command line prints about productions, in its shapes."""

from collections.abc import Callable
from typing import Any

from irislite.bridge import components
from irislite.config import Item, Production
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
            "super": "",
            "module": component.module,
            "classname": component.classname,
            "classpaths": component.classpaths,
            "used": name in used,
            "used_by": used.get(name, []),
        }
        for name, component in sorted(productions.components().items())
        if not (unused_only and name in used)
    ]


def users(productions: Productions) -> dict[str, list[str]]:
    """Which items use which class, as production:item."""
    result: dict[str, list[str]] = {}
    for name in productions.names():
        for item in productions.production(name).items:
            result.setdefault(item.class_name, []).append(f"{name}:{item.name}")
    return result


def connections(production: Production, registered: dict[str, Component]) -> dict[str, Any]:
    """Which items send to which, as far as their code tells."""
    rows = []
    for item in production.items:
        row: dict[str, Any] = {
            "item": item.name,
            "class_name": item.class_name,
            "kind": "unknown",
            "connections": [],
            "warnings": [],
        }
        try:
            component = components.load(item, registered)
            instance = components.build(component)
            components.apply_settings(instance, item)
            found = components.kind(component).name.lower()
            row.update(iop=1, kind=found, connections=list(instance.on_get_connections()))
        except Exception as error:  # noqa: BLE001 - the item's own code; the diagram shows the others
            row["warnings"].append(f"{type(error).__name__}: {error}")
        rows.append(row)
    return {"production": production.name, "items": rows, "warnings": []}


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
