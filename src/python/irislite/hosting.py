"""The items of a running production: their addresses, their pools, their states."""

import threading
import time
from typing import Any

from irislite import itemsettings
from irislite.alarm import Alarm
from irislite.alerts import Alerts, QueueWatch, Watched
from irislite.bridge import components
from irislite.bridge.components import DeclaredSetting
from irislite.config import Item, Production
from irislite.errors import ProductionError
from irislite.eventlog import EventLog, LogType
from irislite.header import BusinessType
from irislite.host import Host, Instances
from irislite.pool import Pool
from irislite.productions import Productions
from irislite.queues import Queue
from irislite.router import Address, Router
from irislite.sql import Tables
from irislite.store import Store
from irislite.views import ItemState, ItemView

ACTOR_POOL = "Ens.Actor"  # the shared pool of processes with a pool size of 0
START_GRACE_S = 1.0  # how long a start waits to tell whether a component came up
STOP_GRACE_S = 30.0


class Hosting:
    """Starts and stops items, one by one; knows which component class an item has."""

    def __init__(self, router: Router, store: Store, log: EventLog, productions: Productions, tables: Tables) -> None:
        self._router = router
        self._store = store
        self._log = log
        self._productions = productions
        self._tables = tables
        self._pools: dict[str, Pool] = {}
        self._lingering: dict[str, list[threading.Thread]] = {}  # members that did not stop in time
        self._kinds: dict[tuple[str, str | None, str | None], BusinessType] = {}
        self._instances = Instances()
        self._alarm = Alarm(router, store, log)
        self._alerts = Alerts(router, log)
        self._queue_watch = QueueWatch(self._alerts, store)

    # -- classes ---------------------------------------------------------------------------

    def component(self, item: Item) -> Any:
        """The Python class of an item. What its import raises is raised on."""
        return components.load(item, self._productions.components())

    def forget_classes(self) -> None:
        """Look the classes up anew: what is registered has changed."""
        self._kinds.clear()

    def kind(self, item: Item) -> BusinessType:
        """Whether an item is a service, a process or an operation; unknown if its class cannot be loaded."""
        key = (item.class_name, item.setting("%module"), item.setting("%classname"))
        if key not in self._kinds:
            try:
                self._kinds[key] = components.kind(self.component(item))
            except Exception:  # noqa: BLE001 - told when the item is started
                return BusinessType.UNKNOWN
        return self._kinds[key]

    def declared(self, item: Item) -> list[DeclaredSetting]:
        """The settings an item's class declares; none if it cannot be loaded, which its state tells."""
        try:
            return components.declared_settings(self.component(item))
        except Exception:  # noqa: BLE001 - told as the item's state
            return []

    def host(self, item: Item) -> Host:
        """A host of an item, not started."""
        return Host(item, self._productions.components(), self._router, self._store, self._log, self._instances)

    # -- start and stop ----------------------------------------------------------------------

    def start(self, production: Production) -> None:
        """Start every item: operations, processes, services, so that nothing is sent before its target is there."""
        self._alarm.start()
        self._start_actors(production)
        for item in sorted(production.items, key=lambda item: -self.kind(item)):
            self._start_item(item)
        for pool in list(self._pools.values()):
            pool.settle(START_GRACE_S / len(self._pools))
        self._watch_queues(production)

    def stop(self, production: Production, timeout_s: float = STOP_GRACE_S) -> None:
        """Stop every item: services, processes, operations. What is queued stays queued."""
        self._queue_watch.stop()
        for item in sorted(production.items, key=self.kind):
            self._stop_pool(item.name, timeout_s)
        self._stop_pool(ACTOR_POOL, timeout_s)
        self._alarm.stop()
        self._router.clear()

    def change(self, production: Production, before: Production) -> None:
        """Bring what runs from `before` to `production`: items that did not change go on."""
        old = [item for item in before.items if item not in production.items]
        new = [item for item in production.items if item not in before.items]
        for item in old:
            self._stop_pool(item.name)
            if all(item.name != other.name for other in new):
                self._router.remove(item.name)
        for item in new:
            self._start_item(item)
        if any(map(self._is_actor, old + new)) or production.actor_pool_size != before.actor_pool_size:
            self._restart_actors(production)
        self._watch_queues(production)

    def restart_item(self, production: Production, name: str) -> None:
        """Stop an item and start it as it is configured now."""
        item = production.item(name)
        self._stop_pool(name)
        self._start_item(item)
        if self._is_actor(item):
            self._restart_actors(production)

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
        return self._router.queue(self._pool_name(item))

    def view(self, item: Item, running: bool) -> ItemView:
        """An item as an operator sees it; `running` says whether its production is."""
        pool = self._pools.get(self._pool_name(item))
        queue = self.queue(item)
        if not item.enabled:
            state, reason = ItemState.DISABLED, item.comment
        elif not running or pool is None:
            state = ItemState.STOPPED
            reason = "Its pool size is 0." if running else "The production is stopped."
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
        )

    # -- inside ------------------------------------------------------------------------------

    def _watch_queues(self, production: Production) -> None:
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

    def _is_actor(self, item: Item) -> bool:
        return item.pool_size == 0 and self.kind(item) is BusinessType.PROCESS

    def _pool_name(self, item: Item) -> str:
        return ACTOR_POOL if self._is_actor(item) else item.name

    def _start_item(self, item: Item) -> None:
        """Place an item's address and start its members. A failure puts the item in error, the others go on."""
        kind, queue = self.kind(item), self.queue(item)
        is_service = kind is BusinessType.SERVICE
        refusal = ""
        if not item.enabled:
            reason = f" {item.comment}" if item.comment else ""
            refusal = f"{item.name} is disabled.{reason} Enable it first, in the portal or with `iop`."
        elif item.pool_size == 0 and not self._is_actor(item) and kind is not BusinessType.UNKNOWN:
            refusal = f"{item.name} has a pool size of 0, so nobody takes its messages: give it 1 or more."
        elif is_service:
            refusal = f"{item.name} is a service: it takes no messages. Send to an operation or a process."
        self._router.place(item.name, Address(queue, kind, refusal))
        # A class that cannot be loaded gets one member too: its start tells why.
        if item.enabled and not self._is_actor(item) and (item.pool_size or kind is BusinessType.UNKNOWN):
            size = 1 if is_service else max(1, item.pool_size)
            self._start_pool(
                Pool(item.name, size, None if is_service else queue, [item], self.host, self._router, self._log)
            )

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

    def _end_transaction(self) -> None:
        """A handler that leaves a transaction open would keep every other writer waiting."""
        if self._tables.level:
            self._tables.roll_back()
            self._log.add(
                LogType.WARNING, "A SQL transaction was left open and was rolled back: commit it.", "Hosting", "sql"
            )
