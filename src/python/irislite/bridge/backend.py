"""What `import iris` answers with: classes by name, globals, references, SQL.

`bind` joins it to the genuine wrapper package through `iris.runtime.bind_backends`. A class or
member that is not here raises an error that names it; there is never a silent stand-in.
"""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

import iris
import xmltodict

from irislite import config
from irislite.bridge import objects, persistence
from irislite.bridge import sql as sql_classes
from irislite.bridge.objects import BODIES, CallStructure, IrisObject, Ref, Stream
from irislite.bridge.objectscript import Obj, StaticClass
from irislite.bridge.status import OK, ErrorStatus, Status
from irislite.errors import ClassNotFound, IrisliteError, NotSupported, ProductionError
from irislite.header import Body
from irislite.productions import Component

STOP_GRACE_S = 30.0  # how long a stop waits for the messages at hand

sql = sql_classes.sql
_console = logging.getLogger("irislite.console")


class Runtime(Protocol):
    """What the classes below need of the running engine."""

    def log(self, type: int, source_class: str, source_method: str, text: str) -> None: ...
    def start(self, production: str = "") -> None: ...
    def stop(self, timeout_s: float) -> None: ...
    def restart(self) -> None: ...
    def update(self) -> None: ...
    def enable_item(self, name: str, enabled: bool) -> None: ...
    def status(self) -> dict[str, str]: ...
    def listing(self) -> dict[str, dict[str, Any]]: ...
    def default_production(self) -> str: ...
    def set_default_production(self, name: str) -> None: ...
    def bind_component(self, component: Component) -> None: ...
    def unbind_component(self, class_name: str) -> None: ...
    def bindings(self, unused_only: bool) -> list[dict[str, Any]]: ...
    def register_production(self, production: config.Production) -> None: ...
    def export(self, production: str) -> dict[str, Any]: ...
    def connections(self, production: str) -> dict[str, Any]: ...
    def queue_counts(self, production: str) -> dict[str, Any]: ...
    def apply_plan(
        self, production: str, operations: list[Mapping[str, Any]], allow_destructive: bool
    ) -> list[dict[str, Any]]: ...
    @property
    def needs_update(self) -> bool: ...
    def write_console(self, line: str) -> None: ...
    def keep_schema(self, name: str, category: str, schema: str) -> None: ...
    def schema(self, name: str) -> tuple[str, str] | None: ...
    def test_object(self, target: str, request: Any) -> Any: ...
    def credential(self, name: str) -> tuple[str, str] | None: ...
    def create_service(self, name: str) -> Any: ...
    def stored_body(self, body_id: int) -> Body | None: ...


_runtimes: list[Runtime] = []  # the last one answers
objects.read_body = lambda body_id: _engine().stored_body(body_id)


def bind(runtime: Runtime) -> None:
    """Make `import iris` answer from this runtime, in this process, until `unbind`."""
    _runtimes.append(runtime)
    import irislite.bridge.backend as backend

    iris.runtime.bind_backends(embedded_module=backend, embedded_cls=cls)
    persistence.refuse()
    # The wrapper fills these in when it loads a backend from an installation folder; off IRIS
    # they would be mocks, so they are set on the public module here.
    vars(iris).update(sql_classes.FUNCTIONS, system=system, IOP=IOP, Ens=Ens, __getattr__=_missing)


def unbind(runtime: Runtime) -> None:
    """Let the runtime that was bound before answer again; without one `iris` says that there is none."""
    if runtime in _runtimes:
        _runtimes.remove(runtime)


def _engine() -> Runtime:
    if not _runtimes:
        raise IrisliteError("No irislite runtime is bound in this process: start one with `irislite run FILE`.")
    return _runtimes[-1]


def _as_status(action: Callable[..., None], *values: Any) -> int | ErrorStatus:
    """Do it and answer as IRIS does: 1, or a status that says what went wrong."""
    try:
        action(*values)
    except IrisliteError as error:
        return ErrorStatus(str(error))
    return OK


class _Log(metaclass=StaticClass):
    """Ens.Util.Log"""

    @staticmethod
    def Log(type: int, source_class: str, source_method: str, text: str, *_: Any) -> int:
        _engine().log(type, source_class, source_method, text)
        return OK

    @staticmethod
    def LogAssert(source_class: str, source_method: str, text: str, *_: Any) -> int:
        _engine().log(1, source_class, source_method, text)
        return OK


class _Console(metaclass=StaticClass):
    """%SYS.System"""

    @staticmethod
    def WriteToConsoleLog(text: str, _flag: int = 0, severity: int = 0, source: str = "") -> int:
        _engine().write_console(f"{severity} {source}: {text}")
        levels = {-1: logging.DEBUG, 0: logging.INFO, 1: logging.WARNING, 2: logging.ERROR, 3: logging.CRITICAL}
        _console.log(levels.get(severity, logging.INFO), "%s: %s", source, text)
        return OK


class _EnsDirector(metaclass=StaticClass):
    """Ens.Director"""

    @staticmethod
    def StartProduction(name: str = "") -> int | ErrorStatus:
        return _as_status(_engine().start, name)

    @staticmethod
    def StopProduction(timeout_s: float = STOP_GRACE_S, force: int = 0) -> int | ErrorStatus:
        return _as_status(_engine().stop, 0 if force else timeout_s)

    @staticmethod
    def RestartProduction(*_: Any) -> int | ErrorStatus:
        return _as_status(_engine().restart)

    @staticmethod
    def UpdateProduction(*_: Any) -> int | ErrorStatus:
        return _as_status(_engine().update)

    @staticmethod
    def EnableConfigItem(name: str, enable: int = 1, _update: int = 1) -> int | ErrorStatus:
        return _as_status(_engine().enable_item, name, bool(enable))


class _IopDirector(metaclass=StaticClass):
    """IOP.Director"""

    @staticmethod
    def dispatchCreateBusinessService(name: str) -> Any:
        return _engine().create_service(name)

    @staticmethod
    def dispatchListProductions() -> dict[str, dict[str, Any]]:
        return _engine().listing()

    @staticmethod
    def StatusProduction() -> dict[str, Any]:
        status = _engine().status()
        needs_update = int(_engine().needs_update)
        answer = {"Production": status["production"], "Status": status["status"], "NeedsUpdate": needs_update}
        if needs_update:
            answer["UpdateMessage"] = "The production is configured otherwise than it runs: update it."
        return answer


class _IopUtils(metaclass=StaticClass):
    """IOP.Utils"""

    @staticmethod
    def dispatchRegisterComponent(
        module: str, classname: str, path: str, _full_path: str, _overwrite: int, class_name: str, *_python: str
    ) -> int:
        _engine().bind_component(Component(class_name, module, classname, path))
        return OK

    @staticmethod
    def CreateProductionFromJSON(name: str, text: str) -> int | ErrorStatus:
        data = json.loads(text)
        return _as_status(_register, name, data.get("Production", data.get(name, data)))

    @staticmethod
    def CreateProduction(package: str, name: str, xml: Stream) -> int | ErrorStatus:
        return _as_status(_register, f"{package}.{name}", xmltodict.parse(xml.text)["Production"])

    @staticmethod
    def ExportProduction(name: str) -> Stream:
        return Stream(xmltodict.unparse({"Production": _engine().export(name)[name]}))

    @staticmethod
    def ExportProductionConnections(name: str) -> str:
        return json.dumps(_engine().connections(name))

    @staticmethod
    def ExportProductionQueueInfo(name: str) -> str:
        return json.dumps(_engine().queue_counts(name))

    @staticmethod
    def ListComponentProxies(unused_only: int = 0) -> str:
        return json.dumps(_engine().bindings(bool(unused_only)))

    @staticmethod
    def DeleteComponentProxy(class_name: str = "") -> int | ErrorStatus:
        return _as_status(_engine().unbind_component, class_name)

    @staticmethod
    def ApplyProductionPlan(name: str, plan: str, allow_destructive: int = 0) -> str:
        result: dict[str, Any] = {"production": name, "operations": []}
        try:
            operations = json.loads(plan).get("operations") or []
            result["operations"] = _engine().apply_plan(name, operations, bool(allow_destructive))
        except IrisliteError as error:
            result["error"] = str(error)
        return json.dumps(result)

    @staticmethod
    def dispatchTestComponent(target: str, request: Any) -> Any:
        return _engine().test_object(target, request)


class _JsonSchema(IrisObject):
    """`IOP.Message.JSONSchema`: a message's schema; it is kept and can be read, for transformations on IRIS."""

    classes = ("IOP.Message.JSONSchema", "%Persistent", "%RegisteredObject")

    def __init__(self, name: str = "", category: str = "", schema: str = "") -> None:
        self.Name, self.Category, self.JSONSchema = name, category, schema

    @staticmethod
    def Import(schema: str, category: str = "", name: str = "") -> int | ErrorStatus:
        return _as_status(_engine().keep_schema, name, category, schema)

    @classmethod
    def _OpenId(cls, name: str) -> Any:
        kept = _engine().schema(name)
        return None if kept is None else cls(name, *kept)


class _Credentials(IrisObject):
    """`Ens.Config.Credentials`: a named credential, as hosts look it up."""

    classes = ("Ens.Config.Credentials", "%Persistent", "%RegisteredObject")

    def __init__(self, name: str = "", username: str = "", secret: str = "") -> None:
        self.SystemName, self.Username, self.Password = name, username, secret

    @classmethod
    def _OpenId(cls, name: str) -> Any:
        kept = _engine().credential(name)
        return None if kept is None else cls(name, *kept)

    @staticmethod
    def _ExistsId(name: str) -> int:
        return int(_engine().credential(name) is not None)


def _register(name: str, data: Any) -> None:
    if not isinstance(data, dict):
        raise ProductionError(f"The production {name} is no mapping: see iop's documentation of PRODUCTIONS.")
    _engine().register_production(config.from_dict(name, data))


_CLASSES: dict[str, Any] = {
    **BODIES,
    "%Stream.GlobalCharacter": Stream,
    "Ens.CallStructure": CallStructure,
    "Ens.Config.Credentials": _Credentials,
    "Ens.Util.Log": _Log,
    "%SYS.System": _Console,
    "Ens.Director": _EnsDirector,
    "IOP.Director": _IopDirector,
    "IOP.Utils": _IopUtils,
    "IOP.Message.JSONSchema": _JsonSchema,
    "%SYSTEM.OBJ": Obj,
    "%SYSTEM.Status": Status,
    **sql_classes.CLASSES,
}


def cls(name: str) -> Any:
    """`iris.cls(name)`. Raises `ClassNotFound` for a class the runtime does not have."""
    try:
        return _CLASSES[name]
    except KeyError:
        raise ClassNotFound(
            f"irislite has no class {name!r}: components can use {', '.join(sorted(_CLASSES))}; "
            "everything else needs InterSystems IRIS."
        ) from None


class _Global:
    """`^Ens.Configuration`: the one global that `iop` reads and writes."""

    def __getitem__(self, key: tuple[str, ...]) -> str:
        _check_key(key)
        return _engine().default_production()

    def __setitem__(self, key: tuple[str, ...], value: str) -> None:
        _check_key(key)
        _engine().set_default_production(value)


def _check_key(key: tuple[str, ...]) -> None:
    if tuple(key) != ("csp", "LastProduction"):
        raise NotSupported(f'irislite keeps ^Ens.Configuration("csp","LastProduction") alone, not {key}.')


def gref(name: str) -> _Global:
    """`iris.gref(name)`. Raises `NotSupported` for a global the runtime does not keep."""
    if name.lstrip("^") != "Ens.Configuration":
        raise NotSupported(f"irislite has no globals but ^Ens.Configuration, not {name}: keep data in a SQL table.")
    return _Global()


def ref(value: Any = "") -> Ref:
    """`iris.ref()`."""
    return Ref(value)


class _Package:
    """`iris.system`, `iris.IOP` and `iris.Ens`: classes by attribute instead of by name."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self._prefix}.{name}"
        if full in _CLASSES:
            return _CLASSES[full]
        if any(known.startswith(full + ".") for known in _CLASSES):
            return _Package(full)
        return cls(full)


system = _Package("%SYSTEM")
IOP = _Package("IOP")
Ens = _Package("Ens")


def _missing(name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)
    raise AttributeError(f"irislite has no iris.{name}: use iris.cls, iris.sql or iris.dbapi, or run on IRIS.")
