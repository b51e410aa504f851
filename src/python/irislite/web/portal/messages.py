"""The messages: searched, page by page, followed live, exported; what is done to those that are chosen."""

import asyncio
import time
from urllib.parse import urlencode

from nicegui import ui

from irislite.errors import IrisliteError
from irislite.search import Found, Page
from irislite.searchclauses import MESSAGES
from irislite.web.exports import Format
from irislite.web.portal import bodies, files
from irislite.web.portal.controls import button, notice, text, told
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.messageacts import MessageActs
from irislite.web.portal.rows import found_rows
from irislite.web.portal.searchbar import SearchBar, quoted
from irislite.web.portal.widgets import MessageRows
from irislite.web.words import duration

PATH = "/messages"
ROWS = 50
FURTHER_S = 2.0  # of looking on, when somebody asks for it
RESTS = 20  # a list that took so long to read is not read again before this many times as long
_HINT = 'status=Error and body~"green tea" or took>1000'


async def page(portal: Portal, q: str = "", item: str = "", status: str = "", before: str = "") -> None:
    """`q` is the search, `item` and `status` short ways to say one; `before` is the id that the page begins below."""
    with frame(portal, "Messages", PATH):
        before_id = int(before) if before.isdecimal() and len(before) < 19 else None
        parts = [quoted(name, value, MESSAGES) for name, value in (("item", item), ("status", status)) if value]
        await _Messages(portal, " and ".join([*([q] if q else []), *parts]), before_id).build()


class _Messages:
    def __init__(self, portal: Portal, text: str, before_id: int | None) -> None:
        self._portal = portal
        self._text = text
        self._before_id = before_id
        self._page: Page[Found] = Page([], None, True)
        self._seen = -1
        self._moving = False
        self._rest_until = 0.0

    async def build(self) -> None:
        with head("Messages"):
            self._state = text("span", "").classes("small muted").props("role=status")
            ui.element("div").classes("grow")
            self._exports = [
                ui.link(f"Export {words}", "", new_tab=True).classes("small")
                for words in ("JSON lines", "CSV")
            ]  # fmt: skip
        names = [view.name for view in await self._portal.items()]
        with ui.element("div").classes("panel"):
            self._bar = SearchBar(self._portal, MESSAGES, "messages", self._text, names, _HINT, self._searched)
            self._acts = MessageActs(self._portal, names, self._load)
            self._rows = MessageRows([], "No message fits.", self._acts.choose, self._open)
            self._acts.on_choose = lambda ids: self._rows.show(chosen=ids)
            with ui.element("div").classes("panel-body row-wrap"):
                self._newest = button("Newest", "first_page", lambda: self._go(None), "quiet")
                self._older = button("Older", "chevron_right", self._further, "quiet")
        self._dialog = ui.dialog()
        self._address()
        await self._load()
        self._portal.ticks.follow(self._tick)

    async def _searched(self) -> None:
        self._acts.choose([])
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

    def _address(self) -> None:
        query = {"q": self._bar.text, "before": self._before_id or ""}
        encoded = urlencode({key: value for key, value in query.items() if value})
        ui.navigate.history.replace(f"{PATH}?{encoded}" if encoded else PATH)
        for link, format in zip(self._exports, Format, strict=True):
            link.props["href"] = files.address(files.MESSAGES, self._bar.text, format)
            link.update()

    async def _tick(self) -> None:
        """The first page follows what happens; older ones stand still."""
        if self._before_id is not None or time.monotonic() < self._rest_until:
            return
        if self._moving or await self._portal.newest_message_id() != self._seen:
            await self._load()

    async def _load(self, further: bool = False) -> None:
        """Read the page, or go on from where the last reading ended."""
        self._seen = await self._portal.newest_message_id()
        begun = time.monotonic()
        try:
            self._page = await asyncio.to_thread(self._read_on if further else self._read)
        except IrisliteError as error:
            self._state.text = str(error)
            return
        took_s = time.monotonic() - begun
        self._rest_until = time.monotonic() + RESTS * took_s
        rows = await asyncio.to_thread(found_rows, self._portal, self._page.records)
        self._moving = any(row["status"] in ("Created", "Queued", "Delivered", "Deferred") for row in rows)
        self._newest.set_enabled(self._before_id is not None)
        self._older.set_enabled(self._page.next_id is not None)
        self._older.text = "Older" if self._page.is_full else "Search further back"
        self._state.text = f"{self._told(len(rows))} ({duration(took_s * 1000)})"
        self._rows.show(messages=rows)

    def _read(self) -> Page[Found]:
        return self._portal.director.search.messages(self._bar.query, ROWS, self._before_id)

    def _read_on(self) -> Page[Found]:
        found = self._page.records
        more = self._portal.director.search.messages(
            self._bar.query, ROWS - len(found), self._page.next_id, budget_s=FURTHER_S
        )
        return more._replace(records=[*found, *more.records])

    def _told(self, count: int) -> str:
        if not self._page.is_full:
            return f"{count} found, searched back to message {self._page.next_id:,}: there may be more"
        if self._before_id is not None:
            return f"{count} before message {self._before_id:,}"
        return f"{count}{' newest' if self._page.next_id is not None else ''}, live"

    async def _open(self, message_id: int) -> None:
        """Show what a message carries."""
        with told():
            header = await asyncio.to_thread(self._portal.director.store.header, message_id)
            body = await asyncio.to_thread(self._portal.director.store.body, header.message_body_id)
            self._dialog.clear()
            with self._dialog, ui.card().classes("ask wide-ask"):
                text("h2", f"{header.type.name.title()} {message_id}").classes("question")
                text("p", f"{header.source_config_name} → {header.target_config_name}").classes("muted small")
                if header.error_text:
                    notice(header.error_text, "bad")
                bodies.show(header.message_body_id, body)
                with ui.element("div").classes("ask-buttons"):
                    ui.link("Visual Trace", f"/trace?session={header.session_id}&message={message_id}")
                    button("Close", on_click=self._dialog.close)
            self._dialog.open()
