"""A question with a few fields, asked in a dialog."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from irislite.web.portal.controls import button, text


@dataclass(frozen=True, slots=True)
class Field:
    """One field: a line of text, a secret (never shown, not even as it is typed), or a choice."""

    name: str
    label: str
    value: str = ""
    note: str = ""
    is_secret: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)


async def asked(question: str, fields: list[Field], action: str, explanation: str = "") -> dict[str, str] | None:
    """What was typed, by the fields' names; None if the question was closed."""
    with ui.dialog() as dialog, ui.card().classes("ask"):
        text("h2", question).classes("question")
        if explanation:
            ui.label(explanation)
        inputs = {each.name: _input(each) for each in fields}

        def submit() -> None:
            dialog.submit({name: str(made.value or "") for name, made in inputs.items()})

        for each in inputs.values():
            each.on("keydown.enter", submit)
        with ui.element("div").classes("ask-buttons"):
            button("Cancel", on_click=lambda: dialog.submit(None))
            button(action, on_click=submit, kind="primary")
    answer = await dialog
    if not dialog.is_deleted:  # as when the page was closed
        dialog.delete()  # with it what was typed leaves the server's memory
    return answer if isinstance(answer, dict) else None


def _input(each: Field) -> ValueElement[Any]:
    made: ValueElement[Any]
    if each.choices:
        made = ui.select(dict(each.choices), label=each.label, value=each.value or next(iter(each.choices)))
    else:
        made = ui.input(each.label, value=each.value)
        made.props("type=password autocomplete=new-password" if each.is_secret else "autocomplete=off spellcheck=false")
    made.props("outlined dense stack-label")
    if each.note:
        made.props.update({"hint": each.note})
    return made
