"""The items of a running production: their addresses, their pools, their states."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from irislite import itemsettings
from irislite.alarm import Alarm
from irislite.alerts import Alerts, QueueWatch, Watched
from irislite.bridge import components
from irislite.bridge.components import DeclaredSetting
from irislite.config import Item, Production
from irislite.context import Context, current
from irislite.duplex import DuplexHost
from irislite.duplexpool import DuplexPool
from irislite.errors import ProductionError
from irislite.eventlog import EventLog, LogType
from irislite.header import BusinessType
from irislite.host import Host, Instances
from irislite.pool import Pool
from irislite.productions import Productions
from irislite.queues import Queue
from irislite.rounds import Rounds
from irislite.router import Address, Router
from irislite.schedule import LocalTime
from irislite.sql import SqlError, Tables
from irislite.store import Entry, Store
from irislite.views import ItemState, ItemView, JobView

ACTOR_POOL = "Ens.Actor"  # the shared pool of processes with a pool size of 0
START_GRACE_S = 1.0  # how long a start waits to tell whether a component came up
STOP_GRACE_S = 30.0


class Hosting:
    """Starts and stops items, one by one; knows which component class an item has.

    `on_schedule` is called now and then while an item has a schedule: it is to call `follow_schedules`.
    `on_suspend(entry)` is called with a message that a pool lays aside, `on_disable(name, text)` with an
    item that disables itself, and why.
    """

    def __init__(
        self,
        router: Router,
        store: Store,
        log: EventLog,
        productions: Productions,
        tables: Tables,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._router = router
        self._store = store
        self._log = log
        self._productions = productions
        self._tables = tables
        self._pools: dict[str, Pool] = {}
        self._lingering: dict[str, list[threading.Thread]] = {}  # members that did not stop in time
        self._kinds: dict[tuple[str, str | None, str | None], BusinessType] = {}
        self._duplex: dict[tuple[str, str | None, str | None], bool] = {}  # the same keys: whether it is polled
        self._instances = Instances()
        self._alarm = Alarm(router, store, log)
        self._alerts = Alerts(router, log)
        self._queue_watch = QueueWatch(self._alerts, store)
        self._rounds = Rounds()
        self._local_time = LocalTime(clock)
        self._scheduled: dict[str, bool] = {}  # items with a schedule -> whether it let them run when they were started
        self.on_schedule: Callable[[], None] = lambda: None
        self.on_suspend: Callable[[Entry], None] = lambda entry: None
        self.on_disable: Callable[[str, str], None] = lambda name, text: None

    # -- classes ---------------------------------------------------------------------------

    def component(self, item: Item) -> Any:
        """The Python class of an item. What its import raises is raised on."""
        return components.load(item, self._productions.components())

    def _forget_failures(self) -> None:
        """Try again to load what could not be: an item is about to start."""
        self._kinds = {key: kind for key, kind in self._kinds.items() if kind is not BusinessType.UNKNOWN}

    def forget_classes(self) -> None:
        """Look the classes up anew: what is registered has changed."""
        self._kinds.clear()
        self._duplex.clear()

    def kind(self, item: Item) -> BusinessType:
        """Whether an item is a service, a process or an operation; unknown if its class cannot be loaded."""
        key = (item.class_name, item.setting("%module"), item.setting("%classname"))
        if key not in self._kinds:
            try:
                component = self.component(item)
                self._kinds[key] = components.kind(component)
                self._duplex[key] = components.sends_documents(component)
            except Exception:  # noqa: BLE001 - told when the item is started
                self._kinds[key] = BusinessType.UNKNOWN  # until then: a page that is open asks every second
        return self._kinds[key]

    def declared(self, item: Item, target: str = "Host") -> list[DeclaredSetting]:
        """The settings an item's class declares, or its adapter's; none if it cannot be loaded: its state tells."""
        try:
            component = self.component(item)
            if target == "Adapter":
                return components.adapter_settings(component, self._productions.components())
            return components.declared_settings(component)
        except Exception:  # noqa: BLE001 - told as the item's state
            return []

    def is_duplex(self, item: Item) -> bool:
        """Whether an item is a service or an operation that has private sessions."""
        self.kind(item)
        return self._duplex.get((item.class_name, item.setting("%module"), item.setting("%classname")), False)

    def host(self, item: Item) -> Host:
        """A host of an item, not started."""
        host_class = DuplexHost if self.is_duplex(item) else Host
        return host_class(item, self._productions.components(), self._router, self._store, self._log, self._instances)

    # -- start and stop ----------------------------------------------------------------------

    def start(self, production: Production) -> None:
        """Start every item: operations, processes, services, so that nothing is sent before its target is there."""
        self._forget_failures()
        self._alarm.start()
        for item in production.items:  # before anything runs that may send: an alert, a message left from the last time
            self._place(item)
        items = {item.name: item for item in production.items}
        for name in reversed(self._stop_order(production)):
            if name == ACTOR_POOL:
                self._start_actors(production)
            else:
                self._start_item(items[name])
        for pool in list(self._pools.values()):
            pool.settle(START_GRACE_S / len(self._pools))
        self._look_after(production)

    def stop(self, production: Production, timeout_s: float = STOP_GRACE_S) -> None:
        """Stop every item: services, processes, operations. What is queued stays queued."""
        self._rounds.stop()
        self._queue_watch.forget()
        for name in self._stop_order(production):
            self._stop_pool(name, timeout_s)
        self._alarm.stop()
        self._router.clear()
        self._scheduled.clear()

    def change(self, production: Production, before: Production) -> None:
        """Bring what runs from `before` to `production`: items that did not change go on."""
        self._forget_failures()
        old = [item for item in before.items if item not in production.items]
        new = [item for item in production.items if item not in before.items]
        for item in old:
            self._stop_pool(item.name)
            if all(item.name != other.name for other in new):
                self._router.remove(item.name)
                self._scheduled.pop(item.name, None)
        for item in new:
            self._place(item)
        for item in new:
            self._start_item(item)
        if any(map(self._is_actor, old + new)) or production.actor_pool_size != before.actor_pool_size:
            self._restart_actors(production)
        self._look_after(production)

    def restart_item(self, production: Production, name: str) -> None:
        """Stop an item and start it as it is configured now."""
        item = production.item(name)
        self._forget_failures()
        self._stop_pool(name)
        self._place(item)
        self._start_item(item)
        if self._is_actor(item):
            self._restart_actors(production)

    def follow_schedules(self, production: Production) -> None:
        """Start and stop the items whose schedules say for now what was not so when they were started."""
        for item in production.items:
            runs = self._may_run(item)
            if not item.enabled or self._scheduled.get(item.name, runs) == runs:
                continue
            context = current.set(Context(item.name))
            done = "started" if runs else "stopped"
            self._log.add(LogType.INFO, f"{item.name} is {done} by its schedule.", "Hosting", "schedule")
            current.reset(context)
            self.restart_item(production, item.name)
            if not runs:
                text = f"{self._off_text(item)} The request stays queued until then."
                self._router.refuse_waiting(item.name, text)

    def check_queue(self, before: Item, after: Item) -> None:
        """Raise `ProductionError` if a change would leave messages in a queue that nobody reads any more."""
        if self._pool_name(before) == self._pool_name(after):
            return
        deadline = time.monotonic() + START_GRACE_S
        while self._has_work(before):
            if time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            raise ProductionError(
                f"{before.name} has messages to handle: its pool size can go to or from 0 when they are done."
            )

    def check_idle(self, item: Item) -> None:
        """Raise `ProductionError` if an item has messages to handle."""
        if self._has_work(item):
            raise ProductionError(
                f"{item.name} has messages to handle: let them be done, or abort its queue, and remove it then."
            )

    def _has_work(self, item: Item) -> bool:
        queue, name = self.queue(item), item.name
        return bool(queue.count_of(name) or queue.claimed_of(name) or self._store.has_open_processes(name))

    def settle(self, item: Item) -> None:
        """Wait a moment for an item to come up. Raises `ProductionError` with the reason if it does not."""
        pool = self._pools.get(self._pool_name(item))
        if pool is None:
            return
        pool.settle(START_GRACE_S)
        if item.name in pool.errors:
            raise ProductionError(f"{item.name} could not be started: {pool.errors[item.name]}")

    # -- states ------------------------------------------------------------------------------

    @property
    def troubled(self) -> bool:
        """Whether an item could not be started."""
        return any(pool.errors for pool in list(self._pools.values()))

    def queue(self, item: Item) -> Queue:
        """The queue an item reads: its own, or the shared one of the actors."""
        if self.is_duplex(item):
            return self._router.session_queue(item.name)
        return self._router.queue(self._pool_name(item))

    def view(self, item: Item, running: bool) -> ItemView:
        """An item as an operator sees it; `running` says whether its production is."""
        pool = self._pools.get(self._pool_name(item))
        queue = self.queue(item)
        if not item.enabled:
            state, reason = ItemState.DISABLED, item.comment
        elif not running or pool is None:
            state = ItemState.STOPPED
            reason = "The production is stopped."
            if running:
                reason = "Its pool size is 0." if self._scheduled.get(item.name, True) else self._off_text(item)
        elif item.name in pool.errors:
            state, reason = ItemState.ERROR, pool.errors[item.name]
        else:
            state, reason = ItemState(pool.state), ""
        return ItemView(
            name=item.name,
            class_name=item.class_name,
            kind=self.kind(item),
            category=item.category,
            comment=item.comment,
            enabled=item.enabled,
            pool_size=item.pool_size,
            state=state,
            reason=reason,
            queue_count=queue.count_of(item.name),
            in_progress=queue.claimed_of(item.name),
            processed=pool.processed[item.name] if pool else 0,
            last_activity=pool.last_activity.get(item.name, 0.0) if pool else 0.0,
            throughput=pool.throughput[item.name].recent(time.time()) if pool else (),
        )

    def jobs(self, item: Item) -> list[JobView]:
        """The members that work for an item: of its own pool, or of the actors'."""
        pool = self._pools.get(self._pool_name(item))
        return pool.jobs if pool is not None else []

    # -- inside ------------------------------------------------------------------------------

    def _stop_order(self, production: Production) -> list[str]:
        """The names of the pools as they are stopped: services, processes and then the actors, operations."""
        names = [item.name for item in sorted(production.items, key=self.kind)]
        operations = sum(self.kind(item) is BusinessType.OPERATION for item in production.items)
        names.insert(len(names) - operations, ACTOR_POOL)
        return names

    def _look_after(self, production: Production) -> None:
        """Look, now and then, at queues with alerts and at schedules; nobody looks if there are none."""
        watched = []
        for item in production.items:
            kind = self.kind(item)
            try:
                settings = itemsettings.read(item, kind)
            except ProductionError:  # told as the item's state
                continue
            if item.enabled and (settings.queue_count_alert or settings.queue_wait_alert_s):
                watched.append(Watched(item.name, kind, self.queue(item), settings))
        self._queue_watch.watch(watched)
        looks = [self._queue_watch.look] if watched else []
        if any(item.enabled and item.schedule for item in production.items):
            looks.append(lambda: self.on_schedule())
        self._rounds.make(looks)

    def _may_run(self, item: Item) -> bool:
        """Whether an item's schedule lets it run now; a wrong one does, so that the start tells what is wrong."""
        try:
            schedule = itemsettings.schedule_of(item)
        except ProductionError:
            return True
        return schedule is None or schedule.runs(self._local_time())

    def _off_text(self, item: Item) -> str:
        """That an item's schedule has stopped it, and until when."""
        schedule = itemsettings.schedule_of(item)
        changes = schedule.changes(self._local_time()) if schedule is not None else None
        until = f"until {changes:%Y-%m-%d %H:%M:%S}" if changes is not None else "for good: change it, or remove it"
        return f"{item.name} is stopped by its schedule {until}."

    def _is_actor(self, item: Item) -> bool:
        # The actors share a queue, which cannot stop for one of them: a process with a schedule gets its own.
        return item.pool_size == 0 and not item.schedule and self.kind(item) is BusinessType.PROCESS

    def _pool_name(self, item: Item) -> str:
        return ACTOR_POOL if self._is_actor(item) else item.name

    def _size(self, item: Item) -> int:
        """How many members an item's own pool has; 0 for none."""
        kind = self.kind(item)
        if not item.enabled or self._is_actor(item) or not self._scheduled.get(item.name, True):
            return 0
        # A class that cannot be loaded gets one member too: its start tells why.
        if kind is BusinessType.UNKNOWN or (kind is BusinessType.PROCESS and item.schedule):
            return max(1, item.pool_size)
        return min(1, item.pool_size) if self._is_deaf(item) else item.pool_size

    def _is_deaf(self, item: Item) -> bool:
        """Whether an item takes no messages: a service, but a duplex one is polled."""
        return self.kind(item) is BusinessType.SERVICE and not self.is_duplex(item)

    def _place(self, item: Item) -> None:
        """Say where an item's messages go from now on, and whether it takes any."""
        kind, refusal, queues_anyway = self.kind(item), "", self.is_duplex(item)  # a poll may wait
        if item.schedule:
            self._scheduled[item.name] = self._may_run(item)
        else:
            self._scheduled.pop(item.name, None)
        if not item.enabled:
            reason = f" {item.comment.rstrip('.')}." if item.comment else ""
            how = "Enable it first: in the portal, or with POST /api/iop/component/start."
            refusal = f"{item.name} is disabled.{reason} {how}"
        elif self._is_deaf(item):
            refusal = f"{item.name} is a service: it takes no messages. Send to an operation or a process."
        elif not self._scheduled.get(item.name, True):
            refusal, queues_anyway = f"{self._off_text(item)} Ask again then, or send without waiting.", True
        elif not self._size(item) and not self._is_actor(item):
            refusal = f"{item.name} has a pool size of 0, so nobody takes its messages: give it 1 or more."
        self._router.place(item.name, Address(self.queue(item), kind, refusal, queues_anyway))

    def _start_item(self, item: Item) -> None:
        """Start an item's members. A failure puts the item in error, the others go on."""
        if size := self._size(item):
            queue = None if self._is_deaf(item) else self.queue(item)
            pool_class = DuplexPool if self.is_duplex(item) else Pool
            self._start_pool(pool_class(item.name, size, queue, [item], self.host, self._router, self._log))

    def _start_actors(self, production: Production) -> None:
        items = [item for item in production.items if item.enabled and self._is_actor(item)]
        if items:
            size, queue = max(1, production.actor_pool_size), self._router.queue(ACTOR_POOL)
            self._start_pool(Pool(ACTOR_POOL, size, queue, items, self.host, self._router, self._log))

    def _restart_actors(self, production: Production) -> None:
        # Its members hold hosts of every actor: one that changed means new members.
        self._stop_pool(ACTOR_POOL)
        self._start_actors(production)

    def _start_pool(self, pool: Pool) -> None:
        pool.after = self._lingering.pop(pool.name, [])
        pool.after_message = self._end_transaction
        pool.on_error = lambda item: self._mark_failed(pool, item)
        pool.on_failure = lambda host, header, text: self._alerts.failed(host.item.name, host.kind, header, text)
        pool.on_suspend, pool.on_disable = self.on_suspend, self.on_disable
        self._pools[pool.name] = pool
        pool.start()

    def _stop_pool(self, name: str, timeout_s: float = STOP_GRACE_S) -> None:
        pool = self._pools.pop(name, None)
        if pool is not None and not pool.stop(timeout_s):
            self._lingering[name] = pool.threads
            self._log.add(
                LogType.WARNING, f"{name} still works on a message; it stops when that is done.", "Hosting", "stop"
            )

    def _mark_failed(self, pool: Pool, item: Item) -> None:
        if self._pools.get(pool.name) is not pool:
            return  # it was stopped meanwhile
        reason = pool.errors[item.name]
        refusal = f"{item.name} could not be started: {reason} Correct its settings and start it again."
        self._router.place(item.name, Address(self.queue(item), self.kind(item), refusal, queues_anyway=True))
        self._router.refuse_waiting(item.name, refusal)
        if itemsettings.alerts_on_error(item):
            self._alerts.send(item.name, self.kind(item), f"{item.name} could not be started: {reason}")

    def _end_transaction(self) -> None:
        """A handler that leaves a transaction open would keep every other writer waiting."""
        if self._tables.level:
            try:
                self._tables.roll_back()
            except SqlError as error:  # the answer stands all the same
                self._log.add(LogType.ERROR, f"A SQL transaction could not be rolled back: {error}", "Hosting", "sql")
                return
            self._log.add(
                LogType.WARNING, "A SQL transaction was left open and was rolled back: commit it.", "Hosting", "sql"
            )
