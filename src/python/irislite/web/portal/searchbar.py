"""The search over a list: conditions or text, kept in the page's address, and the searches that a user keeps."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from irislite.actor import Role, acting
from irislite.conditions import SIGNS, Language, Query
from irislite.errors import BadRequest
from irislite.web.portal.controls import told
from irislite.web.portal.layout import Portal

LONGEST_TEXT = 20_000  # characters


class _Bar(ui.element, component="assets/search.js"):
    """The element; see the script."""


class SearchBar:
    """A search bar of a room (`messages` or `log`). `on_search` is called when there is another search.

    `query` is what is searched for, `text` how it is written; a text that cannot be read is told and changes neither.
    """

    def __init__(
        self, portal: Portal, language: Language, room: str, text: str, names: list[str], hint: str,
        on_search: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._portal = portal
        self._language = language
        self._room = room
        self._on_search = on_search
        self.query, self.text = Query(), ""
        self._bar = _Bar()
        self._bar.props.update({
            "fields": [
                {"name": field.name, "kind": str(field.kind), "signs": SIGNS[field.kind], "words": field.words,
                 "help": field.help}
                for field in language.fields.values()
            ],
            "names": names, "hint": hint, "answer": 0,
        })  # fmt: skip
        self._bar.on("search", self._search)
        self._bar.on("save", self._save)
        self._bar.on("forget", self._forget)
        self._read(text)
        self._show_saved()

    async def look_for(self, text: str) -> None:
        """Search for something else."""
        if self._read(text):
            await self._on_search()

    def _read(self, text: str) -> bool:
        """Take a text over, or show what is wrong with it."""
        self._bar.props.update({"asked": text[:LONGEST_TEXT], "answer": self._bar.props["answer"] + 1})
        try:
            if len(text) > LONGEST_TEXT:
                raise BadRequest(f"The search has {len(text):,} characters: write at most {LONGEST_TEXT:,}.")
            self.query = self._language.parse(text)
        except BadRequest as error:
            self._bar.props.update({"problem": str(error), "text": text[:LONGEST_TEXT], "query": []})
            self._bar.update()
            return False
        self.text = str(self.query)
        conditions = [
            [{"field": each.field.name, "sign": each.sign, "value": each.value} for each in group]
            for group in self.query.groups
        ]
        self._bar.props.update({"problem": "", "text": self.text, "query": conditions})
        self._bar.update()
        return True

    async def _search(self, event: GenericEventArguments) -> None:
        await self.look_for(str(event.args or ""))

    def _show_saved(self) -> None:
        user = self._portal.access.user()
        kept = self._portal.director.saved_searches.of(user.name, self._room) if user is not None else []
        self._bar.props["saved"] = [search._asdict() for search in kept]
        self._bar.update()

    async def _save(self, event: GenericEventArguments) -> None:
        name, text = (str(part) for part in event.args)
        with told(), self._portal.act("Save a search", self._room, Role.VIEWER) as deed:
            query = self._language.parse(text)
            kept = self._portal.director.saved_searches
            await asyncio.to_thread(kept.save, acting.get().name, self._room, name, str(query))
            deed.tell(name)
        self._show_saved()

    async def _forget(self, event: GenericEventArguments) -> None:
        with told(), self._portal.act("Forget a search", self._room, Role.VIEWER) as deed:
            kept = self._portal.director.saved_searches
            await asyncio.to_thread(kept.delete, acting.get().name, self._room, str(event.args))
            deed.tell(str(event.args))
        self._show_saved()


def quoted(field: str, value: Any, language: Language, sign: str = "=") -> str:
    """A condition as text, for an address."""
    return str(language.condition(field, sign, str(value)))
