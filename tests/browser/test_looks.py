"""Every page in light, dark and on a phone: drawn, legible, reachable; the screenshots are kept to be looked at."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import LOOKS, Desk, Visit

# Elements that a person can use and that nothing names.
NAMELESS = """() => [...document.querySelectorAll('button, a[href], input, textarea, select, [role=button]')]
  .filter(element => element.offsetParent !== null && element.type !== 'hidden')
  .filter(element => !(element.getAttribute('aria-label') || element.title || element.innerText
                       || element.labels?.length || element.getAttribute('aria-labelledby')))
  .map(element => element.outerHTML.slice(0, 200))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def sessions(desk: Desk) -> dict[str, int]:
    """A session of each sort to look at."""
    return {
        "fan": desk.test("Review Router", body='{"text": "fan"}'),
        "error": desk.test("Fragile"),
        "picture": desk.test("Picture Detector", "Picture"),
    }


def look(page: Page, shots: Path, name: str) -> None:
    """Take the picture, and see that nothing sticks out and everything has a name."""
    expect(page.locator(".chart:not(:has(svg))")).to_have_count(0)
    page.wait_for_timeout(60)  # for the last paint
    page.screenshot(path=shots / f"{name}.png")
    assert page.evaluate(OVERFLOW) <= 0
    assert page.evaluate(NAMELESS) == []


@pytest.mark.parametrize("kind", LOOKS)
def test_every_page(kind: str, window: Callable[..., Visit], visit: Callable[..., Visit], desk: Desk,
                    sessions: dict[str, int], shots: Path) -> None:  # fmt: skip
    page = visit(kind).page()
    page.goto("/production")
    look(page, shots, f"signin-{kind}")
    page = window(kind).page()
    page.goto("/production")
    expect(page.locator(".item").first).to_be_visible()
    look(page, shots, f"production-{kind}")
    page.goto("/production?item=Sentiment")
    for tab in (
        ("Settings", "Queue", "Log", "Messages", "Jobs", "Actions") if kind == "light" else ("Settings", "Messages")
    ):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(".side-body > *").first).to_be_attached()
        look(page, shots, f"production-item-{tab.lower()}-{kind}")
    page.goto("/test?item=Picture Detector")
    page.get_by_role("button", name="Invoke", exact=True).click()
    expect(page.locator(".tree")).to_be_visible()
    look(page, shots, f"test-{kind}")
    page.goto("/test?item=Fragile")
    page.get_by_role("button", name="Invoke", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    look(page, shots, f"test-error-{kind}")
    for name, session in sessions.items():
        page.goto(f"/trace?session={session}" + (f"&message={session + 1}" if name == "picture" else ""))
        expect(page.locator(".details .tree")).to_be_visible()
        look(page, shots, f"trace-{name}-{kind}")
    for name in ("trace", "messages", "log"):
        page.goto(f"/{name}")
        expect(page.locator(".records tbody tr").first).to_be_visible()
        look(page, shots, f"{name}-{kind}")


def test_look_follows_the_system_until_it_is_chosen(window: Callable[..., Visit]) -> None:
    page = window("dark").page()
    page.goto("/log")
    dark = "getComputedStyle(document.body).backgroundColor"
    page.wait_for_function(f"{dark} === 'rgb(16, 22, 27)'")
    page.get_by_role("button", name="Look: as the system").click()
    page.wait_for_function(f"{dark} === 'rgb(243, 245, 247)'")
    page.wait_for_function("document.cookie.includes('look=light')")
    page.goto("/messages")
    page.wait_for_function(f"{dark} === 'rgb(243, 245, 247)'")
    page.get_by_role("button", name="Look: light").click()
    page.get_by_role("button", name="Look: dark").click()
    expect(page.get_by_role("button", name="Look: as the system")).to_be_visible()


def test_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/log")
    expect(page.get_by_role("heading", name="Event Log")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_rooms_are_reached_from_everywhere(page: Page) -> None:
    page.goto("/production")
    rooms = page.get_by_role("navigation", name="Rooms")
    for name, heading in (("Test", "Test"), ("Messages", "Messages"), ("Visual Trace", "Visual Trace"),
                          ("Event Log", "Event Log"), ("Production", "Desk.Production")):  # fmt: skip
        rooms.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(rooms.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
