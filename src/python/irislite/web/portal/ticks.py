"""One clock for all open pages: what each does to follow the engine is done in one round, which shares its answers."""

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import Client, background_tasks, ui
from nicegui.element import Element

TICK_S = 1.0  # between two rounds
PAGES = 10  # that are served so often: of more, each waits longer, so that together they cost no more
LONGEST_S = 5.0  # that a page waits, however many there are: what is older is not live

Act = Callable[[], Awaitable[None]]


def pause_s(pages: int) -> float:
    """The seconds between two rounds, for so many pages."""
    return min(LONGEST_S, TICK_S * max(1.0, pages / PAGES))


class Ticks:
    """The pages that are open. None of them open, or all out of sight, the clock stands still."""

    def __init__(self) -> None:
        self._pages: dict[str, OpenPage] = {}
        self._clock: asyncio.Task[None] | None = None

    def follow(self, act: Act) -> None:
        """Await `act` in every round while the page at hand is connected and in sight, in its place on the page.

        A page's acts are done in the order in which they came, and never twice at a time. When the place is taken from
        the page, as that of a tab is, its acts end.
        """
        client = ui.context.client
        if client.id not in self._pages:
            self._pages[client.id] = OpenPage(client)
            client.on_connect(self._wind)
            client.on_delete(lambda: self._pages.pop(client.id, None))
        self._pages[client.id].follow(act)
        self._wind()

    def sight(self, client: Client, in_sight: bool) -> None:
        """A page has come into sight, and catches up at once, or is out of it, and left alone."""
        page = self._pages.get(client.id)
        if page is not None:
            page.in_sight = in_sight
            page.turn()
            self._wind()

    def _in_sight(self) -> list["OpenPage"]:
        return [page for page in self._pages.values() if page.is_served]

    def _wind(self) -> None:
        if self._in_sight() and (self._clock is None or self._clock.done()):
            self._clock = background_tasks.create(self._run(), name="the pages' clock")

    async def _run(self) -> None:
        while pages := self._in_sight():
            await asyncio.sleep(pause_s(len(pages)))
            for page in self._in_sight():
                page.turn()


class OpenPage:
    """One of them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._acts: list[tuple[Element, Act]] = []
        self.in_sight = True
        self._turn: asyncio.Task[None] | None = None

    @property
    def is_served(self) -> bool:
        return self.in_sight and self._client.has_socket_connection

    def follow(self, act: Act) -> None:
        """Do this too, in the place at hand."""
        self._acts.append((ui.context.slot.parent, act))

    def turn(self) -> None:
        """Begin its acts, unless it is still at those of an earlier round."""
        if self.is_served and (self._turn is None or self._turn.done()):
            self._turn = background_tasks.create(self.serve(), name="a page's turn", context=self._client)

    async def serve(self) -> None:
        """Do its acts; those whose place is gone are done with."""
        self._acts = [(place, act) for place, act in self._acts if not place.is_deleted]
        for place, act in tuple(self._acts):
            if not self.is_served:
                return
            if not place.is_deleted:  # by an act before it
                with place:
                    await act()
