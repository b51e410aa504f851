"""The production page, used as an operator uses it."""

import threading
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Desk
from irislite.views import ItemState
from irislite.web.portal import ticks
from waiting import eventually


def card(page: Page, item: str) -> Locator:
    return page.locator(f'.item[data-item="{item}"]')


def open_item(page: Page, item: str, tab: str = "") -> Locator:
    """Open an item at the side, and one of its tabs."""
    page.goto(f"/production?item={item}")
    panel = page.get_by_role("region", name=f"Item {item}")
    expect(panel).to_be_visible()
    if tab:
        panel.get_by_role("tab", name=tab).click()
    return panel


def test_items_in_columns_with_state_and_reason(page: Page) -> None:
    page.goto("/production?name=Desk.Production")
    for column, items in (("Services", 1), ("Processes", 1), ("Operations", 6)):
        expect(page.get_by_role("region", name=column).locator(".item")).to_have_count(items)
    expect(card(page, "Sentiment")).to_contain_text("Running")
    expect(card(page, "Sentiment")).to_contain_text("2 pool")
    expect(card(page, "Review Feed")).to_contain_text("Disabled")
    expect(card(page, "Review Feed")).to_contain_text("Enabled at night only.")
    expect(card(page, "Broken Model")).to_contain_text("In error")
    expect(card(page, "Broken Model")).to_contain_text("There is no model folder src/model/bert-base-cased")
    expect(page.locator(".legend")).to_contain_text("5 running")
    expect(page.locator(".room-head .pill > span")).to_have_text("Troubled")


def test_texts_are_text(page: Page) -> None:
    page.goto("/production?item=Spare")
    expect(card(page, "Spare")).to_contain_text("<img src=x onerror=")
    assert page.locator("img[src=x]").count() == 0
    assert "broken in" not in page.title()


def test_settings_are_shown_compared_and_applied(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Sentiment")
    expect(panel.get_by_label("%settings")).to_have_value("name=reviews\ntask=text-classification")
    expect(panel).to_contain_text("The language of the reviews. (String · default en)")
    panel.get_by_label("language").fill("de <b>")
    panel.get_by_label("%settings").fill("name=reviews\ntask=zero-shot")
    panel.get_by_label("Pool size").fill("3")
    panel.get_by_role("button", name="Apply…").click()
    question = page.get_by_role("dialog")
    expect(question.locator(".diff-line")).to_have_text(
        ["  name=reviews", "− task=text-classification", "+ task=zero-shot"]
    )
    expect(question.locator(".change").nth(1).locator("pre")).to_have_text(["Default: en", "de <b>"])
    expect(question.locator(".change").nth(2).locator("pre")).to_have_text(["2", "3"])
    question.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied to Sentiment")).to_be_visible()
    item = desk.director.item("Sentiment")
    settings = {setting.name: setting.value for setting in desk.director.settings("Sentiment")}
    assert item.pool_size == 3
    assert settings["language"] == "de <b>"
    assert settings["%settings"] == "name=reviews\ntask=zero-shot"
    panel.get_by_label("%settings").fill("name=reviews\ntask=text-classification")  # as other tests find it
    # Emptied, a setting takes its default again.
    panel.get_by_label("language").fill("")
    panel.get_by_label("Pool size").fill("2")
    panel.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied to Sentiment").nth(1)).to_be_visible()
    settings = {setting.name: setting.value for setting in desk.director.settings("Sentiment")}
    assert settings["language"] is None


def test_settings_are_applied_while_another_tab_is_looked_at(
    page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply, go_on = desk.director.apply_settings, threading.Event()

    def slowly(*args: Any) -> list[str]:
        assert go_on.wait(60)
        return apply(*args)

    monkeypatch.setattr(desk.director, "apply_settings", slowly)
    panel = open_item(page, "Trainer")
    for size in ("2", "1"):
        panel.get_by_label("Pool size").fill(size)
        panel.get_by_role("button", name="Apply…").click()
        page.get_by_role("dialog").get_by_role("button", name="Apply").click()
        panel.get_by_role("tab", name="Jobs").click()
        expect(panel.get_by_text("The threads that take")).to_be_visible()
        go_on.set()
        expect(page.get_by_text(f"→ {size}")).to_be_visible()
        expect(panel.get_by_text("The threads that take")).to_be_visible()
        panel.get_by_role("tab", name="Settings").click()


def test_an_empty_setting_shows_what_a_line_of_settings_says(page: Page, desk: Desk) -> None:
    key = ("Host", "%settings")
    was = next(setting.value for setting in desk.director.settings("Sentiment") if setting.name == key[1])
    desk.director.apply_settings("Sentiment", {key: "language=de\nverbose=1"})
    try:
        panel = open_item(page, "Sentiment")
        expect(panel.get_by_label("language")).to_have_value("")
        expect(panel.get_by_label("language")).to_have_attribute("placeholder", "From %settings: de")
        expect(panel.get_by_label("threshold")).to_have_attribute("placeholder", "Default: 0.5")
        expect(panel).to_contain_text("From %settings: 1")
    finally:
        desk.director.apply_settings("Sentiment", {key: was})


def test_settings_that_do_not_start_are_told_in_full(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Broken Model")
    panel.get_by_label("Pool size").fill("2")
    panel.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    expect(panel.get_by_role("alert")).to_contain_text("There is no model folder src/model/bert-base-cased")
    desk_size = desk.director.item("Broken Model").pool_size
    assert desk_size == 2


def test_nothing_changed_is_not_applied(page: Page) -> None:
    open_item(page, "Trainer").get_by_role("button", name="Apply…").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()


def test_disable_and_enable(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Picture Detector", "Actions")
    panel.get_by_role("button", name="Disable").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(card(page, "Picture Detector")).to_contain_text("Disabled")
    assert desk.director.item("Picture Detector").state is ItemState.DISABLED
    panel.get_by_role("button", name="Enable").click()
    expect(card(page, "Picture Detector")).to_contain_text("Running")
    panel.get_by_role("button", name="Restart").click()
    expect(page.get_by_text("Picture Detector: restart done.")).to_be_visible()


def test_restart_that_fails_is_told_in_full(page: Page) -> None:
    open_item(page, "Broken Model", "Actions").get_by_role("button", name="Restart").click()
    expect(page.locator(".q-notification")).to_contain_text("run a training first.")
    expect(page.locator(".q-notification")).to_contain_text("Broken Model could not be started")


def test_log_and_messages_of_one_item(page: Page, desk: Desk) -> None:
    session = desk.test("Fragile")
    panel = open_item(page, "Fragile", "Log")
    expect(panel.locator("tbody tr").first).to_contain_text("cannot read")
    panel.get_by_text("Traceback", exact=True).first.click()
    expect(panel.locator("details[open] pre").first).to_contain_text("Traceback (most recent call last)")
    panel.get_by_role("tab", name="Messages").click()
    expect(panel.locator("tbody tr").first).to_contain_text("Error")
    panel.locator("tbody tr").first.get_by_role("link", name=str(session)).last.click()
    page.wait_for_url(f"**/trace?session={session}**")


def test_counts_and_queue_follow_live(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Trainer", "Queue")
    expect(panel).to_contain_text("Nothing waits.")
    with desk.trainer_held():
        headers = [desk.director.test_async("Trainer", "desk_hosts.Review", "{}") for _ in range(3)]
        expect(card(page, "Trainer")).to_contain_text("1 in work")
        expect(panel.locator(f'[data-row="{headers[2].id}"]')).to_contain_text("Queued")
        expect(panel.locator("tbody tr").first).to_contain_text("Delivered")
    desk.settle(headers[2].session_id)
    expect(card(page, "Trainer")).to_contain_text("0 queued")
    expect(panel).to_contain_text("Nothing waits.")


def test_keyboard_opens_and_closes_an_item(page: Page) -> None:
    page.goto("/production")
    card(page, "Trainer").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Item Trainer")
    expect(panel).to_be_focused()
    page.wait_for_url("**item=Trainer*")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(panel).to_have_count(0)
    expect(card(page, "Trainer")).to_be_focused()


def test_stop_asks_first_and_start_brings_everything_back(page: Page, desk: Desk) -> None:
    page.goto("/production")
    tools = page.locator(".room-head")
    expect(tools.get_by_role("button", name="Start", exact=True)).to_be_disabled()
    tools.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert desk.director.status()["status"] == "troubled"
    tools.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop").click()
    expect(page.locator(".room-head .pill > span")).to_have_text("Stopped")
    expect(card(page, "Sentiment")).to_contain_text("Stopped")
    tools.get_by_role("button", name="Start", exact=True).click()
    expect(card(page, "Sentiment")).to_contain_text("Running")
    tools.get_by_role("button", name="Restart").click()
    page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(tools.get_by_role("button", name="Restart")).to_be_enabled()
    expect(card(page, "Sentiment")).to_contain_text("Running")
    tools.get_by_role("button", name="Update").click()
    expect(tools.get_by_role("button", name="Update")).to_be_enabled()


@pytest.mark.parametrize("name", ["Desk.Producktion", "<img src=x onerror=alert(1)>"])
def test_another_production_is_not_passed_off_as_this_one(page: Page, name: str) -> None:
    page.goto(f"/production?name={name}")
    expect(page.get_by_text("does not exist. There is: Desk.Production.")).to_be_visible()
    expect(page.get_by_role("heading", name="Desk.Production")).to_be_visible()


def test_open_pages_ask_the_engine_once(page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several open pages share their questions."""
    asked, turns = [], []
    items, serve = desk.director.items, ticks.OpenPage.serve

    async def counted(open_page: ticks.OpenPage) -> None:
        turns.append(open_page)
        await serve(open_page)

    monkeypatch.setattr(desk.director, "items", lambda: asked.append(1) or items())
    monkeypatch.setattr(ticks.OpenPage, "serve", counted)
    tabs = [page, page.context.new_page(), page.context.new_page()]
    for tab in tabs:
        tab.goto("/production")
    eventually(lambda: len(set(turns)) == 3)
    asked.clear()
    turns.clear()
    eventually(lambda: len(turns) >= 9)
    assert 1 <= len(asked) <= len(turns) / 2  # a third of them, if nothing else makes the machine wait
