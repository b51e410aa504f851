"""Apply a change plan of `iop` to a production as it is configured: one operation after the other."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from irislite.config import Item, Production, flag, flag_text, whole
from irislite.errors import NotSupported, ProductionError
from irislite.itemsettings import schedule_of

Operation = Mapping[str, Any]
_PRODUCTION_SETTINGS = {
    "shutdown_timeout": "ShutdownTimeout",
    "update_timeout": "UpdateTimeout",
    "alert_notification_manager": "AlertNotificationManager",
    "alert_notification_operation": "AlertNotificationOperation",
    "alert_notification_recipients": "AlertNotificationRecipients",
    "alert_action_window": "AlertActionWindow",
}


def apply(
    production: Production, operations: list[Operation], allow_destructive: bool
) -> tuple[Production, list[dict[str, Any]]]:
    """The production after the plan, and what became of each operation: applied, skipped or failed, with the reason.

    An operation that fails changes nothing; the others are applied all the same, as on IRIS.
    """
    results = []
    for operation in operations:
        result = {name: operation.get(name, "") for name in ("id", "op_type", "path")}
        if operation.get("risk") == "unsupported":
            result.update(status="skipped", message=operation.get("reason") or "unsupported operation")
        elif operation.get("risk") == "destructive" and not allow_destructive:
            result.update(status="skipped", message="requires allow_destructive")
        else:
            try:
                production = _apply_one(production, operation)
                result["status"] = "applied"
            except (ProductionError, NotSupported) as error:
                result.update(status="failed", message=str(error))
        results.append(result)
    return production, results


def _apply_one(production: Production, operation: Operation) -> Production:
    kind = operation.get("op_type", "")
    step = _STEPS.get(kind)
    if step is None:
        raise NotSupported(f"A plan's operation {kind!r} is not known: make the plan anew with this version of iop.")
    return step(production, operation)


def _add_item(production: Production, operation: Operation) -> Production:
    name, data = _text(operation.get("item")), operation.get("after") or {}
    if not name:
        raise ProductionError("An item of the plan has no name: make the plan anew.")
    if any(item.name == name for item in production.items):
        raise ProductionError(f"{production.name} has an item {name!r} already: make the plan anew.")
    settings = {("Host", key): _text(value) for key, value in (data.get("host_settings") or {}).items()}
    settings |= {("Adapter", key): _text(value) for key, value in (data.get("adapter_settings") or {}).items()}
    settings |= _others(data.get("other_settings"))
    item = Item(
        name=name,
        class_name=_text(data.get("class_name")),
        category=_text(data.get("category")),
        pool_size=whole(data.get("pool_size"), 0, f"The pool size of {name}"),
        enabled=flag(data.get("enabled"), False),
        foreground=flag(data.get("foreground"), False),
        comment=_text(data.get("comment")),
        log_trace_events=flag(data.get("log_trace_events"), False),
        schedule=_text(data.get("schedule")),
        settings=settings,
    )
    schedule_of(item)
    return replace(production, items=(*production.items, item))


def _delete_item(production: Production, operation: Operation) -> Production:
    return replace(production, items=tuple(item for item in production.items if item.name != operation.get("item")))


def _set_item_field(production: Production, operation: Operation) -> Production:
    item, field, value = production.item(_text(operation.get("item"))), operation.get("field"), operation.get("after")
    if field in ("class_name", "category", "comment", "schedule"):
        text: dict[str, Any] = {field: _text(value)}
        changed = replace(item, **text)
        schedule_of(changed)  # a wrong one is refused here, not at the next start
        return production.with_item(changed)
    if field in ("enabled", "foreground", "log_trace_events"):
        switch: dict[str, Any] = {field: flag(value, False)}
        return production.with_item(replace(item, **switch))
    if field == "pool_size":
        return production.with_item(replace(item, pool_size=whole(value, 0, f"The pool size of {item.name}")))
    raise NotSupported(f"An item has no field {field!r} that a plan can set: change it in the settings file.")


def _set_production_field(production: Production, operation: Operation) -> Production:
    field, value = operation.get("field"), operation.get("after")
    if field in ("testing_enabled", "log_general_trace_events"):
        switch: dict[str, Any] = {field: flag(value, False)}
        return replace(production, **switch)
    if field == "actor_pool_size":
        return replace(production, actor_pool_size=whole(value, 0, f"The actor pool size of {production.name}"))
    if field == "description":
        return replace(production, description=_text(value))
    if field in _PRODUCTION_SETTINGS:
        return replace(production, settings={**production.settings, _PRODUCTION_SETTINGS[field]: _text(value)})
    raise NotSupported(f"A production has no field {field!r} that a plan can set: change it in the settings file.")


def _set_setting(production: Production, operation: Operation) -> Production:
    item, target = production.item(_text(operation.get("item"))), _text(operation.get("target"))
    if target == "Other":
        kept = {key: text for key, text in item.settings.items() if key[0] in ("Host", "Adapter")}
        return production.with_item(replace(item, settings={**kept, **_others(operation.get("after"))}))
    return _with_setting(production, item, (target, _text(operation.get("setting"))), _text(operation.get("after")))


def _remove_setting(production: Production, operation: Operation) -> Production:
    item = production.item(_text(operation.get("item")))
    return _with_setting(production, item, (_text(operation.get("target")), _text(operation.get("setting"))), None)


def _set_route(production: Production, operation: Operation) -> Production:
    item, targets = production.item(_text(operation.get("source_item"))), operation.get("after")
    text = ",".join(map(_text, targets)) if isinstance(targets, list) else _text(targets)
    return _with_setting(production, item, ("Host", _text(operation.get("source_target_setting"))), text)


def _remove_route(production: Production, operation: Operation) -> Production:
    item = production.item(_text(operation.get("source_item")))
    return _with_setting(production, item, ("Host", _text(operation.get("source_target_setting"))), None)


_STEPS: dict[str, Callable[[Production, Operation], Production]] = {
    "add_item": _add_item,
    "delete_item": _delete_item,
    "set_item_field": _set_item_field,
    "replace_item_class": _set_item_field,
    "set_production_field": _set_production_field,
    "set_setting": _set_setting,
    "remove_setting": _remove_setting,
    "set_route_setting": _set_route,
    "remove_route": _remove_route,
}


def _with_setting(production: Production, item: Item, key: tuple[str, str], text: str | None) -> Production:
    settings = {name: value for name, value in item.settings.items() if name != key}
    if text is not None:
        settings[key] = text
    return production.with_item(replace(item, settings=settings))


def _others(entries: Any) -> dict[tuple[str, str], str]:
    rows = entries if isinstance(entries, list) else []
    return {(_text(row.get("@Target")), _text(row.get("@Name"))): _text(row.get("#text")) for row in rows}


def _text(value: Any) -> str:
    return "" if value is None else flag_text(value) if isinstance(value, bool) else str(value)
