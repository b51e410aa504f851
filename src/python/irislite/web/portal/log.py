"""The event log: newest on top, followed live, filtered by type, item and text."""

import asyncio
from collections import deque
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.eventlog import LogEntry, LogType
from irislite.web.portal.controls import button, text
from irislite.web.portal.layout import TICK_S, Portal, frame, head
from irislite.web.portal.rows import log_row
from irislite.web.portal.widgets import LogLines

PATH = "/log"
MOST_ROWS = 300
PAGE = 1_000  # entries that are read at a time
_TYPES = {"": "All types", **{kind.name.title(): kind.name.title() for kind in LogType}}


async def page(portal: Portal, type: str = "", item: str = "", text: str = "") -> None:
    """The query holds the filters, so that a filtered log can be linked to."""
    with frame(portal, "Event Log", PATH):
        await _Log(portal, type if type in _TYPES else "", item, text).build()


class _Log:
    def __init__(self, portal: Portal, type: str, item: str, text: str) -> None:
        self._portal = portal
        self._filters = {"type": type, "item": item, "text": text}
        self._following = True
        self._last_id = 0
        self._entries: deque[LogEntry] = deque(maxlen=MOST_ROWS)

    async def build(self) -> None:
        with head("Event Log"):
            self._state = text("span", "").classes("small muted").props("role=status")
            ui.element("div").classes("grow")
            self._pause = button("Pause", "pause", self._turn)
        names = [view.name for view in await self._portal.items()]
        item = self._filters["item"]
        items = {"": "All items", **{name: name for name in [*names, *([item] if item and item not in names else [])]}}
        with ui.element("div").classes("panel"):
            with ui.element("div").classes("panel-body"), ui.element("div").classes("filters"):
                self._select("type", "Type", _TYPES)
                self._select("item", "Item", items)
                search = ui.input("Text", value=self._filters["text"])
                search.on_value_change(lambda event: self._filter("text", event.value))
                search.props("outlined dense clearable debounce=300 type=search")
            self._lines = LogLines(empty="No entry fits.")
        await self._reload()
        ui.timer(TICK_S, self._tick, immediate=False)

    def _select(self, name: str, label: str, options: dict[str, str]) -> None:
        made = ui.select(options, label=label, value=self._filters[name]).props("outlined dense")
        made.on_value_change(lambda event: self._filter(name, event.value))

    async def _filter(self, name: str, value: Any) -> None:
        self._filters[name] = str(value or "")
        query = urlencode({key: text for key, text in self._filters.items() if text})
        ui.navigate.history.replace(f"{PATH}?{query}" if query else PATH)
        await self._reload()

    async def _turn(self) -> None:
        self._following = not self._following
        self._pause.text = "Pause" if self._following else "Follow"
        self._pause.icon = "pause" if self._following else "play_arrow"
        await self._tick()

    async def _reload(self) -> None:
        kind = LogType[self._filters["type"].upper()] if self._filters["type"] else None
        log, newest_id = self._portal.director.eventlog, await self._portal.newest_log_id()
        entries = await asyncio.to_thread(
            log.newest, MOST_ROWS, kind, self._filters["item"] or None, self._filters["text"] or None
        )
        self._last_id = max([newest_id, *(entry.id for entry in entries[:1])])
        self._entries = deque(reversed(entries), maxlen=MOST_ROWS)
        self._show()

    async def _tick(self) -> None:
        news = await self._portal.newest_log_id() > self._last_id
        if not self._following:
            self._state.text = "Paused, there are newer entries" if news else "Paused"
            return
        if news:
            entries = await asyncio.to_thread(self._portal.director.eventlog.since, self._last_id, PAGE)
            if len(entries) == PAGE:  # more than a page in a second: only the newest can be shown anyway
                await self._reload()
                return
            if entries:
                self._last_id = entries[-1].id
                self._entries.extend(entry for entry in entries if self._fits(entry))
        self._show()

    def _fits(self, entry: LogEntry) -> bool:
        return (
            self._filters["type"] in ("", entry.type.name.title())
            and self._filters["item"] in ("", entry.config_name)
            and self._filters["text"].lower() in entry.text.lower()
        )

    def _show(self) -> None:
        count = len(self._entries)
        self._state.text = f"Following, {'the newest ' if count == MOST_ROWS else ''}{count} entries"
        self._lines.show(entries=[log_row(entry) for entry in reversed(self._entries)])
