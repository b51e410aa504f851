"""The room Event Log: live, held, searched, grouped, with folded tracebacks and a way into the trace."""

import json

from playwright.sync_api import Page, expect

from browser.conftest import Desk
from browser.test_records import rows, search
from irislite.eventlog import LogType


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


def test_log_is_searched_and_leads_to_the_trace(page: Page, desk: Desk) -> None:
    desk.test("Fragile")
    session = desk.test("Sentiment", body='{"text": "green tea"}')
    page.goto("/log?type=Error")
    expect(page.locator("tr.log-error").first).to_be_visible()
    expect(page.locator("tr.log-info")).to_have_count(0)
    search(page, "item=Sentiment and text~GREEN")
    expect(rows(page)).to_have_count(1)
    page.wait_for_url("**/log?q=item%3DSentiment+and+text~GREEN")
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
    page.get_by_role("button", name="Older").click()
    expect(rows(page).first).to_contain_text("tick 59")


def test_equal_errors_are_one_row(page: Page, desk: Desk) -> None:
    for number in range(5):
        write = desk.director.eventlog.add(LogType.ERROR, f"no sugar for cup {number}", "Tray")
    write.wait()
    page.goto("/log")
    page.get_by_role("button", name="Group what is equal").click()
    expect(page.get_by_role("searchbox")).to_have_value("type=Error or type=Alert or type=Warning")
    group = page.locator(".groups tbody tr").filter(has_text="no sugar for cup 4")
    expect(group).to_contain_text("5 ×")
    expect(group.locator("time")).to_have_count(2)
    group.get_by_role("button").click()
    expect(page.get_by_role("searchbox")).to_have_value('type=Error and text~"no sugar for cup"')
    expect(page.locator(".log:not(.groups) tbody tr")).to_have_count(5)


def test_the_log_is_exported(page: Page, desk: Desk) -> None:
    desk.director.eventlog.add(LogType.WARNING, "the milk is old").wait()
    page.goto('/log?q=text~"milk is old"')
    expect(rows(page)).to_have_count(1)
    address = page.get_by_role("link", name="Export JSON lines").get_attribute("href") or ""
    (line,) = page.request.get(address).text().splitlines()
    assert json.loads(line)["text"] == "the milk is old"
