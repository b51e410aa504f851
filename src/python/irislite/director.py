"""Start, stop, test: the one object that joins a data folder, a production and its pools."""

import dataclasses
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from irislite import config
from irislite.bridge import backend, components, migration, sql
from irislite.bridge.components import DeclaredSetting, RequestClass
from irislite.bridge.handles import Handle
from irislite.bridge.objects import MessageBody, to_body, to_object
from irislite.config import SETTINGS_TEXT, Item, Production
from irislite.database import Database
from irislite.errors import BadRequest, IrisliteError, ItemNotRunning, ProductionError
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType, Header
from irislite.host import Host
from irislite.pool import Pool, PoolState
from irislite.productions import Component, Productions
from irislite.router import Address, Call, Router, Sender
from irislite.sql import Tables
from irislite.store import Store, now

TEST_SERVICE = "EnsLib.Testing.Service"  # the name IRIS gives to the sender of a test
ACTOR_POOL = "Ens.Actor"  # the shared pool of processes with a pool size of 0
ALIASES = {"Grongier.PEX.Message": "IOP.Message"}  # what test pages of earlier versions send
START_GRACE_S = 1.0  # how long a start waits to tell whether a component came up
STOP_GRACE_S = 30.0


class ProductionStatus(StrEnum):
    """The states of a production, as `iop --status` prints them."""

    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    TROUBLED = "troubled"


class ItemState(StrEnum):
    """The states of an item, as the portal shows them."""

    DISABLED = "disabled"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as an operator sees it.

    `reason` says why it is not running; `last_activity` is in seconds since the epoch.
    """

    name: str
    class_name: str
    kind: BusinessType
    category: str
    comment: str
    enabled: bool
    pool_size: int
    state: ItemState
    reason: str
    queue_count: int
    in_progress: int
    processed: int
    last_activity: float


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as an operator sees it; `value` is its text, None if the default holds."""

    name: str
    target: str
    type: str
    value: str | None
    default: Any
    required: bool
    category: str
    description: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """The answer to a test. `body` is the answer's JSON text, empty for an answer without a body."""

    session_id: int
    request_id: int
    classname: str
    body: str


class Director:
    """A runtime over one data folder. Make one, `load` a settings file, `start` a production.

    `home` holds messages, tables and log; `echo` gets every log entry as it is written.
    """

    def __init__(
        self, home: Path, synchronous: str = "FULL", echo: Callable[[LogType, str, str], None] | None = None
    ) -> None:
        self.home = home
        self._database = Database(home, synchronous)
        self.store = Store(self._database)
        self.eventlog = EventLog(self._database, echo)
        self.productions = Productions(self._database)
        self.tables = Tables(home)
        self.router = Router(self.store)
        self._lock = threading.RLock()
        self._production: Production | None = None
        self._pools: dict[str, Pool] = {}
        self._loaded: list[str] = []
        self._kinds: dict[tuple[str, str | None, str | None], BusinessType] = {}
        backend.bind(self)
        sql.bind(self.tables)

    def close(self) -> None:
        """Stop what runs and close the data folder."""
        with self._lock:
            if self._production is not None:
                self.stop()
            self.tables.close()
            self._database.close()

    # -- productions -----------------------------------------------------------------------

    def load(self, settings_file: Path) -> str:
        """Read a settings or production file as `iop --migrate` does. Returns its first production's name.

        Raises `ProductionError` if the file cannot be read or names no production.
        """
        path = settings_file.resolve()
        if not path.is_file():
            raise ProductionError(f"There is no file {settings_file}: name a settings or production file.")
        self._loaded = []
        try:
            words = migration.migrate(path)
        except IrisliteError:
            raise
        except Exception as error:  # the file is the user's code: whatever it raises is told with its name
            raise ProductionError(f"{settings_file} cannot be loaded: {type(error).__name__}: {error}.") from error
        self.eventlog.add(LogType.INFO, words, "Director", "load")
        if not self._loaded:
            raise ProductionError(f"{settings_file} names no production: define PRODUCTIONS = [...] in it.")
        if not self.productions.kept("default_production"):
            self.set_default_production(self._loaded[0])
        return self._loaded[0]

    def start(self, production: str = "") -> None:
        """Start a production; without a name the default one. One runs at a time."""
        with self._lock:
            name = production or self.default_production()
            if not name:
                raise ProductionError("No production is named and there is no default: `iop --default NAME` sets it.")
            if self._production is not None:
                if self._production.name == name:
                    return
                raise ProductionError(f"The production {self._production.name} is running: stop it first.")
            self._production = self.productions.production(name)
            self.set_default_production(name)
            self.productions.stamp(name, True, now())
            self.eventlog.add(LogType.INFO, f"Production {name} is starting.", "Director", "start")
            self._start_actors()
            # Operations, processes, services: nothing is sent before its target is there.
            for item in sorted(self._production.items, key=lambda item: -self._kind(item)):
                self._start_item(item)
            for pool in list(self._pools.values()):
                pool.settle(START_GRACE_S / max(1, len(self._pools)))

    def stop(self) -> None:
        """Stop what runs: services, processes, operations. What is queued stays queued."""
        with self._lock:
            if self._production is None:
                return
            production = self._production
            for item in sorted(production.items, key=self._kind):
                self._stop_item(item.name)
            if ACTOR_POOL in self._pools:
                self._stop_item(ACTOR_POOL)
            self.router.clear()
            self._production = None
            self.productions.stamp(production.name, False, now())
            self.eventlog.add(LogType.INFO, f"Production {production.name} has stopped.", "Director", "stop")

    def restart(self) -> None:
        """Stop and start."""
        with self._lock:
            name = self._production.name if self._production is not None else ""
            self.stop()
            self.start(name)

    def update(self) -> None:
        """Apply what was configured since the start: items that did not change go on."""
        with self._lock:
            running = self._running()
            new = self.productions.production(running.name)
            before = {item.name: item for item in running.items}
            for item in running.items:
                if item not in new.items:
                    self._stop_item(item.name)
            self._production = new
            for item in new.items:
                if before.get(item.name) != item:
                    self._start_item(item)

    def status(self) -> dict[str, str]:
        """The running production's name, or the default's, and its status."""
        running = self._production
        if running is None:
            return {"production": self.default_production(), "status": ProductionStatus.STOPPED}
        troubled = any(pool.state is PoolState.ERROR for pool in list(self._pools.values()))
        return {
            "production": running.name,
            "status": ProductionStatus.TROUBLED if troubled else ProductionStatus.RUNNING,
        }

    def listing(self) -> dict[str, dict[str, Any]]:
        """Every production with its status and times, in the shape of `iop --list`."""
        running = self.status()
        result = {}
        for name in self.productions.names():
            started, stopped = self.productions.times(name)
            status = running["status"] if name == running["production"] else ProductionStatus.STOPPED
            result[name] = {
                "Status": status.title(), "LastStartTime": started, "LastStopTime": stopped,
                "AutoStart": int(name == self.default_production()),
            }  # fmt: skip
        return result

    def default_production(self) -> str:
        """The production that `start` starts without a name."""
        return self.productions.kept("default_production")

    def set_default_production(self, name: str) -> None:
        """Choose the production that `start` starts without a name."""
        self.productions.keep("default_production", name)

    # -- items -----------------------------------------------------------------------------

    def items(self) -> list[ItemView]:
        """The items of the running production, or of the default one."""
        return [self._view(item) for item in self._shown().items]

    def item(self, name: str) -> ItemView:
        """One item. Raises `UnknownItem`."""
        return self._view(self._shown().item(name))

    def enable_item(self, name: str, enabled: bool) -> None:
        """Enable or disable one item, now if the production runs, and for later starts.

        Raises `ProductionError` if the item does not come up; it stays enabled, in error.
        """
        with self._lock:
            item = dataclasses.replace(self._shown().item(name), enabled=enabled)
            self._save_item(item)
            if self._production is not None:
                self._stop_item(name)
                self._start_item(item)
        self._settle(name)

    def restart_item(self, name: str) -> None:
        """Stop and start one item. Raises `ProductionError` if it does not come up."""
        with self._lock:
            item = self._running().item(name)
            self._stop_item(name)
            self._start_item(item)
        self._settle(name)

    def settings(self, name: str) -> list[SettingView]:
        """The settings of an item: what its class declares, and what else is set. `%settings` comes first."""
        item = self._shown().item(name)
        declared = {setting.name: setting for setting in self._declared(item)}
        views = [
            SettingView(SETTINGS_TEXT, "Host", "String", item.setting(SETTINGS_TEXT), "", False, "Python",
                        "One name=value a line; each becomes an attribute of the component, as text.")
        ]  # fmt: skip
        for setting in declared.values():
            views.append(
                SettingView(setting.name, "Host", setting.type, item.setting(setting.name), setting.default,
                            setting.required, setting.category, setting.description)
            )  # fmt: skip
        for (target, setting_name), text in item.settings.items():
            if setting_name not in declared and setting_name != SETTINGS_TEXT:
                views.append(SettingView(setting_name, target, "String", text, "", False, "", ""))
        return views

    def apply_settings(
        self, name: str, settings: dict[tuple[str, str], str | None], pool_size: int | None = None
    ) -> list[str]:
        """Change settings of one item and restart it alone. None takes a setting back to its default.

        Returns a sentence for each change. Raises `ProductionError` if the item does not come up.
        """
        with self._lock:
            item = self._shown().item(name)
            merged = dict(item.settings)
            for key, text in settings.items():
                if text is None:
                    merged.pop(key, None)
                else:
                    merged[key] = text
            changed = dataclasses.replace(item, settings=merged)
            if pool_size is not None:
                if pool_size < 0:
                    raise ProductionError(f"The pool size of {name} is {pool_size}: it must be 0 or more.")
                changed = dataclasses.replace(changed, pool_size=pool_size)
            differences = _differences(item, changed)
            if not differences:
                return []
            self._save_item(changed)
            if self._production is not None:
                self._stop_item(name)
                self._start_item(changed)
        self.eventlog.add(
            LogType.INFO, f"Settings of {name} changed: {'; '.join(differences)}.", "Director", "settings"
        )
        self._settle(name)
        return differences

    def request_classes(self, name: str) -> list[RequestClass]:
        """The message classes an item handles. Empty for an item whose class cannot be loaded."""
        try:
            component = components.load(self._shown().item(name), self.productions.components())
        except Exception:  # noqa: BLE001 - why it cannot be loaded is shown as the item's state
            return []
        return components.request_classes(component)

    # -- tests -----------------------------------------------------------------------------

    def test(self, target: str, classname: str, body: str, timeout_s: float | None = None) -> TestResult:
        """Send a request as the test page does and wait for the answer.

        `classname` is a Python message class, or empty for an `Ens.Request`; `body` its JSON.
        Raises `BadRequest`, `UnknownItem`, `ItemNotRunning`, `RequestFailed`, `RequestTimeout`.
        """
        call = self.router.send_sync(
            Sender(TEST_SERVICE, BusinessType.SERVICE), target, _request_body(classname, body), timeout_s
        )
        return _result(call)

    def test_async(self, target: str, classname: str, body: str) -> Header:
        """Send a request as the test page does and do not wait. Returns its header."""
        sender = Sender(TEST_SERVICE, BusinessType.SERVICE)
        return self.router.send_async(sender, target, _request_body(classname, body))

    def test_object(self, target: str, request: MessageBody) -> MessageBody | None:
        """The same for an object that `iop` made."""
        sender = Sender(TEST_SERVICE, BusinessType.SERVICE)
        call = self.router.send_sync(sender, target, to_body(request))
        return to_object(call.answer(), call.response.message_body_id if call.response is not None else 0)

    def create_service(self, name: str) -> Handle:
        """A handle to a service's component, for code outside the production that sends through it."""
        host = Host(self._running().item(name), self.productions.components(), self.router, self.store, self.eventlog)
        if host.kind is not BusinessType.SERVICE:
            raise ProductionError(f"{name} is no service: only a service can be created from outside.")
        host.start()
        handle: Handle = host.instance.iris_handle
        return handle

    # -- what iop asks for -------------------------------------------------------------------

    def log(self, type: int, source_class: str, source_method: str, text: str) -> None:
        """Write a line of a component's own into the event log."""
        self.eventlog.add(LogType(type), str(text), source_class, source_method)

    def register_production(self, production: Production) -> None:
        """Take a production from a file."""
        self.productions.register(production)
        self._loaded.append(production.name)

    def bind_component(self, component: Component) -> None:
        """Take a Python class from a file."""
        self.productions.bind(component)
        self._kinds.clear()

    def unbind_component(self, class_name: str) -> None:
        """Forget a Python class. Raises `ProductionError` if it is unknown or an item uses it."""
        used = self._users().get(class_name, [])
        if used:
            raise ProductionError(f"{class_name} is used by {', '.join(used)}: remove these items first.")
        if not self.productions.unbind(class_name):
            raise ProductionError(f"There is no binding {class_name!r}: `iop --bindings` lists them.")

    def bindings(self, unused_only: bool = False) -> list[dict[str, Any]]:
        """The registered Python classes, in the shape of `iop --bindings`."""
        users = self._users()
        rows = []
        for name, component in sorted(self.productions.components().items()):
            used_by = users.get(name, [])
            if not (unused_only and used_by):
                rows.append({"class": name, "super": "", "module": component.module, "classname": component.classname,
                             "classpaths": component.classpaths, "used": bool(used_by), "used_by": used_by})  # fmt: skip
        return rows

    def export(self, production: str) -> dict[str, Any]:
        """A production in the shape of `iop --export`."""
        name = production or self.default_production()
        return {name: config.to_dict(self.productions.production(name))}

    def connections(self, production: str) -> dict[str, Any]:
        """Which items send to which, as far as their code tells."""
        result: dict[str, Any] = {"production": production, "items": [], "warnings": []}
        registered = self.productions.components()
        for item in self.productions.production(production or self.default_production()).items:
            row: dict[str, Any] = {
                "item": item.name, "class_name": item.class_name, "kind": "unknown", "connections": [], "warnings": []
            }  # fmt: skip
            try:
                component = components.load(item, registered)
                instance = components.build(component)
                components.apply_settings(instance, item)
                found = components.kind(component).name.lower()
                row.update(iop=1, kind=found, connections=list(instance.on_get_connections()))
            except Exception as error:  # noqa: BLE001 - the item's own code; the diagram shows the others
                row["warnings"].append(f"{type(error).__name__}: {error}")
            result["items"].append(row)
        return result

    def queue_counts(self, production: str) -> dict[str, Any]:
        """How many messages wait for each item, in the shape of `iop --queue`."""
        name = production or self.default_production()
        rows = [
            {"item": item.name, "queue_name": item.name, "class_name": item.class_name, "exists": 1,
             "count": self.router.queue(item.name).count}
            for item in self.productions.production(name).items
        ]  # fmt: skip
        return {"production": name, "items": rows, "warnings": []}

    # -- inside ------------------------------------------------------------------------------

    def _running(self) -> Production:
        if self._production is None:
            raise ItemNotRunning("No production is running: start one first.")
        return self._production

    def _shown(self) -> Production:
        return self._production or self.productions.production(self.default_production())

    def _users(self) -> dict[str, list[str]]:
        users: dict[str, list[str]] = {}
        for name in self.productions.names():
            for item in self.productions.production(name).items:
                users.setdefault(item.class_name, []).append(f"{name}:{item.name}")
        return users

    def _save_item(self, item: Item) -> None:
        production = self._shown().with_item(item)
        self.productions.save(production)
        if self._production is not None:
            self._production = production

    def _kind(self, item: Item) -> BusinessType:
        key = (item.class_name, item.setting("%module"), item.setting("%classname"))
        if key not in self._kinds:
            try:
                self._kinds[key] = components.kind(components.load(item, self.productions.components()))
            except Exception:  # noqa: BLE001 - told when the item is started
                return BusinessType.UNKNOWN
        return self._kinds[key]

    def _declared(self, item: Item) -> list[DeclaredSetting]:
        try:
            return components.declared_settings(components.load(item, self.productions.components()))
        except Exception:  # noqa: BLE001 - told as the item's state
            return []

    def _host(self, name: str) -> Host:
        return Host(self._running().item(name), self.productions.components(), self.router, self.store, self.eventlog)

    def _start_actors(self) -> None:
        production = self._running()
        names = [item.name for item in production.items if item.enabled and self._is_actor(item)]
        if names:
            size = max(1, production.actor_pool_size)
            pool = Pool(ACTOR_POOL, size, self.router.queue(ACTOR_POOL), self._host, names, self.eventlog)
            pool.after_message = self._end_transaction
            self._pools[ACTOR_POOL] = pool
            pool.start()

    def _is_actor(self, item: Item) -> bool:
        return item.pool_size == 0 and self._kind(item) is BusinessType.PROCESS

    def _start_item(self, item: Item) -> None:
        """Place an item's address and start its members. A failure puts the item in error, the others go on."""
        kind = self._kind(item)
        is_actor = self._is_actor(item)
        queue = self.router.queue(ACTOR_POOL if is_actor else item.name)
        if not item.enabled:
            reason = f" {item.comment}" if item.comment else ""
            refusal = f"{item.name} is disabled.{reason} Enable it first, in the portal or with `iop`."
            self.router.place(item.name, Address(queue, kind, refusal))
            return
        if is_actor:
            self.router.place(item.name, Address(queue, kind))
            if ACTOR_POOL in self._pools and item.name not in self._pools[ACTOR_POOL].names:
                self._stop_item(ACTOR_POOL)
                self._start_actors()
            return
        is_service = kind is BusinessType.SERVICE
        refusal = (
            f"{item.name} is a service: it takes no messages. Send to an operation or a process." if is_service else ""
        )
        self.router.place(item.name, Address(queue, kind, refusal))
        size = 0 if item.pool_size == 0 else (1 if is_service else item.pool_size)
        pool = Pool(item.name, size, None if is_service else queue, self._host, [item.name], self.eventlog)
        pool.after_message = self._end_transaction
        pool.on_error = lambda: self._mark_failed(item.name, queue, kind, pool)
        self._pools[item.name] = pool
        pool.start()

    def _mark_failed(self, name: str, queue: Any, kind: BusinessType, pool: Pool) -> None:
        refusal = f"{name} could not be started: {pool.error_text} Correct its settings and start it again."
        if self._pools.get(name) is pool:
            self.router.place(name, Address(queue, kind, refusal, queues_anyway=True))

    def _end_transaction(self) -> None:
        """A handler that leaves a transaction open would keep every other writer waiting."""
        if self.tables.level:
            self.tables.roll_back()
            self.eventlog.add(
                LogType.WARNING, "A SQL transaction was left open and was rolled back: commit it.", "Director", "sql"
            )

    def _stop_item(self, name: str) -> None:
        pool = self._pools.pop(name, None)
        if pool is not None and not pool.stop(STOP_GRACE_S):
            self.eventlog.add(
                LogType.WARNING, f"{name} still works on a message; it stops when that is done.", "Director", "stop"
            )

    def _settle(self, name: str) -> None:
        pool = self._pools.get(name)
        if pool is None:
            return
        pool.settle(START_GRACE_S)
        if pool.state is PoolState.ERROR:
            raise ProductionError(f"{name} could not be started: {pool.error_text}")

    def _view(self, item: Item) -> ItemView:
        pool = self._pools.get(ACTOR_POOL if self._is_actor(item) else item.name)
        queue = self.router.queue(item.name)
        if not item.enabled:
            state, reason = ItemState.DISABLED, item.comment
        elif self._production is None or pool is None:
            state, reason = ItemState.STOPPED, "The production is stopped."
        else:
            state, reason = ItemState(pool.state), pool.error_text
        return ItemView(
            name=item.name, class_name=item.class_name, kind=self._kind(item), category=item.category,
            comment=item.comment, enabled=item.enabled, pool_size=item.pool_size, state=state, reason=reason,
            queue_count=queue.count, in_progress=len(queue.claimed), processed=pool.processed if pool else 0,
            last_activity=pool.last_activity if pool else 0.0,
        )  # fmt: skip


def _request_body(classname: str, text: str) -> Body:
    """The stored form of what was typed on a test page. Raises `BadRequest` with what to do."""
    name = ALIASES.get(classname, classname)
    if name in ("", "Ens.Request"):
        return Body("Ens.Request", "Ens.Request", "{}")
    if name == "Ens.StringRequest":
        return Body(name, name, json.dumps({"StringValue": text}))
    if name == "IOP.Message":
        raise BadRequest("The request type IOP.Message needs a Python class name too, as in msg.MLRequest.")
    components.check_request_class(name)
    try:
        fields = json.loads(text or "{}")
    except ValueError as error:
        raise BadRequest(f'The body is no valid JSON: {error}. Write it as in {{"inputs": "text"}}.') from error
    if not isinstance(fields, dict):
        raise BadRequest(
            f'The body is a JSON {type(fields).__name__}: it must be an object, as in {{"inputs": "text"}}.'
        )
    return Body("IOP.Message", name, json.dumps(fields, ensure_ascii=False))


def _result(call: Call) -> TestResult:
    body = call.answer()
    header = call.header
    return TestResult(
        session_id=header.session_id if header is not None else 0,
        request_id=header.id if header is not None else 0,
        classname=body.classname if body is not None else "",
        body=body.content if body is not None else "",
    )


def _differences(before: Item, after: Item) -> list[str]:
    lines = []
    if before.pool_size != after.pool_size:
        lines.append(f"pool size {before.pool_size} → {after.pool_size}")
    for target, name in sorted({*before.settings, *after.settings}):
        old, new = before.settings.get((target, name)), after.settings.get((target, name))
        if old != new:
            lines.append(f"{name} {old!r} → {new!r}")
    return lines
