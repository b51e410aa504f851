"""Downloads: an address is pasted, what arrives is shown, and it can be stopped."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from inference.downloads import Download, State
from irislite.actor import Role
from irislite.web.portal.controls import button, needs_role, notice, text, told
from irislite.web.portal.layout import Portal
from rooms import figures
from rooms.errors import told_as_ours
from rooms.models import acts

SHOWN = 4


class Panel:
    """The form and the downloads of this process. `changed` is awaited when one has come to its end."""

    def __init__(self, portal: Portal, changed: Callable[[], Awaitable[None]]) -> None:
        self._portal, self._changed = portal, changed
        self._downloads = acts.downloads(portal.director)
        self._shown: list[tuple[str, State, int, int]] = []
        self._over = 0

    def build(self) -> None:
        """Show it here; follow what happens."""
        with ui.element("section").classes("panel panel-body").props('aria-label="Download a model"'):
            with ui.element("div").classes("bring"):
                self._address = ui.input(
                    "Address of a model", placeholder="https://huggingface.co/owner/name, or owner/name"
                )
                self._address.props("outlined dense clearable spellcheck=false autocomplete=off")
                self._address.on("keydown.enter", self._start)
                self._name = ui.input("Folder (optional)").props("outlined dense spellcheck=false")
                made = button("Download", "download", self._start, "primary")
                if not self._portal.may(Role.OPERATOR):
                    needs_role(Role.OPERATOR, made)
            ui.label("Safetensors only, no remote code; every file is held against the hub's hash.").classes(
                "small muted"
            )
            self._list = ui.element("div").classes("stack tight").props("aria-live=polite")
        self._over = sum(one.over for one in self._downloads.all())
        self._show()
        self._portal.ticks.follow(self._tick)

    async def _start(self) -> None:
        address, name = str(self._address.value or "").strip(), str(self._name.value or "").strip()
        # The audit gets the address as it was understood: what was pasted may hold a password.
        with told(), self._portal.act("Download a model", name) as deed:
            made = acts.download(self._portal.director, address, name)
            deed.tell(f"{made.address} as {made.name}")
            self._address.value = self._name.value = ""
        self._show()

    def _cancel(self, one: Download) -> None:
        with told(), self._portal.act("Cancel a download", one.name), told_as_ours():
            self._downloads.cancel(one.id)
        self._show()

    async def _tick(self) -> None:
        self._show()
        over = sum(one.over for one in self._downloads.all())
        if over != self._over:
            self._over = over
            self._portal.fresh.forget()
            await self._changed()

    def _show(self) -> None:
        found = self._downloads.all()[:SHOWN]
        state = [(one.id, one.state, one.done_bytes, len(one.lines)) for one in found]
        if state == self._shown:
            return
        self._shown = state
        self._list.clear()
        with self._list:
            for one in found:
                self._one(one)

    def _one(self, one: Download) -> None:
        with ui.element("div").classes("download"):
            with ui.element("div").classes("row-wrap"):
                text("strong", one.name)
                text("span", f"from {one.address}").classes("small muted")
                ui.element("div").classes("grow")
                text("span", one.state).classes("tag")
                if not one.over:
                    stop = button("Cancel", "close", lambda: self._cancel(one), "quiet")
                    stop.props.update({"aria-label": f"Cancel the download of {one.name}"})
            if not one.over:
                share = one.done_bytes / one.total_bytes if one.total_bytes else 0
                bar = ui.linear_progress(value=share, show_value=False).classes("working")
                bar.props.update({"aria-label": f"Download of {one.name}", "indeterminate": not one.total_bytes})
                if one.total_bytes:
                    amount = f"{figures.size(one.done_bytes)} of {figures.size(one.total_bytes)}, {share:.0%}"
                    text("span", amount).classes("small muted")
            if one.error:
                notice(one.error, "bad")
            elif one.lines:
                text("span", one.lines[-1]).classes("small muted")
