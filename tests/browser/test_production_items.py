"""Items added, copied, removed, found, and looked into, on the production page."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import Desk, Visit
from browser.test_production import card, open_item
from irislite.actor import Role
from irislite.header import Status


@pytest.fixture
def own_items(desk: Desk) -> Iterator[None]:
    """Whatever a test adds is removed after it."""
    before = {item.name for item in desk.director.items()}
    yield
    for item in desk.director.items():
        if item.name not in before:
            desk.director.remove_item(item.name)


def ask_for(page: Page, name: str, model: str = "reviews", task: str = "ner") -> None:
    """Fill in and send the dialog that adds an item."""
    page.goto("/production")
    page.get_by_role("button", name="Add item").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("combobox", name="Component")).to_have_value("Python.deskhosts.Sentiment")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Model").fill(model)
    dialog.get_by_label("Task").fill(task)
    dialog.get_by_role("button", name="Add", exact=True).click()


@pytest.mark.usefixtures("own_items")
def test_a_new_model_in_three_fields_answers(page: Page, desk: Desk) -> None:
    ask_for(page, "New Model", "films", "text-classification")
    panel = page.get_by_role("region", name="Item New Model")
    expect(panel.get_by_label("%settings")).to_have_value("name=films\ntask=text-classification")
    expect(card(page, "New Model")).to_contain_text("Running")
    panel.get_by_role("tab", name="Actions").click()
    panel.get_by_role("button", name="Test").click()
    page.get_by_role("button", name="Invoke", exact=True).click()
    expect(page.get_by_role("region", name="Answer").locator(".tree")).to_contain_text("positive")
    assert desk.director.item("New Model").processed == 1


@pytest.mark.usefixtures("own_items")
def test_what_cannot_be_added_is_told_in_the_dialog(page: Page, desk: Desk) -> None:
    ask_for(page, "Sentiment", "none")
    alert = page.get_by_role("dialog").get_by_role("alert").first
    expect(alert).to_contain_text("There is no folder 'none': paste an address.")
    page.get_by_role("dialog").get_by_role("button", name="reviews").click()  # a choice that is offered
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(alert).to_contain_text("has an item 'Sentiment' already")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(desk.director.items()) == 8


@pytest.mark.usefixtures("own_items")
def test_copy_change_enable_and_remove(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Sentiment", "Actions")
    panel.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("dialog").get_by_label("Name of the copy")).to_have_value("Sentiment 2")
    page.get_by_role("dialog").get_by_role("button", name="Copy", exact=True).click()
    panel = page.get_by_role("region", name="Item Sentiment 2")
    copied = {setting.name: setting.value for setting in desk.director.settings("Sentiment")}["%settings"]
    expect(panel.get_by_label("%settings")).to_have_value(copied or "")
    expect(card(page, "Sentiment 2")).to_contain_text("Disabled")
    panel.get_by_role("tab", name="Actions").click()
    panel.get_by_role("button", name="Enable").click()
    expect(card(page, "Sentiment 2")).to_contain_text("Running")
    panel.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(card(page, "Sentiment 2")).to_have_count(0)
    expect(panel).to_have_count(0)
    assert "Sentiment 2" not in {item.name for item in desk.director.items()}


def test_items_are_found_by_words_and_by_state(page: Page) -> None:
    page.goto("/production")
    expect(card(page, "Trainer")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("hosts.sentiment dis")
    expect(page.locator(".item")).to_have_count(1)
    expect(card(page, "Spare")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="shown")).to_have_text("1 of 8 shown")
    page.keyboard.press("Escape")
    expect(page.locator(".item")).to_have_count(8)
    page.locator(".legend").get_by_role("button", name="1 in error").click()
    expect(page.locator(".item")).to_have_count(1)
    expect(card(page, "Broken Model")).to_be_visible()


def test_items_are_found_by_their_category(page: Page) -> None:
    page.goto("/production?item=Trainer")
    choice = page.get_by_label("Category")
    expect(choice.locator("option")).to_have_text(["All categories", "Nightly", "Pictures", "Tuning"])
    choice.select_option("Nightly")
    expect(page.locator(".item")).to_have_count(1)
    expect(card(page, "Trainer")).to_be_visible()
    expect(page.get_by_role("region", name="Item Trainer")).to_contain_text("Tuning, Nightly")


def test_connections_are_drawn_lit_and_told(page: Page) -> None:
    page.goto("/production")
    expect(page.locator(".links > path")).to_have_count(2)  # feed to router, router to Sentiment
    expect(page.locator(".links > path.lit")).to_have_count(0)
    card(page, "Review Router").hover()
    expect(page.locator(".links > path.lit")).to_have_count(2)
    expect(card(page, "Sentiment")).to_have_class("item state-running linked")
    page.mouse.move(2, 2)
    card(page, "Review Feed").focus()
    expect(page.locator(".links > path.lit")).to_have_count(1)
    expect(card(page, "Review Feed")).to_contain_text("sends to Review Router")
    ends = page.evaluate(
        """() => [...document.querySelectorAll('.links > path')].map(path => {
            const end = path.getPointAtLength(path.getTotalLength()), board = path.ownerSVGElement.getBoundingClientRect();
            return document.elementFromPoint(end.x + board.x + 3, end.y + board.y).closest('.item')?.dataset.item; })"""
    )
    assert sorted(ends) == ["Review Router", "Sentiment"]  # a line ends where its target is


def test_throughput_is_drawn_as_it_happens(page: Page, desk: Desk) -> None:
    page.goto("/production")
    for _ in range(3):
        desk.test("Sentiment")
    expect(card(page, "Sentiment").locator(".spark path")).to_have_count(1)
    expect(card(page, "Sentiment").locator(".item-rate")).to_contain_text("/min")


def test_jobs_tell_who_works_on_what(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Trainer", "Jobs")
    expect(panel.locator("tbody tr")).to_have_count(1)
    expect(panel.locator("tbody tr")).to_contain_text("Waits for work")
    with desk.trainer_held():
        header = desk.director.test_async("Trainer", "desk_hosts.Review", "{}")
        expect(panel.locator("tbody tr")).to_contain_text("Works")
        expect(panel.get_by_role("link", name=str(header.id))).to_be_visible()
    desk.settle(header.session_id)


def test_one_message_is_aborted_then_all(page: Page, desk: Desk) -> None:
    panel = open_item(page, "Trainer", "Queue")
    with desk.trainer_held():
        headers = [desk.director.test_async("Trainer", "desk_hosts.Review", "{}") for _ in range(9)]
        expect(panel.locator(f'[data-row="{headers[8].id}"]')).to_contain_text("Queued")
        expect(panel.locator("tbody tr").first.get_by_role("button")).to_have_count(0)  # it is worked on
        panel.locator(f'[data-row="{headers[8].id}"]').get_by_role("button", name="Abort").click()
        expect(page.get_by_text(f"Message {headers[8].id} was aborted.")).to_be_visible()
        panel.get_by_role("button", name="Abort all").click()
        page.get_by_role("dialog").get_by_role("button", name="Abort all").click()
        expect(page.get_by_text("messages were aborted.")).to_be_visible()
    for header in headers:
        desk.settle(header.session_id)
    statuses = [desk.director.store.header(header.id).status for header in headers]
    assert statuses[0] is Status.COMPLETED and statuses[-2:] == [Status.ABORTED, Status.ABORTED]


def test_recover_tells_what_still_does_not_start(page: Page) -> None:
    page.goto("/production")
    page.locator(".room-head").get_by_role("button", name="Recover").click()
    expect(page.locator(".q-notification")).to_contain_text("Broken Model could not be started")
    expect(page.locator(".q-notification")).to_contain_text("run a training first.")


def test_escape_closes_the_panel(page: Page) -> None:
    open_item(page, "Trainer", "Actions")
    page.keyboard.press("Escape")
    expect(page.get_by_role("region", name="Item Trainer")).to_have_count(0)
    expect(card(page, "Trainer")).to_be_focused()


def test_arrows_go_from_card_to_card(page: Page) -> None:
    page.goto("/production")
    card(page, "Review Feed").focus()
    for key, item in (
        ("ArrowRight", "Review Router"),
        ("ArrowRight", "Sentiment"),
        ("ArrowDown", "Picture Detector"),
        ("ArrowRight", "Picture Detector"),
        ("ArrowLeft", "Review Router"),
        ("ArrowUp", "Review Router"),
    ):
        page.keyboard.press(key)
        expect(card(page, item)).to_be_focused()


def test_an_update_that_is_due_is_told(page: Page, desk: Desk) -> None:
    kept = desk.director.productions.production("Desk.Production")
    page.goto("/production")
    told = page.get_by_text("press Update to apply it.")
    expect(told).to_be_hidden()
    desk.director.apply_plan("Desk.Production", [
        {"op_type": "set_item_field", "item": "Trainer", "field": "comment", "after": "Slow."}
    ])  # fmt: skip
    expect(told).to_be_visible()
    page.locator(".room-head").get_by_role("button", name="Update").click()
    expect(card(page, "Trainer")).to_contain_text("Slow.")
    expect(told).to_be_hidden()
    desk.director.productions.save(kept)
    desk.director.update()
    expect(card(page, "Trainer")).not_to_contain_text("Slow.")


def test_a_viewer_sees_what_it_takes(visit: Callable[..., Visit], desk: Desk) -> None:
    users = desk.accounts.made_users()
    users.add("vic", Role.VIEWER, "vic's own words")
    page = visit().page()
    page.goto("/production?item=Sentiment")
    page.get_by_label("User name").fill("vic")
    page.get_by_label("Password").fill("vic's own words")
    page.get_by_role("button", name="Sign in").click()
    panel = page.get_by_role("region", name="Item Sentiment")
    for button in (page.get_by_role("button", name="Add item"), page.get_by_role("button", name="Stop", exact=True),
                   panel.get_by_role("button", name="Apply…")):  # fmt: skip
        expect(button).to_be_disabled()
        expect(button).to_have_attribute("title", "Needs the role operator")
    panel.get_by_role("tab", name="Actions").click()
    expect(panel.get_by_role("button", name="Remove")).to_have_attribute("title", "Needs the role administrator")
    page.goto("/test?item=Sentiment")
    expect(page.get_by_role("button", name="Invoke", exact=True)).to_be_disabled()
    users.remove("vic")
