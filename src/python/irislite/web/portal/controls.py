"""The parts that every room is made of: headings, buttons, pills, notices, questions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from irislite.errors import IrisliteError

# One shape for each state, so that nobody has to tell them by colour.
STATE_ICONS = {
    "running": "check_circle", "starting": "pending", "error": "report", "troubled": "report",
    "disabled": "do_not_disturb_on", "stopped": "stop_circle", "suspended": "pause_circle",
    "created": "radio_button_unchecked", "queued": "schedule", "delivered": "pending", "discarded": "delete",
    "deferred": "update", "aborted": "block", "completed": "check_circle",
}  # fmt: skip
STATE_WORDS = {"error": "In error"}
_NOTICE_ICONS = {"bad": "report", "warn": "warning", "note": "lightbulb", "": "info"}


def text(tag: str, content: str) -> TextElement:
    """An HTML element with text: whatever `content` holds, it is no markup."""
    return TextElement(tag=tag, text=content)


def button(label: str, icon: str = "", on_click: Callable[..., Any] | None = None, kind: str = "") -> ui.button:
    """A button; `kind` is "", primary, danger, quiet or chip."""
    made = ui.button(label, on_click=on_click, icon=icon or None, color=None)
    return made.props("flat no-caps").classes(f"act {kind}")


def icon_button(name: str, icon: str, on_click: Callable[..., Any] | None = None) -> ui.button:
    """A button that is an icon; `name` is what it says when asked."""
    made = ui.button(on_click=on_click, icon=icon, color=None).props("flat").classes("act quiet")
    made.props.update({"aria-label": name, "title": name})
    return made


class Pill(ui.element):
    """A state as icon, word and colour."""

    def __init__(self, state: str) -> None:
        super().__init__("span")
        self._state = ""
        with self:
            self._icon = ui.icon("help").props("aria-hidden=true")
            self._word = text("span", "")
        self.show(state)

    def show(self, state: str) -> None:
        """Show another state, in lower case."""
        if state != self._state:
            self.classes(replace=f"pill is-{state}")
            self._icon.name = STATE_ICONS.get(state, "help")
            self._word.text = STATE_WORDS.get(state, state.capitalize())
            self._state = state


def notice(content: str, kind: str = "") -> ui.element:
    """A box with a sentence that should be read; `kind` is "", note, warn or bad."""
    box = ui.element("div").classes(f"notice {kind}").props(f"role={'alert' if kind == 'bad' else 'status'}")
    with box:
        ui.icon(_NOTICE_ICONS[kind]).props("aria-hidden=true")
        ui.label(content)
    return box


def facts(pairs: dict[str, str]) -> ui.element:
    """Names and values in two columns."""
    with ui.element("dl").classes("facts") as shown:
        for name, value in pairs.items():
            text("dt", name)
            text("dd", value)
    return shown


@contextmanager
def told() -> Iterator[None]:
    """Whatever the runtime refuses in the block is told in full, until the reader closes it."""
    try:
        yield
    except IrisliteError as error:
        ui.notify(str(error), type="negative", position="top", multi_line=True, timeout=0, close_button="Close")


async def confirmed(question: str, explanation: str, action: str, kind: str = "primary") -> bool:
    """Ask before something is done; True if `action` was pressed."""
    with ui.dialog() as dialog, ui.card().classes("ask"):
        text("h2", question).classes("question")
        ui.label(explanation)
        with ui.element("div").classes("ask-buttons"):
            button("Cancel", on_click=lambda: dialog.submit(False)).props("autofocus")
            button(action, on_click=lambda: dialog.submit(True), kind=kind)
    answer = await dialog
    dialog.delete()
    return bool(answer)


def duration(milliseconds: float | None) -> str:
    """A duration as people read it; empty for None."""
    if milliseconds is None:
        return ""
    if milliseconds < 1000:
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s"
