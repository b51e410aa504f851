"""The settings of one item as a form: each with its type, default and help; applied after a look at what changes."""

import asyncio
import difflib
from collections.abc import Callable, Coroutine
from typing import Any

from nicegui import Client, ui
from nicegui.elements.mixins.value_element import ValueElement

from irislite.actor import Role
from irislite.config import PLUMBING, SETTINGS_TEXT, options
from irislite.errors import Forbidden, IrisliteError
from irislite.masking import masked_setting
from irislite.views import SettingView
from irislite.web import blocking
from irislite.web.portal.controls import answered, button, facts, needs_role, notice, tell_failure, text
from irislite.web.portal.layout import Portal

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_POOL_HELP = "How many messages are worked on at a time. 0: none, or, for a process, the shared actor pool."
_FOLDED = frozenset({"Alerting Control", "Additional Settings"})  # categories that few items set
_SIGNS = {"-": ("removed", "−"), "+": ("added", "+"), " ": ("same", " ")}
Key = tuple[str, str]


class SettingsForm:
    """The form; `reload()` builds it anew after it was applied."""

    def __init__(self, portal: Portal, name: str, reload: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._portal = portal
        self._name = name
        self._reload = reload
        self._views: dict[Key, SettingView] = {}
        self._lines: dict[str, dict[str, str]] = {}
        self._inputs: dict[Key, ValueElement[Any]] = {}

    async def build(self) -> None:
        """Make the form here."""
        director = self._portal.director
        views, item = await asyncio.gather(
            asyncio.to_thread(director.settings, self._name), asyncio.to_thread(director.item, self._name)
        )
        self._size = item.pool_size
        self._lines = {view.target: options(view.value) for view in views if view.name == SETTINGS_TEXT}
        shown = [view for view in views if view.name not in PLUMBING]
        rest = [view for view in shown if view.category in _FOLDED and view.value is None]
        for view in shown:
            if view not in rest:
                self._setting(view)
        with ui.element("div").classes("setting"):
            self._pool = ui.number("Pool size", value=item.pool_size, min=0, step=1, format="%d")
            self._pool.props("outlined dense")
            text("div", _POOL_HELP).classes("setting-note")
        if rest:
            with ui.element("details").classes("setting"):
                text("summary", f"Alerts, retries, delays: {len(rest)} settings as they come")
                for view in rest:
                    self._setting(view)
        _where(views)
        self._problem = ui.element("div")
        with ui.element("div").classes("apply-bar row-wrap"):
            self._apply_button = button("Apply…", "check", self._apply, "primary")
            button("Undo", "undo", self._reload, "quiet")
            if not self._portal.may(Role.OPERATOR):
                needs_role(Role.OPERATOR, self._apply_button)
                text("span", "To be read: changing settings needs the role operator.").classes("small muted")

    def _setting(self, view: SettingView) -> None:
        self._views[(view.target, view.name)] = view
        with ui.element("div").classes("setting"):
            line = self._lines.get(view.target, {}).get(view.name)
            self._inputs[(view.target, view.name)] = _input(view, line)
            _explain(view)

    def _changes(self) -> dict[Key, str | None]:
        """What was typed and is not what is set; None for back to the default."""
        changes: dict[Key, str | None] = {}
        for key, view in self._views.items():
            typed = str(self._inputs[key].value or "").replace("\r\n", "\n")
            if typed != _shown(view):
                changes[key] = typed if typed else None
        return changes

    def _pool_size(self) -> int:
        return self._size if self._pool.value is None else int(self._pool.value)

    async def _apply(self) -> None:
        changes, size = self._changes(), self._pool_size()
        if not changes and size == self._size:
            ui.notify("Nothing was changed.", position="top")
            return
        if not await self._confirmed(changes, size):
            return
        page = ui.context.client  # the form may be gone when it is done
        self._problem.clear()
        self._apply_button.props(add="loading")
        try:
            with self._portal.act("Change settings", self._name) as deed:
                done = await blocking.run(self._portal.director.apply_settings, self._name, changes, size)
                deed.tell("; ".join(done))
        except Forbidden as error:
            self._fail(page, str(error))
        except IrisliteError as error:
            self._fail(page, f"The settings are kept, but: {error}")
        else:
            words = f"Applied to {self._name}: {'; '.join(done)}."
            with page:
                ui.notify(words, type="positive", position="top", multi_line=True)
            if not self._problem.is_deleted:
                await self._reload()
        finally:
            self._apply_button.props(remove="loading")
            self._portal.fresh.forget()

    def _fail(self, page: Client, sentence: str) -> None:
        if self._problem.is_deleted:
            tell_failure(page, sentence)
            return
        with self._problem:
            notice(sentence, "bad")

    async def _confirmed(self, changes: dict[Key, str | None], size: int) -> bool:
        with ui.dialog() as dialog, ui.card().classes("ask"):
            text("h2", f"Apply to {self._name}?").classes("question")
            for key, new in changes.items():
                view = self._views[key]
                _change(view.name, _shown(view) or _default(view), new if new is not None else _default(view))
            if size != self._size:
                _change("Pool size", str(self._size), str(size))
            ui.label(f"{self._name} is restarted; the other items go on.").classes("muted")
            with ui.element("div").classes("ask-buttons"):
                button("Cancel", on_click=lambda: dialog.submit(False))
                button("Apply", on_click=lambda: dialog.submit(True), kind="primary").props("autofocus")
        return bool(await answered(dialog))


def _input(view: SettingView, line: str | None) -> ValueElement[Any]:
    """The control that fits a setting's type. `line` is what a line of `%settings` says, which holds if it is empty."""
    label, value = view.name + (" *" if view.required else ""), _shown(view)
    empty = _default(view) if line is None else f"From {SETTINGS_TEXT}: {masked_setting(view.name, line)}"
    made: ValueElement[Any]
    if view.name == SETTINGS_TEXT or "\n" in value:
        made = ui.textarea(label, value=value).classes("mono").props("autogrow spellcheck=false")
    elif view.type == "Boolean":
        made = ui.select({"": empty, "1": "Yes", "0": "No"}, label=label, value=value)
    else:
        made = ui.input(label, value=value, placeholder=empty)
        if view.type in ("Integer", "Numeric"):
            made.props(f"inputmode={'numeric' if view.type == 'Integer' else 'decimal'}")
    return made.props("outlined dense stack-label")


def _explain(view: SettingView) -> None:
    parts = [view.type] if view.name != SETTINGS_TEXT else []
    if view.target != "Host":
        parts.append(view.target)
    if view.default not in ("", None):
        parts.append(f"default {view.default}")
    line = " · ".join(parts)
    text("div", f"{view.description} ({line})" if view.description and line else view.description or line).classes(
        "setting-note"
    )


def _where(views: list[SettingView]) -> None:
    """Where the class is: to be read, not edited."""
    plumbing = {view.name: view.value for view in views if view.name in PLUMBING and view.value}
    if plumbing:
        with ui.element("details"):
            text("summary", "Where its class is")
            facts(plumbing)


def _shown(view: SettingView) -> str:
    """A setting's text as the form shows it; empty where the default holds."""
    value = (view.value or "").replace("\r\n", "\n")
    if view.type == "Boolean" and view.name != SETTINGS_TEXT:
        word = value.strip().lower()
        return "1" if word in _TRUE else "0" if word in _FALSE else ""
    return value


def _default(view: SettingView) -> str:
    return f"Default: {view.default}" if view.default not in ("", None) else "Not set"


def _change(name: str, old: str, new: str) -> None:
    """What a setting is, and what it is to be: side by side, or, of several lines, line by line."""
    with ui.element("div").classes("change"):
        text("span", name).classes("what")
        if "\n" not in old + new:
            text("pre", old).classes("old").props('aria-label="old value"')
            text("pre", new).classes("new").props('aria-label="new value"')
            return
        with ui.element("div").classes("diff").props('role=group aria-label="changed lines"'):
            for line in difflib.ndiff(old.split("\n"), new.split("\n")):
                if line[0] in _SIGNS:
                    kind, sign = _SIGNS[line[0]]
                    text("pre", f"{sign} {line[2:]}").classes(f"diff-line {kind}")
