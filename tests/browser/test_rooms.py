"""Every room of the application: nobody changes anything there without the role, and axe-core finds nothing severe."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from playwright.sync_api import Browser

import production
from browser.accessibility import findings_at_each_size
from browser.conftest import Visit, new_context
from browser.house import MARKUP, PASSWORD, USERNAME, House, house, save_candidate, signed_in
from browser.walk import press_everything, walk
from energy.book import ANSWER, Book
from irislite.web.portal.layout import Room
from runtime.web.test_schemathesis import findings_of
from unit.rooms.test_spending import COST
from waiting import eventually

VIEWER = "vera"
# A download would ask any host there is, a try load any model there is: they have tests of their own.
LEFT_OUT = {"POST /api/irislite/models/downloads", "POST /api/irislite/models/{name}/try"}
ROOMS: list[Room] = [importlib.import_module(name).ROOM for name in production.ROOMS]
RUNNING = ("running", "starting")  # an item gets there by itself


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house where there is something to see and to do in each room."""
    folder = tmp_path_factory.mktemp("rooms")
    book = Book(folder / "book.db")
    book.add("Labels", "bert", ANSWER, COST)
    book.add(MARKUP, MARKUP, ANSWER, COST)
    book.write()
    with house(folder) as served:
        save_candidate(served, folder / "candidate")
        person = {"name": VIEWER, "role": "viewer", "password": PASSWORD}
        assert served.call("POST", "/api/irislite/system/users", json=person).status_code == 201
        yield served


def walker(browser: Browser, home: House, *username: str) -> Visit:
    """A window of somebody who is signed in."""
    return Visit(new_context(browser, home, "light", signed_in(browser, home, *username)), home.url)  # type: ignore[arg-type]


def test_a_viewer_who_presses_everything_changes_nothing(browser: Browser, home: House) -> None:
    """The event of every handler of every room, over the page's own connection, disabled or not."""
    visit, before = walker(browser, home, VIEWER), state(home)
    page = visit.page()
    for room in ROOMS:
        for place in walk(page, room.path):
            press_everything(page)
            assert state(home) == before, place

    def deeds() -> list[dict[str, Any]]:
        return home.call("GET", "/api/irislite/system/audit", params={"user": VIEWER}).json()

    eventually(lambda: any(deed["outcome"] == "refused" for deed in deeds()))
    assert [deed["action"] for deed in deeds() if deed["outcome"] == "done" and deed["action"] != "Sign in"] == []
    assert state(home) == before
    visit.context.close()


def state(home: House) -> Any:
    """The items with their settings, the last message, and every file that is not the runtime's own."""
    items = home.call("GET", "/api/irislite/items").json()
    return (
        [(item["name"], item["enabled"], item["state"] in RUNNING, item["processed"]) for item in items],
        home.call("GET", "/api/iop/export").text,
        home.call("GET", "/api/irislite/messages", params={"limit": 1}).json(),
        {path: path.stat().st_mtime_ns for path in home.root.rglob("*")},
    )


@pytest.mark.parametrize("room", ROOMS, ids=[room.title for room in ROOMS])
def test_a_room_without_a_severe_finding(room: Room, browser: Browser, home: House, shots: Path) -> None:
    visit = walker(browser, home)
    page, found = visit.page(), []
    for number, place in enumerate(walk(page, room.path)):
        found += [f"{place}: {finding}" for finding in findings_at_each_size(page, shots, f"{room.path[1:]}-{number}")]
        assert page.locator("img[src=x]").count() == 0 and "broken in" not in page.title()
    visit.context.close()
    assert found == []
    assert visit.problems == []


def test_the_json_twins_answer_as_they_are_described(home: House) -> None:
    """Last: what is asked here changes things."""
    schema = schemathesis.openapi.from_url(f"{home.url}/openapi.json", auth=(USERNAME, PASSWORD))
    twins = tuple(f"/api/irislite{room.path}" for room in ROOMS)
    found, asked = [], 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(twins) and operation.label not in LEFT_OUT:
            findings, count = findings_of(operation, PASSWORD)
            found += [f"{operation.label}: {finding}" for finding in findings]
            asked += count
    assert found == []
    assert asked > 30
