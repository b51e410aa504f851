"""Alerts: what an operator must know, written into the log and sent to the item `Ens.Alert`."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime

from irislite.context import Context, current
from irislite.errors import IrisliteError, ItemNotRunning, UnknownItem
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType, Header
from irislite.itemsettings import HostSettings
from irislite.queues import Queue
from irislite.router import Router, Sender
from irislite.store import Store, now

ALERT = "Ens.Alert"  # the item that gets alerts, if the production has one
ALERT_REQUEST = "Ens.AlertRequest"
FALLEN = 0.8  # of a limit: below it a queue may raise the next alert


class Alerts:
    """Sends alerts about the items of a production."""

    def __init__(self, router: Router, log: EventLog) -> None:
        self._router = router
        self._log = log

    def failed(self, config_name: str, kind: BusinessType, header: Header | None, text: str) -> None:
        """Alert that a message, or a service's input, ended in error."""
        # What Ens.Alert sends on is the alert itself: an alert about it would come back for ever.
        if header is None or header.source_config_name != ALERT:
            self.send(config_name, kind, text, header.session_id if header is not None else 0)

    def send(self, config_name: str, kind: BusinessType, text: str, session_id: int = 0) -> None:
        """Alert in a session, 0 for one of its own. Nothing about `Ens.Alert` itself."""
        if config_name == ALERT:
            return
        self._log.add(LogType.ALERT, text, "Alerts", "send")
        fields = {
            "SourceConfigName": config_name,
            "AlertText": text,
            "SessionId": str(session_id or ""),
            "AlertDestination": "",
            "AlertTime": now(),
        }
        body = Body(ALERT_REQUEST, ALERT_REQUEST, json.dumps(fields))
        try:
            self._router.send_async(Sender(config_name, kind), ALERT, body, session_id, "Alert")
        except UnknownItem:
            pass  # the production has none: the log entry is all
        except ItemNotRunning as error:
            self._log.add(LogType.WARNING, f"The alert was not sent: {error}", "Alerts", "send")
        except (IrisliteError, sqlite3.Error) as error:
            self._log.add(LogType.ERROR, f"The alert could not be sent: {error}", "Alerts", "send")


@dataclass(frozen=True, slots=True)
class Watched:
    """An item whose queue is watched."""

    config_name: str
    kind: BusinessType
    queue: Queue
    settings: HostSettings


class QueueWatch:
    """Looks at the queues of items with queue alerts."""

    def __init__(self, alerts: Alerts, store: Store) -> None:
        self._alerts = alerts
        self._store = store
        self._watched: list[Watched] = []
        self._told: set[tuple[str, str]] = set()  # (item, which limit) above which it still is

    def watch(self, watched: list[Watched]) -> None:
        """Look at these from now on."""
        self._watched = watched

    def forget(self) -> None:
        """Look at nothing any more, and forget what was told."""
        self._watched = []
        self._told.clear()

    def look(self) -> None:
        """Look at each queue, and send the alerts that are due."""
        for each in self._watched:
            self._look_at(each)

    def _look_at(self, each: Watched) -> None:
        name, settings = each.config_name, each.settings
        current.set(Context(name))
        count = each.queue.count_of(name)
        if self._is_new(name, "count", count, settings.queue_count_alert):
            self._alerts.send(name, each.kind, f"{name} has {count} messages waiting in its queue.")
        if settings.queue_wait_alert_s:
            oldest = self._oldest(each)
            age_s = _age_s(oldest) if oldest is not None else 0.0
            if self._is_new(name, "wait", age_s, settings.queue_wait_alert_s) and oldest is not None:
                current.set(Context(name, 0, oldest.id, oldest.session_id))
                text = f"Message {oldest.id} waits for {name}, or is worked on, for {age_s:.0f} s."
                self._alerts.send(name, each.kind, text, oldest.session_id)

    def _is_new(self, name: str, which: str, value: float, limit: float) -> bool:
        """Whether a limit (0: none) was reached since the value was well below it."""
        if limit and value >= limit:
            is_new = (name, which) not in self._told
            self._told.add((name, which))
            return is_new
        if value < FALLEN * limit:
            self._told.discard((name, which))
        return False

    def _oldest(self, each: Watched) -> Header | None:
        """The message that an item has had for longest: its status is Queued until it is done."""
        try:
            return self._store.oldest(each.queue.name, each.config_name)
        except IrisliteError:  # the store tells of it; the next look may do better
            return None


def _age_s(header: Header) -> float:
    created = datetime.fromisoformat(header.time_created).replace(tzinfo=UTC)
    return (datetime.now(UTC) - created).total_seconds()
