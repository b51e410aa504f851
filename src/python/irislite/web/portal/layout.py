"""What every room gets: the engine with shared answers, and the frame around the page."""

import hashlib
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from nicegui import ui

from irislite.actor import Role
from irislite.audit import Deed
from irislite.director import Director
from irislite.errors import IrisliteError
from irislite.eventlog import LogEntry
from irislite.views import ItemView
from irislite.web.portal.access import Access
from irislite.web.portal.controls import Pill, icon_button, notice, text
from irislite.web.portal.fresh import Fresh
from irislite.web.portal.gate import ASSETS
from irislite.web.portal.ticks import TICK_S as TICK_S
from irislite.web.portal.ticks import Ticks

SHARED_S = 0.8  # how old an answer that all pages share may be
ASSETS_FOLDER = Path(__file__).parent / "assets"
_VERSION = hashlib.sha256((ASSETS_FOLDER / "portal.css").read_bytes()).hexdigest()[:12]
_HEAD = (
    f'<link rel="stylesheet" href="{ASSETS}/portal.css?{_VERSION}">'
    f'<script type="module" src="{ASSETS}/order.js"></script>'
    f'<script type="module" src="{ASSETS}/session.js"></script>'
    f'<script type="module" src="{ASSETS}/sight.js"></script>'
)
# Follow the system, light, dark: the browser keeps the choice, so that the first paint is right.
_LOOKS = {"": (None, "brightness_auto"), "light": (False, "light_mode"), "dark": (True, "dark_mode")}
_LOOK_NAMES = {"": "Look: as the system", "light": "Look: light", "dark": "Look: dark"}


@dataclass(frozen=True, slots=True)
class Room:
    """One page: where it is, what it is called, how it looks in the list, and what builds it."""

    path: str
    title: str
    icon: str
    page: Callable[..., Coroutine[Any, Any, None]]
    twin: APIRouter | None = None
    """What answers the same in JSON: its routes are served below /api/irislite and the room's path."""


@dataclass(frozen=True, slots=True)
class Portal:
    """What the rooms work with. The answers that many pages ask for are shared among them."""

    director: Director
    access: Access
    rooms: tuple[Room, ...]
    fresh: Fresh = field(default_factory=Fresh)
    ticks: Ticks = field(default_factory=Ticks)

    def may(self, role: Role) -> bool:
        """Whether the page's user has this role: what is not allowed is shown as such, and refused by `act`."""
        return self.access.may(role)

    def act(self, action: str, target: str = "", role: Role = Role.OPERATOR) -> AbstractContextManager[Deed]:
        """Around everything that changes something: checks the role, acts for the user, writes the audit."""
        return self.access.act(action, target, role)

    async def status(self) -> dict[str, str]:
        """The production's name and status."""
        return await self.fresh.get("status", SHARED_S, self.director.status)

    async def items(self) -> list[ItemView]:
        """The items of the production."""
        return await self.fresh.get("items", SHARED_S, self.director.items)

    async def newest_log_id(self) -> int:
        """The id of the last log entry, 0 for an empty log: cheap to ask whether there is news."""
        newest: list[LogEntry] = await self.fresh.get("log", SHARED_S, lambda: self.director.eventlog.newest(1))
        return newest[0].id if newest else 0

    async def newest_message_id(self) -> int:
        """The id of the last message, 0 if there is none."""
        newest = await self.fresh.get("messages", SHARED_S, lambda: self.director.store.latest(1))
        return newest[0].id if newest else 0


@contextmanager
def frame(portal: Portal, title: str, path: str) -> Iterator[ui.element]:
    """The page around a room: state on top, the rooms at the side, the room in the middle.

    What the runtime refuses while the room is built is shown in its place.
    """
    ui.page_title(f"{title} · irislite")
    ui.add_head_html(_HEAD)
    client = ui.context.client
    request = client.request
    token, rooms, status = request.session.get("token", ""), portal.rooms, portal.director.status()
    # NiceGUI's page element is a <main> around everything; ours is the room alone.
    if (slot := client.content.parent_slot) is not None:
        slot.parent.props("role=presentation")
    with ui.element("div").classes("frame"):
        with ui.element("header").classes("top"):
            with ui.element("a").classes("brand").props("href=/ aria-label=irislite"):
                ui.element("img").props(f'src={ASSETS}/leaf.svg alt=""')
                text("span", "irislite").classes("wide")
            with ui.element("a").classes("running").props(f"href={rooms[0].path}") as running:
                pill = Pill(status["status"])
                name = text("span", status["production"]).classes("name")
            running.set_visibility(path != rooms[0].path)  # the production's own page says it larger
            ui.element("div").classes("grow")
            _look_switch(request.cookies.get("look", ""))
            with ui.element("form").props("method=post action=/signout"):
                icon_button(f"Sign out {portal.access.sessions.account(token)}", "logout").props("type=submit")
        with ui.element("nav").classes("rail").props('aria-label="Rooms"') as rail:
            for room in rooms:
                with ui.element("a").props(f"href={room.path}" + (" aria-current=page" if room.path == path else "")):
                    ui.icon(room.icon).props("aria-hidden=true")
                    text("span", room.title)
        room_element = ui.element("main").classes("room")
    ui.skip_link("To the content", target=room_element)
    # Where the rooms do not fit, as on a phone, the one that is open is in sight.
    in_sight = "scrollIntoView({block: 'nearest', inline: 'center'})"
    ui.run_javascript(f"getHtmlElement({rail.id})?.querySelector('[aria-current]')?.{in_sight}")

    async def tick() -> None:
        if portal.access.owner_of(token) is None:
            ui.navigate.reload()  # the gate asks for the sign-in, and comes back here
            portal.ticks.sight(client, False)  # until then nothing more is shown
            return
        status = await portal.status()
        pill.show(status["status"])
        name.text = status["production"]

    ui.on_exception(_tell_unexpected)
    ui.on("sight", lambda event: portal.ticks.sight(client, event.args is True))
    portal.ticks.follow(tick)  # the first of the page's acts: whether the session has ended
    with room_element:
        try:
            yield room_element
        except IrisliteError as error:
            notice(str(error), "bad")


def _tell_unexpected(error: Exception) -> None:
    """What no page knows how to handle: the console has it in full, the reader is told that it happened."""
    text = f"The portal met an error it did not expect ({type(error).__name__}). The console has the details."
    ui.notify(text, type="negative", position="top", multi_line=True, timeout=0, close_button="Close")


def _look_switch(look: str) -> None:
    looks = list(_LOOKS)
    current = look if look in _LOOKS else ""
    dark = ui.dark_mode(_LOOKS[current][0])

    def turn() -> None:
        nonlocal current
        current = looks[(looks.index(current) + 1) % len(looks)]
        dark.value, switch.icon = _LOOKS[current]
        switch.props.update({"aria-label": _LOOK_NAMES[current], "title": _LOOK_NAMES[current]})
        switch.update()
        age_s = 31536000 if current else 0
        ui.run_javascript(f'document.cookie = "look={current}; path=/; max-age={age_s}; SameSite=Lax"')

    switch = icon_button(_LOOK_NAMES[current], _LOOKS[current][1], turn)


def head(title: str) -> ui.element:
    """The room's name; what is made inside stands beside it."""
    row = ui.element("div").classes("room-head")
    with row:
        text("h1", title)
    return row
