"""Every room as axe-core sees it, light and dark, on a desk, a tablet and a phone; and with the keyboard alone."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from browser.accessibility import severe_findings
from browser.conftest import Desk, Visit

SIZES = {"desk": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
OF_COLOURS = ["color-contrast", "link-in-text-block"]
# What makes a page wider than its window, if it is.
STICKS_OUT = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
  [...document.querySelectorAll('body *:not(.rail *)')].filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .map(element => element.outerHTML.slice(0, 160)).slice(0, 5).concat('the page is wider than its window')"""
# Each room with something in it, and what is there when it is.
PAGES = {
    "production": ("/production", ".item"),
    "item": ("/production?item=Sentiment", ".side .setting"),
    "test": ("/test?item=Sentiment", "main button"),
    "messages": ("/messages", ".records tbody tr"),
    "trace": ("/trace?session={session}", "main h1"),
    "log": ("/log", ".records tbody tr"),
    "sql": ("/sql", "main h1"),
    "system": ("/system", ".records tbody tr"),
    "users": ("/system?tab=users", ".records tbody tr"),
    "credentials": ("/system?tab=credentials", "main .notice"),
    "audit": ("/system?tab=audit", ".records tbody tr"),
    "upkeep": ("/system?tab=backup and purge", ".records"),
}  # fmt: skip


@pytest.fixture(scope="module")
def session(desk: Desk) -> int:
    """A session with requests, answers and pictures."""
    return desk.test("Review Router", body='{"text": "fan"}')


@pytest.mark.parametrize("name", PAGES)
def test_a_room_without_a_severe_finding(name: str, page: Page, session: int, shots: Path) -> None:
    path, content = PAGES[name]
    page.goto(path.format(session=session))
    page.locator(content).first.wait_for(state="attached")
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(60)  # Quasar hears of it, and paints
            if os.environ.get("EVERGREEN_SCREENSHOTS"):
                page.screenshot(path=shots / f"room-{name}-{size}-{scheme}.png")
            # Between light and dark only colours change.
            rules = [] if scheme == "light" else OF_COLOURS
            found += [f"{size} {scheme}: {finding}" for finding in severe_findings(page, rules)]
        found += [f"{size}: sticks out: {element}" for element in page.evaluate(STICKS_OUT)]
    assert found == []


def test_the_sign_in_without_a_severe_finding(visit: Callable[..., Visit]) -> None:
    page = visit().page()
    page.goto("/signin")
    assert severe_findings(page) == []


def test_a_user_is_made_with_the_keyboard_alone(page: Page) -> None:
    """From the first Tab to the new user: every step is reached, seen and done without a mouse."""
    page.goto("/system?tab=users")
    expect(page.get_by_role("button", name="Add a user…")).to_be_visible()
    tab_to(page, "Add a user…")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    tab_to(page, "User name")
    page.keyboard.type("keyboard-user")
    tab_to(page, "Password")
    page.keyboard.type("typed with ten fingers")
    page.keyboard.press("Enter")
    expect(page.locator("[data-row='keyboard-user']")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_keyboard_goes_through_a_room_and_never_gets_stuck(page: Page) -> None:
    page.goto("/system")
    expect(page.locator(".records tbody tr").first).to_be_visible()
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(FOCUSED)
        if name in seen and name == seen[0]:
            break
        seen.append(name)
    assert "To the content" in seen[0]
    assert any("Health" in name for name in seen), seen
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") is not None


FOCUSED = """(() => { const element = document.activeElement; return element.getAttribute('aria-label')
    || element.labels?.[0]?.innerText || element.innerText || element.tagName; })()"""


def tab_to(page: Page, name: str, most: int = 80) -> None:
    """Press Tab until the element of that name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if name in str(page.evaluate(FOCUSED)).split("\n"):
            return
    raise AssertionError(f"{name!r} is not reached by the Tab key")
