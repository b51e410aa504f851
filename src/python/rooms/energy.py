"""The room Energy: what was spent, by item, model and day, with method and range, and against one's own baseline."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from nicegui import ui
from pydantic import BaseModel, ConfigDict

from irislite.web.failures import Failure
from irislite.web.portal.controls import notice, text
from irislite.web.portal.layout import Portal, Room, frame, head
from irislite.web.portal.widgets import Grid
from rooms import charts, figures
from rooms.spending import BYS, LONGEST_DAYS, By, Spending, Sum, spending

PATH = "/energy"
FRESH_S = 5.0
_PERIODS = {1: "Today", 7: "7 days", 30: "30 days", 365: "A year"}
_BY = {"item": "By item", "model": "By model", "day": "By day", "kind": "By kind of work", "method": "By method"}
_SHOWN_ITEMS = 5  # of a picture; the rest is one


async def page(portal: Portal, days: str = "30", by: str = "item", baseline: str = "", training: str = "") -> None:
    """The query holds the period, the grouping, the baseline's day and the baseline training."""
    with frame(portal, "Energy", PATH):
        await _Energy(portal, days, by, baseline, training).build()


class _Energy:
    def __init__(self, portal: Portal, days: str, by: str, baseline: str, training: str) -> None:
        self._portal = portal
        self._days = int(days) if days.isdecimal() and int(days) in _PERIODS else 30
        self._by: By = next((each for each in BYS if each == by), "item")
        self._baseline, self._training = baseline, training
        self._shown: Spending | None = None

    async def build(self) -> None:
        head("Energy")
        with ui.element("div").classes("panel panel-body"):
            with ui.element("div").classes("filters"):
                period = ui.select(_PERIODS, value=self._days, label="Period").props("outlined dense")
                period.on_value_change(lambda event: self._change(days=int(event.value)))
                by = ui.select(_BY, value=self._by, label="Added up").props("outlined dense")
                by.on_value_change(lambda event: self._change(by=str(event.value)))
            self._body = ui.element("div").classes("stack")
        await self._show()
        if not self._own:
            self._portal.ticks.follow(self._show)

    @property
    def _own(self) -> bool:
        """Whether it is held against a baseline of the reader's own: nobody shares it, and it stays as it was read."""
        return bool(self._baseline or self._training)

    async def _change(self, days: int | None = None, by: str | None = None) -> None:
        self._days = days or self._days
        self._by = next((each for each in BYS if each == by), self._by)
        ui.navigate.history.replace(f"{PATH}?days={self._days}&by={self._by}")
        await self._show()

    async def _show(self) -> None:
        asked = f"energy {self._days} {self._by}"
        if self._own:
            found = await asyncio.to_thread(self._read)
        else:
            found = await self._portal.fresh.get(asked, FRESH_S, self._read)
        if found is self._shown or asked != f"energy {self._days} {self._by}":  # something else is asked for meanwhile
            return
        self._shown = found
        self._body.clear()
        with self._body:
            self._report(found)

    def _read(self) -> Spending:
        return spending(self._days, self._by, self._baseline, self._training)

    def _report(self, found: Spending) -> None:
        if found.problem:
            notice(found.problem, "warn")
        if not found.total.pieces:
            notice("Nothing was spent in this time, as far as the book goes: ask a model something, then look again.")
            return
        _totals(found.total)
        _picture(found)
        text("h2", _BY[self._by])
        _table(_BY[self._by], found.sums)
        _note(
            "Likely value and range; how each is known is its method. What nobody can know, as of a model that is "
            "hosted elsewhere, is counted and adds nothing: it is not 0. Days are in UTC."
        )
        text("h2", "Answers against their own baseline")
        _answers(found)
        text("h2", "Trainings against their own baseline")
        _trainings(found)


def _totals(total: Sum) -> None:
    with ui.element("div").classes("totals"):
        for name, value, more in (
            ("Energy", figures.energy(total.joules), figures.span(total.low, total.high)),
            (
                "Carbon (CO₂e)",
                figures.grams(total.carbon_g),
                f"{figures.grams(total.carbon_low_g)} – {figures.grams(total.carbon_high_g)}",
            ),
            ("Pieces of work", f"{total.pieces:,}", f"{total.unknown:,} of unknown cost"),
        ):
            with ui.element("div").classes("total"):
                text("span", name).classes("small muted")
                text("b", value)
                text("span", more).classes("small muted")


def _picture(found: Spending) -> None:
    """Joules by day and item; the table below it can say the same by day."""
    totals: dict[str, float] = {}
    for _, sums in found.by_day:
        for each in sums:
            totals[each.name] = totals.get(each.name, 0.0) + (each.joules or 0.0)
    names = sorted((name for name in totals if totals[name]), key=lambda name: -totals[name])
    if not names:
        return
    shown, rest = names[:_SHOWN_ITEMS], names[_SHOWN_ITEMS:]
    days = [day for day, _ in found.by_day]
    by_day = [{each.name: each.joules for each in sums} for _, sums in found.by_day]
    series: list[tuple[str, list[float | None]]] = [(name, [day.get(name) for day in by_day]) for name in shown]
    if rest:
        series.append(("others", [sum(day.get(name) or 0.0 for name in rest) or None for day in by_day]))
    charts.days("Energy by day and item, likely values", "joules", days, series)


def _table(caption: str, sums: tuple[Sum, ...]) -> None:
    rows = [
        [
            each.name or "(none)",
            each.pieces,
            each.unknown or None,
            figures.energy(each.joules),
            figures.span(each.low, each.high),
            figures.energy(each.joules_each),
            figures.grams(each.carbon_g),
            ", ".join(each.methods),
        ]
        for each in sums
    ]
    columns = ["", "Pieces", "Cost unknown", "Energy", "Range", "Each", "CO₂e", "Method"]
    Grid(caption).fill(columns, rows)


def _answers(found: Spending) -> None:
    if not found.answers:
        _note("An item is compared from its second day on: an answer's cost, with what it was on its first day.")
        return
    rows = [
        [each.item, each.model, f"{each.day} ({each.pieces:,})", f"{each.baseline_day} ({each.baseline_pieces:,})",
         each.bound.sentence]
        for each in found.answers
    ]  # fmt: skip
    Grid("Answers against their baseline").fill(["Item", "Model", "Day (answers)", "Baseline", "An answer costs"], rows)


def _trainings(found: Spending) -> None:
    if not found.trainings:
        _note("No training has come to its end since the book was begun.")
        return
    rows = []
    for each in found.trainings:
        training, cost = each.training, each.training.cost
        if each.bound is None:
            said = "This is the baseline."
        else:
            said = each.bound.sentence + ("" if each.same_rows else " Their rows were not the same.")
        rows.append(
            [training.at[:19].replace("T", " "), training.model, str(training.about.get("method") or ""),
             figures.energy(cost.get("joules")), figures.span(cost.get("low"), cost.get("high")),
             str(cost.get("method") or ""), said]
        )  # fmt: skip
    columns = ["Ended (UTC)", "Model", "Trained by", "Energy", "Range", "Method", "Against the baseline"]
    Grid("Trainings against their baseline").fill(columns, rows)
    _note(
        "The baseline is the model's first full training, or its first; training=ID in the address chooses another. "
        "What is said holds wherever in their ranges both true figures lie; the difference may be larger."
    )


def _note(content: str) -> None:
    ui.label(content).classes("small muted")


# -- the JSON twin ---------------------------------------------------------------------------------------------


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SumView(_Model):
    """Amounts are null where nothing is known; `unknown` of the `pieces` are not in them."""

    name: str
    pieces: int
    unknown: int
    joules: float | None
    low: float | None
    high: float | None
    joules_each: float | None
    carbon_g: float | None
    carbon_low_g: float | None
    carbon_high_g: float | None
    methods: list[str]


class BoundView(_Model):
    """`least` and `most` are shares of the baseline that the ranges allow; null where nothing can be said."""

    outcome: str
    least: float | None
    most: float | None
    sentence: str


class AnswersView(_Model):
    """An answer's cost on an item's last day, against its baseline day."""

    item: str
    model: str
    day: str
    baseline_day: str
    pieces: int
    baseline_pieces: int
    bound: BoundView


class TrainingView(BaseModel):
    """A training's cost, against the baseline training of its model; null: this is the baseline."""

    id: str
    at: str
    item: str
    model: str
    cost: dict[str, Any]
    about: dict[str, Any]
    bound: BoundView | None
    same_rows: bool


class EnergyReport(BaseModel):
    """What was spent since a day (in UTC)."""

    since: str
    total: SumView
    sums: list[SumView]
    answers: list[AnswersView]
    trainings: list[TrainingView]
    problem: str


router = APIRouter(responses={status: {"model": Failure} for status in (400, 403, 422, 500)})


@router.get("")
def report(
    days: Annotated[int, Query(ge=1, le=LONGEST_DAYS)] = 30,
    by: By = "item",
    baseline: Annotated[str, Query(max_length=40, description="The day that answers are held against.")] = "",
    training: Annotated[str, Query(max_length=40, description="The id of the baseline training.")] = "",
) -> EnergyReport:
    """What was spent, with methods and ranges, and against baselines."""
    found = spending(days, by, baseline, training)
    return EnergyReport(
        since=found.since,
        total=SumView.model_validate(found.total),
        sums=[SumView.model_validate(each) for each in found.sums],
        answers=[AnswersView.model_validate(each) for each in found.answers],
        trainings=[
            TrainingView(
                **vars(each.training),
                bound=BoundView.model_validate(each.bound) if each.bound else None,
                same_rows=each.same_rows,
            )
            for each in found.trainings
        ],
        problem=found.problem,
    )


ROOM = Room(PATH, "Energy", "bolt", page, router)
