"""What there is to decide by: the training at work, champion, candidate and previous side by side, and the acts."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

import paths
from irislite.actor import Role
from irislite.errors import IrisliteError
from irislite.web import blocking
from irislite.web.portal.controls import button, confirmed, notice, text, told
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Grid, Moment
from rooms import charts, figures, matrices
from rooms.errors import told_as_ours
from rooms.items import Done
from rooms.models import acts
from tuning.overview import Overview, Standing, Training, overview

FRESH_S = 1.6  # how old may be what several pages are told: it is read from files
_LOWER_IS_BETTER = frozenset({"loss", "ece", "brier", "mae", "rmse"})
_ROLES = {"champion": "Champion", "candidate": "Candidate", "previous": "Previous", "rolled back": "Rolled back"}
_CURVES = {
    "loss": "training loss",
    "eval_loss": "held-out loss",
    "eval_accuracy": "accuracy",
    "eval_f1_macro": "F1 macro",
    "eval_f1": "F1 of entities",
    "eval_mae": "mean absolute error",
}
_SHARES = ("accuracy", "F1 macro", "F1 of entities")  # of the right axis
_METRICS = {
    "accuracy": "Accuracy",
    "f1_macro": "F1 macro",
    "f1_weighted": "F1 weighted",
    "precision_macro": "Precision macro",
    "recall_macro": "Recall macro",
    "f1": "F1 of entities",
    "loss": "Loss",
    "ece": "Calibration error",
    "brier": "Brier score",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R²",
    "spearman": "Rank correlation",
}


class Panel:
    """All about the versions of one model; it looks for news while a training is at work."""

    def __init__(self, portal: Portal, model: str) -> None:
        self._portal, self._model = portal, model
        self._known: Overview | None = None
        self._problem = ""
        self._at_work: _AtWork | None = None

    async def build(self) -> None:
        """Show it here."""
        self._asked = ui.element("div")  # questions stay open while what is around them changes
        self._live = ui.element("section").classes("stack").props('aria-label="Training at work"')
        self._done = ui.element("div").classes("stack").props("aria-live=polite")
        self._body = ui.element("div").classes("stack")
        await self._look()
        self._portal.ticks.follow(self._look)

    async def _look(self) -> None:
        try:
            found = await self._portal.fresh.get(f"overview {self._model}", FRESH_S, self._read)
        except IrisliteError as error:
            self._fail(str(error))
            return
        if found is self._known or self._body.is_deleted:  # nothing is new, or another tab was opened meanwhile
            return
        known, self._known, self._problem = self._known, found, ""
        self._follow(found.training)
        if known is None or _but_training(known) != _but_training(found):
            self._body.clear()
            with self._body:
                self._show(found)

    def _fail(self, problem: str) -> None:
        if problem != self._problem and not self._body.is_deleted:
            self._known, self._problem = None, problem
            self._body.clear()
            with self._body:
                notice(problem, "bad")

    def _read(self) -> Overview:
        with told_as_ours():
            return overview(paths.model_root(), self._model)

    # -- the training at work --------------------------------------------------------------------------------

    def _follow(self, training: Training | None) -> None:
        """Draw a training once, and then only what has changed of it."""
        if self._at_work is not None and training is not None and self._at_work.training == training.id:
            self._at_work.show(training)
            return
        self._live.clear()
        self._at_work = None
        if training is not None:
            with self._live:
                self._at_work = _AtWork(training, self._portal.may(Role.OPERATOR), self._stop)

    async def _stop(self, keep_best: bool) -> None:
        explanation = (
            "What was learned so far becomes the candidate." if keep_best else "Nothing of it is saved."
        ) + " It stops at its next step."
        if await self._sure(f"Stop the training of {self._model}?", explanation, "Stop it", "danger"):
            await self._do("Stop a training", lambda: acts.stop_training(self._portal.director, self._model, keep_best))

    # -- side by side ----------------------------------------------------------------------------------------

    def _show(self, found: Overview) -> None:
        roles = {standing.role: standing for standing in found.standings}
        candidate, champion = roles.get("candidate"), roles["champion"]
        if candidate is not None and candidate.verdict:
            notice(candidate.verdict, "note")
        for sentence in found.unfinished:
            notice(sentence, "warn")
        self._acts(candidate, roles.get("previous"))
        text("h3", "Side by side")
        _side_by_side(found.standings)
        if candidate is not None and candidate.judged_on == champion.judged_on and champion.confusion:
            _note(
                "Champion and candidate were judged on the same rows. Others were judged on the rows of their training."
            )
        elif len(found.standings) > 1:
            _note("Metrics of different rows do not tell which model is better: msg.CompareRequest asks both the same.")
        with ui.element("div").classes("matrices"):
            for standing in found.standings:
                if standing.confusion and standing.labels:
                    with ui.element("div").classes("stack tight"):
                        _confusion(standing)
        for standing in found.standings:
            if len(standing.curve) > 1:
                text("h3", f"Learning curve of the {_ROLES[standing.role].lower()}")
                _Curve(f"Learning curve of the {standing.role}", standing.curve)
        _shadow(found)
        _history(found)

    def _acts(self, candidate: Standing | None, previous: Standing | None) -> None:
        may = self._portal.may(Role.OPERATOR)
        with ui.element("div").classes("row-wrap"):
            promote = button("Promote the candidate", "publish", self._promote, "primary")
            promote.set_enabled(may and candidate is not None)
            back = button("Roll back", "undo", self._roll_back)
            back.set_enabled(may and previous is not None)
            if not may:
                text("span", "Needs the role operator.").classes("small muted")
            elif candidate is None:
                text("span", "No candidate waits: send a msg.TrainRequest first.").classes("small muted")

    async def _promote(self) -> None:
        candidate = next(
            (one for one in (self._known.standings if self._known else ()) if one.role == "candidate"), None
        )
        if candidate is None:
            return
        question = f"Promote the candidate of {self._model}?"
        explanation = (
            f"{candidate.verdict or 'No training here says how good it is.'} It answers from the next request on; the "
            "champion is kept as previous and can be taken back."
        )
        if await self._sure(question, explanation, "Promote"):
            expect = candidate.id  # what was looked at, and no other
            await self._do("Promote a candidate", lambda: acts.promote(self._portal.director, self._model, expect))

    async def _roll_back(self) -> None:
        explanation = "The previous model answers from the next request on; the one taken away becomes the candidate."
        if await self._sure(f"Roll {self._model} back?", explanation, "Roll back", "danger"):
            await self._do("Take a promotion back", lambda: acts.roll_back(self._portal.director, self._model))

    async def _sure(self, question: str, explanation: str, action: str, kind: str = "primary") -> bool:
        with self._asked:
            return await confirmed(question, explanation, action, kind)

    async def _do(self, action: str, act: Callable[[], Done]) -> None:
        with told(), self._portal.act(action, self._model) as deed:
            done = await blocking.run(act)
            deed.tell(done.note)
            self._portal.fresh.forget()
            await self._look()
            self._done.clear()
            with self._done, notice(done.note or "Done.", "note"):
                ui.link("Trace", f"/trace?session={done.session_id}")


def _but_training(found: Overview) -> tuple[Any, ...]:
    return found.standings, found.unfinished, found.history, found.shadow


def _side_by_side(standings: Sequence[Standing]) -> None:
    """A column for each, the best of those judged on the same rows in bold; told in words too."""
    known = [name for name in _METRICS if any(name in one.metrics for one in standings)]
    with matrices.scrolled("Metrics side by side", "records", "compare"):
        text("caption", "Metrics side by side").classes("unseen")
        with ui.element("thead"), ui.element("tr"):
            text("th", "").props("scope=col")
            for one in standings:
                text("th", _ROLES[one.role]).props("scope=col").classes("number")
        with ui.element("tbody"):
            for name in known:
                _row(_METRICS[name], [_metric(one, name) for one in standings], _best(standings, name))
            _row("Held-out rows", ["" if one.rows is None else f"{one.rows:,}" for one in standings])
            _row("Rows (hash)", [one.judged_on[-12:] for one in standings])
            _row("Method", [one.method for one in standings])
            _row("Trained in", ["" if one.duration_s is None else f"{one.duration_s:.0f} s" for one in standings])
            _row("Energy", [_energy(one.energy) for one in standings])
            _row("Made at", [one.created.replace("T", " ")[:19] for one in standings])
            _row("Id", [one.id.removeprefix("sha256:")[:12] for one in standings])
            _row("Folder", [one.folder for one in standings])


def _row(name: str, values: Sequence[str], best: int | None = None) -> None:
    if not any(values):
        return
    with ui.element("tr"):
        text("th", name).props("scope=row")
        for place, value in enumerate(values):
            cell = text("td", value or "–").classes("number best" if place == best else "number")
            if place == best:
                cell.props["title"] = "The better one, on the same rows"


def _best(standings: Sequence[Standing], name: str) -> int | None:
    """The place of the better of champion and candidate, where the same rows judged both and they differ."""
    judged = [(place, one) for place, one in enumerate(standings) if one.role in ("champion", "candidate")]
    if len(judged) < 2 or len({one.judged_on for _, one in judged}) > 1 or not judged[0][1].judged_on:
        return None
    figures_of = {place: one.metrics.get(name) for place, one in judged}
    known = {place: value for place, value in figures_of.items() if value is not None}
    if len(set(known.values())) < 2:
        return None
    choose = min if name in _LOWER_IS_BETTER else max
    return choose(known, key=lambda place: known[place])


def _metric(standing: Standing, name: str) -> str:
    value = standing.metrics.get(name)
    return "" if value is None else f"{value:.3f}"


def _energy(cost: Mapping[str, Any] | None) -> str:
    if not cost:
        return ""
    return f"{figures.energy(cost.get('joules'))} ({figures.span(cost.get('low'), cost.get('high'))})"


def _confusion(standing: Standing) -> None:
    """Which label was taken for which: counts as text, shaded by the share of their row."""
    labels = standing.labels
    text("h3", f"What the {_ROLES[standing.role].lower()} takes for what")
    if len(labels) > matrices.MOST_LABELS:
        _note(f"{len(labels)} labels are too many to show: report.json in {standing.folder} has them.")
        return
    matrices.confusion(f"Confusion matrix, {standing.role}", labels, standing.confusion)


class _Curve:
    """A learning curve as a picture, and the same as a table that is folded."""

    def __init__(self, title: str, points: Sequence[Mapping[str, Any]]) -> None:
        self._title = title
        self._chart = charts.lines(title, "step", "loss", _series(points), _SHARES)
        with ui.element("details"):
            text("summary", "The same as a table")
            self._table = Grid(title)
        self._fill(points)

    def show(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Show what has come of it since."""
        charts.redraw(self._chart, self._title, "step", "loss", _series(points), _SHARES)
        self._fill(points)

    def _fill(self, points: Sequence[Mapping[str, Any]]) -> None:
        keys = [key for key in _CURVES if any(key in point for point in points)]
        rows = [[point["step"], *(_rounded(point.get(key)) for key in keys)] for point in points]
        self._table.fill(["step", *(_CURVES[key] for key in keys)], rows)


class _AtWork:
    """A training at work: how far it is, its curve, and how to stop it."""

    def __init__(self, training: Training, may: bool, stop: Callable[[bool], Awaitable[None]]) -> None:
        self.training = training.id
        with ui.element("div").classes("row-wrap"):
            text("h3", "A training is at work")
            text("span", training.method).classes("tag")
            self._said = text("span", "").classes("muted")
            ui.element("div").classes("grow")
            button("Stop, keep the best", "save", lambda: stop(True)).set_enabled(may)
            button("Stop", "stop", lambda: stop(False), "danger").set_enabled(may)
        self._bar = ui.linear_progress(value=0, show_value=False).classes("working")
        self._bar.props["aria-label"] = "Training"
        self._curve = _Curve("Learning curve of the training at work", training.curve)
        self.show(training)

    def show(self, training: Training) -> None:
        """Show how far it is now."""
        self._said.text = f"step {training.step} of {training.of or '?'}, began {training.began}"
        self._bar.value = training.step / training.of if training.of else 0
        self._bar.props["indeterminate"] = not training.of
        self._curve.show(training.curve)


def _series(points: Sequence[Mapping[str, Any]]) -> charts.Series:
    return [
        (name, [(point["step"], point[key]) for point in points if key in point])
        for key, name in _CURVES.items()
        if any(key in point for point in points)
    ]


def _shadow(found: Overview) -> None:
    text("h3", "Shadow agreement")
    shadow = found.shadow
    if shadow is None:
        _note("No candidate has answered beside the champion. The setting shadow_percent of the item makes one do so.")
        return
    ui.label(shadow["verdict"])
    with ui.element("div").classes("row-wrap small muted"):
        text("span", f"{shadow['answers']:,} answers, {figures.share(shadow['agreement']) or 'no'} agreement")
        text("span", f"{shadow['errors']:,} errors, {shadow['left_out']:,} left out")
        text("span", f"{shadow['since'][:19]} to {shadow['until'][:19]}")
    if shadow["changes"]:
        rows = [[change, count] for change, count in list(shadow["changes"].items())[:20]]
        Grid("Where they differ").fill(["Champion → candidate", "Requests"], rows)


def _history(found: Overview) -> None:
    text("h3", "History")
    if not found.history:
        _note("Nothing was promoted or taken back here yet.")
        return
    with ui.element("ol").classes("history"):
        for entry in found.history:
            with ui.element("li"):
                Moment(entry["when"].replace("+00:00", "").replace("Z", ""))
                text("span", f" {entry['act']}").classes("tag")
                text("span", f" by {entry['by'] or 'the runtime'}").classes("muted")
                told = " ".join([entry["new"]["trained"], *entry["notes"]]).strip()
                if told:
                    text("div", told).classes("small muted")


def _note(content: str) -> None:
    ui.label(content).classes("small muted")


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
