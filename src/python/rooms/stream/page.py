"""The page of the room Stream: how it goes, the picture, the newest posts, the workers, the dead letters."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.views import ItemState
from irislite.web import blocking
from irislite.web.portal.controls import Pill, button, confirmed, duration, needs_role, notice, text, told
from irislite.web.portal.layout import SHARED_S, Portal, frame, head
from irislite.web.portal.widgets import Grid, Table
from rooms import figures
from rooms.stream import acts, picture
from rooms.stream.acts import Pulse, StreamUnreachable

PATH = "/stream"
POSTS, LETTERS = 15, 50
PICTURE_S, LETTERS_S = 4.0, 2.0  # how old these may be: they change by the minute, or rarely
TITLE = "Share of positive posts by keyword"
_PERIODS = {15: "15 minutes", 60: "An hour", 360: "6 hours", 1440: "A day"}
_FEELINGS = {
    0: {"state": "error", "icon": "sentiment_dissatisfied", "text": "negative"},
    1: {"state": "completed", "icon": "sentiment_satisfied", "text": "positive"},
}
_POSTS = [("feeling", "Feeling", ""), ("text", "Post", "text prose"), ("keyword", "Keyword", ""),
          ("label", "Label", "number"), ("delay", "Delay", "number"), ("at", "Published", "when")]  # fmt: skip
_WORKERS = [("state", "State", ""), ("name", "Worker", "who"), ("pending", "In hand", "number"),
            ("idle", "Last sign", "number"), ("done", "Posts", "number")]  # fmt: skip
_DEAD = [("reason", "Reason", "text prose"), ("text", "Post", "text prose"), ("tries", "Tries", "number"),
         ("at", "Since", "when")]  # fmt: skip
_ACTS = [("back", "Put back", "undo", ""), ("drop", "Drop", "delete", "danger")]
_ALIVE = {
    True: {"state": "completed", "icon": "check_circle", "text": "works"},
    False: {"state": "error", "icon": "report", "text": "silent"},
}


async def page(portal: Portal, minutes: str = "60") -> None:
    """`minutes` is how far the picture goes back."""
    with frame(portal, "Stream", PATH):
        acts.parts(portal.director)  # without items for it there is nothing to build
        await _Stream(portal, int(minutes) if minutes.isdecimal() and int(minutes) in _PERIODS else 60).build()


class _Stream:
    def __init__(self, portal: Portal, minutes: int) -> None:
        self._portal, self._minutes = portal, minutes
        self._pulse: Pulse | None = None
        self._picture: Any = None
        self._letters: list[dict[str, Any]] = []

    async def build(self) -> None:
        head("Stream")
        with ui.element("div").classes("stack"):
            with ui.element("section").classes("panel panel-body").props('aria-label="Now"'):
                self._now = ui.element("div").classes("stack")
            self._rest = ui.element("div").classes("stack")
            with self._rest:
                self._draw()
                with ui.element("div").classes("halves uneven"):
                    with _section("Newest posts"):
                        self._posts = Table("Newest posts", _POSTS, [], "No post was labelled yet.")
                    with _section("Workers"):
                        self._workers = Table("Workers", _WORKERS, [], "Nobody has taken posts yet.")
                with _section("Dead letters") as box:
                    with box:
                        ui.element("div").classes("grow")
                        self._all = button("Put all of these back", "undo", self._all_back)
                    self._dead = Table(
                        "Dead letters", _DEAD, [], "None: every post that was accepted could be read and labelled.",
                        _ACTS if self._portal.may(Role.OPERATOR) else None, self._act,
                    )  # fmt: skip
                if not self._portal.may(Role.OPERATOR):
                    needs_role(Role.OPERATOR, self._all)
        await self._tick()
        self._portal.ticks.follow(self._tick)

    def _draw(self) -> None:
        with ui.element("section").classes("panel panel-body").props(f'aria-label="{TITLE}"'):
            with ui.element("div").classes("row-wrap"):
                text("h2", TITLE)
                ui.element("div").classes("grow")
                period = ui.select(_PERIODS, value=self._minutes, label="Period").props("outlined dense")
                period.on_value_change(lambda event: self._change(int(event.value)))
            self._chart = ui.echart(picture.options({"minutes": [], "keywords": {}}, TITLE), renderer="svg")
            self._chart.classes("chart tall").props.update({"role": "img", "aria-label": TITLE})
            with ui.element("details"):
                text("summary", f"As a table; each point of a line is of {picture.SMOOTHED} minutes")
                self._table = Grid(TITLE, "No posts in this time.")

    # -- following -------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        director, fresh = self._portal.director, self._portal.fresh
        found = await fresh.get("stream", SHARED_S, partial(acts.pulse, director))
        if found is not self._pulse:
            self._pulse = found
            self._now.clear()
            with self._now:
                _tell(found)
            self._rest.set_visibility(found.state is not None)
        if found.state is None:
            return
        try:
            posts = await fresh.get("stream posts", SHARED_S, partial(acts.newest, director, POSTS))
            shares = await fresh.get(
                f"stream shares {self._minutes}", PICTURE_S, partial(acts.shares, director, self._minutes)
            )
            letters = await fresh.get("stream dead", LETTERS_S, partial(acts.dead, director, LETTERS))
        except StreamUnreachable:
            return  # the next pulse says it
        self._posts.show(rows=[_post(one) for one in posts])
        self._workers.show(rows=[_worker(one) for one in found.state["consumers"]])
        self._letters = letters
        self._dead.show(rows=[_letter(one) for one in letters])
        self._all.set_visibility(bool(letters))
        if shares is not self._picture:
            self._picture = shares
            self._chart.options.update(picture.options(shares, TITLE))
            self._chart.update()
            self._table.fill(*_as_table(shares))

    async def _change(self, minutes: int) -> None:
        self._minutes = minutes if minutes in _PERIODS else self._minutes
        ui.navigate.history.replace(f"{PATH}?minutes={self._minutes}")
        await self._tick()

    # -- dead letters ----------------------------------------------------------------------------------------------

    async def _act(self, action: str, letter: Any) -> None:
        if action == "back":
            await self._put_back([str(letter)])
        elif await confirmed(
            "Drop this post for good?", "It is not labelled, and nobody can bring it back.", "Drop", "danger"
        ):
            with told(), self._portal.act("Drop dead letters", str(letter)) as deed:
                count = await blocking.run(acts.drop, self._portal.director, [str(letter)])
                deed.tell(f"{count} dropped")
            await self._changed()

    async def _all_back(self) -> None:
        ids = [str(letter["id"]) for letter in self._letters]
        what = "They are labelled once more; what cannot be labelled comes back here."
        if await confirmed(f"Put {len(ids)} posts back?", what, "Put back"):
            await self._put_back(ids)

    async def _put_back(self, ids: list[str]) -> None:
        with told(), self._portal.act("Put dead letters back", ", ".join(ids)[:100]) as deed:
            count = await blocking.run(acts.put_back, self._portal.director, ids)
            deed.tell(f"{count} put back")
        await self._changed()

    async def _changed(self) -> None:
        self._portal.fresh.forget()
        await self._tick()


@contextmanager
def _section(title: str) -> Iterator[ui.element]:
    """A part of the page with its name; gives the row of the name, for what is to stand beside it."""
    with ui.element("section").classes("panel").props(f'aria-label="{title}"'):
        with ui.element("div").classes("grid-head row-wrap") as row:
            text("h2", title)
        yield row


def _tell(found: Pulse) -> None:
    """The items, and the numbers of now."""
    with ui.element("div").classes("row-wrap"):
        for part in found.parts:
            with ui.element("span").classes("row-wrap tight"):
                Pill(part.state.value)
                ui.link(part.item, f"/production?item={part.item}")
    if found.problem:
        notice(found.problem, "warn" if all(part.state is ItemState.DISABLED for part in found.parts) else "bad")
    if (state := found.state) is None:
        return
    delay, waiting = state["delay_ms"], state["lag"] + state["pending"]
    with ui.element("div").classes("totals"):
        _number("Rate", f"{state['rate_per_s']:.3g} /s", "posts labelled")
        _number("Delay", _milliseconds(delay["p50"]), f"p99 {_milliseconds(delay['p99'])}")
        _number("Waiting", f"{waiting:,}", f"{state['lag']:,} unread, {state['pending']:,} in hand")
        _number("Labelled", f"{state['results']:,}", "kept in Redis")
        _number("Dead letters", f"{state['dead']:,}", "see below" if state["dead"] else "none")
        _number("Redis", figures.size(state["memory_bytes"]), f"{state['redis_version']}, fsync {state['durability']}")
    if state["durability"] not in ("always", "everysec"):
        notice(
            "Redis keeps nothing on disk: what it has accepted is lost with it. Start it with appendonly yes.", "warn"
        )


def _number(name: str, value: str, more: str) -> None:
    with ui.element("div").classes("total"):
        text("span", name).classes("small muted")
        text("b", value)
        text("span", more).classes("small muted")


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 1_000:
        return f"{value:.0f} ms"
    return f"{value / 1_000:.3g} s" if value < 100_000 else duration(value / 1_000)


def _post(one: Mapping[str, Any]) -> dict[str, Any]:
    score = "" if one["score"] is None else f" {one['score']:.2f}"
    return {
        "id": one["id"],
        "feeling": _FEELINGS[one["sentiment"]],
        "text": one["text"],
        "keyword": "" if one["keyword"] == "None" else one["keyword"],
        "label": f"{one['label']}{score}",
        "delay": _milliseconds(one["delay_ms"]),
        "at": _moment(one["published_ms"]),
    }


def _worker(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["name"],
        "state": _ALIVE[bool(one["alive"])],
        "name": one["name"],
        "pending": f"{one['pending']:,}",
        "idle": _milliseconds(one["idle_ms"]),
        "done": f"{int(one.get('labelled', one.get('kept', 0))):,}",
    }


def _letter(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": one["id"],
        "reason": one["reason"],
        "text": one["text"],
        "tries": str(one["deliveries"]),
        "at": _moment(one["at_ms"]),
    }


def _moment(time_ms: int) -> dict[str, str]:
    return {"time": datetime.fromtimestamp(time_ms / 1_000, UTC).isoformat(timespec="milliseconds")}


def _as_table(found: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Minutes in which there were posts, the newest first, and for each keyword "positive of all"."""
    names = sorted(found["keywords"])
    rows = []
    for place in range(len(found["minutes"]) - 1, -1, -1):
        told = [found["keywords"][name] for name in names]
        counts = [(one["positive"][place], one["total"][place]) for one in told]
        if any(total for _, total in counts):
            at = datetime.fromtimestamp(found["minutes"][place] * 60, UTC)
            rows.append([f"{at:%Y-%m-%d %H:%M}", *(f"{good} of {total}" if total else None for good, total in counts)])
    return ["Minute (UTC)", *("all posts" if name == "None" else name for name in names)], rows
