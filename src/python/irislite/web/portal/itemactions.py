"""What can be done to one item: test, restart, enable, disable, copy, remove it, and purge its queue."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from irislite import assembly
from irislite.actor import Role
from irislite.header import BusinessType
from irislite.views import ItemState, ItemView
from irislite.web import blocking
from irislite.web.portal.controls import answered, button, confirmed, needs_role, notice, text, told
from irislite.web.portal.layout import Portal

_DISABLE_EFFECT = "It takes no messages until it is enabled again. What is queued stays queued."
_REMOVE_EFFECT = (
    "It is taken out of the production, with its settings. Its messages stay. If the production's file names it, it "
    "comes back when the file says something new of it."
)
_PURGE_EFFECT = (
    "All {count:,} messages that wait are aborted; those that are worked on go on. Who waits for them is told."
)
_SERVICE_HELP = "A service takes no messages: it cannot be tested from here."


class ItemActions:
    """The actions of an item. `changed` is awaited after one was done, `pick` opens another item."""

    def __init__(
        self, portal: Portal, view: ItemView, changed: Callable[[], Coroutine[Any, Any, None]],
        pick: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:  # fmt: skip
        self._portal = portal
        self._view = view
        self._changed = changed
        self._pick = pick

    def build(self) -> None:
        """Make the buttons here."""
        director, view = self._portal.director, self._view
        if view.reason or view.comment:
            notice(view.reason or view.comment, "bad" if view.state is ItemState.ERROR else "")
        with _group("Try it"):
            if view.kind is BusinessType.SERVICE:
                ui.label(_SERVICE_HELP).classes("small muted")
            else:
                query = urlencode({"item": view.name})
                button("Test", "science", lambda: ui.navigate.to(f"/test?{query}"), "primary")
                _help("Sends a message to this item alone.")
        with _group("State"):
            if view.enabled:
                restart = button("Restart", "restart_alt", partial(self._do, "Restart", director.restart_item))
                disable = button("Disable", "block", self._disable, "danger")
                self._guard(restart, disable)
                _help("Restart sets it up again; the others go on.")
            else:
                enable = partial(self._do, "Enable", director.enable_item, True)
                self._guard(button("Enable", "play_arrow", enable, "primary"))
                _help("It stays disabled when the production starts again; its queue is kept.")
        with _group("Queue"):
            purge = button("Purge queue", "delete_sweep", self.purge_queue, "danger")
            purge.set_enabled(bool(view.queue_count))
            self._guard(purge)
            _help(f"{view.queue_count:,} waiting.")
        with _group("Configuration"):
            self._guard(button("Copy", "content_copy", self._copy))
            self._guard(button("Remove", "delete", self._remove, "danger"), role=Role.ADMINISTRATOR)
            _help("A copy has the same settings, and is disabled at first.")

    def _guard(self, *buttons: ui.button, role: Role = Role.OPERATOR) -> None:
        if not self._portal.may(role):
            needs_role(role, *buttons)

    async def _disable(self) -> None:
        if await confirmed(f"Disable {self._view.name}?", _DISABLE_EFFECT, "Disable", "danger"):
            await self._do("Disable", self._portal.director.enable_item, False)

    async def _do(self, name: str, action: Callable[..., Any], *args: Any, role: Role = Role.OPERATOR) -> bool:
        done = False
        with told() as page, self._portal.act(f"{name} an item", self._view.name, role):
            await blocking.run(action, self._view.name, *args)
            done = True
            with page:
                ui.notify(f"{self._view.name}: {name.lower()} done.", type="positive", position="top")
        await self._changed()
        return done

    async def purge_queue(self) -> None:
        """Abort everything that waits, after a question."""
        name, effect = self._view.name, _PURGE_EFFECT.format(count=self._view.queue_count)
        if not await confirmed(f"Purge the queue of {name}?", effect, "Abort all", "danger"):
            return
        with told() as page, self._portal.act("Purge a queue", name) as deed:
            by = self._portal.access.actor().name
            count = await blocking.run(self._portal.director.abort_queue, name, by)
            deed.tell(f"{count} messages")
            with page:
                ui.notify(f"{name}: {count:,} messages were aborted.", type="positive", position="top")
        await self._changed()

    async def _copy(self) -> None:
        items = await self._portal.items()
        with ui.dialog() as dialog, ui.card().classes("ask"):
            text("h2", f"Copy {self._view.name}").classes("question")
            free = assembly.free_name(self._view.name, (item.name for item in items))
            name = ui.input("Name of the copy", value=free).props("outlined dense autofocus maxlength=128")
            with ui.element("div").classes("ask-buttons"):
                button("Cancel", on_click=lambda: dialog.submit(""))
                button("Copy", "content_copy", lambda: dialog.submit(str(name.value or "").strip()), "primary")
        new = await answered(dialog)
        if new and await self._do("Copy", self._portal.director.copy_item, new):
            await self._pick(new)

    async def _remove(self) -> None:
        if await confirmed(f"Remove {self._view.name}?", _REMOVE_EFFECT, "Remove", "danger"):
            await self._do("Remove", self._portal.director.remove_item, role=Role.ADMINISTRATOR)


def _group(title: str) -> ui.element:
    group = ui.element("section").classes("action-group")
    with group:
        text("h3", title)
    return group


def _help(content: str) -> None:
    ui.label(content).classes("small muted")
