"""The tests that the reader sent before, to be looked up and repeated."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from nicegui import ui

from irislite.errors import UnknownSession
from irislite.testhistory import Test
from irislite.web import blocking
from irislite.web.portal.controls import STATE_ICONS, button, confirmed, text, told
from irislite.web.portal.layout import Portal
from irislite.web.portal.rows import cut, status_of
from irislite.web.portal.widgets import Rows, Table, zoned

FEW = 6  # that are shown until somebody asks for all
_COLUMNS = [("time", "Sent", "when"), ("state", "Now", ""), ("item", "Item", "who"), ("body", "Request", "class"),
            ("trace", "Trace", "link")]  # fmt: skip


class Earlier:
    """The list of a user's tests. `repeat` gets the one whose button was pressed."""

    def __init__(self, portal: Portal, repeat: Callable[[Test], Coroutine[Any, Any, None]]) -> None:
        self._portal = portal
        self._repeat = repeat
        self._user = portal.access.actor().name
        self._tests: dict[int, Test] = {}
        self._all = False

    async def build(self) -> None:
        """Make the list here."""
        with ui.element("section").classes("panel earlier").props('aria-label="Earlier tests"'):
            with ui.element("div").classes("row-wrap panel-head"):
                text("h2", "Earlier tests").classes("grow")
                self._more = button("Show all", "expand_more", self._show_all, "quiet")
                self._forget_button = button("Forget", "delete", self._forget, "quiet")
            actions = [("repeat", "Repeat", "replay", "")]
            self._table = Table("Earlier tests", _COLUMNS, [], "What you send is kept here.", actions, self._act)
        await self.show()

    async def show(self) -> None:
        """Look for what was sent, and what became of it."""
        tests = await asyncio.to_thread(self._portal.director.tests.of, self._user)
        self._tests = {test.message_id: test for test in tests}
        shown = tests if self._all else tests[:FEW]
        self._table.show(rows=await asyncio.to_thread(self._rows, shown))
        self._more.set_visibility(len(tests) > len(shown))
        self._forget_button.set_visibility(bool(tests))

    def _rows(self, tests: list[Test]) -> Rows:
        return [
            {
                "id": test.message_id, "time": {"time": zoned(test.time)}, "state": self._state(test),
                "item": test.target,
                "body": {"code": cut(f"{test.classname or 'Ens.Request'} {_line(test.body)}", 300)},
                "trace": {"href": f"/trace?session={test.session_id}", "text": str(test.session_id)},
            }
            for test in tests
        ]  # fmt: skip

    def _state(self, test: Test) -> dict[str, str]:
        try:
            status = status_of(self._portal, self._portal.director.store.header(test.message_id)).name.lower()
        except UnknownSession:
            return {"state": "discarded", "icon": "delete", "text": "Purged"}
        return {"state": status, "icon": STATE_ICONS.get(status, "help"), "text": status.title()}

    async def _act(self, _action: str, message_id: Any) -> None:
        if (test := self._tests.get(int(message_id))) is not None:
            await self._repeat(test)

    async def _show_all(self) -> None:
        self._all = True
        await self.show()

    async def _forget(self) -> None:
        if await confirmed("Forget these tests?", "The list is emptied; the messages and their traces stay.", "Forget"):
            with told(), self._portal.act("Forget earlier tests"):
                await blocking.run(self._portal.director.tests.forget, self._user)
            await self.show()


def _line(body: str | None) -> str:
    return "(too long to be kept: see its trace)" if body is None else " ".join(body.split())
