"""Every room of irislite as axe-core sees it, light and dark, on a desk, a tablet and a phone; and with the keyboard alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from browser.accessibility import findings_at_each_size, severe_findings
from browser.conftest import Desk, Visit

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
    assert findings_at_each_size(page, shots, name) == []


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
