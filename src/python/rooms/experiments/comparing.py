"""The comparison of a run's models: figures with their intervals, what is sure, where the time went; and the acts."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.web import blocking
from irislite.web.portal.controls import button, confirmed, needs_role, notice, text, told
from irislite.web.portal.layout import Portal
from rooms import figures
from rooms.experiments import acts, parts, reading

_INTERVALS = {"accuracy": ("Accuracy", "accuracy_low", "accuracy_high"), "f1_macro": ("F1 macro", "f1_low", "f1_high")}


class Panel:
    """What is to be known before one of the models is chosen, and how to choose it."""

    def __init__(self, portal: Portal, name: str, run: int, asked: ui.element) -> None:
        self._portal, self._name, self._run, self._asked = portal, name, run, asked
        self._deployed = acts.Deployed("")

    def read(self, folder: Path) -> Any:
        """The comparison, if there is one, and what became of it."""
        deployed = acts.deployed(self._portal.director, self._name, self._run)
        return {"comparison": reading.comparison(folder, self._run), "deployed": deployed}

    def show(self, found: Mapping[str, Any]) -> None:
        """Draw it."""
        compared, self._deployed = found["comparison"], found["deployed"]
        if compared is None:
            parts.note("The models are compared when all of them were judged on the test set.")
            return
        notice(str(compared["sentence"]), "note")
        self._acts(compared)
        text("h3", f"On {compared['rows']:,} test records")
        _models(compared)
        parts.note(
            f"The winner is chosen by {compared['metric']} on the validation records; the test records only judge it. "
            "A bar is the interval of a figure, on a scale that all models share."
        )
        if compared.get("differences"):
            text("h3", "What is sure")
            _differences(compared["differences"])
        text("h3", "Where the time went")
        _time(compared["seconds"])

    # -- what an operator does -----------------------------------------------------------------------------------------

    def _acts(self, compared: Mapping[str, Any]) -> None:
        deployed = self._deployed
        with ui.element("div").classes("row-wrap"):
            models = [str(one["model"]) for one in compared["models"]]
            chosen = ui.select(models, value=compared["winner"], label="Model")
            chosen.props("outlined dense").classes("short-select")
            hand = button("Make it the candidate", "archive", partial(self._hand_over, chosen))
            promote = button("Promote the candidate", "publish", self._promote, "primary")
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, hand, promote)
            hand.set_enabled(self._portal.may(Role.OPERATOR) and bool(deployed.model_name))
            promote.set_enabled(self._portal.may(Role.OPERATOR) and bool(deployed.candidate))
        if not deployed.model_name:
            parts.note("The item's setting candidate_of says whose candidate a winner becomes: it is empty.")
        if deployed.candidate:
            self._stands(deployed.candidate, f"waits as the candidate of {deployed.model_name}.")
        if deployed.answers:
            self._stands(deployed.answers, f"answers as {deployed.model_name}.")

    def _stands(self, name: str, words: str) -> None:
        with ui.element("div").classes("row-wrap"):
            text("span", name).classes("tag")
            text("span", words)
            ui.link("Versions", f"/models?model={self._deployed.model_name}&tab=decision")

    async def _hand_over(self, chosen: ui.select) -> None:
        model = str(chosen.value)
        await self._do("Make a candidate", f"{self._name}, run {self._run}, {model}",
                       partial(acts.hand_over, self._portal.director, self._name, self._run, model))  # fmt: skip

    async def _promote(self) -> None:
        deployed = self._deployed
        with self._asked:
            sure = await confirmed(
                f"Promote {deployed.candidate}?",
                f"It answers as {deployed.model_name} from the next request on; the model before it is kept and can be "
                "taken back.",
                "Promote",
            )
        if sure:
            expect = deployed.candidate_id  # what was looked at, and no other
            await self._do("Promote a candidate", deployed.candidate,
                           partial(acts.promote, self._portal.director, self._name, self._run, expect))  # fmt: skip

    async def _do(self, action: str, target: str, act: Callable[[], Any]) -> None:
        page = ui.context.client
        with told(), self._portal.act(action, target) as deed:
            done = await blocking.run(act)
            deed.tell(done.note)
            self._portal.fresh.forget()
            with page:
                ui.notify(done.note or "Done.", type="positive", position="top", multi_line=True)


# -- figures -----------------------------------------------------------------------------------------------------------


def _models(compared: Mapping[str, Any]) -> None:
    rows: Sequence[Mapping[str, Any]] = compared["models"]
    columns: list[parts.Column] = [("Model", partial(_name, compared["winner"]))]
    for key, (label, low, high) in _INTERVALS.items():
        known = [(one[key], one[low], one[high]) for one in rows if one.get(low) is not None]
        columns.append((label, partial(_interval, parts.Scale(known), key, low, high)))
    columns += [
        ("F1 weighted", lambda one: parts.figure(one.get("f1_weighted"))),
        ("Loss", lambda one: parts.figure(one.get("loss"))),
        ("Calibration error", lambda one: parts.figure(one.get("ece"))),
        ("Validation", lambda one: parts.figure(one.get("validation"))),
        ("Parameters", lambda one: figures.count(one.get("parameters")) or "–"),
        ("Trained in", lambda one: parts.took(one.get("training_s")) or "–"),
        ("Per record", lambda one: f"{one['seconds_per_row'] * 1000:.1f} ms" if one.get("seconds_per_row") else "–"),
    ]
    parts.table("Models side by side", columns, rows, "compare")


def _name(winner: str, one: Mapping[str, Any]) -> None:
    with ui.element("span").classes("best" if one["model"] == winner else ""):
        text("span", str(one["model"]))


def _interval(scale: parts.Scale, key: str, low: str, high: str, one: Mapping[str, Any]) -> str:
    if one.get(low) is None:
        return parts.figure(one.get(key))
    with ui.element("div").classes("with-interval"):
        scale.draw(one[key], one[low], one[high])
    return ""


def _differences(found: Sequence[Mapping[str, Any]]) -> None:
    def bounds(row: Mapping[str, Any]) -> str:
        return f"{row['low']:+.3f} to {row['high']:+.3f}"

    columns: list[parts.Column] = [
        ("Models", lambda row: f"{row['other']} against {row['one']}"),
        ("Difference", lambda row: f"{row['difference']:+.3f}"),
        ("Interval", bounds),
        ("p", lambda row: parts.figure(row.get("p_value"))),
        ("Outcome", lambda row: str(row["outcome"])),
    ]
    parts.table("Differences between models", columns, found)


def _time(seconds: Mapping[str, Any]) -> None:
    total, training = float(seconds["total"]), float(seconds["training"])
    share = training / total if total else 0.0
    with ui.element("div").classes("time").style(f"--share: {share:.4f}").props("aria-hidden=true"):
        ui.element("i")
    with ui.element("div").classes("row-wrap small"):
        text("span", f"{parts.took(training)} of {parts.took(total)} were training")
        if (rest := seconds.get("share_not_training")) is not None:
            text("span", f"{figures.share(rest)} were not").classes("muted")
