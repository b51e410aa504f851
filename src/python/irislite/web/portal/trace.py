"""The Visual Trace of a session: who sent what to whom, when, with what; and what they logged meanwhile."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui

from irislite.errors import UnknownSession
from irislite.eventlog import LogEntry
from irislite.header import Body, Header, Status
from irislite.visualtrace import UNFINISHED, Arrow, ArrowKind, Trace, build
from irislite.web.portal import bodies
from irislite.web.portal.controls import Pill, button, duration, notice, text
from irislite.web.portal.layout import TICK_S, Portal, frame, head
from irislite.web.portal.rows import body_class, claimed, cut, log_row, message_rows
from irislite.web.portal.widgets import Diagram, LogLines, MessageRows, Moment, Rows

PATH = "/trace"
MOST_ARROWS = 200  # on one page
MOST_LINES = 300
CALM_TICKS = 10  # a finished session is looked at this much less often
RECENT = 200  # headers in which recent sessions are looked for
# The key to the diagram, drawn with the same shapes.
_KEY = (
    '<span><svg width="46" height="14" aria-hidden="true"><g class="arrow-{kind} {failed}">'
    '<path class="shaft" d="M1 7 H34"/>{end}</g></svg>{word}</span>'
)
_HEAD = '<path class="head" d="M44 7 l-10 -5.5 v11 z"/>'
_CROSS = '<path class="cross" d="M33 2 l10 10 m0 -10 l-10 10"/>'


async def page(portal: Portal, session: str = "", message: str = "", start: str = "") -> None:
    """`session` is its number, `message` the one to open, `start` the place of the first arrow that is shown."""
    with frame(portal, f"Session {session}" if session else "Visual Trace", PATH):
        numbers = [int(text) if text.isdecimal() and len(text) < 19 else 0 for text in (session, message, start)]
        if not session:
            await _choose(portal)
            return
        trace = _Trace(portal, *numbers)
        try:
            await trace.build()
        except UnknownSession as error:
            notice(str(error), "bad")
            await _choose(portal)


@dataclass(frozen=True, slots=True)
class _Session:
    trace: Trace
    headers: dict[int, Header]
    classes: dict[int, str]
    log: list[LogEntry]


class _Trace:
    def __init__(self, portal: Portal, session_id: int, message_id: int, start: int) -> None:
        self._portal = portal
        self._id = session_id
        self._picked = message_id
        self._start = start
        self._ticks = 0

    async def build(self) -> None:
        self._session = await asyncio.to_thread(self._read)
        arrows = self._session.trace.arrows
        places = {arrow.header_id: place for place, arrow in enumerate(arrows)}
        if self._picked not in places:
            self._picked = arrows[0].header_id
        elif not self._start:
            self._start = places[self._picked] // MOST_ARROWS * MOST_ARROWS
        self._start = max(0, min(self._start, len(arrows) - 1))
        with head(f"Session {self._id}"):
            self._pill = Pill("")
            self._summary = text("span", "").classes("muted").props("role=status")
            ui.element("div").classes("grow")
            self._pager()
        with ui.element("div").classes("trace"):
            with ui.element("div").classes("panel"):
                self._diagram = Diagram([], [], self._picked, self._clicked)
                _key()
            self._details = ui.element("section").classes("panel details").props('aria-label="Message"')
            with ui.element("section").classes("panel trace-log"):
                with ui.element("div").classes("panel-body"):
                    text("h2", "Event log of this session")
                self._lines = LogLines(links=False, empty="Nothing was logged for this session.")
        self._show()
        await self._pick(self._picked)
        ui.timer(TICK_S, self._tick, immediate=False)

    def _pager(self) -> None:
        total = len(self._session.trace.arrows)
        if total <= MOST_ARROWS:
            return
        end = min(total, self._start + MOST_ARROWS)
        text("span", f"Messages {self._start + 1:,} to {end:,} of {total:,}").classes("muted")
        for label, place in (("Earlier", self._start - MOST_ARROWS), ("Later", self._start + MOST_ARROWS)):
            target = partial(ui.navigate.to, f"{PATH}?session={self._id}&start={max(0, place)}")
            button(label, on_click=target).set_enabled(-MOST_ARROWS < place < total)

    def _read(self) -> _Session:
        director = self._portal.director
        headers, log = director.store.session(self._id), director.eventlog.of_session(self._id)
        trace = build(headers, claimed(self._portal, headers))
        shown = headers[self._start : self._start + MOST_ARROWS]
        classes = {header.id: body_class(self._portal, header) for header in shown}
        return _Session(trace, {header.id: header for header in headers}, classes, log)

    async def _tick(self) -> None:
        self._ticks += 1
        if self._session.trace.finished and self._ticks % CALM_TICKS:
            return
        before = self._session
        self._session = await asyncio.to_thread(self._read)
        self._show()
        if before.headers.get(self._picked) != self._session.headers.get(self._picked):
            await self._pick(self._picked)

    def _show(self) -> None:
        trace = self._session.trace
        failed = any(arrow.failed for arrow in trace.arrows)
        self._pill.show("error" if failed else "completed" if trace.finished else "running")
        self._summary.text = f"{len(trace.arrows):,} messages, {duration(trace.duration_ms)}"
        arrows = trace.arrows[self._start : self._start + MOST_ARROWS]
        self._diagram.show(
            columns=[{"name": column.name, "kind": column.kind.name.lower()} for column in trace.columns],
            arrows=[self._arrow(arrow) for arrow in arrows],
        )
        self._lines.show(entries=[log_row(entry) for entry in self._session.log[-MOST_LINES:]])

    def _arrow(self, arrow: Arrow) -> dict[str, Any]:
        note = duration(arrow.duration_ms)
        if arrow.status in UNFINISHED or arrow.status is Status.SUSPENDED:
            note = arrow.status.name.title()
        return {
            "id": arrow.header_id, "number": arrow.number, "from": arrow.source, "to": arrow.target,
            "kind": str(arrow.kind), "label": cut(self._session.classes.get(arrow.header_id) or arrow.description, 80),
            "note": note, "offset": f"{arrow.offset_ms:,.0f}", "status": arrow.status.name.title(),
            "failed": arrow.failed, "waiting": arrow.status in UNFINISHED,
        }  # fmt: skip

    async def _clicked(self, message_id: int) -> None:
        await self._pick(message_id)
        # On a small screen the message is below the picture.
        ui.run_javascript(
            f"if (innerWidth < 1080) getHtmlElement({self._details.id}).scrollIntoView({{behavior: 'smooth'}})"
        )

    async def _pick(self, message_id: int) -> None:
        header = self._session.headers.get(message_id)
        if header is None:
            return
        body_id = header.message_body_id
        body = await asyncio.to_thread(self._portal.director.store.body, body_id) if body_id else None
        self._picked = message_id
        self._diagram.show(selected=message_id)
        ui.navigate.history.replace(f"{PATH}?session={self._id}&message={message_id}&start={self._start}")
        arrow = next(arrow for arrow in self._session.trace.arrows if arrow.header_id == message_id)
        self._details.clear()
        with self._details, ui.element("div").classes("panel-body"):
            _details(header, arrow, body)


def _details(header: Header, arrow: Arrow, body: Body | None) -> None:
    words = {ArrowKind.REQUEST: "Request", ArrowKind.RESPONSE: "Response", ArrowKind.ERROR: "Error response"}
    with ui.element("div").classes("row-wrap"):
        text("h3", f"{arrow.number}. {words[arrow.kind]} {header.id}")
        Pill(arrow.status.name.lower())
    if header.error_text:
        notice(header.error_text, "bad")
    bodies.show(header.message_body_id, body)
    with ui.element("dl").classes("facts"):
        for name, value in (
            ("From", header.source_config_name), ("To", header.target_config_name),
            ("Created", Moment), ("Processed", Moment), ("Took", duration(arrow.duration_ms)),
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


def _key() -> None:
    """What the shapes mean. The text is our own: nothing of a message is in it."""
    parts = [
        _KEY.format(kind="request", failed="", end=_HEAD, word="Request"),
        _KEY.format(kind="response", failed="", end=_HEAD, word="Response"),
        _KEY.format(kind="error", failed="failed", end=_CROSS, word="Error"),
    ]
    ui.html("".join(parts), sanitize=False).classes("keys")


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
