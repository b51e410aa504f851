"""The event log: newest on top, followed live, searched, grouped by what it says, exported."""

import asyncio
import time
from urllib.parse import urlencode

from nicegui import ui

from irislite.errors import IrisliteError
from irislite.eventlog import LogEntry
from irislite.loggroups import LogGroup
from irislite.search import Page
from irislite.searchclauses import LOG
from irislite.web import records
from irislite.web.exports import Format
from irislite.web.portal import files
from irislite.web.portal.controls import button, text
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.rows import group_row, log_row
from irislite.web.portal.searchbar import SearchBar, quoted
from irislite.web.portal.widgets import LogGroupRows, LogLines
from irislite.web.words import duration

PATH = "/log"
ROWS = 300
FURTHER_S = 2.0  # of looking on, when somebody asks for it
RESTS = 20  # a list that took so long to read is not read again before this many times as long
TROUBLE = "type=Error or type=Alert or type=Warning"
_HINT = 'type=Error and text~"no such file" or item=Feed'


async def page(
    portal: Portal, q: str = "", type: str = "", item: str = "", text: str = "", before: str = "", grouped: str = ""
) -> None:
    """`q` is the search; `type`, `item` and `text` are short ways to say one; it begins below the id `before`."""
    with frame(portal, "Event Log", PATH):
        short = [("type", "=", type), ("item", "=", item), ("text", "~", text)]
        parts = [q] if q else []
        parts += [quoted(name, value, LOG, sign) for name, sign, value in short if value]
        before_id = int(before) if before.isdecimal() and len(before) < 19 else None
        await _Log(portal, " and ".join(parts), before_id, bool(grouped)).build()


class _Log:
    def __init__(self, portal: Portal, text: str, before_id: int | None, is_grouped: bool) -> None:
        self._portal = portal
        self._text = text
        self._before_id = before_id
        self._is_grouped = is_grouped
        self._following = True
        self._page: Page[LogEntry] = Page([], None, True)
        self._groups: list[LogGroup] = []
        self._seen = -1
        self._rest_until = 0.0

    async def build(self) -> None:
        with head("Event Log"):
            self._state = text("span", "").classes("small muted").props("role=status")
            ui.element("div").classes("grow")
            self._exports = [
                ui.link(f"Export {words}", "", new_tab=True).classes("small") for words in ("JSON lines", "CSV")
            ]
            self._turn_groups = button("", "", self._group)
            self._pause = button("Pause", "pause", self._turn)
        names = [view.name for view in await self._portal.items()]
        with ui.element("div").classes("panel"):
            self._bar = SearchBar(self._portal, LOG, "log", self._text, names, _HINT, self._searched)
            self._lines = LogLines(empty="No entry fits.")
            self._group_rows = LogGroupRows(self._show_group, "Nothing went wrong: no entry fits.")
            with ui.element("div").classes("panel-body row-wrap") as self._paging:
                self._newest = button("Newest", "first_page", lambda: self._go(None), "quiet")
                self._older = button("Older", "chevron_right", self._further, "quiet")
        self._address()
        await self._load()
        self._portal.ticks.follow(self._tick)

    # -- what is asked for -----------------------------------------------------------------------

    async def _searched(self) -> None:
        await self._go(None)

    async def _go(self, before_id: int | None) -> None:
        self._before_id = before_id
        self._address()
        await self._load()

    async def _further(self) -> None:
        """The next page, or, where the time was over before this one was full, more of it."""
        if self._page.is_full:
            await self._go(self._page.next_id)
        else:
            await self._load(further=True)

    async def _group(self) -> None:
        """Count what says the same; without a search, what went wrong."""
        self._is_grouped = not self._is_grouped
        if self._is_grouped and not self._bar.text:
            await self._bar.look_for(TROUBLE)
        else:
            await self._go(None)

    async def _show_group(self, number: int) -> None:
        """The entries of a group, one by one."""
        if not 0 <= number < len(self._groups):
            return
        entry = self._groups[number].newest
        same = entry.text.split("\n", 1)[0].split("'", 1)[0].split('"', 1)[0].rstrip("0123456789 ")[:100].strip()
        parts = [quoted("type", entry.type.name.title(), LOG)]
        parts += [quoted("item", entry.config_name, LOG)] if entry.config_name else []
        parts += [quoted("text", same, LOG, "~")] if same else []
        self._is_grouped = False
        await self._bar.look_for(" and ".join(parts))

    async def _turn(self) -> None:
        self._following = not self._following
        self._pause.text = "Pause" if self._following else "Follow"
        self._pause.icon = "pause" if self._following else "play_arrow"
        await self._tick()

    def _address(self) -> None:
        query = {"q": self._bar.text, "before": self._before_id or "", "grouped": "1" if self._is_grouped else ""}
        encoded = urlencode({key: value for key, value in query.items() if value})
        ui.navigate.history.replace(f"{PATH}?{encoded}" if encoded else PATH)
        for link, format in zip(self._exports, Format, strict=True):
            link.props["href"] = files.address(files.LOG, self._bar.text, format)
            link.update()

    # -- what is shown ---------------------------------------------------------------------------

    async def _tick(self) -> None:
        """The newest entries follow what happens, unless they are held; older ones stand still."""
        if self._before_id is not None:
            return
        news = await self._portal.newest_log_id() != self._seen
        if not self._following:
            self._state.text = "Paused, there are newer entries" if news else "Paused"
        elif news and time.monotonic() >= self._rest_until:
            await self._load()
        elif self._state.text.startswith("Paused"):
            self._show(0.0)

    async def _load(self, further: bool = False) -> None:
        self._seen = await self._portal.newest_log_id()
        begun = time.monotonic()
        try:
            if self._is_grouped:
                await asyncio.to_thread(self._read_groups)
            else:
                await asyncio.to_thread(self._read, further)
        except IrisliteError as error:
            self._state.text = str(error)
            return
        took_s = time.monotonic() - begun
        self._rest_until = time.monotonic() + RESTS * took_s
        self._show(took_s)

    def _read(self, further: bool) -> None:
        search, found = self._portal.director.search, self._page.records if further else []
        if further:
            page = search.log(self._bar.query, ROWS - len(found), self._page.next_id, FURTHER_S)
        else:
            page = search.log(self._bar.query, ROWS, self._before_id)
        self._page = page._replace(records=[*found, *page.records])

    def _read_groups(self) -> None:
        groups, self._page = records.grouped(self._portal.director, self._bar.text)
        self._groups = groups.newest_first()

    def _show(self, took_s: float) -> None:
        self._lines.set_visibility(not self._is_grouped)
        self._group_rows.set_visibility(self._is_grouped)
        self._paging.set_visibility(not self._is_grouped)
        self._turn_groups.text = "One by one" if self._is_grouped else "Group what is equal"
        self._turn_groups.icon = "list" if self._is_grouped else "unfold_less"
        self._newest.set_enabled(self._before_id is not None)
        self._older.set_enabled(self._page.next_id is not None)
        self._older.text = "Older" if self._page.is_full else "Search further back"
        if self._is_grouped:
            self._group_rows.show(groups=[group_row(group) for group in self._groups])
        else:
            self._lines.show(entries=[log_row(entry) for entry in self._page.records])
        took = f" ({duration(took_s * 1000)})" if took_s else ""
        self._state.text = self._told() + took

    def _told(self) -> str:
        if self._is_grouped:
            rest = "" if self._page.next_id is None else f", back to entry {self._page.next_id:,}"
            return f"{len(self._groups)} kinds of {sum(group.count for group in self._groups):,} entries{rest}"
        count = len(self._page.records)
        if not self._page.is_full:
            return f"{count} found, searched back to entry {self._page.next_id:,}: there may be more"
        if self._before_id is not None:
            return f"{count} before entry {self._before_id:,}"
        return f"Following, {'the newest ' if self._page.next_id is not None else ''}{count} entries"
