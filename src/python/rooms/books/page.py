"""The page of the room Books: the question, the covers that answer it, the job."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

import search
from irislite.actor import Role
from irislite.errors import BadRequest, IrisliteError
from irislite.web import blocking
from irislite.web.portal.controls import Pill, button, confirmed, needs_role, notice, text, told
from irislite.web.portal.layout import SHARED_S, Portal, frame, head
from rooms.books import acts
from rooms.books.acts import Answer, JobState
from rooms.pictures import picture_upload

PATH = "/books"
HITS = 24
_OVER = {"covers": "Covers", "texts": "Titles and descriptions"}
_PILLS = {"done": "completed", "cancelled": "aborted", "failed": "error", "interrupted": "error"}
_SHOWN_SUBJECTS = 4


async def page(portal: Portal, q: str = "", subjects: str = "") -> None:
    """`q` is the description to begin with, `subjects` those that the books must have, with commas."""
    with frame(portal, "Books", PATH):
        await _Books(portal, q[:1_000], [one for one in subjects[:500].split(",") if one]).build()


class _Books:
    def __init__(self, portal: Portal, query: str, subjects: list[str]) -> None:
        self._portal, self._first, self._subjects = portal, query, subjects
        self._state: JobState | None = None
        self._may = portal.may(Role.OPERATOR)  # for the looks of buttons; that it is refused is `act`'s affair

    async def build(self) -> None:
        head("Books")
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("panel panel-body stack").props('aria-label="Question"'):
                self._question()
            with ui.element("section").classes("panel panel-body").props('aria-label="Index"'):
                self._job = ui.element("div").classes("row-wrap")
            self._answer = ui.element("section").props("aria-label=Answer aria-live=polite")
        await self._tick()
        self._portal.ticks.follow(self._tick)

    # -- the question ----------------------------------------------------------------------------------------------

    def _question(self) -> None:
        with ui.element("div").classes("row-wrap"):
            self._query = ui.input("Describe a cover", value=self._first, placeholder="a lonely lighthouse at night")
            self._query.props("outlined dense maxlength=1000").classes("grow").on("keydown.enter", self._typed)
            self._over = ui.select(_OVER, value="covers", label="Look in").props("outlined dense")
            self._find = button("Find", "search", self._typed, "primary")
            self._guard(self._find)
        with ui.element("div").classes("filters full"):
            self._ends = [
                ui.number(label, min=0, max=9_999, precision=0).props("outlined dense")
                for label in ("Year from", "Year to", "Pages from", "Pages to")
            ]
            self._words = ui.input("Subjects, with commas", value=", ".join(self._subjects)).props("outlined dense")
        picture_upload("Or find covers like a picture", self._pictured).set_enabled(self._may)
        self._waiting = ui.linear_progress(show_value=False).classes("working")
        self._waiting.props("indeterminate aria-label=Waiting").set_visibility(False)

    def _guard(self, *buttons: ui.button) -> None:
        if not self._may:
            needs_role(Role.OPERATOR, *buttons)

    async def _typed(self) -> None:
        query = str(self._query.value or "").strip()
        ui.navigate.history.replace(f"{PATH}?{urlencode({'q': query, 'subjects': str(self._words.value or '')})}")
        await self._ask(query=query, over=str(self._over.value))

    async def _pictured(self, picture: str, _name: str) -> None:
        await self._ask(image=picture)

    async def _like(self, key: str) -> None:
        await self._ask(like=key, over=str(self._over.value))

    async def _refine(self, subject: str) -> None:
        words = [word.strip() for word in str(self._words.value or "").split(",") if word.strip()]
        self._words.value = ", ".join(dict.fromkeys([*words, subject]))
        await self._typed()

    def _fields(self, question: dict[str, str]) -> dict[str, Any]:
        """The request. Raises `BadRequest` for a filter that makes no sense."""
        low, high, few, many = (None if end.value is None else int(end.value) for end in self._ends)
        words = [word.strip() for word in str(self._words.value or "").split(",") if word.strip()]
        try:
            return {**question, "limit": HITS, "filter": acts.filter_of((low, high), (few, many), words)}
        except search.BadRequest as error:
            raise BadRequest(str(error)) from error

    async def _ask(self, **question: str) -> None:
        self._find.disable()
        self._waiting.set_visibility(True)  # the first question loads the model
        try:
            with self._portal.act("Search books"):
                answer = await blocking.run(acts.ask, self._portal.director, self._fields(question))
        except IrisliteError as error:
            self._answer.clear()
            with self._answer:
                notice(str(error), "bad")
        else:
            self._show(answer)
        finally:
            self._find.set_enabled(self._may)
            self._waiting.set_visibility(False)

    # -- the answer ------------------------------------------------------------------------------------------------

    def _show(self, answer: Answer) -> None:
        self._answer.clear()
        with self._answer:
            with ui.element("div").classes("row-wrap small muted"):
                text("span", f"{len(answer.hits)} books, the nearest first").props("role=status")
                ui.link("Visual Trace", f"/trace?session={answer.session_id}")
            if not answer.hits:
                notice("No book passes the filter: take some of it away.")
            with ui.element("div").classes("shelf"):
                for hit in answer.hits:
                    self._hit(hit, answer.images)

    def _hit(self, hit: dict[str, Any], images: list[dict[str, Any]]) -> None:
        with ui.element("article").classes("panel cover"):
            if hit["image"] is not None:
                source = f"data:image/jpeg;base64,{images[hit['image']]['data']}"
                ui.element("img").props.update({"src": source, "alt": f"Cover of {hit['title']}"})
            text("h3", hit["title"])
            facts = [", ".join(hit["authors"]), str(hit["year"] or ""), f"{hit['pages']} pages" if hit["pages"] else ""]
            text("span", " · ".join(fact for fact in facts if fact)).classes("small muted")
            text("span", f"likeness {hit['score']:.3f}").classes("small muted")
            with ui.element("div").classes("row-wrap"):
                similar = button("Similar", "image_search", partial(self._like, hit["key"]), "chip")
                similar.props.update({"aria-label": f"Books like {hit['title']}"})
                subjects = hit["subjects"][:_SHOWN_SUBJECTS]
                chips = [button(one, "", partial(self._refine, one), "chip") for one in subjects]
            self._guard(similar, *chips)

    # -- the job ---------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        found = await self._portal.fresh.get("books job", SHARED_S, lambda: acts.job(self._portal.director))
        if found != self._state or self._state is None:
            self._state = found
            self._job.clear()
            with self._job:
                self._show_job(found)

    def _show_job(self, found: JobState | None) -> None:
        if found is None:
            notice("No item of the production makes an index: add an IndexOperation, as production.py does.")
            return
        running = found.state == "running"
        if found.state != "never":
            Pill(_PILLS.get(found.state, found.state))
        text("span", _sentence(found)).props("role=status")
        if running and found.total:
            bar = ui.linear_progress(found.done / found.total, show_value=False).classes("grow")
            bar.props.update({"aria-label": f"{found.stage}: {found.done} of {found.total}"})
        ui.element("div").classes("grow")
        act = button("Cancel", "stop", self._cancel) if running else button("Make the index", "play_arrow", self._start)
        self._guard(act)
        ui.link("Log", f"/log?{urlencode({'item': found.item})}")

    async def _start(self) -> None:
        with told(), self._portal.act("Make the index of books"):
            item = await blocking.run(acts.start, self._portal.director)
            ui.notify(f"{item} begins.", type="positive", position="top")
        self._portal.fresh.forget()

    async def _cancel(self) -> None:
        if await confirmed("Stop the job?", "What is finished of it is kept; it can go on later.", "Stop", "danger"):
            with told(), self._portal.act("Stop the index of books"):
                await blocking.run(acts.cancel, self._portal.director)


def _sentence(found: JobState) -> str:
    if found.state == "running":
        return f"{found.stage or 'beginning'}: {found.done:,} of {found.total:,}"
    if found.state == "done":
        return f"{found.vectors:,} covers of {found.books:,} books can be found; {found.problems:,} have no cover."
    return found.error or "The index was not made yet."
