"""A run on its experiment's page: its steps, live, and in parts what came of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite.actor import Role
from irislite.web import blocking
from irislite.web.portal.controls import button, confirmed, needs_role, notice, text, told
from irislite.web.portal.layout import Portal
from rooms.experiments import acts, comparing, looking, parts, reading

FRESH_S = 1.6  # how old may be what several pages are told: it is read from files
_TABS = {"comparison": "Comparison", "curves": "Curves", "labels": "By label", "settings": "Settings", "log": "Log"}


class Panel:
    """One run. `build` shows it, `follow` shows it or another one as it is now, `look` what its open part has new."""

    def __init__(self, portal: Portal, name: str, number: int, tab: str, other: int) -> None:
        self._portal, self._name, self._other = portal, name, other
        self._tab = tab if tab in _TABS else ""
        self._run: Mapping[str, Any] = {"number": number}
        self._numbers: list[int] = []
        self._seen: Any = None

    async def build(self, run: Mapping[str, Any], numbers: list[int]) -> None:
        """Show it here."""
        with ui.element("section").classes("panel panel-body").props("aria-label=Steps"):
            self._steps = ui.element("div").classes("stack")
        self._asked = ui.element("div")  # questions stay open while what is around them changes
        with ui.element("div").classes("panel"):
            with ui.tabs().props("align=left no-caps inline-label outside-arrows mobile-arrows") as tabs:
                for name, label in _TABS.items():
                    ui.tab(name, label=label)
            self._body = ui.element("div").classes("panel-body")
        self._tab = self._tab or ("comparison" if run["state"] == "done" else "curves")
        tabs.set_value(self._tab)
        tabs.on_value_change(lambda event: self._show(str(event.value)))
        await self.follow(run, numbers)

    async def follow(self, run: Mapping[str, Any], numbers: list[int]) -> None:
        """Show the run as it is now."""
        another = run["number"] != self._run["number"]
        self._run, self._numbers = run, numbers
        self._steps.clear()
        with self._steps:
            self._head(run)
            if run.get("error"):
                notice(str(run["error"]), "bad")
            parts.steps(run)
        if another:
            self._seen = None
        await self.look()

    def _head(self, run: Mapping[str, Any]) -> None:
        with ui.element("div").classes("row-wrap"):
            text("h2", f"Run {run['number']}").classes("card-name")
            parts.pill(run["state"])
            ui.element("div").classes("grow")
            if run["state"] == "running":
                stop = button("Stop the run", "stop", self._cancel, "danger")
                if not self._portal.may(Role.OPERATOR):
                    needs_role(Role.OPERATOR, stop)

    async def _cancel(self) -> None:
        number = int(self._run["number"])
        with self._asked:
            sure = await confirmed(
                f"Stop run {number} of {self._name}?", "What is finished is kept; a start goes on from there.", "Stop",
                "danger",
            )  # fmt: skip
        if sure:
            with told(), self._portal.act("Stop an experiment", f"{self._name}, run {number}"):
                await blocking.run(acts.cancel, self._portal.director, self._name, number)
                self._portal.fresh.forget()

    # -- its parts -----------------------------------------------------------------------------------------------------

    async def _show(self, tab: str) -> None:
        if tab not in _TABS:  # no tab sends that
            return
        self._tab, self._seen = tab, None
        fields = {"experiment": self._name, "run": self._run["number"], "tab": tab}
        ui.navigate.history.replace(f"/experiments?{urlencode(fields)}")
        self._body.clear()
        with self._body:
            ui.linear_progress(show_value=False).props("indeterminate aria-label=Reading").classes("working")
        await self.look()

    async def look(self) -> None:
        """Read what the open part shows, and draw it anew if it has changed."""
        tab, number = self._tab, int(self._run["number"])
        read, show = self._part(tab)
        question = f"experiment {self._name} {number} {tab} {self._other}"
        found = await self._portal.fresh.get(question, FRESH_S, partial(self._read, read))
        if found is self._seen or self._body.is_deleted or (tab, number) != (self._tab, self._run["number"]):
            return  # nothing is new, or something else is asked for meanwhile
        self._seen = found
        self._body.clear()
        with self._body:
            show(found)

    def _read(self, read: Callable[[Path], Any]) -> Any:
        return read(acts.folder(self._portal.director, self._name))

    def _part(self, tab: str) -> tuple[Callable[[Path], Any], Callable[[Any], None]]:
        """What a part reads from the experiment's folder, and what draws it."""
        run, number = self._run, int(self._run["number"])
        if tab == "comparison":
            made = comparing.Panel(self._portal, self._name, number, self._asked)
            return made.read, made.show
        if tab == "curves":
            return partial(_curves, run), looking.curves
        if tab == "labels":
            return partial(_statistics, run), looking.labels
        if tab == "settings":
            others = [other for other in self._numbers if other != number]
            other = self._other if self._other in others else next((one for one in others if one < number), 0)
            shown = partial(looking.settings, number, other, others, self._compare_with)
            return partial(_settings, number, other), shown
        return partial(_log, number), looking.log

    async def _compare_with(self, other: int) -> None:
        self._other, self._seen = other, None
        await self.look()


def _curves(run: Mapping[str, Any], folder: Path) -> Any:
    return reading.curves(folder, dict(run))


def _statistics(run: Mapping[str, Any], folder: Path) -> Any:
    return reading.statistics(folder, dict(run))


def _settings(number: int, other: int, folder: Path) -> Any:
    differences: Sequence[Mapping[str, str]] = reading.differences(folder, number, other) if other else []
    return {"settings": reading.settings(folder, number), "differences": differences}


def _log(number: int, folder: Path) -> Any:
    return reading.log(folder, number)
