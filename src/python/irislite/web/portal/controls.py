"""The parts that every room is made of: headings, buttons, pills, notices, questions."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import Client, ui
from nicegui.elements.mixins.text_element import TextElement

from irislite.actor import Role
from irislite.errors import IrisliteError
from irislite.web.words import duration as duration  # of the words that every room uses

# One shape for each state, so that nobody has to tell them by colour.
STATE_ICONS = {
    "running": "check_circle", "starting": "pending", "error": "report", "troubled": "report",
    "disabled": "do_not_disturb_on", "stopped": "stop_circle", "suspended": "pause_circle",
    "created": "radio_button_unchecked", "queued": "schedule", "delivered": "pending", "discarded": "delete",
    "deferred": "update", "aborted": "block", "completed": "check_circle",
}  # fmt: skip
STATE_WORDS = {"error": "In error"}
_NOTICE_ICONS = {"bad": "report", "warn": "warning", "note": "lightbulb", "": "info"}

# Quasar's input, which comes and goes, has no name and lies in a button: here it is the one control, and has a name.
_NAMED_INPUT = """({{ el }}) => {{
    const name = () => el.querySelectorAll("input[type=file]").forEach(input => {{
        Object.assign(input, {{ariaLabel: {name}, tabIndex: 0}});
        for (const attribute of ["role", "tabindex"]) input.closest(".q-btn")?.removeAttribute(attribute);
    }});
    new MutationObserver(name).observe(el, {{childList: true, subtree: true}});
    name();
}}"""


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


def upload(label: str, accept: str, largest_bytes: int, on_upload: Callable[..., Any], rejected: str) -> ui.upload:
    """A place to drop one file at, or to choose it; `rejected` is what is told of one that the browser refuses."""
    made = ui.upload(
        label=label,
        auto_upload=True,
        max_files=1,
        max_file_size=largest_bytes,
        on_upload=on_upload,
        on_rejected=lambda: ui.notify(rejected, type="negative"),
    )
    made.on("vnodeMounted", js_handler=_NAMED_INPUT.format(name=json.dumps(label)))
    return made.props(f'accept="{accept}" flat bordered').classes("upload")


def needs_role(role: Role, *buttons: ui.button) -> None:
    """Grey out what the reader may not do, and say what it takes; that it is refused is the server's affair."""
    for each in buttons:
        each.disable()
        each.props.update({"title": f"Needs the role {role.word}"})
        each.update()


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


def copyable(content: str) -> ui.element:
    """A text with a button that copies it; where the browser does not let it, the text is selected to be copied."""
    with ui.element("div").classes("copyable") as shown:
        code = text("pre", content).props("tabindex=0")
        copy = button("Copy", "content_copy", kind="primary")
    copy.on(
        "click",
        js_handler=f"""async () => {{
            const code = getHtmlElement({code.id}), button = getHtmlElement({copy.id});
            getSelection().selectAllChildren(code);
            await navigator.clipboard?.writeText(code.textContent).then(() => button.classList.add("done"), () => null);
        }}""",
    )
    return shown


@contextmanager
def told() -> Iterator[Client]:
    """Whatever the runtime refuses in the block is told in full, until the reader closes it.

    Yields the page, to tell there what came of it: what was pressed may be gone when it is known.
    """
    page = ui.context.client
    try:
        yield page
    except IrisliteError as error:
        tell_failure(page, str(error))


def tell_failure(page: Client, sentence: str) -> None:
    """Say on the page what failed, until the reader closes it."""
    with page:
        ui.notify(sentence, type="negative", position="top", multi_line=True, timeout=0, close_button="Close")


async def confirmed(question: str, explanation: str, action: str, kind: str = "primary") -> bool:
    """Ask before something is done; True if `action` was pressed."""
    with ui.dialog() as dialog, ui.card().classes("ask"):
        text("h2", question).classes("question")
        ui.label(explanation)
        with ui.element("div").classes("ask-buttons"):
            button("Cancel", on_click=lambda: dialog.submit(False)).props("autofocus")
            button(action, on_click=lambda: dialog.submit(True), kind=kind)
    return bool(await answered(dialog))


async def answered(dialog: ui.dialog) -> Any:
    """What a dialog was closed with; None if it was left, or the page was. The dialog is taken away."""
    answer = await dialog
    if not dialog.is_deleted:
        dialog.delete()
    return answer
