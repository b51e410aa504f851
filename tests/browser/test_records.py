"""The event log and the message list: live, filtered, bounded."""

from playwright.sync_api import Locator, Page, expect

from browser.conftest import Desk
from irislite.eventlog import LogType


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def rows(page: Page) -> Locator:
    return page.locator(".records tbody tr")


def test_log_follows_pauses_and_goes_on(page: Page, desk: Desk) -> None:
    page.goto("/log")
    expect(rows(page).first).to_be_visible()
    desk.director.eventlog.add(LogType.INFO, "the kettle boils").wait()
    expect(rows(page).first).to_contain_text("the kettle boils")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Follow")).to_be_visible()
    desk.director.eventlog.add(LogType.ALERT, "the kettle <b>whistles</b>").wait()
    expect(page.get_by_text("Paused, there are newer entries")).to_be_visible()
    expect(rows(page).first).to_contain_text("the kettle boils")
    page.get_by_role("button", name="Follow").click()
    expect(rows(page).first).to_contain_text("the kettle <b>whistles</b>")
    expect(rows(page).first).to_contain_text("Alert")


def test_log_filters_by_type_item_and_text(page: Page, desk: Desk) -> None:
    desk.test("Fragile")
    session = desk.test("Sentiment", body='{"text": "green tea"}')
    page.goto("/log")
    choose(page, "Type", "Error")
    expect(page.locator("tr.log-info")).to_have_count(0)
    expect(page.locator("tr.log-error").first).to_be_visible()
    choose(page, "Type", "All types")
    choose(page, "Item", "Sentiment")
    expect(page.locator("tr.log-error")).to_have_count(0)
    page.get_by_label("Text").fill("GREEN")
    expect(rows(page)).to_have_count(1)
    page.wait_for_url("**/log?item=Sentiment&text=GREEN")
    desk.test("Fragile")
    desk.test("Sentiment", body='{"text": "evergreen"}')
    expect(rows(page)).to_have_count(2)
    rows(page).last.get_by_role("link", name=str(session)).click()
    page.wait_for_url(f"**/trace?session={session}**")


def test_log_folds_tracebacks_and_is_bounded(page: Page, desk: Desk) -> None:
    desk.test("Fragile")
    page.goto("/log?type=Error&item=Fragile")
    stack = page.locator("details pre").first
    expect(stack).to_be_hidden()
    page.get_by_text("Traceback", exact=True).first.click()
    expect(stack).to_contain_text("ValueError")
    for number in range(350):
        write = desk.director.eventlog.add(LogType.TRACE, f"tick {number}")
    write.wait()
    page.goto("/log")
    expect(rows(page).first).to_contain_text("tick 349")
    expect(rows(page)).to_have_count(300)
    for number in range(350, 360):
        write = desk.director.eventlog.add(LogType.TRACE, f"tick {number}")
    expect(rows(page).first).to_contain_text("tick 359")
    expect(rows(page)).to_have_count(300)


def test_messages_follow_and_are_filtered(page: Page, desk: Desk) -> None:
    page.goto("/messages")
    session = desk.test("Fragile")
    expect(rows(page).nth(0)).to_contain_text("Fragile")
    expect(page.locator(f'[data-message="{session}"]')).to_contain_text("desk_hosts.Review")
    choose(page, "Status", "Error")
    expect(page.locator("td.status-completed")).to_have_count(0)
    expect(page.locator("td.status-error").first).to_be_visible()
    choose(page, "Source or target", "Trainer")
    expect(page.get_by_text("No message fits.")).to_be_visible()
    page.wait_for_url("**/messages?item=Trainer&status=Error")


def test_messages_page_by_page(page: Page, desk: Desk) -> None:
    for _ in range(60):
        last = desk.director.test_async("Sentiment", "desk_hosts.Review", "{}")
    desk.settle(last.session_id)
    page.goto("/messages?item=Sentiment")
    expect(rows(page)).to_have_count(50)
    newest = int(rows(page).first.get_attribute("data-message") or 0)
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("Before message")).to_be_visible()
    assert int(rows(page).first.get_attribute("data-message") or 0) < newest
    page.get_by_role("button", name="Newest").click()
    expect(rows(page).first).to_have_attribute("data-message", str(newest))
