"""What an operator sees of an item's settings, and what a change there comes to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from irislite import itemsettings
from irislite.bridge.components import DeclaredSetting
from irislite.config import SETTINGS_TEXT, Item
from irislite.errors import ProductionError
from irislite.header import BusinessType
from irislite.itemsettings import Known
from irislite.masking import masked_setting, unmasked_setting
from irislite.views import SettingView

Key = tuple[str, str]  # target, which is Host or Adapter, and name


def shown(
    item: Item, kind: BusinessType, declared: Iterable[DeclaredSetting], of_adapter: Iterable[DeclaredSetting]
) -> list[SettingView]:
    """`%settings`, what the class declares, what the runtime knows, what the adapter declares, what else is set.

    Secrets are masked: nobody is shown one who only asks how an item is set.
    """
    own = {setting.name: setting for setting in declared}
    views = [
        SettingView(SETTINGS_TEXT, "Host", "String", _text(item, "Host", SETTINGS_TEXT), "", False, "Python",
                    "One name=value a line; each becomes an attribute of the component, as text.")
    ]  # fmt: skip
    views += [_view(item, "Host", setting, setting.required) for setting in own.values()]
    views += [_view(item, "Host", known) for known in itemsettings.BY_KIND.get(kind, ()) if known.name not in own]
    views += [_view(item, "Adapter", setting, setting.required) for setting in of_adapter]
    there = {(view.target, view.name) for view in views}
    views += [
        SettingView(name, target, "String", _text(item, target, name), "", False, "", "")
        for target, name in item.settings
        if (target, name) not in there
    ]
    return views


def changed(item: Item, settings: Mapping[Key, str | None], pool_size: int | None = None) -> Item:
    """The item with other settings; None takes one back to its default. Raises `ProductionError`.

    A secret that comes back masked, as it was shown, stays what it is.
    """
    if pool_size is not None and pool_size < 0:
        raise ProductionError(f"The pool size of {item.name} is {pool_size}: it must be 0 or more.")
    typed = {
        (target, name): unmasked_setting(name, text, item.setting(name, target))
        for (target, name), text in settings.items()
    }
    merged: dict[Key, str | None] = {**item.settings, **typed}
    return replace(
        item,
        settings={key: text for key, text in merged.items() if text is not None},
        pool_size=item.pool_size if pool_size is None else pool_size,
    )


def differences(before: Item, after: Item) -> list[str]:
    """A sentence for each setting that is another one now, without its secrets."""
    lines = []
    if before.pool_size != after.pool_size:
        lines.append(f"pool size {before.pool_size} → {after.pool_size}")
    for target, name in sorted({*before.settings, *after.settings}):
        old, new = before.settings.get((target, name)), after.settings.get((target, name))
        if old != new:
            lines.append(f"{name} {masked_setting(name, old)!r} → {masked_setting(name, new)!r}")
    return lines


def _view(item: Item, target: str, setting: DeclaredSetting | Known, required: bool = False) -> SettingView:
    text = _text(item, target, setting.name)
    return SettingView(
        setting.name, target, setting.type, text, setting.default, required, setting.category, setting.description
    )


def _text(item: Item, target: str, name: str) -> str | None:
    text = item.setting(name, target)
    return None if text is None else masked_setting(name, text)
