"""Start, stop, test: the one object that joins a data folder, a production and its pools."""

import dataclasses
import json
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from irislite import assembly, config, plans, reports, settingspage, testpage
from irislite.audit import Audit
from irislite.bridge import backend, itemforms, projects, requestclasses, sql
from irislite.bridge.handles import Handle
from irislite.bridge.itemforms import ItemForm
from irislite.bridge.objects import MessageBody, to_body, to_object
from irislite.bridge.requestclasses import RequestClass
from irislite.config import Item, Production
from irislite.database import Database
from irislite.errors import ItemNotRunning, ProductionError, UnknownBinding, UnknownProduction, near
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType, Header, Priority
from irislite.hosting import STOP_GRACE_S, Hosting
from irislite.housekeeping import Housekeeping
from irislite.loading import Loader
from irislite.messagelife import MessageLife, suspend_lost_calls
from irislite.productions import Component, Productions
from irislite.router import Router
from irislite.savedsearches import SavedSearches
from irislite.search import Search
from irislite.sql import Tables
from irislite.store import Store, now
from irislite.testhistory import TestHistory
from irislite.vault import Vault
from irislite.views import ItemState, ItemView, JobView, ProductionStatus, SettingView, TestResult


class Director:
    """A runtime over one data folder. Make one, `load` a settings file, `start` a production.

    `home` holds messages, tables and log; `echo` gets every log entry as it is written; `clock` is the
    local time that items' schedules go by.
    """

    def __init__(
        self,
        home: Path,
        synchronous: str = "FULL",
        echo: Callable[[LogType, str, str], None] | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.home = home
        self._database = Database(home, synchronous)
        self.store = Store(self._database)
        self.eventlog = EventLog(self._database, echo)
        self.audit = Audit(home)
        self.vault = Vault(home)
        self.housekeeping = Housekeeping(home, self._database, self.eventlog)
        self.productions = Productions(self._database)
        self.tests = TestHistory(self.productions)
        self.tables = Tables(home)
        suspend_lost_calls(self.store, self.eventlog)
        self.router = Router(self.store)
        self.messages = MessageLife(self.store, self.router, self.eventlog)
        self.search = Search(self._database, lambda: self.router.claimed)
        self.saved_searches = SavedSearches(self._database)
        self._lock = threading.RLock()
        self._production: Production | None = None
        self._hosting = Hosting(self.router, self.store, self.eventlog, self.productions, self.tables, clock)
        self._hosting.on_schedule = self.follow_schedules
        self._hosting.on_suspend = self.messages.keep_secrets
        self._hosting.on_disable = self._disable_soon
        self._loader = Loader(self.productions, lambda: self._production)
        backend.bind(self)
        sql.bind(self.tables)

    def close(self) -> None:
        """Stop what runs and close the data folder."""
        with self._lock:
            if self._production is not None:
                self.stop()
            self.housekeeping.close()
            backend.unbind(self)
            sql.unbind(self.tables)
            self.tables.close()
            self.audit.close()
            self._database.close()

    def flush(self) -> None:
        """Wait until everything that was written so far can be read."""
        self._database.write(lambda connection: None)

    # -- productions -----------------------------------------------------------------------

    def load(self, settings_file: Path, strict: bool = False) -> str:
        """Read a settings or production file as `iop --migrate` does. Returns its first production's name, or nothing.

        Edits that were made to its productions since the last time stay. With `strict`, what `iop`'s
        validation finds refuses the file; otherwise it is a warning in the log. Raises `ProductionError`
        if the file cannot be read, is refused, or names no production.
        """
        found = self._loader.load(settings_file, strict)
        count = len(found.classes)
        names = ", ".join([f"{count} class{'es' * (count != 1)}", *found.productions])
        self.eventlog.add(LogType.INFO, f"{settings_file.name} was read: {names}.", "Director", "load")
        if found.issues:
            self.eventlog.add(LogType.INFO, found.words, "Director", "load")
        for issue in found.issues:
            self.eventlog.add(LogType.WARNING, issue, "Director", "load")
        for name, taken in found.taken.items():
            if text := taken.told(name, settings_file.resolve()):
                self.eventlog.add(LogType.WARNING, text, "Director", "load")
        if found.productions and not self.productions.kept("default_production"):
            self.set_default_production(found.productions[0])
        return found.productions[0] if found.productions else ""

    def forget_code(self, folder: Path) -> None:
        """Let the next import read a folder's files again: they have changed. Hosts keep the classes they have."""
        projects.forget(folder.resolve())
        self._hosting.forget_classes()

    def register(self, production: Any) -> str:
        """The same for a production object of `iop`, or its dictionary, without a file. Returns its name."""
        return self._loader.register(production)

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
            projects.enter(projects.folders(self.productions.classpaths(self._production)))
            self.set_default_production(name)
            self.productions.stamp(name, True, now())
            self.eventlog.add(LogType.INFO, f"Production {name} is starting.", "Director", "start")
            self._hosting.start(self._production)

    def stop(self, timeout_s: float = STOP_GRACE_S) -> None:
        """Stop what runs. What is queued stays queued; an item may take `timeout_s` to finish its message."""
        with self._lock:
            if self._production is None:
                return
            name = self._production.name
            self._hosting.stop(self._production, timeout_s)
            self.messages.suspend_calls()
            self._production = None
            self.productions.stamp(name, False, now())
            self.eventlog.add(LogType.INFO, f"Production {name} has stopped.", "Director", "stop")

    def restart(self) -> None:
        """Stop and start."""
        with self._lock:
            name = self._production.name if self._production is not None else ""
            self.stop()
            self.start(name)

    def update(self) -> None:
        """Apply what was configured since the start: items that did not change go on."""
        with self._lock:
            before = self._running()
            self._production = self.productions.production(before.name)
            projects.enter(projects.folders(self.productions.classpaths(self._production)))
            self._hosting.change(self._production, before)

    def apply_plan(
        self, production: str, operations: list[plans.Operation], allow_destructive: bool = False
    ) -> list[dict[str, Any]]:
        """Change a production's configuration as a plan of `iop` says; `update` applies it to what runs.

        Returns what became of each operation: applied, skipped or failed, with the reason.
        """
        with self._lock:
            changed, results = plans.apply(self.productions.production(production), operations, allow_destructive)
            self.productions.save(changed)
        self.eventlog.add(LogType.INFO, f"A plan was applied to {production}.", "Director", "apply_plan")
        return results

    @property
    def needs_update(self) -> bool:
        """Whether the running production is configured otherwise than it was when it was started or updated."""
        running = self._production
        return running is not None and self.productions.production(running.name) != running

    @property
    def is_running(self) -> bool:
        """Whether a production runs."""
        return self._production is not None

    def status(self) -> dict[str, str]:
        """The running production's name, or the default's, and its status."""
        running = self._production
        if running is None:
            return {"production": self.default_production(), "status": ProductionStatus.STOPPED}
        status = ProductionStatus.TROUBLED if self._hosting.troubled else ProductionStatus.RUNNING
        return {"production": running.name, "status": status}

    def listing(self) -> dict[str, dict[str, Any]]:
        """Every production with its status and times, in the shape of `iop --list`."""
        running = self.status()
        return reports.listing(self.productions, running["production"], running["status"])

    def default_production(self) -> str:
        """The production that `start` starts without a name."""
        return self.productions.kept("default_production")

    def set_default_production(self, name: str) -> None:
        """Choose the production that `start` starts without a name."""
        self.productions.keep("default_production", name)

    # -- items -----------------------------------------------------------------------------

    def items(self) -> list[ItemView]:
        """The items of the running production, or of the default one."""
        running = self.is_running
        return [self._hosting.view(item, running) for item in self._shown().items]

    def item(self, name: str) -> ItemView:
        """One item. Raises `UnknownItem`."""
        return self._hosting.view(self._shown().item(name), self.is_running)

    def enable_item(self, name: str, enabled: bool) -> None:
        """Enable or disable one item, now if the production runs, and for later starts.

        Raises `ProductionError` if the item does not come up; it stays enabled, in error.
        """
        with self._lock:
            item = dataclasses.replace(self._shown().item(name), enabled=enabled)
            self._apply(item)
        self._hosting.settle(item)

    def item_forms(self) -> list[ItemForm]:
        """The components that a new item can be made of, and what each asks for."""
        return itemforms.forms(self.productions.components())

    def add_item(self, name: str, class_name: str, answers: dict[str, str], comment: str = "") -> list[str]:
        """Add an item and, if the production runs, start it. `answers` are those to the form of its class.

        What is added is kept with the production's configuration; no file is changed. Returns its `%settings` lines.
        Raises `ProductionError` with what to correct, and if the item does not come up: it is there then, in error.
        """
        registered = self.productions.components()
        found = {form.class_name: form for form in itemforms.forms(registered)}
        if class_name not in found:
            raise ProductionError(f"No item can be made of {class_name!r}.{near(class_name, found)}")
        settings = itemforms.settings(found[class_name], registered, answers)
        item = assembly.new_item(name, class_name, settings, comment)
        self._edit(lambda production: assembly.added(production, item), f"{item.name} was added.")
        self._hosting.settle(item)
        return [f"{key}={text}" for key, text in settings.items()]

    def copy_item(self, name: str, new_name: str) -> None:
        """Add a disabled copy of an item, with its settings. Raises `ProductionError`."""
        self._edit(
            lambda production: assembly.copied(production, name, new_name), f"{new_name} was copied from {name}."
        )

    def remove_item(self, name: str) -> None:
        """Take an item out of the production, though its file names it; its messages stay in the store.

        It comes back when the file says something new of it. Raises `ProductionError` while it has messages to handle.
        """
        with self._lock:
            self._hosting.check_idle(self._shown().item(name))
            self._edit(lambda production: assembly.removed(production, name), f"{name} was removed.")

    def recover(self) -> list[str]:
        """Start the items again that could not be started; the others go on. Returns their names.

        Raises `ProductionError` with the reasons of those that do not come up.
        """
        with self._lock:
            production = self._running()
            items = [item for item in production.items if self._hosting.view(item, True).state is ItemState.ERROR]
            for item in items:
                self._hosting.restart_item(production, item.name)
        problems = []
        for item in items:
            try:
                self._hosting.settle(item)
            except ProductionError as error:
                problems.append(str(error))
        if problems:
            raise ProductionError("\n".join(problems))
        return [item.name for item in items]

    def jobs(self, name: str) -> list[JobView]:
        """The members of an item's pool: what each does now. Raises `UnknownItem`."""
        return self._hosting.jobs(self._shown().item(name))

    def waiting(self, name: str, limit: int) -> list[Header]:
        """The first messages of an item's queue: those that are worked on, then those that wait, next first."""
        item = self._shown().item(name)
        queue = self._hosting.queue(item)
        found: list[Header] = []
        for priority in sorted(Priority):
            if len(found) < limit and (queue.count_of(item.name) or queue.claimed_of(item.name)):
                entries = self.store.queued(queue.name, priority, 0, limit)
                found += [entry.header for entry in entries if entry.header.target_config_name == item.name]
        claimed = queue.claimed
        return sorted(found[:limit], key=lambda header: header.id not in claimed)

    def follow_schedules(self) -> None:
        """Start and stop items as their schedules say for now. It is done by itself, every second."""
        if not self._lock.acquire(blocking=False):
            return  # somebody changes what runs: the next look comes soon
        try:
            if self._production is not None:
                self._hosting.follow_schedules(self._production)
        finally:
            self._lock.release()

    def restart_item(self, name: str) -> None:
        """Stop and start one item. Raises `ProductionError` if it does not come up."""
        with self._lock:
            production = self._running()
            self._hosting.restart_item(production, name)
        self._hosting.settle(production.item(name))

    def settings(self, name: str) -> list[SettingView]:
        """The settings of an item: what its class declares, and what else is set. `%settings` comes first."""
        item = self._shown().item(name)
        declared, of_adapter = self._hosting.declared(item), self._hosting.declared(item, "Adapter")
        return settingspage.shown(item, self._hosting.kind(item), declared, of_adapter)

    def apply_settings(
        self, name: str, settings: dict[tuple[str, str], str | None], pool_size: int | None = None
    ) -> list[str]:
        """Change settings of one item and restart it alone. None takes a setting back to its default.

        Returns a sentence for each change. Raises `ProductionError` if the item does not come up.
        """
        with self._lock:
            item = self._shown().item(name)
            changed = settingspage.changed(item, settings, pool_size)
            differences = settingspage.differences(item, changed)
            if not differences:
                return []
            self._apply(changed)
        self.eventlog.add(
            LogType.INFO, f"Settings of {name} changed: {'; '.join(differences)}.", "Director", "settings"
        )
        self._hosting.settle(changed)
        return differences

    def request_classes(self, name: str) -> list[RequestClass]:
        """The message classes an item handles. Empty for an item whose class cannot be loaded."""
        item = self._shown().item(name)
        try:
            component = self._hosting.component(item)
        except Exception:  # noqa: BLE001 - why it cannot be loaded is shown as the item's state
            return []
        return requestclasses.request_classes(component, item)

    def abort_queue(self, name: str, by: str = "") -> int:
        """Give up all that waits for an item. Returns how many messages that were. Raises `UnknownItem`."""
        return self.messages.abort_queue(self._hosting.queue(self._shown().item(name)).name, name, by)

    # -- tests -----------------------------------------------------------------------------

    def test(
        self, target: str, classname: str, body: str, timeout_s: float | None = None, user: str = ""
    ) -> TestResult:
        """Send a request as the test page does and wait for the answer.

        `classname` is a Python message class, or empty for an `Ens.Request`; `body` its JSON. The message's
        description names the `user`.
        Raises `BadRequest`, `UnknownItem`, `ItemNotRunning`, `RequestFailed`, `RequestTimeout`.
        """
        content, description = testpage.request_body(classname, body), testpage.description(user)
        return testpage.result(
            self.router.send_sync(testpage.TESTER, target, content, timeout_s, description=description)
        )

    def test_async(self, target: str, classname: str, body: str, user: str = "") -> Header:
        """Send a request as the test page does and do not wait. Returns its header."""
        content, description = testpage.request_body(classname, body), testpage.description(user)
        return self.router.send_async(testpage.TESTER, target, content, description=description)

    def test_object(self, target: str, request: MessageBody) -> MessageBody | None:
        """The same for an object that `iop` made."""
        call = self.router.send_sync(testpage.TESTER, target, to_body(request))
        return to_object(call.answer(), call.response_body_id)

    def create_service(self, name: str) -> Handle:
        """A handle to a service's component, for code outside the production that sends through it."""
        host = self._hosting.host(self._running().item(name))
        if host.kind is not BusinessType.SERVICE:
            raise ProductionError(f"{name} is no service: only a service can be created from outside.")
        host.start()
        handle: Handle = host.instance.iris_handle
        return handle

    # -- what iop asks for -------------------------------------------------------------------

    def log(self, type: int, source_class: str, source_method: str, text: str) -> None:
        """Write a line of a component's own into the event log."""
        self.eventlog.add(LogType(type), str(text), source_class, source_method)

    def write_console(self, line: str) -> None:
        """Add a line to the console log, `messages.log` in the data folder, as IRIS has one."""
        with (self.home / "messages.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{now()} ({os.getpid()}) {line}\n")

    def keep_schema(self, name: str, category: str, schema: str) -> None:
        """Keep the JSON schema of a message class that a settings file names in SCHEMAS."""
        self.productions.keep(f"schema {name}", json.dumps([category, schema]))

    def stored_body(self, body_id: int) -> Body | None:
        """What a message carries; None if there is no such body."""
        return self.store.body(body_id)

    def credential(self, name: str) -> tuple[str, str] | None:
        """User name and secret of a credential of the data folder, for the host that asks; None if there is none."""
        found = self.vault.get(name)
        return None if found is None else (found.username, found.secret)

    def schema(self, name: str) -> tuple[str, str] | None:
        """The category and the JSON schema kept for a message class; None if there is none."""
        kept = self.productions.kept(f"schema {name}")
        if not kept:
            return None
        category, schema = json.loads(kept)
        return category, schema

    def register_production(self, production: Production) -> None:
        """Take a production: while a file is loaded, edits made since the last time stay; else it replaces what is."""
        self._loader.take(production)

    def bind_component(self, component: Component) -> None:
        """Take a Python class from a file."""
        self._loader.bind(component)
        self._hosting.forget_classes()

    def unbind_component(self, class_name: str) -> None:
        """Forget a Python class. Raises `UnknownBinding`, or `ProductionError` if an item uses it."""
        used = reports.users(self.productions).get(class_name, [])
        if used:
            names = ", ".join(f"{production}/{item}" for production, item in used)
            raise ProductionError(f"{class_name} is used by {names}: remove these items first.")
        if not self.productions.unbind(class_name):
            raise UnknownBinding(f"There is no binding {class_name!r}: `iop --bindings` lists them.")
        self._hosting.forget_classes()

    def bindings(self, unused_only: bool = False) -> list[dict[str, Any]]:
        """The registered Python classes, in the shape of `iop --bindings`."""
        return reports.bindings(self.productions, unused_only)

    def export(self, production: str) -> dict[str, Any]:
        """A production in the shape of `iop --export`."""
        found = self._configured(production)
        return {found.name: config.to_dict(found)}

    def connections(self, production: str) -> dict[str, Any]:
        """Which items send to which, as far as their code tells."""
        return reports.connections(self._configured(production), self.productions.components())

    def queue_counts(self, production: str) -> dict[str, Any]:
        """How many messages wait for each item, in the shape of `iop --queue`."""
        counted = self._configured(production)
        return reports.queue_counts(counted, lambda item: self._hosting.queue(item).count_of(item.name))

    # -- inside ------------------------------------------------------------------------------

    def _configured(self, name: str) -> Production:
        """A production as it is configured; without a name the default one."""
        return self.productions.production(name or self.default_production())

    def _running(self) -> Production:
        if self._production is None:
            raise ItemNotRunning("No production is running: start one first.")
        return self._production

    def _shown(self) -> Production:
        if self._production is not None:
            return self._production
        name = self.default_production()
        if not name:
            raise UnknownProduction("There is no production yet: load one with `irislite run FILE` or `iop --migrate`.")
        return self.productions.production(name)

    def _disable_soon(self, name: str, text: str) -> None:
        """Disable an item that asked for it. Not in its own thread: who stops the item waits for that one."""
        threading.Thread(target=self._disable, args=(name, text), name=f"irislite-disable-{name}", daemon=True).start()

    def _disable(self, name: str, text: str) -> None:
        with self._lock:
            if self._production is None:
                return  # it was stopped meanwhile: the message fails again after the next start
            self._apply(dataclasses.replace(self._production.item(name), enabled=False))
        told = f"{text}. The request stays first in the queue: it is handled when the item is enabled again."
        self.router.refuse_waiting(name, told)

    def _edit(self, edit: Callable[[Production], Production], told: str) -> None:
        """Add or remove items, now if the production runs, and for later starts; what does not change goes on."""
        with self._lock:
            shown = self._shown()
            production, kept = edit(shown), edit(self.productions.production(shown.name))
            self.productions.save(kept)
            if self._production is not None:
                before, self._production = self._production, production
                projects.enter(projects.folders(self.productions.classpaths(production)))
                self._hosting.change(production, before)
        self.eventlog.add(LogType.INFO, f"{told} {shown.name} differs from its file now.", "Director", "edit")

    def _apply(self, item: Item) -> None:
        """Keep an item as it is configured now and, if the production runs, restart it alone."""
        shown = self._shown()
        self._hosting.check_queue(shown.item(item.name), item)
        production = shown.with_item(item)
        # What a file has changed meanwhile is kept too: `update` applies it.
        self.productions.save(self.productions.production(shown.name).with_item(item))
        if self._production is not None:
            before, self._production = self._production, production
            if item in before.items:
                self._hosting.restart_item(production, item.name)  # asked for again: it may have been in error
            else:
                self._hosting.change(production, before)
