"""The message classes that a component takes: their fields, and examples to start from."""

import dataclasses
import inspect
import json
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from iop.messages.dispatch import create_dispatch
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from irislite.bridge import components
from irislite.config import Item

_WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "yes or no"}


@dataclass(frozen=True, slots=True)
class RequestField:
    """A field that a message class declares.

    `type` is text, integer, number, yes or no, or JSON for anything else; `choices` are the values that a literal or
    an enumeration allows.
    """

    name: str
    type: str
    default: Any
    required: bool
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A JSON object of a class, and what it is an example of."""

    label: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestClass:
    """A message class an item handles: a JSON object to start from, more examples, the declared fields."""

    name: str
    template: dict[str, Any]
    description: str
    fields: tuple[RequestField, ...] = ()
    examples: tuple[Example, ...] = ()


def request_classes(component: Any, item: Item) -> list[RequestClass]:
    """The message classes that the component has handlers for.

    Examples are looked for in three places: a message class may have an `EXAMPLE`, a JSON object, and `EXAMPLES`, such
    objects by what they show; a component may have a class method `examples(settings)` that returns, by message class,
    what fits an item of these settings, which are texts: one object, or objects by what they show.
    """
    fitting = _fitting(component, item)
    instance = components.build(component)
    create_dispatch(instance)
    classes = []
    for name, method in instance.DISPATCH:
        module, _, classname = name.rpartition(".")
        found = getattr(sys.modules.get(module), classname, None)
        if inspect.isclass(found):
            text = inspect.getdoc(getattr(component, method)) or inspect.getdoc(found) or ""
            examples = tuple(_examples(found, fitting.get(found)))
            start = dict(examples[0].body) if examples else template(found)
            classes.append(RequestClass(name, start, text.split("\n\n")[0], tuple(fields(found)), examples))
    return sorted(classes, key=lambda request_class: request_class.name)


def _fitting(component: Any, item: Item) -> dict[type, Any]:
    if not hasattr(component, "examples"):
        return {}
    settings = {**item.options(), **{name: text for (whose, name), text in item.settings.items() if whose == "Host"}}
    try:
        return dict(component.examples(settings))
    except Exception:  # noqa: BLE001 - the component's own code, perhaps of another meaning: there are templates
        return {}


def _examples(message: type, fitting: Any) -> Iterator[Example]:
    """Every example once; what fits the item comes first, and alone if there is any."""
    found: list[tuple[str, Any]] = []
    if isinstance(fitting, list):
        found += fitting
    elif isinstance(fitting, dict):
        found.append(("for this item", fitting))
    else:
        found.append(("example", getattr(message, "EXAMPLE", None)))
        more = getattr(message, "EXAMPLES", None)
        found += more.items() if isinstance(more, Mapping) else ()
    seen: list[Any] = []
    for label, body in found:
        if isinstance(body, dict) and body not in seen:
            seen.append(body)
            yield Example(str(label), dict(body))


def template(message: type) -> dict[str, Any]:
    """A JSON object to start from: the fields of the class with their defaults."""
    return {field.name: field.default for field in fields(message)}


def fields(message: type) -> list[RequestField]:
    """The fields that a message class declares, in their order; none for a class that is neither kind of message."""
    if issubclass(message, BaseModel):
        return [
            _field(name, info.annotation, info.get_default(call_default_factory=True), info.is_required())
            for name, info in message.model_fields.items()
        ]
    if not dataclasses.is_dataclass(message):
        return []
    try:
        hints = get_type_hints(message)
    except (NameError, TypeError):  # a name that only a type checker knows
        hints = {}
    return [_field(field.name, hints.get(field.name), *_default(field)) for field in dataclasses.fields(message)]


def _default(field: dataclasses.Field[Any]) -> tuple[Any, bool]:
    if field.default is not dataclasses.MISSING:
        return field.default, False
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory(), False
    return "", True


def _field(name: str, hint: Any, default: Any, required: bool) -> RequestField:
    if default is PydanticUndefined:
        default = ""
    if isinstance(default, Enum):
        default = default.value
    try:
        json.dumps(default)
    except (TypeError, ValueError):
        default = str(default)
    choices: tuple[Any, ...] = ()
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) in (Union, types.UnionType) and len(parts) == 1:
        hint = parts[0]
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        hint = type(choices[0])
    elif inspect.isclass(hint) and issubclass(hint, Enum):
        choices = tuple(member.value for member in hint)
        hint = type(choices[0])
    return RequestField(name, _WORDS.get(hint, "JSON"), default, required, choices)
