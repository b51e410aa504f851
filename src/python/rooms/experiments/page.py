"""The pages of the room Experiments: all of them, and one with its runs."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

import experiment
from irislite.actor import Role
from irislite.errors import IrisliteError
from irislite.web import blocking
from irislite.web.portal.controls import answered, button, needs_role, notice, text, told
from irislite.web.portal.layout import Portal, frame, head
from irislite.web.portal.widgets import Moment
from rooms.errors import told_as_ours
from rooms.experiments import acts, parts, reading
from rooms.experiments.run import Panel

PATH = "/experiments"
ALL_FRESH_S, ONE_FRESH_S = 2.0, 0.9  # how old may be what several pages are told: it is read from files


async def page(portal: Portal, experiment: str = "", run: str = "", tab: str = "", other: str = "") -> None:
    """`experiment` is the one that is shown, `run` the number of its run, `tab` the part of it, `other` another run."""
    with frame(portal, "Experiments", PATH):
        if experiment:
            await _One(portal, experiment, _number(run), tab, _number(other)).build()
        else:
            await _All(portal).build()


def address(name: str, **more: Any) -> str:
    """The page of an experiment."""
    return f"{PATH}?{urlencode({'experiment': name, **{key: value for key, value in more.items() if value}})}"


def _number(typed: str) -> int:
    return int(typed) if typed.isdecimal() and len(typed) < 8 else 0


class _All:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._shown: list[dict[str, Any]] | None = None

    async def build(self) -> None:
        with head("Experiments"):
            self._said = text("span", "").classes("small muted").props("role=status")
            ui.element("div").classes("grow")
            made = button("New experiment", "add", self._new, "primary")
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, made)
        self._asked = ui.element("div")  # questions stay open while what is around them changes
        self._list = ui.element("section").props('aria-label="Experiments that are here"')
        await self._look()
        self._portal.ticks.follow(self._look)

    async def _look(self) -> None:
        found = await self._portal.fresh.get("experiments", ALL_FRESH_S, self._read)
        if found is self._shown:
            return
        self._shown = found
        self._said.text = f"{len(found)} in {acts.place(self._portal.director).root.name}"
        self._list.clear()
        with self._list:
            if not found:
                ui.label(
                    "There is no experiment yet. Make one here for a table, or with the command: "
                    "evergreen experiment new NAME"
                ).classes("muted empty")
            with ui.element("div").classes("cards"):
                for one in found:
                    _card(one)

    def _read(self) -> list[dict[str, Any]]:
        with told_as_ours():
            return experiment.experiments(acts.place(self._portal.director).root)

    async def _new(self) -> None:
        with self._asked:
            fields = await _asked_for_new()
        if fields is not None:
            with told(), self._portal.act("Make an experiment", fields[0]):
                await blocking.run(acts.new, self._portal.director, *fields)
                self._portal.fresh.forget()
                ui.navigate.to(address(fields[0]))


async def _asked_for_new() -> tuple[str, str, str] | None:
    """Name, table and columns of a new experiment; None if it is not to be."""
    with ui.dialog() as dialog, ui.card().classes("ask"):
        text("h2", "A new experiment").classes("question")
        ui.label("Its settings name models, steps and hyperparameters; look through them before you start it.")
        name = ui.input("Name", placeholder="EXP-1-reviews").props("outlined dense maxlength=63 autofocus")
        table = ui.input("Table", value="iris.Review").props("outlined dense maxlength=200")
        label = ui.input("Column of the label", value="ReviewLabel").props("outlined dense maxlength=200")
        words = ui.input("Column of the text", value="ReviewText").props("outlined dense maxlength=200")
        with ui.element("div").classes("ask-buttons"):
            button("Cancel", on_click=lambda: dialog.submit(False))
            button("Make it", on_click=lambda: dialog.submit(True), kind="primary")
    if not await answered(dialog):
        return None
    return str(name.value).strip(), str(table.value).strip(), f"{label.value},{words.value}"


def _card(one: dict[str, Any]) -> None:
    best = one.get("best") or {}
    with ui.element("article").classes("panel card"):
        with ui.element("div").classes("row-wrap"), text("h2", "").classes("card-name"):
            ui.link(one["name"], address(one["name"]))
        if one.get("use_case"):
            text("span", one["use_case"]).classes("muted small")
        with ui.element("div").classes("chips"):
            for model in one["models"]:
                text("span", model).classes("tag")
        with ui.element("div").classes("row-wrap small"):
            count = one["runs"]
            if count:
                parts.pill(one["state"])
            text("span", f"{count} run{'' if count == 1 else 's'}" if count else "not started yet").classes("muted")
        if best:
            with ui.element("div").classes("total"):
                text("b", parts.figure(best.get(best["metric"], best["value"])))
                text("span", f"{best['metric']} of {best['model']}, run {best['run']}").classes("small muted")
        for problem in filter(None, [one.get("error")]):
            notice(str(problem), "warn")


class _One:
    def __init__(self, portal: Portal, name: str, run: int, tab: str, other: int) -> None:
        self._portal, self._name, self._run, self._tab, self._other = portal, name, run, tab, other
        self._runs: list[dict[str, Any]] | None = None
        self._listed: list[Any] = []
        self._begun = 0  # the session of a start from here, until it is known that it did not fail
        self._panel: Panel | None = None

    async def build(self) -> None:
        with head(self._name):
            ui.link("All experiments", "/experiments")
            ui.element("div").classes("grow")
            check = button("Check", "rule", self._check)
            start = button("Start a run", "play_arrow", self._start, "primary")
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, check, start)
        with ui.element("div").classes("stack"):
            self._told = ui.element("div").classes("stack").props("aria-live=polite")
            with ui.element("section").classes("panel").props("aria-label=Runs"):
                self._list = ui.element("div")
            self._shown = ui.element("div").classes("stack")
        await self._look()
        self._portal.ticks.follow(self._look)

    def _read(self) -> list[dict[str, Any]]:
        return reading.runs(acts.folder(self._portal.director, self._name))

    async def _look(self) -> None:
        found = await self._portal.fresh.get(f"experiment {self._name}", ONE_FRESH_S, self._read)
        await self._look_after_start()
        if found is self._runs:
            if self._panel is not None:
                await self._panel.look()
            return
        self._runs = found
        if self._run not in [run["number"] for run in found]:
            self._run = found[0]["number"] if found else 0
        self._list_runs(found)
        run = next((run for run in found if run["number"] == self._run), None)
        if run is None:
            return
        if self._panel is None:
            self._panel = Panel(self._portal, self._name, self._run, self._tab, self._other)
            with self._shown:
                await self._panel.build(run, [one["number"] for one in found])
        else:
            await self._panel.follow(run, [one["number"] for one in found])

    # -- the runs ------------------------------------------------------------------------------------------------------

    def _list_runs(self, found: list[dict[str, Any]]) -> None:
        """Draw the list anew if a line of it is another: how far a step is stands below."""
        listed = [{key: value for key, value in run.items() if key != "steps"} for run in found]
        if listed == self._listed:
            return
        self._listed = listed
        self._list.clear()
        with self._list:
            if not found:
                ui.label("It was not started yet: check it, then start a run.").classes("muted empty")
                return
            columns: list[parts.Column] = [
                ("Run", self._link),
                ("State", lambda run: parts.pill(run["state"])),
                ("Began", lambda run: Moment(_moment(run["began"]))),
                ("Took", lambda run: parts.took(run.get("seconds"))),
                ("Models", lambda run: ", ".join(run["models"])),
                ("Best", _best),
                ("Where", lambda run: str(run.get("launcher") or "")),
                ("By", lambda run: str(run.get("by") or "")),
            ]
            parts.table("Runs", columns, found, "runs")

    def _link(self, run: Mapping[str, Any]) -> None:
        link = ui.link(f"run {run['number']}", address(self._name, run=run["number"], tab=self._tab))
        if run["number"] == self._run:
            link.props("aria-current=true")

    # -- what an operator does -----------------------------------------------------------------------------------------

    async def _check(self) -> None:
        self._say()
        with self._told:
            waits = ui.linear_progress(show_value=False).props("indeterminate aria-label=Checking").classes("working")
        try:
            with self._portal.act("Check an experiment", self._name):
                problems = await blocking.run(acts.validate, self._portal.director, self._name)
        except IrisliteError as error:
            self._say(str(error), "bad")
            return
        finally:
            waits.delete()
        self._say("Nothing is wrong with it: it can be started.", "note")
        if problems:
            self._say("\n".join([f"{len(problems)} problems, before anything is started:", *problems]), "warn")

    async def _start(self) -> None:
        self._say()
        with told(), self._portal.act("Start an experiment", self._name) as deed:
            done = await blocking.run(acts.start, self._portal.director, self._name)
            deed.tell(f"session {done.session_id}")
            self._begun, self._run = done.session_id, 0
            self._portal.fresh.forget()
            self._say("It is checked, then the steps follow.", "note", done.session_id)

    async def _look_after_start(self) -> None:
        """Tell of a start that came to nothing; one that was refused leaves no run."""
        if not self._begun:
            return
        asked = partial(acts.failure, self._portal.director, self._begun)
        failed = await self._portal.fresh.get(f"experiment start {self._begun}", ONE_FRESH_S, asked)
        if failed:
            self._say(failed, "bad", self._begun)
        if failed or failed is None:
            self._begun = 0

    def _say(self, content: str = "", kind: str = "", session: int = 0) -> None:
        self._told.clear()
        if content:
            with self._told, notice(content, kind):
                if session:
                    ui.link("Visual Trace", f"/trace?session={session}")


def _best(run: Mapping[str, Any]) -> str:
    best = run.get("best") or {}
    return f"{best['model']}, {best['metric']} {parts.figure(best['value'])}" if best else ""


def _moment(at: str) -> str:
    """A time with its zone, as the portal's clock takes it."""
    return str(at or "").replace("+00:00", "").replace("Z", "")
