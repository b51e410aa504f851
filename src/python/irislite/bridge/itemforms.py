"""What a new item is asked for, by the component it is made of; and the settings that the answers come to."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from irislite.bridge import components
from irislite.errors import IrisliteError, ProductionError, near
from irislite.header import BusinessType
from irislite.productions import Component


@dataclass(frozen=True, slots=True)
class FormField:
    """One thing to fill in; `choices` are offered, others may be typed."""

    name: str
    help: str
    required: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemForm:
    """A registered component that an item can be made of. `is_own` says that it has a form of its own."""

    class_name: str
    kind: BusinessType
    description: str
    fields: tuple[FormField, ...]
    is_own: bool


def forms(registered: Mapping[str, Component]) -> list[ItemForm]:
    """The components that items can be made of, those with a form of their own first.

    A component may say what a new item is asked for: a class method `item_form()` returns, by field, a mapping with
    `help`, and perhaps `choices` and `required`; `item_settings(answers)` returns the settings that the answers come
    to, as `%settings` lines by name, or raises with what to do. Others are asked for the settings they require.
    """
    found = []
    for name, component in registered.items():
        try:
            loaded = components.import_class(component.module, component.classname, component.classpaths)
        except Exception:  # noqa: BLE001, S112 - the component's own code: an item of it tells what is wrong
            continue
        if (kind := components.kind(loaded)) is not BusinessType.UNKNOWN:
            found.append(_form(name, kind, loaded))
    return sorted(found, key=lambda form: (not form.is_own, form.class_name.lower()))


def settings(form: ItemForm, registered: Mapping[str, Component], answers: Mapping[str, str]) -> dict[str, str]:
    """The `%settings` that the answers come to. Raises `ProductionError` with what to fill in."""
    names = [field.name for field in form.fields]
    for name in answers:
        if name not in names:
            raise ProductionError(f"A new item of {form.class_name} is not asked for {name!r}.{near(name, names)}")
    given = {name: text.strip() for name, text in answers.items() if text.strip()}
    missing = [field.name for field in form.fields if field.required and field.name not in given]
    if missing:
        raise ProductionError(f"A new item of {form.class_name} needs {' and '.join(missing)}: fill that in.")
    if not form.is_own:
        return given
    component = registered[form.class_name]
    loaded = components.import_class(component.module, component.classname, component.classpaths)
    try:
        return {str(name): str(text) for name, text in loaded.item_settings(given).items()}
    except IrisliteError:
        raise
    except Exception as error:  # the component's own words say what to fill in
        raise ProductionError(str(error)) from error


def _form(name: str, kind: BusinessType, loaded: Any) -> ItemForm:
    text = (inspect.getdoc(loaded) or "").split("\n\n")[0]
    if hasattr(loaded, "item_form") and hasattr(loaded, "item_settings"):
        asked = loaded.item_form().items()
        return ItemForm(name, kind, text, tuple(_field(field, about) for field, about in asked), True)
    required = (setting for setting in components.declared_settings(loaded) if setting.required)
    return ItemForm(name, kind, text, tuple(FormField(each.name, each.description) for each in required), False)


def _field(name: str, about: Mapping[str, Any]) -> FormField:
    return FormField(
        name, str(about.get("help", "")), bool(about.get("required", True)), tuple(about.get("choices", ()))
    )
