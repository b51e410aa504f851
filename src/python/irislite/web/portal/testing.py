"""The test page: send a request to one item, watch it being handled, read the answer."""

import asyncio
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.bridge.components import RequestClass
from irislite.errors import IrisliteError
from irislite.eventlog import LogEntry
from irislite.header import Body, BusinessType, Header, Status
from irislite.views import ItemState, ItemView
from irislite.visualtrace import UNFINISHED
from irislite.web import blocking
from irislite.web.portal import bodies
from irislite.web.portal.controls import Pill, button, duration, notice, text
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.rows import claimed, log_row
from irislite.web.portal.widgets import LogLines

PATH = "/test"
FIRST_LOOK_S, SLOWEST_LOOK_S = 0.03, 1.0  # a quick answer is shown at once, a slow one costs little
TAIL = 12  # log lines that are shown while it works
IOP, PLAIN, STRING = "IOP.Message", "Ens.Request", "Ens.StringRequest"
_TYPES = {IOP: "IOP.Message (Python class)", PLAIN: "Ens.Request (no body)", STRING: "Ens.StringRequest (text)"}
_ENDED = frozenset({Status.ERROR, Status.ABORTED, Status.DISCARDED, Status.SUSPENDED})


async def page(portal: Portal, item: str = "", classname: str = "") -> None:
    """`item` is who is asked, `classname` the request's class."""
    with frame(portal, "Test", PATH):
        await _Test(portal).build(item, classname)


@dataclass(frozen=True, slots=True)
class _Progress:
    """Where a request stands. `finished` says that nothing more will come of it."""

    request: Header
    response: Header | None
    body: Body | None
    status: Status
    finished: bool
    failure: str
    log: list[LogEntry]


class _Test:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._classes: dict[str, RequestClass] = {}
        self._template = ""
        self._watched = 0  # the id of the request whose answer is shown
        self._user = portal.sessions.account(ui.context.client.request.session.get("token", ""))

    async def build(self, item: str, classname: str) -> None:
        views = {view.name: view for view in await self._portal.items() if view.kind is not BusinessType.SERVICE}
        running = (name for name, view in views.items() if view.state is ItemState.RUNNING)
        first = item if item in views else next(running, next(iter(views), None))
        head("Test")
        if item and item not in views:
            notice(f"{item!r} is no operation and no process of this production: pick one that is.", "warn")
        if first is None:
            notice("There is nothing to test: the production has no operation and no process.", "warn")
            return
        with ui.element("div").classes("halves"):
            with ui.element("section").classes("panel panel-body").props("aria-label=Request"):
                self._form(list(views), first)
            self._result = ui.element("section").classes("stack").props('aria-label="Answer" aria-live=polite')
        with self._result:
            ui.label("The answer appears here.").classes("panel empty muted")
        await self._choose_item(first, classname)

    # -- the request ---------------------------------------------------------------------------------

    def _form(self, names: list[str], first: str) -> None:
        self._item = ui.select(names, label="Item", value=first, with_input=True)
        self._item.props("outlined dense").on_value_change(lambda event: self._choose_item(event.value))
        self._about_item = ui.element("div")
        self._type = ui.select(_TYPES, label="Request type", value=IOP).props("outlined dense")
        self._type.on_value_change(self._choose_type)
        self._class = ui.input("Class name", placeholder="msg.MLRequest").props("outlined dense spellcheck=false")
        self._class.on_value_change(self._choose_class)
        self._chips = ui.element("div").classes("chips").props('role=group aria-label="Classes this item handles"')
        self._hint = text("div", "").classes("small muted").style("white-space: pre-line")
        self._body = ui.textarea("Body (JSON)", validation=self._problem_of).classes("mono")
        self._body.props("outlined autogrow spellcheck=false debounce=200 stack-label input-style='min-height: 150px'")
        self._body.on("keydown.ctrl.enter", lambda: self._invoke(True))
        with ui.element("div").classes("row-wrap"):
            self._invoke_button = button("Invoke", "play_arrow", lambda: self._invoke(True), "primary")
            button("Invoke and leave", "send", lambda: self._invoke(False))
            ui.element("div").classes("grow")
            self._format_button = button("Format", "format_align_left", self._format, "quiet")
            self._template_button = button("Template", "restore_page", self._restore, "quiet")

    async def _choose_item(self, name: str | None, classname: str = "") -> None:
        if not name:
            return
        director = self._portal.director
        view, classes = await asyncio.gather(
            asyncio.to_thread(director.item, name), asyncio.to_thread(director.request_classes, name)
        )
        self._classes = {found.name: found for found in classes}
        self._about_item.clear()
        with self._about_item:
            _about(view)
        self._chips.clear()
        with self._chips:
            for found in self._classes:
                button(found, on_click=partial(self._class.set_value, found), kind="chip")
        shown = str(self._class.value or "")
        wanted = classname or (shown if shown in self._classes else next(iter(self._classes), ""))
        self._type.value = IOP if self._classes or classname else PLAIN
        if shown == wanted:
            self._choose_class()
        else:
            self._class.value = wanted
        ui.navigate.history.replace(f"{PATH}?{urlencode({'item': name})}")

    def _choose_type(self) -> None:
        is_iop, is_string = self._type.value == IOP, self._type.value == STRING
        for element in (self._class, self._chips, self._hint, self._format_button, self._template_button):
            element.set_visibility(is_iop)
        self._body.set_visibility(is_iop or is_string)
        self._body.props["label"] = "Text" if is_string else "Body (JSON)"
        self._body.validate()

    def _choose_class(self) -> None:
        """Offer the class's template, unless something of one's own was typed already."""
        known = self._classes.get(str(self._class.value or ""))
        for chip in self._chips:
            if isinstance(chip, ui.button):
                chip.classes(**{"add" if known and chip.text == known.name else "remove": "chosen"})
        self._hint.text = known.description if known else ""
        untouched = str(self._body.value or "").strip() in ("", self._template.strip())
        self._template = json.dumps(known.template, indent=2, ensure_ascii=False, default=str) if known else "{}"
        if untouched:
            self._body.value = self._template
        self._template_button.set_enabled(known is not None)

    def _problem_of(self, value: Any) -> str | None:
        """Why a body cannot be sent, as it is typed; None if it can."""
        if self._type.value != IOP or not str(value or "").strip():
            return None
        try:
            parsed = json.loads(str(value))
        except ValueError as error:
            return f"No valid JSON: {error}"
        return None if isinstance(parsed, dict) else 'It must be a JSON object, as in {"inputs": "text"}'

    def _format(self) -> None:
        if self._problem_of(self._body.value) is None:
            self._body.value = json.dumps(json.loads(self._body.value or "{}"), indent=2, ensure_ascii=False)

    def _restore(self) -> None:
        self._body.value = self._template

    # -- the answer -----------------------------------------------------------------------------------

    async def _invoke(self, wait: bool) -> None:
        kind, typed = str(self._type.value), str(self._body.value or "")
        classname = {IOP: str(self._class.value or "").strip() or IOP, PLAIN: "", STRING: STRING}[kind]
        self._invoke_button.disable()
        self._result.clear()
        # On a small screen the answer is below the form.
        ui.run_javascript(
            f"if (innerWidth < 760) getHtmlElement({self._result.id}).scrollIntoView({{behavior: 'smooth'}})"
        )
        try:
            header = await blocking.run(self._send, str(self._item.value), classname, typed, wait)
        except IrisliteError as error:
            with self._result:
                notice(str(error), "bad")
        else:
            self._watched = header.id
            with self._result:
                if wait:
                    await self._watch(header)
                else:
                    await self._sent(header)
        finally:
            self._invoke_button.enable()

    def _send(self, target: str, classname: str, typed: str, wait: bool) -> Header:
        if wait:  # an item whose start failed takes messages, but nobody would answer
            self._portal.director.router.address(target, waits=True)
        return self._portal.director.test_async(target, classname, typed, self._user)

    async def _sent(self, header: Header) -> None:
        name = header.target_config_name
        view = await asyncio.to_thread(self._portal.director.item, name)
        with ui.element("div").classes("panel panel-body"):
            notice(f"Sent to {name} as message {header.id}. It goes on without this page.", "note")
            if view.state is ItemState.ERROR:
                notice(f"{name} is in error: the message waits in its queue until it is started again.", "warn")
            _trace_link(header)

    async def _watch(self, header: Header) -> None:
        """Show how the request gets on until it is answered, or another one is sent, or the page is left."""
        started, pause_s = time.monotonic(), FIRST_LOOK_S
        with ui.element("div").classes("panel panel-body"):
            with ui.element("div").classes("row-wrap"):
                pill = Pill("queued")
                elapsed = text("span", "").classes("muted")
                ui.element("div").classes("grow")
                _trace_link(header)
            working = ui.linear_progress(show_value=False).props("indeterminate aria-label=Waiting").classes("working")
            answer = ui.element("div").classes("stack")
            lines = LogLines(items=False, links=False, empty="Nothing logged yet.")
            lines.classes("tail")
        self._invoke_button.enable()
        while self._watched == header.id and not elapsed.is_deleted:
            progress = await asyncio.to_thread(self._look, header)
            if elapsed.is_deleted:
                return
            pill.show(progress.status.name.lower())
            lines.show(entries=[log_row(entry) for entry in progress.log[-TAIL:]])
            elapsed.text = f"{duration(1000 * (time.monotonic() - started))}"
            if progress.finished:
                working.delete()
                lines.set_visibility(bool(progress.log))
                with answer:
                    _answer(progress)
                return
            await asyncio.sleep(pause_s)
            pause_s = min(SLOWEST_LOOK_S, pause_s * 1.5)

    def _look(self, header: Header) -> _Progress:
        store = self._portal.director.store
        response, request = store.response_to(header.id), store.header(header.id)
        log = self._portal.director.eventlog.of_session(header.session_id)
        status, failure, body, finished = request.status, request.error_text, None, request.status in _ENDED
        if response is not None:
            failure = failure or response.error_text
            body = store.body(response.message_body_id) if response.message_body_id else None
            finished = True
        elif status is Status.COMPLETED:
            # A process has handled the request, and may still wait for its calls: the answer comes when they are done.
            session = store.session(header.session_id)
            finished = not any(each.status in UNFINISHED for each in session)
            status = Status.COMPLETED if finished else Status.DEFERRED
            response = store.response_to(header.id) if finished else None
            if response is not None:
                body = store.body(response.message_body_id) if response.message_body_id else None
            failure = next((each.error_text for each in session if each.error_text), "") if finished else ""
        elif header.id in claimed(self._portal, [request]):
            status = Status.DELIVERED
        return _Progress(request, response, body, status, finished, failure, log)


def _answer(progress: _Progress) -> None:
    if progress.failure:
        notice(progress.failure, "bad")
    if progress.response is not None:
        bodies.show(progress.response.message_body_id, progress.body)
    elif not progress.failure and progress.status is Status.COMPLETED:
        notice("It was handled and answered nothing.")
    elif not progress.failure:
        notice(f"The message is {progress.status.name.title()}: see its trace.", "warn")


def _about(view: ItemView) -> None:
    """A word about the item, if it will not answer now."""
    if view.state is not ItemState.RUNNING:
        with ui.element("div").classes("row-wrap small"):
            Pill(view.state)
            text("span", view.reason or view.comment).classes("muted")


def _trace_link(header: Header) -> None:
    ui.link(f"Visual Trace of session {header.session_id}", f"/trace?session={header.session_id}&message={header.id}")
