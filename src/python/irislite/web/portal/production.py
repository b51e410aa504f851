"""The production: its items in columns, its state, and one item at the side."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.header import BusinessType
from irislite.views import ItemState, ItemView
from irislite.web import blocking
from irislite.web.portal.controls import STATE_ICONS, STATE_WORDS, Pill, button, confirmed, notice, text, told
from irislite.web.portal.layout import TICK_S, Portal, frame, head
from irislite.web.portal.panel import ItemPanel
from irislite.web.portal.widgets import Board, Rows

PATH = "/production"
_COLUMNS = (
    ("Services", BusinessType.SERVICE),
    ("Processes", BusinessType.PROCESS),
    ("Operations", BusinessType.OPERATION),
    ("Not loaded", BusinessType.UNKNOWN),  # only there if there are such: their classes cannot be loaded
)

_LEGEND = (ItemState.RUNNING, ItemState.ERROR, ItemState.STARTING, ItemState.STOPPED, ItemState.DISABLED)


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

    async def build(self, picked: str) -> None:
        status, items = await self._portal.status(), await self._portal.items()
        self._name = status["production"]
        self._head()
        if self._expected and self._expected != self._name:
            self._other_production()
        self._desk = ui.element("div").classes("desk")
        with self._desk:
            with ui.element("div"):
                self._legend = ui.element("div").classes("legend").props('role=status aria-label="Items by state"')
                self._counts: dict[ItemState, int] = {}
                columns = _columns(items, status["status"] == "stopped")
                self._board = Board(columns, time.time(), "", self._pick)
            self._side = ui.element("div")
        self._show(status["status"], items)
        if any(view.name == picked for view in items):
            await self._pick(picked)
        elif picked:
            ui.notify(f"The production {self._name} has no item {picked!r}: pick one.", type="warning", position="top")
        ui.timer(TICK_S, self._tick, immediate=False)

    def _head(self) -> None:
        director = self._portal.director
        with head(self._name or "No production"):
            self._pill = Pill("stopped")
            ui.element("div").classes("grow")
            actions: tuple[tuple[str, str, Callable[[], Any], str], ...] = (
                ("Start", "play_arrow", partial(director.start, self._expected or self._name), "primary"),
                ("Update", "sync", director.update, ""),
                ("Restart", "restart_alt", director.restart, ""),
                ("Stop", "stop", director.stop, "danger"),
            )
            self._buttons = {
                name: button(name, icon, partial(self._act, name, action), kind) for name, icon, action, kind in actions
            }
        self._buttons["Update"].props["title"] = "Apply what was configured since the start"

    def _other_production(self) -> None:
        names = self._portal.director.productions.names()
        if self._expected in names:
            rest = "is not the default one. One runs at a time: stop this one, then press Start to start that one."
        else:
            rest = f"does not exist. There is: {', '.join(names)}."
        notice(f"This is {self._name}. The production {self._expected} {rest}", "warn")

    async def _act(self, name: str, action: Callable[[], Any]) -> None:
        effects = {
            "Stop": "Every item stops. What is queued stays queued and goes on after the next start.",
            "Restart": "Every item stops and starts again. What is queued stays queued.",
        }
        if name in effects and not await confirmed(f"{name} {self._name}?", effects[name], name, "danger"):
            return
        for each in self._buttons.values():
            each.disable()
        self._buttons[name].props(add="loading")
        with told():
            await blocking.run(action)
        self._buttons[name].props(remove="loading")
        self._portal.fresh.forget()
        await self._tick()

    async def _tick(self) -> None:
        status, items = await self._portal.status(), await self._portal.items()
        if status["production"] != self._name:
            ui.navigate.to(f"{PATH}?{urlencode({'name': status['production']})}")
            return
        self._show(status["status"], items)
        if self._panel is not None:
            view = next((item for item in items if item.name == self._picked), None)
            await self._panel.tick(view)

    def _show(self, status: str, items: list[ItemView]) -> None:
        stopped = status == "stopped"
        self._pill.show(status)
        if "loading" not in [name for each in self._buttons.values() for name in each.props]:
            for name, each in self._buttons.items():
                each.set_enabled(stopped == (name == "Start"))
        self._board.show(columns=_columns(items, stopped), selected=self._picked)
        counts = {state: sum(item.state is state for item in items) for state in ItemState}
        if counts != self._counts:
            self._counts = counts
            self._legend.clear()
            with self._legend:
                for state in _LEGEND:
                    count = counts[state]
                    with ui.element("span").classes(f"is-{state}" if count else ""):
                        ui.icon(STATE_ICONS[state]).props("aria-hidden=true")
                        text("span", f"{count} {STATE_WORDS.get(state, state.capitalize()).lower()}")

    async def _pick(self, name: str) -> None:
        """Open an item at the side; the same once more closes it."""
        if name == self._picked:
            self._close()
            return
        self._picked = name
        self._side.clear()
        with self._side, told():
            view = await blocking.run(self._portal.director.item, name)
            self._panel = ItemPanel(self._portal, view, self._close)
            await self._panel.build()
        self._place()

    def _close(self) -> None:
        self._picked, self._panel = "", None
        self._side.clear()
        self._place()

    def _place(self) -> None:
        self._desk.classes(**{"add" if self._picked else "remove": "with-panel"})
        self._board.show(selected=self._picked)
        query = {"name": self._name} | ({"item": self._picked} if self._picked else {})
        ui.navigate.history.replace(f"{PATH}?{urlencode(query)}")


def _columns(items: list[ItemView], stopped: bool) -> Rows:
    columns = []
    for title, kind in _COLUMNS:
        cards = [_card(item, stopped) for item in items if item.kind is kind]
        if cards or kind is not BusinessType.UNKNOWN:
            columns.append({"title": title, "items": cards})
    return columns


def _card(item: ItemView, stopped: bool) -> dict[str, Any]:
    reason = item.comment if stopped and item.state is ItemState.STOPPED else item.reason or item.comment
    return {
        "name": item.name, "class_name": item.class_name, "state": str(item.state),
        "label": STATE_WORDS.get(item.state, item.state.capitalize()), "reason": reason, "queue": item.queue_count,
        "busy": item.in_progress, "pool": item.pool_size, "processed": item.processed, "last": item.last_activity,
    }  # fmt: skip
