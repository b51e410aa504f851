"""The Visual Trace of a session: who sent what to whom, when, with what; and what they logged meanwhile."""

import asyncio
from functools import partial
from typing import Any

from nicegui import ui

from irislite.errors import UnknownSession
from irislite.header import Body, Header, Status
from irislite.messagereader import Glance
from irislite.visualtrace import UNFINISHED, Arrow, ArrowKind, shares
from irislite.web import sessionview
from irislite.web.bodyview import cut
from irislite.web.portal import bodies, files
from irislite.web.portal.controls import Pill, button, notice, text
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.rows import log_row, message_rows
from irislite.web.portal.widgets import Copy, Diagram, LogLines, MessageRows, Moment, Rows, Table, Timeline, zoned
from irislite.web.sessionview import energy_note, energy_words, joules
from irislite.web.tracepicture import note as arrow_note
from irislite.web.words import duration

PATH = "/trace"
MOST_ARROWS = 200  # on one page
MOST_LINES = 300
CALM_TICKS = 10  # a finished session is looked at this much less often
RECENT = 200  # headers in which recent sessions are looked for
LONGEST_NOTE = 200  # characters of a log entry between arrows
# The key to the diagram, drawn with the same shapes.
_KEY = (
    '<span><svg width="46" height="14" aria-hidden="true"><g class="arrow-{kind} {failed}">'
    '<path class="shaft" d="M1 7 H34"/>{end}</g></svg>{word}</span>'
)
_HEAD = '<path class="head" d="M44 7 l-10 -5.5 v11 z"/>'
_CROSS = '<path class="cross" d="M33 2 l10 10 m0 -10 l-10 10"/>'
_SHARES = [
    ("name", "Item", "who"), ("requests", "Requests", "number"), ("waited", "In the queue", "number"),
    ("worked", "At work", "number"), ("own", "Without waiting for others", "number"),
]  # fmt: skip


async def page(portal: Portal, session: str = "", message: str = "", start: str = "", view: str = "") -> None:
    """`session` is its number, `message` the one to open, `start` the place of the first arrow that is shown.

    `view` is `time` for the timeline.
    """
    with frame(portal, f"Session {session}" if session else "Visual Trace", PATH):
        if not session:
            await _choose(portal)
            return
        trace = _Trace(portal, _number(session), _number(message), _number(start), view == "time")
        try:
            await trace.build()
        except UnknownSession as error:
            notice(str(error), "bad")
            await _choose(portal)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


class _Trace:
    def __init__(self, portal: Portal, session_id: int, message_id: int, start: int, shows_time: bool) -> None:
        self._portal = portal
        self._id = session_id
        self._picked = message_id
        self._start = start
        self._shows_time = shows_time
        self._shows_log = True
        self._ticks = 0

    async def build(self) -> None:
        self._view = await asyncio.to_thread(self._read)
        arrows = self._view.trace.arrows
        places = {arrow.header_id: place for place, arrow in enumerate(arrows)}
        if self._picked not in places:
            self._picked = arrows[min(self._start, len(arrows) - 1)].header_id
        elif not self._start and places[self._picked] >= MOST_ARROWS:
            self._start = places[self._picked] // MOST_ARROWS * MOST_ARROWS
            self._view = await asyncio.to_thread(self._read)
        self._start = self._view.start
        with head(f"Session {self._id}"):
            self._pill = Pill("")
            self._summary = text("span", "").classes("muted").props("role=status")
            ui.element("div").classes("grow")
            self._tools()
        self._pager()
        with ui.element("div").classes("trace"):
            with ui.element("div").classes("panel"):
                self._diagram = Diagram(self._picked, self._clicked)
                with ui.element("div") as self._times:
                    self._timeline = Timeline(self._picked, self._clicked)
                    self._shares = Table("What each item had of the time", _SHARES, [], "Nothing was worked on yet.")
                self._keys = _key()
            self._details = ui.element("section").classes("panel details").props('aria-label="Message"')
            with ui.element("section").classes("panel trace-log"):
                with ui.element("div").classes("panel-body"):
                    text("h2", "Event log of this session")
                self._lines = LogLines(links=False, empty="Nothing was logged for this session.")
        self._show()
        await self._pick(self._picked)
        self._portal.ticks.follow(self._tick)

    def _tools(self) -> None:
        with ui.element("div").classes("row-wrap"):
            self._turn_view = button("", "", self._turn)
            self._turn_log = button("", "", self._turn_notes)
            Copy("Copy link")
            for words, path in (("Save picture", files.PICTURE), ("Save page", files.PAGE)):
                ui.link(words, path.format(session_id=self._id)).classes("small").props("download")

    def _pager(self) -> None:
        total = len(self._view.trace.arrows)
        if total <= MOST_ARROWS:
            return
        end = min(total, self._start + MOST_ARROWS)
        with ui.element("div").classes("row-wrap pager"):
            text("span", f"Messages {self._start + 1:,} to {end:,} of {total:,}").classes("muted")
            for label, place in (("Earlier", self._start - MOST_ARROWS), ("Later", self._start + MOST_ARROWS)):
                target = partial(ui.navigate.to, f"{PATH}?session={self._id}&start={max(0, place)}")
                button(label, on_click=target).set_enabled(-MOST_ARROWS < place < total)

    def _read(self, before: sessionview.SessionView | None = None) -> sessionview.SessionView:
        return sessionview.read(self._portal.director, self._id, self._start, MOST_ARROWS, before)

    async def _tick(self) -> None:
        self._ticks += 1
        if self._view.trace.finished and self._ticks % CALM_TICKS:
            return
        before = self._view
        self._view = await asyncio.to_thread(self._read, before)
        self._show()
        if before.headers.get(self._picked) != self._view.headers.get(self._picked):
            await self._pick(self._picked)

    async def _turn(self) -> None:
        self._shows_time = not self._shows_time
        self._address()
        self._show()

    async def _turn_notes(self) -> None:
        self._shows_log = not self._shows_log
        self._show()

    def _address(self) -> None:
        view = "&view=time" if self._shows_time else ""
        ui.navigate.history.replace(f"{PATH}?session={self._id}&message={self._picked}&start={self._start}{view}")

    # -- what is shown ---------------------------------------------------------------------------

    def _show(self) -> None:
        trace = self._view.trace
        failed = any(arrow.failed for arrow in trace.arrows)
        self._pill.show("error" if failed else "completed" if trace.finished else "running")
        spent = [joules(glance.energy) for glance in self._view.glances.values()]
        energy = energy_words(sum(part for part in spent if part is not None)) if any(spent) else ""
        parts = [f"{len(trace.arrows):,} messages", duration(trace.duration_ms), energy]
        self._summary.text = ", ".join(part for part in parts if part)
        for element, shown in ((self._diagram, not self._shows_time), (self._keys, not self._shows_time),
                               (self._times, self._shows_time), (self._turn_log, not self._shows_time)):  # fmt: skip
            element.set_visibility(shown)
        self._turn_view.text, self._turn_view.icon = (
            ("Arrows", "swap_horiz") if self._shows_time else ("Timeline", "view_timeline")
        )
        self._turn_log.text, self._turn_log.icon = ("Hide log" if self._shows_log else "Show log"), "receipt_long"
        if self._shows_time:
            self._show_times()
        else:
            self._show_arrows()
        self._lines.show(entries=[log_row(entry) for entry in self._view.log[-MOST_LINES:]])

    def _show_arrows(self) -> None:
        arrows, notes = [], []
        for place, row in enumerate(self._view.rows(self._shows_log)):
            if row.arrow is not None:
                arrows.append(self._arrow(row.arrow) | {"row": place})
            elif row.entry is not None:
                notes.append({
                    "id": row.entry.id, "row": place, "column": self._view.column_of(row.entry),
                    "type": row.entry.type.name.title(), "text": cut(row.entry.text, LONGEST_NOTE),
                    "time": zoned(row.entry.time_logged),
                })  # fmt: skip
        columns = [{"name": column.name, "kind": column.kind.name.lower()} for column in self._view.trace.columns]
        self._diagram.show(columns=columns, arrows=arrows, notes=notes)

    def _show_times(self) -> None:
        requests = [arrow for arrow in self._view.arrows if arrow.kind is ArrowKind.REQUEST]
        self._timeline.show(bars=[self._bar(arrow) for arrow in requests], total=self._view.trace.duration_ms)
        self._shares.show(rows=[
            {
                "id": share.name, "name": share.name, "requests": f"{share.requests:,}",
                "waited": duration(share.waited_ms), "worked": duration(share.worked_ms), "own": duration(share.own_ms),
            }
            for share in shares(self._view.trace)
        ])  # fmt: skip

    def _bar(self, arrow: Arrow) -> dict[str, Any]:
        wait, work = arrow.waited_ms or 0.0, arrow.worked_ms or 0.0
        rest = max(0.0, (arrow.duration_ms or 0.0) - wait - work)
        if arrow.duration_ms is None:  # it goes on: as long as the session does
            rest = max(0.0, self._view.trace.duration_ms - arrow.offset_ms)
        told = [f"queue {duration(wait)}" if wait else "", f"work {duration(work)}" if work else ""]
        words = " · ".join(part for part in told if part) or duration(arrow.duration_ms) or arrow.status.name.title()
        return {
            "id": arrow.header_id, "number": arrow.number, "name": self._view.trace.columns[arrow.target].name,
            "offset": arrow.offset_ms, "wait": wait, "work": work, "rest": rest, "failed": arrow.failed, "words": words,
        }  # fmt: skip

    def _arrow(self, arrow: Arrow) -> dict[str, Any]:
        note = "Suspended" if arrow.status is Status.SUSPENDED else arrow_note(self._view, arrow)
        return {
            "id": arrow.header_id, "number": arrow.number, "from": arrow.source, "to": arrow.target,
            "kind": str(arrow.kind), "label": cut(self._view.label(arrow), 80), "note": note,
            "offset": f"{arrow.offset_ms:,.0f}", "status": arrow.status.name.title(),
            "failed": arrow.failed, "waiting": arrow.status in UNFINISHED,
        }  # fmt: skip

    async def _clicked(self, message_id: int) -> None:
        await self._pick(message_id)
        # On a small screen the message is below the picture.
        ui.run_javascript(
            f"if (innerWidth < 1080) getHtmlElement({self._details.id}).scrollIntoView({{behavior: 'smooth'}})"
        )

    async def _pick(self, message_id: int) -> None:
        header = self._view.headers.get(message_id)
        arrow = next((arrow for arrow in self._view.arrows if arrow.header_id == message_id), None)
        if header is None or arrow is None:
            return
        body_id = header.message_body_id
        body = await asyncio.to_thread(self._portal.director.store.body, body_id) if body_id else None
        self._picked = message_id
        self._diagram.show(selected=message_id)
        self._timeline.show(selected=message_id)
        self._address()
        self._details.clear()
        with self._details, ui.element("div").classes("panel-body"):
            _details(header, arrow, body, self._view.glance(message_id))


def _details(header: Header, arrow: Arrow, body: Body | None, glance: Glance | None) -> None:
    words = {ArrowKind.REQUEST: "Request", ArrowKind.RESPONSE: "Response", ArrowKind.ERROR: "Error response"}
    with ui.element("div").classes("row-wrap"):
        text("h3", f"{arrow.number}. {words[arrow.kind]} {header.id}")
        Pill(arrow.status.name.lower())
    if header.error_text:
        notice(header.error_text, "bad")
    bodies.show(header.message_body_id, body)
    ui.link("Find it in the messages, to resend or edit it", f"/messages?q=id%3D{header.id}").classes("small")
    with ui.element("dl").classes("facts"):
        for name, value in (
            ("From", header.source_config_name), ("To", header.target_config_name),
            ("Created", Moment), ("Processed", Moment), ("Took", duration(arrow.duration_ms)),
            ("In the queue", duration(arrow.waited_ms)), ("At work", duration(arrow.worked_ms)),
            ("Energy", energy_note(glance.energy) if glance is not None else ""),
            ("Priority", header.priority.name.replace("_", " ").title().replace(" ", "")),
            ("Invocation", {"INPROC": "InProc"}.get(header.invocation.name, header.invocation.name.title())),
            ("Queue", header.target_queue_name), ("Answers to", header.return_queue_name),
            ("Corresponds to", str(header.corresponding_message_id or "")), ("Description", header.description),
            ("Body", f"{header.message_body_class_name} {header.message_body_id}" if header.message_body_id else ""),
        ):  # fmt: skip
            if value:
                text("dt", name)
                with text("dd", "" if value is Moment else str(value)):
                    if value is Moment:
                        Moment(header.time_created if name == "Created" else header.time_processed)


def _key() -> ui.element:
    """What the shapes mean. The text is our own: nothing of a message is in it."""
    parts = [
        _KEY.format(kind="request", failed="", end=_HEAD, word="Request"),
        _KEY.format(kind="response", failed="", end=_HEAD, word="Response"),
        _KEY.format(kind="error", failed="failed", end=_CROSS, word="Error"),
    ]
    return ui.html("".join(parts), sanitize=False).classes("keys")


async def _choose(portal: Portal) -> None:
    """Ask for a session's number, and offer the recent ones."""
    with head("Visual Trace"):
        number = ui.input("Session").props("outlined dense inputmode=numeric")

        def go() -> None:
            typed = str(number.value or "").strip()
            if typed.isdecimal():
                ui.navigate.to(f"{PATH}?session={typed}")
            else:
                ui.notify("A session is a number: type it, or pick one below.", type="warning", position="top")

        number.on("keydown.enter", go)
        button("Show", "search", go, "primary")

    def recent() -> Rows:
        newest = portal.director.store.latest(RECENT)
        return message_rows(portal, [header for header in newest if header.id == header.session_id][:30])

    with ui.element("div").classes("panel"):
        with ui.element("div").classes("panel-body"):
            text("h2", "Recent sessions, by their first message")
        MessageRows(await asyncio.to_thread(recent), empty="There is no session yet: send a test.")
