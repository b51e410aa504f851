"""The room Production: items in columns with who sends to whom, their state, and one item at the side."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.actor import Role
from irislite.views import ItemState, ItemView
from irislite.web import blocking
from irislite.web.portal.additem import ask_for_item
from irislite.web.portal.controls import Pill, button, confirmed, needs_role, notice, told
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.panel import ItemPanel
from irislite.web.portal.snapshot import Snapshot, drawn
from irislite.web.portal.widgets import Board

PATH = "/production"
LINKS_S = 600.0  # how old the answer may be who sends to whom: it reads the code of every item
STALE_S = 2.0  # and whether something was configured since the start
_EFFECTS = {
    "Stop": "Every item stops. What is queued stays queued and goes on after the next start.",
    "Restart": "Every item stops and starts again. What is queued stays queued.",
}
_HELP = {
    "Update": "Apply what was configured since the start; what did not change goes on",
    "Recover": "Start the items again that are in error; the others go on",
}


async def page(portal: Portal, name: str = "", item: str = "") -> None:
    """`name` is the production that is expected, `item` the one to open at the side."""
    with frame(portal, name or "Production", PATH):
        await _Production(portal, name).build(item)


class _Production:
    def __init__(self, portal: Portal, name: str) -> None:
        self._portal = portal
        self._expected = name
        self._name = ""
        self._picked = ""
        self._panel: ItemPanel | None = None
        self._seen: list[ItemView] = []
        self._links: list[tuple[str, str]] = []
        self._busy = False

    async def build(self, picked: str) -> None:
        status, items = await self._portal.status(), await self._portal.items()
        self._name = status["production"]
        self._head()
        if self._expected and self._expected != self._name:
            self._other_production()
        self._stale = notice("Something was configured since the start: press Update to apply it.", "note")
        self._stale.set_visibility(False)
        self._desk = ui.element("div").classes("desk")
        with self._desk:
            self._board = Board(self._snapshot(status, items), time.time(), self._pick)
            self._side = ui.element("div")
        self._show(status, items)
        if any(view.name == picked for view in items):
            await self._pick(picked)
        elif picked:
            ui.notify(f"The production {self._name} has no item {picked!r}: pick one.", type="warning", position="top")
        ui.timer(0.0, self._draw_links, once=True)  # the cards need not wait for them
        self._portal.ticks.follow(self._tick)

    def _head(self) -> None:
        director = self._portal.director
        with head(self._name or "No production"):
            self._pill = Pill("stopped")
            ui.element("div").classes("grow")
            self._add_button = button("Add item", "add", self._add)
            actions: tuple[tuple[str, str, Callable[[], Any], str], ...] = (
                ("Start", "play_arrow", partial(director.start, self._expected or self._name), "primary"),
                ("Recover", "healing", director.recover, ""),
                ("Update", "sync", director.update, ""),
                ("Restart", "restart_alt", director.restart, ""),
                ("Stop", "stop", director.stop, "danger"),
            )
            self._buttons = {
                name: button(name, icon, partial(self._act, name, action), kind) for name, icon, action, kind in actions
            }
        for name, help in _HELP.items():
            self._buttons[name].props["title"] = help
        self._may_act = self._portal.may(Role.OPERATOR)
        if not self._may_act:
            needs_role(Role.OPERATOR, self._add_button, *self._buttons.values())

    def _other_production(self) -> None:
        names = self._portal.director.productions.names()
        if self._expected in names:
            rest = "is not the default one. One runs at a time: stop this one, then press Start to start that one."
        else:
            rest = f"does not exist. There is: {', '.join(names)}."
        notice(f"This is {self._name}. The production {self._expected} {rest}", "warn")

    async def _act(self, name: str, action: Callable[[], Any]) -> None:
        if name in _EFFECTS and not await confirmed(f"{name} {self._name}?", _EFFECTS[name], name, "danger"):
            return
        self._busy = True
        for each in self._buttons.values():
            each.disable()
        self._buttons[name].props(add="loading")
        try:
            with told(), self._portal.act(f"{name} the production", self._name):
                await blocking.run(action)
        finally:
            self._buttons[name].props(remove="loading")
            self._busy = False
        await self._look_again()

    async def _add(self) -> None:
        name = await ask_for_item(self._portal, [item.name for item in self._seen])
        if name:
            await self._look_again()
            if name != self._picked:
                await self._pick(name)

    async def _look_again(self) -> None:
        """Somebody changed something: ask anew, and show it."""
        self._portal.fresh.forget()
        await self._tick()

    async def _tick(self) -> None:
        status, items = await self._portal.status(), await self._portal.items()
        if status["production"] != self._name:
            ui.navigate.to(f"{PATH}?{urlencode({'name': status['production']})}")
            return
        if self._panel is not None:  # before the cards: who sees one in another state finds buttons that fit
            view = next((item for item in items if item.name == self._picked), None)
            await self._panel.tick(view)
        self._show(status, items)
        await self._draw_links()
        director = self._portal.director
        self._stale.set_visibility(await self._portal.fresh.get("stale", STALE_S, lambda: director.needs_update))

    def _snapshot(self, status: dict[str, str], items: list[ItemView]) -> Snapshot:
        """The one that all pages show."""
        stopped = status["status"] == "stopped"
        return self._portal.fresh.made("board", (status, items), lambda before: drawn(items, stopped, before))

    def _show(self, status: dict[str, str], items: list[ItemView]) -> None:
        stopped = status["status"] == "stopped"
        self._pill.show(status["status"])
        if not self._busy and self._may_act:
            in_error = any(item.state is ItemState.ERROR for item in items)
            for name, each in self._buttons.items():
                each.set_enabled(stopped == (name == "Start") and (name != "Recover" or in_error))
        self._seen = items
        self._board.follow(self._snapshot(status, items))

    async def _draw_links(self) -> None:
        director = self._portal.director
        links = await self._portal.fresh.get("links", LINKS_S, lambda: _links(director.connections("")))
        if links is not self._links:
            self._links = links
            self._board.connect(links)

    async def _pick(self, name: str) -> None:
        """Open an item at the side; the same once more, or no name, closes it."""
        if not name or name == self._picked:
            self._close()
            return
        self._picked = name
        self._side.clear()
        with self._side, told():
            view = await blocking.run(self._portal.director.item, name)
            self._panel = ItemPanel(self._portal, view, self._close, self._look_again, self._pick)
            await self._panel.build()
        self._place()

    def _close(self) -> None:
        self._picked, self._panel = "", None
        self._side.clear()
        self._place()

    def _place(self) -> None:
        self._desk.classes(**{"add" if self._picked else "remove": "with-panel"})
        self._board.select(self._picked)
        query = {"name": self._name} | ({"item": self._picked} if self._picked else {})
        with self._desk:  # what called may be gone with the panel
            ui.navigate.history.replace(f"{PATH}?{urlencode(query)}")


def _links(connections: dict[str, Any]) -> list[tuple[str, str]]:
    """Who sends to whom, of the items that are there."""
    names = {row["item"] for row in connections["items"]}
    return [(row["item"], target) for row in connections["items"] for target in row["connections"] if target in names]
