"""Pages that are open: what all of them show is drawn once, and one that nobody sees is left alone."""

import dataclasses
import json
from typing import Any

import pytest
from nicegui import Client, ui
from playwright.sync_api import BrowserContext, Locator, Page, expect

import coroutines
from browser.conftest import Desk
from browser.walk import CONNECTED
from irislite.header import BusinessType
from irislite.views import ItemState, ItemView
from irislite.web.portal import production, ticks
from irislite.web.portal.fresh import Fresh
from irislite.web.portal.snapshot import Snapshot, drawn
from waiting import eventually

ITEMS = [
    ItemView(
        f"Item {number}", "Some.Class", BusinessType.OPERATION, "", "", True, 1, ItemState.RUNNING, "", 0, 0, 0, 0.0
    )
    for number in range(3)
]


def done(items: list[ItemView], place: int) -> list[ItemView]:
    """The same items after one of them has handled a message."""
    later = dataclasses.replace(items[place], processed=items[place].processed + 1)
    return [*items[:place], later, *items[place + 1 :]]


def names(change: str | None) -> list[str]:
    assert change is not None
    return [card["name"] for card in json.loads(change)]


def test_twenty_pages_draw_one_snapshot_of_an_answer() -> None:
    fresh, drawings = Fresh(), []

    def make(before: Snapshot | None) -> Snapshot:
        drawings.append(before)
        return drawn(answers[-1], False, before)

    answers = [ITEMS]
    first = [fresh.made("board", (answers[-1],), make) for _ in range(20)]
    answers.append(done(ITEMS, 1))
    second = [fresh.made("board", (answers[-1],), make) for _ in range(20)]
    assert drawings == [None, first[0]]
    assert all(one is first[0] for one in first) and all(one is second[0] for one in second)
    changes = [one.since(first[0]) for one in second]
    assert names(changes[0]) == ["Item 1"]
    assert all(change is changes[0] for change in changes)  # one text for all of them


def test_a_snapshot_says_what_has_changed_since_any_other() -> None:
    first = drawn(ITEMS, False, None)
    assert drawn(list(ITEMS), False, first) is first
    second = drawn(later := done(ITEMS, 0), False, first)
    third = drawn(done(later, 2), False, second)
    assert [one.version for one in (first, second, third)] == [0, 1, 2]
    assert names(third.since(second)) == ["Item 2"]
    assert names(third.since(first)) == ["Item 0", "Item 2"]
    fewer = drawn(later[:2], False, third)
    assert fewer.since(third) is None and fewer.since(first) is None  # the columns travel anew


@pytest.mark.parametrize(("pages", "pause_s"), [(1, 1.0), (10, 1.0), (20, 2.0), (50, 5.0), (100, 5.0)])
def test_many_pages_are_served_more_slowly_up_to_a_bound(pages: int, pause_s: float) -> None:
    assert ticks.pause_s(pages) == pause_s


def test_what_is_taken_from_a_page_is_followed_no_more() -> None:
    done: list[str] = []

    def noting(name: str) -> ticks.Act:
        async def note() -> None:
            done.append(name)

        return note

    async def two_turns() -> None:
        client = Client(ui.page("/nowhere"))
        page = ticks.OpenPage(client)
        with client:
            for name in ("stays", "goes"):
                with ui.element() as place:
                    page.follow(noting(name))
        client.tab_id = "somebody's"
        await page.serve()
        place.delete()
        await page.serve()
        client.delete()

    coroutines.run(two_turns())
    assert done == ["stays", "goes", "stays"]


def processed(page: Page) -> Locator:
    return page.locator('.item[data-item="Sentiment"] [title="Messages handled since the start"] b')


def test_open_pages_share_what_they_show(
    shared_context: BrowserContext, page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def counted(items: list[ItemView], stopped: bool, before: Snapshot | None) -> Snapshot:
        seen.append(items)
        return drawn(items, stopped, before)

    monkeypatch.setattr(production, "drawn", counted)
    pages = [page, shared_context.new_page(), shared_context.new_page()]
    for one in pages:
        one.goto("/production")
    for _ in range(2):
        desk.test("Sentiment")
        for one in pages:
            expect(processed(one)).to_have_text(str(desk.director.item("Sentiment").processed))
    assert seen and len({id(items) for items in seen}) == len(seen)


def test_a_page_out_of_sight_is_sent_nothing_and_catches_up(
    shared_context: BrowserContext, page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    sight = ticks.Ticks.sight

    def noted(clock: ticks.Ticks, client: Client, in_sight: bool) -> None:
        sight(clock, client, in_sight)
        told.append(in_sight)

    monkeypatch.setattr(ticks.Ticks, "sight", noted)
    other = shared_context.new_page()
    for one in (page, other):
        one.goto("/production")
        expect(processed(one)).to_be_visible()
    show(other, False)
    eventually(lambda: False in told)
    page.wait_for_timeout(1000 * ticks.TICK_S)  # what was on its way has come
    before = processed(other).inner_text()
    desk.test("Sentiment")
    expect(processed(page)).to_have_text(str(desk.director.item("Sentiment").processed))
    page.wait_for_timeout(1000 * ticks.TICK_S)  # a round more: all pages of one are told together
    assert processed(other).inner_text() == before
    show(other, True)
    expect(processed(other)).to_have_text(processed(page).inner_text())


# The connection opens when the test says so; what waits on a timer for it, waits long.
SLOW_LINE = """
    const later = window.setTimeout;
    window.setTimeout = (callback, ms, ...rest) => later(callback, ms === 10 ? 2000 : ms, ...rest);
    const open = new Promise((resolve) => (window.openLine = resolve));
    window.WebSocket = class extends WebSocket {
        set onopen(opened) { super.onopen = (event) => open.then(() => opened(event)); }
    };
"""


def test_what_is_done_before_the_page_is_connected_keeps_its_order(page: Page) -> None:
    page.add_init_script(SLOW_LINE)
    page.goto("/sql")
    page.get_by_role("textbox", name="Statement").fill("SELECT 40 + 1 AS Answer")
    assert not page.evaluate(CONNECTED)
    page.evaluate("openLine()")
    page.wait_for_function(CONNECTED)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("region", name="Rows", exact=True).locator("td").last).to_have_text("41")


def show(page: Page, in_sight: bool) -> None:
    """As if somebody went to another tab, or came back."""
    page.wait_for_function(CONNECTED)
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        not in_sight,
    )
