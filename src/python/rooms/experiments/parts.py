"""What the pages of experiments are made of: states, steps, figures with their intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from irislite.web.portal.controls import duration, text
from rooms import matrices

# How a state of a run or a step looks: as which state of the portal, its icon, its word.
_LOOKS = {
    "waiting": ("created", "radio_button_unchecked", "Waiting"),
    "running": ("delivered", "pending", "Running"),
    "done": ("completed", "check_circle", "Done"),
    "failed": ("error", "report", "Failed"),
    "cancelled": ("stopped", "block", "Cancelled"),
    "interrupted": ("starting", "warning", "Interrupted"),
}
_UNKNOWN = ("created", "help", "")


def pill(state: str) -> None:
    """A state as icon, word and colour."""
    look, icon, word = _LOOKS.get(state, _UNKNOWN)
    with ui.element("span").classes(f"pill is-{look}"):
        ui.icon(icon).props("aria-hidden=true")
        text("span", word or state.capitalize())


def took(seconds: Any) -> str:
    """A number of seconds for people; "" for None."""
    return "" if seconds is None else duration(float(seconds) * 1000)


def figure(value: Any, digits: int = 3) -> str:
    """A number with so many digits behind the point; a dash for what is none."""
    return f"{value:.{digits}f}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def steps(run: Mapping[str, Any]) -> None:
    """The steps of a run, a row for each model, a column for each kind of step."""
    kinds = list(dict.fromkeys(str(step["name"]) for step in run["steps"]))
    models = list(dict.fromkeys(str(step["model"]) for step in run["steps"]))
    found = {(step["name"], step["model"]): step for step in run["steps"]}
    with matrices.scrolled("Steps", "", "steps"):
        text("caption", "Steps of the run, by model").classes("unseen")
        with ui.element("thead"), ui.element("tr"):
            text("th", "Model").props("scope=col")
            for kind in kinds:
                text("th", kind.capitalize()).props("scope=col")
        with ui.element("tbody"):
            for model in models:
                with ui.element("tr"):
                    text("th", model or "all models").props("scope=row")
                    for kind in kinds:
                        with ui.element("td"):
                            if step := found.get((kind, model)):
                                _step(step)


def _step(step: Mapping[str, Any]) -> None:
    state = str(step["state"])
    look, icon, word = _LOOKS.get(state, _UNKNOWN)
    with ui.element("div").classes(f"step is-{look}"):
        with ui.element("span").classes("step-state"):
            ui.icon(icon).props("aria-hidden=true")
            text("span", "Kept from before" if step.get("reused") else word or state)
        text("span", "" if step.get("reused") else took(step.get("seconds"))).classes("small muted")
        if state == "running":
            done = float(step.get("progress") or 0.0)
            bar = ui.linear_progress(done, show_value=False).classes("working")
            bar.props.update({"aria-label": f"{step['key']}: {done:.0%}", "indeterminate": not done})
        if step.get("error"):
            text("span", str(step["error"])).classes("small step-error")


class Scale:
    """What the intervals of a column are drawn on: from the lowest of them to the highest."""

    def __init__(self, intervals: Sequence[tuple[float, float, float]]) -> None:
        low = min((low for _, low, _ in intervals), default=0.0)
        high = max((high for _, _, high in intervals), default=1.0)
        room = (high - low) * 0.06 or 0.01
        self._low, self._width = low - room, high - low + 2 * room

    def draw(self, value: float, low: float, high: float) -> None:
        """A value and its interval: as numbers, and as a mark on the scale."""
        text("b", f"{value:.3f}")
        text("span", f"{low:.3f} – {high:.3f}").classes("small muted")
        places = {"value": value, "low": low, "high": high}
        style = "; ".join(f"--{name}: {(number - self._low) / self._width:.4f}" for name, number in places.items())
        with ui.element("span").classes("interval").style(style).props("aria-hidden=true"):
            ui.element("i")
            ui.element("b")


Column = tuple[str, Callable[[Mapping[str, Any]], Any]]


def table(name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], of_table: str = "") -> None:
    """A table whose columns are a name and what makes a row's cell: text that it returns, or elements that it makes."""
    with matrices.scrolled(name, "records", f"listed {of_table}"):
        text("caption", name).classes("unseen")
        with ui.element("thead"), ui.element("tr"):
            for label, _ in columns:
                text("th", label).props("scope=col")
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for _, cell in columns:
                        with ui.element("td"):
                            made = cell(row)
                            if isinstance(made, str):
                                text("span", made)


def note(content: str) -> None:
    """A sentence for those who want to know more."""
    ui.label(content).classes("small muted")
