"""Tables that are looked at: those that scroll by themselves, and which label was taken for which."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nicegui import ui

from irislite.web.portal.controls import text

MOST_LABELS = 30  # of a confusion matrix that people can read


@contextmanager
def scrolled(name: str, of_box: str, of_table: str) -> Iterator[None]:
    """A table that scrolls by itself, by keyboard too; `of_box` and `of_table` are classes."""
    box = ui.element("div").classes(f"grid {of_box}")
    box.props.update({"tabindex": "0", "role": "region", "aria-label": name})
    with box, ui.element("table").classes(of_table):
        yield


def confusion(name: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    """True label by row, predicted by column: counts as text, shaded by the share of their row."""
    with scrolled(name, "", "confusion"):
        caption = text("caption", "True label by row, predicted label by column. Darker: a larger share of the row.")
        caption.classes("small muted")
        with ui.element("thead"), ui.element("tr"):
            text("th", "True \\ predicted").props("scope=col")
            for label in labels:
                text("th", label).props("scope=col")
        with ui.element("tbody"):
            for label, row in zip(labels, counts, strict=False):
                with ui.element("tr"):
                    text("th", label).props("scope=row")
                    for taken_for, count in zip(labels, row, strict=False):
                        _cell(label, taken_for, count, count / sum(row) if sum(row) else 0.0)


def _cell(label: str, taken_for: str, count: int, share: float) -> None:
    cell = text("td", f"{count:,}").classes("right" if label == taken_for else "wrong").style(f"--share: {share:.3f}")
    cell.props["title"] = f"{label} taken for {taken_for}: {count:,}, {share:.0%}"
