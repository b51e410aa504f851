"""One item at the side of the production: settings, queue, log, messages, jobs, actions."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.actor import Role
from irislite.header import BusinessType
from irislite.views import ItemView, JobView
from irislite.web import blocking
from irislite.web.portal.controls import STATE_ICONS, Pill, button, facts, icon_button, needs_role, text, told
from irislite.web.portal.itemactions import ItemActions
from irislite.web.portal.itemsettings import SettingsForm
from irislite.web.portal.layout import Portal
from irislite.web.portal.rows import claimed, class_names, job_state, log_row, message_rows
from irislite.web.portal.widgets import LogLines, MessageRows, Rows, Table, zoned

MOST_ROWS = 30
_TABS = ("Settings", "Queue", "Log", "Messages", "Jobs", "Actions")
_QUEUE = [("id", "Message", "number"), ("since", "Waits since", "when"), ("state", "State", ""),
          ("source", "Sent by", "who"), ("class_name", "Body", "class")]  # fmt: skip
_JOBS = [("id", "Job", "number"), ("state", "State", ""), ("message", "Works on", "number"), ("since", "For", "number")]
Task = Callable[[], Coroutine[Any, Any, None]]


class ItemPanel:
    """The panel of one item. Only the tab that is open is built, and asks for news.

    `changed` is awaited after something was done to the production, `pick` opens another item.
    """

    def __init__(
        self, portal: Portal, view: ItemView, close: Callable[[], None], changed: Task,
        pick: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:  # fmt: skip
        self._portal = portal
        self._view = view
        self._close = close
        self._changed = changed
        self._pick = pick
        self._seen = (0, 0)
        self._tab = ""

    async def build(self) -> None:
        """Make the panel here and open its first tab."""
        with ui.element("aside").classes("panel side").props("role=region") as side:
            side.props.update({"aria-label": f"Item {self._view.name}", "tabindex": "-1"})
            with ui.element("div").classes("side-head"):
                with ui.element("div").classes("stack tight grow"):
                    text("h2", self._view.name)
                    with ui.element("div").classes("row-wrap"):
                        self._pill = Pill(self._view.state)
                        text("span", self._view.class_name).classes("small muted")
                        if self._view.category:
                            text("span", self._view.category).classes("tag")
                icon_button("Close (Escape)", "close", self._close)
            self._tabs = ui.tabs(on_change=lambda event: self._open(str(event.value)))
            self._tabs.props("dense align=left no-caps outside-arrows mobile-arrows")
            with self._tabs:
                for name in _TABS:
                    ui.tab(name)
            self._body = ui.element("div").classes("side-body panel-body")
        self._tabs.value = _TABS[0]
        ui.run_javascript(f"getHtmlElement({side.id})?.focus({{preventScroll: true}})")

    async def tick(self, view: ItemView | None) -> None:
        """Look for news; `view` None means that the item is gone."""
        if view is None:
            self._close()
            return
        changed, self._view = view.state != self._view.state, view
        self._pill.show(view.state)
        if self._tab == "Actions" and changed:
            await self._open("Actions")
        elif self._tab == "Jobs":
            await self._show_jobs()
        elif self._tab in ("Log", "Messages", "Queue"):
            await self._refresh()

    async def _open(self, tab: str) -> None:
        self._tab = tab
        self._seen = (-1, -1)
        self._body.clear()
        with self._body, told():
            await {
                "Settings": self._settings, "Queue": self._queue, "Log": self._log, "Messages": self._messages,
                "Jobs": self._jobs, "Actions": self._actions,
            }[tab]()  # fmt: skip

    async def _settings(self) -> None:
        await SettingsForm(self._portal, self._view.name, lambda: self._open("Settings")).build()

    async def _actions(self) -> None:
        ItemActions(self._portal, self._view, self._changed, self._pick).build()

    # -- tabs that follow live -------------------------------------------------------------------

    async def _queue(self) -> None:
        self._facts = ui.element("div")
        may = self._portal.may(Role.OPERATOR)
        with ui.element("div").classes("row-wrap"):
            text("h3", "In work, then waiting, next first").classes("grow")
            self._abort_all = button("Abort all", "delete_sweep", self._abort_queue, "danger")
            if not may:
                needs_role(Role.OPERATOR, self._abort_all)
        actions = [("abort", "Abort", "block", "danger")] if may else []
        self._waiting = Table("Queue", _QUEUE, [], "Nothing waits.", actions, self._abort_one)
        await self._refresh()

    async def _log(self) -> None:
        self._lines = LogLines(items=False, links=False, empty="This item has not written anything yet.")
        ui.link("All entries of this item", f"/log?{urlencode({'item': self._view.name})}")
        await self._refresh()

    async def _messages(self) -> None:
        self._rows = MessageRows([], empty="No message went to or from this item yet.")
        ui.link("All messages of this item", f"/messages?{urlencode({'item': self._view.name})}")
        await self._refresh()

    async def _jobs(self) -> None:
        self._members = Table("Jobs", _JOBS, [], "No job: the item does not run.")
        shared = not self._view.pool_size and self._view.kind is BusinessType.PROCESS
        whose = "They work for every process with a pool size of 0." if shared else "As many as the item's pool size."
        ui.label(f"The threads that take this item's messages. {whose}").classes("small muted")
        await self._show_jobs()

    async def _refresh(self) -> None:
        """Ask for the open tab's rows if anything at all has happened since the last time."""
        seen = (await self._portal.newest_message_id(), await self._portal.newest_log_id())
        busy = self._view.in_progress or self._view.queue_count
        if seen == self._seen and not busy and self._tab != "Queue":
            return
        self._seen, tab = seen, self._tab
        if tab == "Log":
            entries = await asyncio.to_thread(self._portal.director.eventlog.newest, MOST_ROWS, None, self._view.name)
            if tab == self._tab:
                self._lines.show(entries=[log_row(entry) for entry in entries])
            return
        rows = await asyncio.to_thread(self._newest_messages if tab == "Messages" else self._waiting_messages)
        if tab != self._tab:
            return
        if tab == "Messages":
            self._rows.show(messages=rows)
        else:
            self._waiting.show(rows=rows)
            self._show_facts()

    def _show_facts(self) -> None:
        shared = not self._view.pool_size and self._view.kind is BusinessType.PROCESS
        self._facts.clear()
        with self._facts:
            facts({
                "Waiting": f"{self._view.queue_count:,}", "In work": f"{self._view.in_progress:,}",
                "Done since the start": f"{self._view.processed:,}",
                "Pool size": "0: it shares the production's actor pool" if shared else str(self._view.pool_size),
            })  # fmt: skip
        if self._portal.may(Role.OPERATOR):
            self._abort_all.set_enabled(bool(self._view.queue_count))

    def _newest_messages(self) -> Rows:
        return message_rows(self._portal, self._portal.director.store.latest(MOST_ROWS, target=self._view.name))

    def _waiting_messages(self) -> Rows:
        """What is worked on and what waits: the rows of both still say Queued."""
        if not (self._view.queue_count or self._view.in_progress):
            return []
        headers = self._portal.director.waiting(self._view.name, MOST_ROWS)
        working, classes = claimed(self._portal, headers), class_names(self._portal, headers)
        rows = []
        for header in headers:
            state = "delivered" if header.id in working else "queued"
            rows.append({
                "id": header.id, "since": {"time": zoned(header.time_created)}, "source": header.source_config_name,
                "state": {"state": state, "icon": STATE_ICONS[state], "text": state.title()},
                "class_name": classes[header.id], "fixed": header.id in working,
            })  # fmt: skip
        return rows

    async def _show_jobs(self) -> None:
        jobs = await asyncio.to_thread(self._portal.director.jobs, self._view.name)
        if self._tab == "Jobs":
            self._members.show(rows=[_job_row(job) for job in jobs])

    # -- what is done to the queue -----------------------------------------------------------------

    async def _abort_one(self, _action: str, message_id: Any) -> None:
        with told() as page, self._portal.act("Abort a message", self._view.name) as deed:
            (outcome,) = await blocking.run(
                self._portal.director.messages.abort, [int(message_id)], self._portal.access.actor().name
            )
            deed.tell(f"Message {outcome.id}: {'aborted' if outcome.done else outcome.reason}")
            words = f"Message {outcome.id} was aborted." if outcome.done else outcome.reason
            with page:
                ui.notify(words, type="positive" if outcome.done else "warning", position="top")
        await self._changed()

    async def _abort_queue(self) -> None:
        await ItemActions(self._portal, self._view, self._changed, self._pick).purge_queue()


def _job_row(job: JobView) -> dict[str, Any]:
    works = job.message_id and job.state == "running"
    link = {"href": f"/trace?session={job.session_id}&message={job.message_id}", "text": str(job.message_id)}
    return {
        "id": job.job, "state": job_state(job),
        "message": link if works else "", "since": f"{max(0.0, time.time() - job.since):.0f} s" if works else "",
    }  # fmt: skip
