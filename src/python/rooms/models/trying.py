"""Try a model with a text or a picture: by the item that runs it, or loaded for this one question."""

import json
from typing import Any

from nicegui import ui

from inference.trial import TIMEOUT_S
from irislite.actor import Role
from irislite.errors import BadRequest, IrisliteError
from irislite.web import blocking
from irislite.web.bodyview import MEDIA_TYPES, shortened
from irislite.web.portal.controls import button, needs_role, notice, text
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Tree
from rooms.models import acts
from rooms.models.shelf import Shelved
from rooms.pictures import picture_upload

LONGEST_TEXT = 20_000  # characters
_PICTURES = ("image-", "object-", "depth-", "mask-", "zero-shot-image", "zero-shot-object", "keypoint-")
_EXAMPLES = {"fill-mask": "George Washington lived in [MASK].", "text-generation": "Unfortunately, the outcome"}
_MORE = {"text-generation": '{"max_new_tokens": 40}'}


class Panel:
    """The question and its answer."""

    def __init__(self, portal: Portal, model: Shelved) -> None:
        self._portal, self._model = portal, model
        self._use = next((use for use in model.uses if use.answers), None)
        self._task = (self._use.task if self._use else "") or model.entry.task
        self._picture = ""  # a data URI

    async def build(self) -> None:
        """Show it here."""
        if self._use is not None:
            with ui.element("div").classes("row-wrap small muted"):
                text("span", "Answered by the item")
                ui.link(self._use.item, f"/test?item={self._use.item}")
                text("span", "as a message with a trace.")
        else:
            ui.label(
                "No item runs it: it is loaded for this one question in a process of its own, "
                f"{TIMEOUT_S:.0f} s at most. That leaves a line in the event log and no trace."
            ).classes("small muted")
        self._kind = ui.input("Task", value=self._task).props("outlined dense spellcheck=false")
        self._kind.set_enabled(self._use is None)
        if self._task.startswith(_PICTURES):
            self._ask_picture()
        else:
            self._text = ui.textarea("Text", value=_EXAMPLES.get(self._task, "This was a really bad experience"))
            self._text.props(f"outlined autogrow maxlength={LONGEST_TEXT}").on("keydown.ctrl.enter", self._ask)
        self._more = ui.input("More fields (JSON)", value=_MORE.get(self._task, ""), placeholder='{"top_k": 3}')
        self._more.props("outlined dense spellcheck=false").classes("mono")
        with ui.element("div").classes("row-wrap"):
            self._button = button("Ask", "play_arrow", self._ask, "primary")
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, self._button)
            self._waiting = ui.spinner(size="22px").props("aria-label=Waiting")
            self._waiting.set_visibility(False)
        self._answer = ui.element("section").classes("stack").props("aria-label=Answer aria-live=polite")

    def _ask_picture(self) -> None:
        picture_upload("A picture", self._take).set_enabled(self._portal.may(Role.OPERATOR))
        self._path = ui.input("Or its address, or a path in misc/", value="/irisdev/app/misc/000000039769.jpg")
        self._path.props("outlined dense spellcheck=false")

    async def _take(self, picture: str, name: str) -> None:
        with self._portal.act("Upload a picture to try", self._model.entry.name):
            self._picture = picture
            self._path.value = f"(the upload {name})"

    def _fields(self) -> dict[str, Any]:
        """The request. Raises `BadRequest` for fields that are no JSON object."""
        try:
            more = json.loads(str(self._more.value or "").strip() or "{}")
        except ValueError as error:
            raise BadRequest(f"More fields are no valid JSON: {error}. Correct them, or leave them out.") from error
        if not isinstance(more, dict):
            raise BadRequest('More fields must be a JSON object, as in {"top_k": 3}.')
        if self._task.startswith(_PICTURES):
            typed = str(self._path.value or "").strip()
            return {"url": self._picture if typed.startswith("(the upload") else typed, **more}
        return {"inputs": str(self._text.value or "")[:LONGEST_TEXT], **more}

    async def _ask(self) -> None:
        name = self._model.entry.name
        self._button.disable()
        self._waiting.set_visibility(True)
        self._answer.clear()
        try:
            with self._portal.act("Try a model", name):
                fields, task = self._fields(), str(self._kind.value or "").strip()
                answer = await blocking.run(acts.ask, self._portal.director, name, task, fields)
        except IrisliteError as error:
            with self._answer:
                notice(str(error), "bad")
        else:
            with self._answer:
                _show(answer)
        finally:
            self._button.set_enabled(self._portal.may(Role.OPERATOR))
            self._waiting.set_visibility(False)


def _show(answer: acts.Tried) -> None:
    if answer.note:
        notice(answer.note, "note")
    if answer.images:
        with ui.element("div").classes("pictures"):
            for number, image in enumerate(answer.images):
                if image.get("media_type") in MEDIA_TYPES:
                    title = str(image.get("title") or f"Picture {number + 1}")
                    with ui.element("figure"):
                        shown = ui.element("img")
                        source = f"data:{image['media_type']};base64,{image['data']}"
                        shown.props.update({"src": source, "alt": title})
                        text("figcaption", title)
    Tree(shortened(answer.output))
    if answer.session_id:
        ui.link("Visual Trace", f"/trace?session={answer.session_id}")
