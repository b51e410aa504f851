"""A request as it is typed: its class, examples to start from, a form made of its fields, and its JSON."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from irislite.bridge.requestclasses import RequestClass, RequestField
from irislite.masking import is_secret
from irislite.web.portal.controls import button, icon_button, notice, text

IOP, PLAIN, STRING = "IOP.Message", "Ens.Request", "Ens.StringRequest"
_TYPES = {IOP: "IOP.Message (Python class)", PLAIN: "Ens.Request (no body)", STRING: "Ens.StringRequest (text)"}
_AS_JSON, _AS_FORM = "JSON", "Form"
_EMPTY = "The class declares no fields: it takes any. Add what the item asks for."


class RequestForm:
    """The request's part of the test page. The JSON text is what is sent: the form reads and writes it."""

    def __init__(self, send: Callable[[], Any]) -> None:
        self._send = send  # Control and Enter in the JSON

    def build(self, classes: list[RequestClass], wanted: str) -> None:
        """Make it here, as `offer` with the same will leave it.

        What is set later is sent to the page later, and on a slow line would come over what was typed meanwhile.
        """
        self._classes = {found.name: found for found in classes}
        chosen = self._choice(wanted, "")
        self._template = _template_of(self._classes.get(chosen))
        self._type = ui.select(_TYPES, label="Request type", value=IOP).props("outlined dense")
        self._type.on_value_change(self._choose_type)
        self._class = ui.input("Class name", placeholder="msg.MLRequest", value=chosen)
        self._class.props("outlined dense spellcheck=false").on_value_change(self._choose_class)
        self._chips = ui.element("div").classes("chips").props('role=group aria-label="Classes this item handles"')
        self._hint = text("div", "").classes("small muted hint")
        with ui.element("div").classes("row-wrap") as self._bar:
            self._view = ui.toggle([_AS_JSON, _AS_FORM], value=_AS_JSON, on_change=self._choose_view)
            self._view.props(
                'no-caps unelevated dense toggle-color=chosen toggle-text-color=chosen aria-label="How to type it"'
            ).classes("views")
            self._examples = ui.element("div").classes("chips grow").props('role=group aria-label="Examples"')
        self._body = ui.textarea("Body (JSON)", value=self._template, validation=self._problem_of).classes("mono")
        self._body.props("outlined autogrow spellcheck=false debounce=200 stack-label input-style='min-height: 150px'")
        # What was typed last waits a moment for more keys: here it comes with the key.
        self._body.on("keydown.ctrl.enter", self._send_typed, js_handler="(event) => emit(event.target.value)")
        self._fields = ui.element("div").classes("stack tight fields")
        self._fields.set_visibility(False)

    def buttons(self) -> None:
        """The buttons that change the text, to be made elsewhere."""
        self._format_button = button("Format", "format_align_left", self._format, "quiet")
        self._template_button = button("Template", "restore_page", self._restore, "quiet")

    # -- what was typed -----------------------------------------------------------------------------

    @property
    def classname(self) -> str:
        """The class to send; empty for an `Ens.Request`."""
        name = str(self._class.value or "").strip()
        return {IOP: name or IOP, PLAIN: "", STRING: STRING}[str(self._type.value)]

    @property
    def text(self) -> str:
        """The body to send."""
        return str(self._body.value or "")

    def offer(self, classes: list[RequestClass], wanted: str) -> None:
        """Offer the classes of an item; `wanted` is chosen if it is named, else what was chosen, else the first."""
        self._classes = {found.name: found for found in classes}
        self._chips.clear()
        with self._chips:
            for found in self._classes:
                button(found, on_click=partial(self._class.set_value, found), kind="chip")
        shown = str(self._class.value or "")
        chosen = self._choice(wanted, shown)
        self._type.value = IOP if chosen else PLAIN
        if shown == chosen:
            self._choose_class()
        else:
            self._class.value = chosen

    def _choice(self, wanted: str, shown: str) -> str:
        return wanted or (shown if shown in self._classes else next(iter(self._classes), ""))

    def load(self, classname: str, body: str) -> None:
        """Take over an earlier request."""
        self._type.value = STRING if classname == STRING else IOP if classname else PLAIN
        if self._type.value == IOP:
            self._class.value = classname
        self._set_text(body)

    def _send_typed(self, event: GenericEventArguments) -> Any:
        self._body.value = str(event.args)
        return self._send()

    # -- choices ------------------------------------------------------------------------------------

    def _choose_type(self) -> None:
        is_iop, is_string = self._type.value == IOP, self._type.value == STRING
        for element in (self._class, self._chips, self._hint, self._bar, self._format_button, self._template_button):
            element.set_visibility(is_iop)
        self._body.props["label"] = "Text" if is_string else "Body (JSON)"
        self._body.validate()
        self._choose_view()

    def _choose_view(self) -> None:
        as_form = self._type.value == IOP and self._view.value == _AS_FORM
        self._body.set_visibility(self._type.value != PLAIN and not as_form)
        self._fields.set_visibility(as_form)
        if as_form:
            self._show_fields()

    def _choose_class(self) -> None:
        """Offer the class's examples, the first at once unless something of one's own was typed already."""
        known = self._classes.get(str(self._class.value or ""))
        for chip in self._chips:
            if isinstance(chip, ui.button):
                chip.classes(**{"add" if known and chip.text == known.name else "remove": "chosen"})
        self._hint.text = known.description if known else ""
        untouched = self.text.strip() in ("", self._template.strip())
        self._template = _template_of(known)
        if untouched:
            self._set_text(self._template)
        self._template_button.set_enabled(known is not None)
        self._examples.clear()
        with self._examples:
            for example in known.examples if known and len(known.examples) > 1 else ():
                chip = button(
                    example.label, on_click=partial(self._set_text, pretty(example.body)), kind="chip example"
                )
                chip.props["title"] = "Start from this example"
        self._choose_view()

    def _problem_of(self, value: Any) -> str | None:
        """Why a body cannot be sent, as it is typed; None if it can."""
        if self._type.value != IOP or not str(value or "").strip():
            return None
        try:
            parsed = json.loads(str(value))
        except ValueError as error:
            return f"No valid JSON: {error}"
        return None if isinstance(parsed, dict) else 'It must be a JSON object, as in {"inputs": "text"}'

    def _format(self) -> None:
        if self._problem_of(self.text) is None:
            self._set_text(pretty(json.loads(self.text or "{}")))

    def _restore(self) -> None:
        self._set_text(self._template)

    def _set_text(self, body: str) -> None:
        self._body.value = body
        if self._view.value == _AS_FORM:
            self._show_fields()

    # -- the form -----------------------------------------------------------------------------------

    def _show_fields(self) -> None:
        known = self._classes.get(str(self._class.value or ""))
        declared = {field.name: field for field in known.fields} if known else {}
        self._fields.clear()
        with self._fields:
            if problem := self._problem_of(self.text):
                notice(f"{problem} Correct it as JSON first.", "warn")
                return
            values = json.loads(self.text or "{}")
            if not declared and not values:
                ui.label(_EMPTY).classes("small muted")
            for name in {**declared, **values}:
                self._field(name, declared.get(name), values)
            with ui.element("div").classes("row-wrap add-field"):
                more = ui.input("Another field", placeholder="its name").props("outlined dense spellcheck=false")
                button("Add field", "add", lambda: self._add_field(str(more.value or "").strip()))
            ui.label("A field without a value is left out. Numbers, true, false and JSON are taken as such.").classes(
                "small muted"
            )

    def _field(self, name: str, field: RequestField | None, values: dict[str, Any]) -> None:
        value = values.get(name)
        label = name + (" *" if field is not None and field.required else "")
        with ui.element("div").classes("field-row"):
            made: ui.select | ui.input | ui.textarea
            if field is not None and (field.choices or field.type == "yes or no"):
                choices = {json.dumps(choice): str(choice) for choice in field.choices or (True, False)}
                chosen = json.dumps(value) if name in values else ""
                offered = {"": f"Default: {as_text(field.default)}", **choices}
                made = ui.select(offered, label=label, value=chosen if chosen in offered else "")
                made.on_value_change(lambda event: self._set(name, str(event.value or ""), json.loads))
            elif is_secret(name):
                made = ui.input(label, value=as_text(value), password=True).props("autocomplete=off")
                made.on_value_change(lambda event: self._set(name, str(event.value or ""), str))
            else:
                is_text = field is not None and field.type == "text"
                made = ui.textarea(label, value=str(value) if is_text and isinstance(value, str) else as_text(value))
                made.props("autogrow debounce=200 rows=1 input-style='min-height: 0'")
                if field is not None and not field.required and field.default not in ("", None):
                    made.props["placeholder"] = f"Default: {as_text(field.default)}"
                read = str if is_text else as_typed
                made.on_value_change(lambda event: self._set(name, str(event.value or ""), read))
            made.props("outlined dense stack-label").classes("grow")
            if field is None:
                icon_button(f"Remove {name}", "close", lambda: self._remove_field(name))

    def _set(self, name: str, typed: str, read: Callable[[str], Any]) -> None:
        values = json.loads(self.text or "{}")
        if typed == "":
            values.pop(name, None)
        else:
            values[name] = read(typed)
        self._body.value = pretty(values)

    def _add_field(self, name: str) -> None:
        values = json.loads(self.text or "{}")
        if name and name not in values:
            self._set_text(pretty({**values, name: ""}))

    def _remove_field(self, name: str) -> None:
        values = json.loads(self.text or "{}")
        values.pop(name, None)
        self._set_text(pretty(values))


def _template_of(known: RequestClass | None) -> str:
    return pretty(known.template) if known else "{}"


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def as_typed(typed: str) -> Any:
    """What a typed text means: JSON if it is some, else the text itself."""
    try:
        return json.loads(typed, parse_constant=_refuse)
    except ValueError:
        return typed


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def as_text(value: Any) -> str:
    """A value as it is typed, so that `as_typed` gives it back; empty for none."""
    if value is None or value == "":
        return ""
    if isinstance(value, str) and as_typed(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
