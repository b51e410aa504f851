"""The room Models: what is in the folder of models, and one of them in full."""

import asyncio
from typing import Any
from urllib.parse import quote

from nicegui import ui

import paths
from inference import catalog
from irislite.errors import IrisliteError
from irislite.web.portal.controls import facts, notice, text
from irislite.web.portal.layout import Portal, frame, head
from rooms import figures, markdown
from rooms.models import bringing, deciding, shelf, trying
from rooms.models.shelf import Shelved

PATH = "/models"
FRESH_S = 5.0  # how old the list may be: it reads the files of every model
_SHOWN_FACTS = ("license", "language", "base_model", "datasets", "library_name", "tags")


async def page(portal: Portal, model: str = "", tab: str = "") -> None:
    """`model` is the folder that is shown in full, `tab` the part of it."""
    with frame(portal, "Models", PATH):
        if model:
            await _One(portal, model, tab).build()
        else:
            await _All(portal).build()


class _All:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._shown: list[Shelved] | None = None

    async def build(self) -> None:
        with head("Models"):
            self._said = text("span", "").classes("small muted").props("role=status")
        with ui.element("div").classes("stack"):
            bringing.Panel(self._portal, self._show).build()
            self._list = ui.element("section").props('aria-label="Models that are here"')
        await self._show()
        self._portal.ticks.follow(self._show)

    async def _show(self) -> None:
        found = await self._portal.fresh.get("models", FRESH_S, lambda: shelf.shelf(self._portal.director))
        if found is self._shown:
            return
        self._shown = found
        total = sum(one.entry.size_bytes for one in found)
        self._said.text = f"{len(found)} in src/model, {figures.size(total)}"
        self._list.clear()
        with self._list:
            if not found:
                ui.label("There is no model yet: paste an address above.").classes("muted empty")
                return
            with ui.element("div").classes("cards"):
                for one in found:
                    _card(one)


def _card(one: Shelved) -> None:
    entry = one.entry
    with ui.element("article").classes("panel card"):
        with ui.element("div").classes("row-wrap"), text("h2", "").classes("card-name"):
            link(entry.name, entry.name)
        if one.version:
            text("span", f"{one.version} of {one.version_of}").classes("tag")
        text("span", entry.task or "task unknown").classes("muted small")
        if entry.problem:
            notice(f"It {entry.problem}.", "warn")
        with ui.element("div").classes("row-wrap small"):
            text("span", figures.size(entry.size_bytes))
            if entry.parameters:
                text("span", f"{figures.count(entry.parameters)} parameters")
            text("span", entry.licence or "licence not stated").classes("" if entry.licence else "muted")
        with ui.element("div").classes("small"):
            _users(one)


def _users(one: Shelved) -> None:
    if not one.uses:
        text("span", "No item uses it").classes("muted")
    for use in one.uses:
        with ui.element("div").classes("row-wrap"):
            text("span", "Answers:" if use.how == "answers" else "Tuned by:").classes("muted")
            ui.link(use.item, f"/production?item={quote(use.item)}")


def link(label: str, model: str, tab: str = "") -> ui.link:
    """A link to a model's page."""
    return ui.link(label, f"{PATH}?model={quote(model)}{f'&tab={tab}' if tab else ''}")


class _One:
    def __init__(self, portal: Portal, model: str, tab: str) -> None:
        self._portal, self._model, self._tab = portal, model, tab

    async def build(self) -> None:
        with head(self._model):
            ui.link("All models", PATH)
        try:
            found = await asyncio.to_thread(shelf.find, self._portal.director, self._model)
        except IrisliteError as error:
            notice(str(error), "bad")
            return
        if found.entry.problem:
            notice(f"The folder {found.entry.problem}.", "warn")
        base = found.version_of or self._model
        parts: dict[str, Any] = {
            "decision": ("Versions and training", lambda: deciding.Panel(self._portal, base).build()),
            "try": ("Try it", lambda: trying.Panel(self._portal, found).build()),
            "card": ("Card", lambda: self._card(found)),
            "origin": ("Folder and origin", lambda: self._origin(found)),
        }
        first = self._tab if self._tab in parts else "decision" if _is_tuned(found) else "try"
        with ui.element("div").classes("panel"):
            with ui.tabs().props("align=left no-caps inline-label outside-arrows mobile-arrows") as tabs:
                for name, (label, _) in parts.items():
                    ui.tab(name, label=label)
            body = ui.element("div").classes("panel-body")

        async def show(name: str) -> None:
            if name not in parts:  # no tab sends that
                return
            body.clear()
            ui.navigate.history.replace(f"{PATH}?model={quote(self._model)}&tab={name}")
            with body:
                made = parts[name][1]()
                if asyncio.iscoroutine(made):
                    await made

        tabs.set_value(first)
        tabs.on_value_change(lambda event: show(str(event.value)))
        await show(first)

    async def _card(self, found: Shelved) -> None:
        folder = paths.model_root() / found.entry.name
        card = await asyncio.to_thread(catalog.card, folder)
        said = await asyncio.to_thread(catalog.facts, folder)
        stated = {name: said[name] for name in _SHOWN_FACTS if said.get(name)}
        if stated:
            facts({name.replace("_", " "): _listed(value) for name, value in stated.items()})
        if not card:
            ui.label(f"There is no {catalog.CARD} in the folder.").classes("muted")
            return
        ui.html(await asyncio.to_thread(markdown.html, card), sanitize=False).classes("prose-card")

    def _origin(self, found: Shelved) -> None:
        entry, origin = found.entry, found.entry.origin
        told = {
            "Folder": f"src/model/{entry.name}",
            "Size": figures.size(entry.size_bytes),
            "Parameters": f"{entry.parameters:,}" if entry.parameters else figures.UNKNOWN,
            "Class": entry.architecture or figures.UNKNOWN,
            "Task": entry.task or figures.UNKNOWN,
            "Licence": entry.licence or "not stated",
            "Labels": ", ".join(entry.labels[:40]) or "none",
        }
        if origin is not None:
            told |= {
                "From": origin.repository or origin.source,
                "Revision": origin.taken or origin.revision or "main",
                "Commit": origin.commit or "none: no hub",
                "Downloaded": origin.date,
            }
        facts(told)
        if origin is None:
            notice("Nothing says where it came from: it was copied here, comes with the installation, or was trained.")
        else:
            checked = sum(file.checked in ("sha256", "git-sha1") for file in origin.files.values())
            ui.label(f"{len(origin.files)} files arrived; {checked} were held against a published hash.").classes(
                "muted"
            )
        text("h3", "Who uses it")
        _users(found)


def _is_tuned(found: Shelved) -> bool:
    return bool(found.version) or any(use.how == "tunes" for use in found.uses)


def _listed(value: Any) -> str:
    return ", ".join(map(str, value[:20])) if isinstance(value, list) else str(value)
