"""The messages: newest first, page by page, by item and status."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.header import Header, Status
from irislite.web.portal.controls import button, text
from irislite.web.portal.layout import TICK_S, Portal, frame, head
from irislite.web.portal.rows import message_rows, status_of
from irislite.web.portal.widgets import MessageRows, Rows

PATH = "/messages"
ROWS = 50
SEARCHED = 5_000  # headers that one page looks through for a status
_STATUSES = {"": "All statuses", **{status.name.title(): status.name.title() for status in Status}}


async def page(portal: Portal, item: str = "", status: str = "", before: str = "") -> None:
    """The query holds the filters and the id that the page begins below."""
    with frame(portal, "Messages", PATH):
        before_id = int(before) if before.isdecimal() and len(before) < 19 else None
        await _Messages(portal, item, status if status in _STATUSES else "", before_id).build()


class _Messages:
    def __init__(self, portal: Portal, item: str, status: str, before_id: int | None) -> None:
        self._portal = portal
        self._filters = {"item": item, "status": status}
        self._before_id = before_id
        self._next_id: int | None = None  # where the next page begins, None if there is none
        self._seen = -1
        self._moving = False

    async def build(self) -> None:
        with head("Messages"):
            self._state = text("span", "").classes("small muted").props("role=status")
        names = [view.name for view in await self._portal.items()]
        item = self._filters["item"]
        items = {"": "All items", **{name: name for name in [*names, *([item] if item and item not in names else [])]}}
        with ui.element("div").classes("panel"):
            with ui.element("div").classes("panel-body"), ui.element("div").classes("filters"):
                self._select("item", "Source or target", items)
                self._select("status", "Status", _STATUSES)
            self._rows = MessageRows([], empty="No message fits.")
            with ui.element("div").classes("panel-body row-wrap"):
                self._newest = button("Newest", "first_page", lambda: self._go(None), "quiet")
                self._older = button("Older", "chevron_right", lambda: self._go(self._next_id), "quiet")
        await self._load()
        ui.timer(TICK_S, self._tick, immediate=False)

    def _select(self, name: str, label: str, options: dict[str, str]) -> None:
        made = ui.select(options, label=label, value=self._filters[name]).props("outlined dense")
        made.on_value_change(lambda event: self._filter(name, event.value))

    async def _filter(self, name: str, value: Any) -> None:
        self._filters[name] = str(value or "")
        await self._go(None)

    async def _go(self, before_id: int | None) -> None:
        self._before_id = before_id
        query = {**self._filters, "before": before_id or ""}
        encoded = urlencode({key: value for key, value in query.items() if value})
        ui.navigate.history.replace(f"{PATH}?{encoded}" if encoded else PATH)
        await self._load()

    async def _tick(self) -> None:
        """The first page follows what happens; older ones stand still."""
        if self._before_id is None and (self._moving or await self._portal.newest_message_id() != self._seen):
            await self._load()

    async def _load(self) -> None:
        self._seen = await self._portal.newest_message_id()
        rows, searched_to = await asyncio.to_thread(self._read)
        self._next_id = searched_to
        self._moving = any(row["status"] in ("Created", "Queued", "Delivered", "Deferred") for row in rows)
        self._newest.set_enabled(self._before_id is not None)
        self._older.set_enabled(searched_to is not None)
        if searched_to is not None and len(rows) < ROWS:
            self._state.text = f"Searched back to message {searched_to}: Older goes on"
        else:
            self._state.text = "Newest first, live" if self._before_id is None else f"Before message {self._before_id}"
        self._rows.show(messages=rows)

    def _read(self) -> tuple[Rows, int | None]:
        """The rows of this page, and the id that the next one begins below."""
        item, status, before_id = self._filters["item"] or None, self._filters["status"], self._before_id
        found: list[Header] = []
        for _ in range(1 if not status else SEARCHED // 500):
            wanted = 500 if status else ROWS + 1
            page = self._portal.director.store.latest(wanted, before_id, item)
            found += [header for header in page if status in ("", status_of(self._portal, header).name.title())]
            if len(found) > ROWS:
                return message_rows(self._portal, found[:ROWS]), found[ROWS - 1].id
            if len(page) < wanted:
                return message_rows(self._portal, found), None
            before_id = page[-1].id
        return message_rows(self._portal, found), before_id
