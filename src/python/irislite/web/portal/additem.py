"""The dialog that adds an item: a component, a name, and what that component asks for. No file is edited."""

from functools import partial
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.value_element import ValueElement

from irislite import assembly
from irislite.bridge.itemforms import FormField, ItemForm
from irislite.errors import IrisliteError
from irislite.web import blocking
from irislite.web.portal.controls import answered, button, notice, text, told
from irislite.web.portal.layout import Portal

FEW = 12  # choices that are offered as buttons


async def ask_for_item(portal: Portal, taken: list[str]) -> str:
    """Ask for a new item and add it. Returns its name, empty if nothing was added."""
    with told():
        forms = await blocking.run(portal.director.item_forms)
        return await _Dialog(portal, forms, taken).open()
    return ""


class _Dialog:
    def __init__(self, portal: Portal, forms: list[ItemForm], taken: list[str]) -> None:
        self._portal = portal
        self._forms = {form.class_name: form for form in forms}
        self._taken = taken
        self._inputs: dict[str, ValueElement[Any]] = {}

    async def open(self) -> str:
        with ui.dialog() as self._dialog, ui.card().classes("ask"):
            text("h2", "Add an item").classes("question")
            if not self._forms:
                notice("No component is registered: name one in CLASSES or PRODUCTIONS of a settings file.", "warn")
            else:
                self._ask()
            self._problem = ui.element("div").props("role=alert")
            with ui.element("div").classes("ask-buttons"):
                button("Cancel", on_click=lambda: self._dialog.submit(""))
                if self._forms:
                    self._add_button = button("Add", "add", self._add, "primary")
        return str(await answered(self._dialog) or "")

    def _ask(self) -> None:
        first = next(iter(self._forms))
        self._class = ui.select(list(self._forms), label="Component", value=first, on_change=lambda: self._choose())
        self._class.props("outlined dense options-dense")
        self._about = text("div", "").classes("small muted")
        self._name = ui.input("Name").props("outlined dense autofocus maxlength=128")
        self._fields = ui.element("div").classes("stack tight")
        self._choose()

    def _choose(self) -> None:
        form = self._forms[str(self._class.value)]
        self._about.text = form.description
        self._fields.clear()
        self._inputs = {}
        with self._fields:
            for field in form.fields:
                with ui.element("div").classes("field-group"):
                    self._inputs[field.name] = _input(field)
            if not form.fields:
                ui.label("It needs no settings to start; the panel of the item has them all.").classes("small muted")

    async def _add(self) -> None:
        name, form = str(self._name.value or ""), self._forms[str(self._class.value)]
        answers = {field: str(made.value or "") for field, made in self._inputs.items()}
        self._problem.clear()
        self._add_button.disable()
        try:
            name = assembly.checked_name(name)
            with self._portal.act("Add an item", name) as deed:
                done = await blocking.run(self._portal.director.add_item, name, form.class_name, answers)
                deed.tell(f"{form.class_name}: {', '.join(done)}.")
        except IrisliteError as error:
            there = {item.name for item in await blocking.run(self._portal.director.items)}
            if name in there.difference(self._taken):
                self._dialog.submit(name)  # it is there, in error: its panel tells the rest
                return
            with self._problem:
                notice(str(error), "bad")
        else:
            ui.notify(f"{name} was added.", type="positive", position="top")
            self._dialog.submit(name)
        finally:
            self._add_button.enable()


def _input(field: FormField) -> ValueElement[Any]:
    """The control of one field; a few choices are buttons as well."""
    label = field.name.replace("_", " ").capitalize() + ("" if field.required else " (optional)")
    made = ui.input(label, autocomplete=list(field.choices) or None)
    made.props("outlined dense spellcheck=false bottom-slots").props["hint"] = field.help
    if 0 < len(field.choices) <= FEW:
        with ui.element("div").classes("chips").props("role=group"):
            for choice in field.choices:
                button(choice, on_click=partial(made.set_value, choice), kind="chip")
    return made
