"""Python components: load a class, tell its kind, its settings, whether a class is a message."""

import importlib
import inspect
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import iop
from iop.messages.persistent import is_persistent_message_class
from pydantic import BaseModel

from irislite import itemsettings
from irislite.bridge import projects
from irislite.bridge.persistence import NO_PERSISTENT_MESSAGES
from irislite.config import PLUMBING, SETTINGS_TEXT, Item, flag
from irislite.errors import BadRequest, NotSupported, ProductionError, near
from irislite.header import BusinessType
from irislite.productions import Component

_import_lock = threading.Lock()
_CASTS: dict[str, Callable[[str], Any]] = {
    "Integer": int,
    "Numeric": float,
    "Boolean": lambda text: flag(text, False),
}
# Built-in classes of IRIS that stand for "a Python class named by the item's own settings".
_GENERIC = {"IOP.BusinessService", "IOP.BusinessProcess", "IOP.BusinessOperation"} | {
    "IOP.DuplexService", "IOP.DuplexProcess", "IOP.DuplexOperation"
}  # fmt: skip
DUPLEX_TARGET = "DuplexTargetConfigName"
IRIS_ADAPTERS = {"Ens.InboundAdapter", "Ens.OutboundAdapter"}  # those that only say when a host is called


@dataclass(frozen=True, slots=True)
class DeclaredSetting:
    """A setting as the component's class declares it."""

    name: str
    type: str
    default: Any
    required: bool
    category: str
    description: str


_RUN_BY = (  # settings of an adapter that the runtime itself goes by
    DeclaredSetting("CallInterval", "Numeric", 5, False, "Basic", "Seconds from one look for input to the next."),
    DeclaredSetting(
        "KeepaliveInterval", "Numeric", 0, False, "Basic",
        "Seconds without work after which the adapter gives its sign of life; 0: never.",
    ),
)  # fmt: skip
RUN_BY = frozenset(setting.name for setting in _RUN_BY)


def load(item: Item, components: dict[str, Component]) -> Any:
    """The Python class of an item. Raises `ProductionError` that says what is wrong and what to do."""
    module, classname = item.setting("%module"), item.setting("%classname")
    classpaths = item.setting("%classpaths") or ""
    if item.class_name not in _GENERIC or not module or not classname:
        component = components.get(item.class_name)
        if component is None:
            raise ProductionError(
                f"The class {item.class_name!r} of {item.name} is not registered: irislite hosts Python components. "
                f"Register it in CLASSES or PRODUCTIONS of the settings file.{near(item.class_name, components)}"
            )
        module, classname, classpaths = component.module, component.classname, component.classpaths
    return import_class(module, classname, classpaths)


def import_class(module: str, classname: str, classpaths: str) -> Any:
    """Import a class from its folders. What the import raises is raised on."""
    with _import_lock:
        paths = projects.folders(classpaths)
        if projects.is_home(module, paths):
            found = getattr(sys.modules[module], classname, None)
        else:
            with projects.visit(paths):
                found = getattr(importlib.import_module(module), classname, None)
    if not inspect.isclass(found):
        raise ProductionError(f"The module {module} has no class {classname}: correct the name in the settings file.")
    return found


def kind(component: Any) -> BusinessType:
    """Whether a component is a service, a process or an operation."""
    for base, business_type in (
        ((iop.BusinessService, iop.DuplexService), BusinessType.SERVICE),
        ((iop.BusinessProcess, iop.DuplexProcess), BusinessType.PROCESS),
        ((iop.BusinessOperation, iop.DuplexOperation), BusinessType.OPERATION),
    ):
        if issubclass(component, base):
            return business_type
    return BusinessType.UNKNOWN


def is_duplex(component: Any) -> bool:
    """Whether a component has private sessions."""
    return issubclass(component, (iop.DuplexService, iop.DuplexProcess, iop.DuplexOperation))


def sends_documents(component: Any) -> bool:
    """Whether a component is the side of a private session that is polled for documents."""
    return issubclass(component, (iop.DuplexService, iop.DuplexOperation))


def adapter(component: Any, registered: dict[str, Component]) -> Any:
    """The Python class of a host's adapter, or None for a host without one.

    Raises `ProductionError` for an adapter that is not a registered Python class.
    """
    name = component.get_adapter_type() if kind(component) in (BusinessType.SERVICE, BusinessType.OPERATION) else None
    if not name or name in IRIS_ADAPTERS:
        return None
    if name not in registered:
        raise ProductionError(
            f"The adapter {name!r} of {component.__name__} is not registered: irislite hosts Python adapters, iop's "
            f"InboundAdapter and OutboundAdapter. Register one under this name in CLASSES.{near(name, registered)}"
        )
    found = registered[name]
    loaded = import_class(found.module, found.classname, found.classpaths)
    wanted = {BusinessType.SERVICE: "InboundAdapter", BusinessType.OPERATION: "OutboundAdapter"}[kind(component)]
    either = (iop.InboundAdapter, iop.OutboundAdapter)
    if not issubclass(loaded, either if is_duplex(component) else getattr(iop, wanted)):
        raise ProductionError(
            f"The adapter {name!r} of {component.__name__} is no {wanted}: let {loaded.__name__} extend iop.{wanted}, "
            "or name another adapter."
        )
    return loaded


def is_inbound(adapter: Any) -> bool:
    """Whether an adapter is a service's."""
    return issubclass(adapter, iop.InboundAdapter)


def refuse_persistent(instance: Any) -> None:
    """Raise `NotSupported` if a component has a handler for a message that needs a table of IRIS's."""
    for name, method in getattr(instance, "DISPATCH", ()):
        module, _, classname = name.rpartition(".")
        if is_persistent_message_class(getattr(sys.modules.get(module), classname, None)):
            raise NotSupported(f"{type(instance).__name__}.{method} handles {name}. {NO_PERSISTENT_MESSAGES}")


def build(component: Any) -> Any:
    """An instance as IRIS makes it: `__init__` is not called."""
    return component.__new__(component)


def declared_settings(component: Any) -> list[DeclaredSetting]:
    """The settings the class declares, in the order of their names, and the one that IRIS gives a duplex host.

    What a process keeps through a crash is its own affair, though `iop` lists it with them.
    """
    kept = getattr(component, "PERSISTENT_PROPERTY_LIST", None) or ()
    declared = [
        DeclaredSetting(name, type_, default, bool(required), category, description)
        for name, type_, default, required, category, description, *_ in component._get_properties()
        if name not in kept
    ]
    if sends_documents(component) and all(setting.name != DUPLEX_TARGET for setting in declared):
        text = "The process that gets the documents of the private sessions that this host starts."
        declared.append(DeclaredSetting(DUPLEX_TARGET, "String", "", False, "Basic Settings", text))
    return declared


def adapter_settings(component: Any, registered: dict[str, Component]) -> list[DeclaredSetting]:
    """The settings of a host's adapter: what its class declares, and what the runtime itself goes by."""
    adapter_class = adapter(component, registered)
    declared = declared_settings(adapter_class) if adapter_class is not None else []
    run_by = ""
    if kind(component) is not BusinessType.SERVICE:
        run_by = "KeepaliveInterval" if adapter_class is not None else ""
    elif adapter_class is not None or component.get_adapter_type() == "Ens.InboundAdapter":
        run_by = "CallInterval"
    names = {setting.name for setting in declared}
    return declared + [setting for setting in _RUN_BY if setting.name == run_by and run_by not in names]


def apply_settings(instance: Any, item: Item, target: str = "Host") -> list[str]:
    """Set an item's settings on its instance: first the lines of `%settings`, then its other settings.

    The values of `%settings` stay text; settings that the class declares get its types. `target`
    is Adapter for the settings of the item's adapter.
    Returns a sentence for each setting that could not be set.
    """
    problems: list[str] = itemsettings.item_problems(item) if target == "Host" else []
    types = {declared.name: declared.type for declared in declared_settings(type(instance))}
    values: list[tuple[str, Any]] = list(item.options(target).items())
    for (whose, name), text in item.settings.items():
        if whose != target or name in PLUMBING or name == SETTINGS_TEXT or text == "":
            continue
        if name not in types:
            business_type = kind(type(instance)) if whose == "Host" else BusinessType.UNKNOWN
            if name in RUN_BY and (whose == "Adapter" or business_type is BusinessType.SERVICE):
                continue
            if (problem := itemsettings.problem(name, business_type, types)) is not None:
                problems.append(problem)
            continue
        try:
            values.append((name, _CASTS.get(types[name], str)(text)))
        except ValueError:
            problems.append(f"The setting {name} is {text!r}: it must be of type {types[name]}.")
    for name, value in values:
        try:
            setattr(instance, name, value)
        except (AttributeError, TypeError, ValueError) as error:
            problems.append(f"The setting {name} could not be set: {error}.")
    return problems


def check_request_class(name: str) -> None:
    """Raise `BadRequest` with what to do if `name` is no message class that can be imported."""
    module, _, classname = name.rpartition(".")
    if not module:
        raise BadRequest(f"The class name {name!r} has no module: write it as in msg.MLRequest.")
    if not all(part.isidentifier() for part in name.split(".")):
        raise BadRequest(f"The class name {name!r} is no Python name: write it as in msg.MLRequest.")
    try:
        with _import_lock:
            found = getattr(importlib.import_module(module), classname, None)
    except ImportError as error:
        raise BadRequest(
            f"The class {name!r} cannot be imported: {error}. Write the Python name, as in msg.MLRequest."
        ) from error
    if not inspect.isclass(found):
        names = [key for key, value in vars(sys.modules[module]).items() if is_message(value)]
        raise BadRequest(f"The module {module!r} has no class {classname!r}.{near(classname, names)}")
    if not is_message(found):
        raise BadRequest(f"{name} is no message class: it must extend iop.Message or iop.PydanticMessage.")


def is_message(value: Any) -> bool:
    """Whether `value` is a class that a request's JSON can be made into."""
    return inspect.isclass(value) and issubclass(value, (iop.Message, BaseModel))
