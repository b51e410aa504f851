"""One item at the side of the production: settings, queue, log, messages, actions."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.header import BusinessType, Header, Priority
from irislite.views import ItemState, ItemView
from irislite.web import blocking
from irislite.web.portal.controls import Pill, button, confirmed, facts, icon_button, notice, text, told
from irislite.web.portal.itemsettings import SettingsForm
from irislite.web.portal.layout import Portal
from irislite.web.portal.rows import log_row, message_rows
from irislite.web.portal.widgets import LogLines, MessageRows, Rows

MOST_ROWS = 30
_HELP = (
    "Test sends a message to this item alone. Restart sets it up again; the others go on. "
    "A disabled item keeps its queue, and stays disabled when the production starts again."
)
_SERVICE_HELP = (
    "A service takes no messages: it cannot be tested from here. Restart sets it up again; the others go on."
)
_DISABLE_EFFECT = "It takes no messages until it is enabled again. What is queued stays queued."
_TABS = ("Settings", "Queue", "Log", "Messages", "Actions")


class ItemPanel:
    """The panel of one item. Only the tab that is open is built, and asks for news."""

    def __init__(self, portal: Portal, view: ItemView, close: Callable[[], None]) -> None:
        self._portal = portal
        self._view = view
        self._close = close
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
                icon_button("Close", "close", self._close)
            self._tabs = ui.tabs(on_change=lambda event: self._open(str(event.value))).props("dense align=left no-caps")
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
        elif self._tab in ("Log", "Messages", "Queue"):
            await self._refresh()

    async def _open(self, tab: str) -> None:
        self._tab = tab
        self._seen = (-1, -1)
        self._body.clear()
        with self._body, told():
            await {
                "Settings": self._settings, "Queue": self._queue, "Log": self._log, "Messages": self._messages,
                "Actions": self._actions,
            }[tab]()  # fmt: skip

    async def _settings(self) -> None:
        await SettingsForm(self._portal, self._view.name, lambda: self._open("Settings")).build()

    # -- tabs that follow live -------------------------------------------------------------------

    async def _queue(self) -> None:
        self._facts = ui.element("div")
        text("h3", "In work, then waiting, next first")
        self._rows = MessageRows([], empty="Nothing waits.")
        await self._refresh()

    async def _log(self) -> None:
        self._lines = LogLines(items=False, links=False, empty="This item has not written anything yet.")
        ui.link("All entries of this item", f"/log?{urlencode({'item': self._view.name})}")
        await self._refresh()

    async def _messages(self) -> None:
        self._rows = MessageRows([], empty="No message went to or from this item yet.")
        ui.link("All messages of this item", f"/messages?{urlencode({'item': self._view.name})}")
        await self._refresh()

    async def _refresh(self) -> None:
        """Ask for the open tab's rows if anything at all has happened since the last time."""
        seen = (await self._portal.newest_message_id(), await self._portal.newest_log_id())
        busy = self._view.in_progress or self._view.queue_count
        if seen == self._seen and not busy and self._tab != "Queue":
            return
        self._seen, tab = seen, self._tab
        if tab == "Log":
            entries = await asyncio.to_thread(self._portal.director.eventlog.newest, MOST_ROWS, None, self._view.name)
            self._lines.show(entries=[log_row(entry) for entry in entries])
        else:
            rows = await asyncio.to_thread(self._newest_messages if tab == "Messages" else self._waiting_messages)
            if tab == self._tab:
                self._rows.show(messages=rows)
        if tab == "Queue" == self._tab:
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

    def _newest_messages(self) -> Rows:
        return message_rows(self._portal, self._portal.director.store.latest(MOST_ROWS, target=self._view.name))

    def _waiting_messages(self) -> Rows:
        """What is worked on and what waits: the rows of both still say Queued."""
        headers: list[Header] = []
        if self._view.queue_count or self._view.in_progress:
            for priority in Priority:
                entries = self._portal.director.store.queued(self._view.name, priority, 0, MOST_ROWS)
                headers += [entry.header for entry in entries]
        return message_rows(self._portal, headers[:MOST_ROWS])

    # -- actions --------------------------------------------------------------------------------------

    async def _actions(self) -> None:
        director, view = self._portal.director, self._view
        if view.reason or view.comment:
            notice(view.reason or view.comment, "bad" if view.state is ItemState.ERROR else "")
        with ui.element("div").classes("row-wrap"):
            if view.kind is not BusinessType.SERVICE:
                query = urlencode({"item": view.name})
                button("Test", "science", lambda: ui.navigate.to(f"/test?{query}"), "primary")
            if view.enabled:
                button("Restart", "restart_alt", partial(self._act, "Restart", director.restart_item, view.name))
                disable = partial(self._act, "Disable", director.enable_item, view.name, False)
                button("Disable", "block", disable, "danger")
            else:
                button("Enable", "play_arrow", partial(self._act, "Enable", director.enable_item, view.name, True))
        ui.label(_SERVICE_HELP if view.kind is BusinessType.SERVICE else _HELP).classes("small muted")

    async def _act(self, name: str, action: Callable[..., Any], *args: Any) -> None:
        asked = name == "Disable"
        if asked and not await confirmed(f"Disable {self._view.name}?", _DISABLE_EFFECT, name, "danger"):
            return
        with told():
            await blocking.run(action, *args)
            ui.notify(f"{self._view.name}: {name.lower()} done.", type="positive", position="top")
        self._portal.fresh.forget()
        with told():
            self._view = await blocking.run(self._portal.director.item, self._view.name)
            self._pill.show(self._view.state)
            await self._open(self._tab)
