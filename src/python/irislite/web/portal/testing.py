"""The test page: send a request to one item, watch it being handled, read the answer."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import ui

from irislite.actor import Role, acting
from irislite.bridge.requestclasses import RequestClass
from irislite.errors import IrisliteError
from irislite.eventlog import LogEntry
from irislite.header import Body, BusinessType, Header, Status
from irislite.masking import MASK, masked
from irislite.testhistory import Test
from irislite.views import ItemState, ItemView
from irislite.visualtrace import UNFINISHED
from irislite.web import blocking
from irislite.web.portal import bodies, commands
from irislite.web.portal.controls import Pill, button, copyable, duration, needs_role, notice, text
from irislite.web.portal.earlier import Earlier
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.rows import claimed, log_row
from irislite.web.portal.testform import PLAIN, RequestForm
from irislite.web.portal.widgets import LogLines

PATH = "/test"
FIRST_LOOK_S, SLOWEST_LOOK_S = 0.03, 1.0  # a quick answer is shown at once, a slow one costs little
TAIL = 12  # log lines that are shown while it works
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
        self._watched = 0  # the id of the request whose answer is shown
        self._about = ("", "")  # item and state that the form tells of
        self._base = str(ui.context.client.request.base_url).rstrip("/")

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
        classes = await asyncio.to_thread(self._portal.director.request_classes, first)
        with ui.element("div").classes("halves"):
            with ui.element("section").classes("panel panel-body").props("aria-label=Request"):
                self._build_request(list(views), first, classes, classname)
            with ui.element("div").classes("stack"):
                self._result = ui.element("section").classes("stack").props('aria-label="Answer" aria-live=polite')
                self._earlier = Earlier(self._portal, self._repeat)
                await self._earlier.build()
        with self._result:
            ui.label("The answer appears here.").classes("panel empty muted")
        self._choose(views[first], classes, classname)
        self._portal.ticks.follow(self._tick)

    # -- the request ---------------------------------------------------------------------------------

    def _build_request(self, names: list[str], first: str, classes: list[RequestClass], classname: str) -> None:
        self._item = ui.select(names, label="Item", value=first, with_input=True)
        self._item.props("outlined dense").on_value_change(lambda event: self._choose_item(event.value))
        self._about_item = ui.element("div")
        self._form = RequestForm(lambda: self._invoke(True))
        self._form.build(classes, classname)
        with ui.element("div").classes("row-wrap"):
            self._invoke_button = button("Invoke", "play_arrow", lambda: self._invoke(True), "primary")
            leave = button("Invoke and leave", "send", lambda: self._invoke(False))
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, self._invoke_button, leave)
            ui.element("div").classes("grow")
            self._form.buttons()
        with ui.element("div").classes("row-wrap"):
            button("Copy as curl", "content_copy", lambda: self._show_command("curl", commands.curl), "quiet")
            button("Copy as iop --test", "content_copy", lambda: self._show_command("iop", commands.iop), "quiet")

    async def _choose_item(self, name: str | None, classname: str = "") -> None:
        if not name:
            return
        director = self._portal.director
        view, classes = await asyncio.gather(
            asyncio.to_thread(director.item, name), asyncio.to_thread(director.request_classes, name)
        )
        self._choose(view, classes, classname)

    def _choose(self, view: ItemView, classes: list[RequestClass], classname: str) -> None:
        self._tell_about(view)
        self._form.offer(classes, classname)
        ui.navigate.history.replace(f"{PATH}?{urlencode({'item': view.name})}")

    async def _tick(self) -> None:
        view = next((view for view in await self._portal.items() if view.name == self._item.value), None)
        if view is not None and (view.name, view.state) != self._about:
            self._tell_about(view)

    def _tell_about(self, view: ItemView) -> None:
        """A word about the item, if it will not answer now."""
        self._about = (view.name, view.state)
        self._about_item.clear()
        if view.state is not ItemState.RUNNING:
            with self._about_item, ui.element("div").classes("row-wrap small"):
                Pill(view.state)
                text("span", view.reason or view.comment).classes("muted")

    def _show_command(self, program: str, command: Callable[[str, str, str, str, str], str]) -> None:
        user = self._portal.access.actor().name
        typed = command(self._base, user, str(self._item.value), self._form.classname, masked(self._form.text))
        with ui.dialog() as dialog, ui.card().classes("ask wide-ask"):
            text("h2", f"The same with {program}").classes("question")
            copyable(typed)
            ui.label(commands.HELP).classes("small muted")
            with ui.element("div").classes("ask-buttons"):
                button("Close", on_click=dialog.close)
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _repeat(self, test: Test) -> None:
        """Take an earlier test over into the form; it is sent when somebody presses Invoke."""
        if test.target not in self._item.options:
            ui.notify(
                f"The production has no item {test.target!r} now: choose another.", type="warning", position="top"
            )
        elif self._item.value != test.target:
            self._item.value = test.target
            await self._choose_item(test.target, test.classname)
        self._form.load(test.classname, test.body or "")
        if MASK in (test.body or ""):
            words = f"Its secrets were not kept: type them again where it says {MASK}."
            ui.notify(words, type="warning", position="top")

    # -- the answer -----------------------------------------------------------------------------------

    async def _invoke(self, wait: bool) -> None:
        target, classname, typed = str(self._item.value), self._form.classname, self._form.text
        self._invoke_button.disable()
        self._result.clear()
        # On a small screen the answer is below the form.
        ui.run_javascript(
            f"if (innerWidth < 760) getHtmlElement({self._result.id}).scrollIntoView({{behavior: 'smooth'}})"
        )
        try:
            with self._portal.act("Test an item", target) as deed:
                header = await blocking.run(self._send, target, classname, typed, wait)
                deed.tell(f"{classname or PLAIN}: session {header.session_id}")
        except IrisliteError as error:
            with self._result:
                notice(str(error), "bad")
        else:
            self._watched = header.id
            await self._earlier.show()
            with self._result:
                if wait:
                    await self._watch(header)
                else:
                    await self._sent(header)
            await self._earlier.show()
        finally:
            self._invoke_button.set_enabled(self._portal.may(Role.OPERATOR))

    def _send(self, target: str, classname: str, typed: str, wait: bool) -> Header:
        director, user = self._portal.director, acting.get().name
        if wait:  # an item whose start failed takes messages, but nobody would answer
            director.router.address(target, waits=True)
        header = director.test_async(target, classname, typed, user)
        director.tests.add(user, target, classname, typed, header.session_id, header.id)
        return header

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
        self._invoke_button.set_enabled(self._portal.may(Role.OPERATOR))
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
    if progress.response is not None and (progress.body is not None or not progress.failure):
        bodies.show(progress.response.message_body_id, progress.body)
    elif not progress.failure and progress.status is Status.COMPLETED:
        notice("It was handled and answered nothing.")
    elif not progress.failure:
        notice(f"The message is {progress.status.name.title()}: see its trace.", "warn")


def _trace_link(header: Header) -> None:
    ui.link(f"Visual Trace of session {header.session_id}", f"/trace?session={header.session_id}&message={header.id}")
