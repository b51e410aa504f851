"""The test page: requests of every type, answers of every sort."""

import json

from playwright.sync_api import Locator, Page, expect

from browser.conftest import Desk


def open_test(page: Page, item: str) -> Locator:
    """Open the page for an item. Returns the region where the answer appears."""
    page.goto(f"/test?item={item}")
    expect(page.get_by_role("combobox", name="Item")).to_have_value(item)
    expect(page.get_by_label("Body (JSON)")).not_to_have_value("")
    return page.get_by_role("region", name="Answer")


def invoke(page: Page) -> None:
    page.get_by_role("button", name="Invoke", exact=True).click()


def body(page: Page) -> Locator:
    return page.get_by_label("Body (JSON)")


def test_template_then_answer_with_note_and_picture(page: Page, desk: Desk) -> None:
    answer = open_test(page, "Picture Detector")
    assert json.loads(body(page).input_value()) == {"name": "kettle"}
    invoke(page)
    expect(answer.locator(".pill > span")).to_have_text("Completed")
    expect(answer.locator(".notice.note")).to_contain_text("This model's head is still untrained")
    picture = answer.get_by_role("img", name="Boxes on kettle")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.pictures img').naturalWidth === 320")
    expect(answer.locator(".tree")).to_contain_text("0.88")
    expect(answer.locator(".tree")).not_to_contain_text("iVBOR")
    answer.get_by_role("link", name="Visual Trace").click()
    page.wait_for_url("**/trace?session=*")


def test_long_values_are_cut_and_say_so(page: Page) -> None:
    answer = open_test(page, "Sentiment")
    body(page).fill('{"text": "long"}')
    invoke(page)
    expect(answer.locator(".tree")).to_contain_text("… (2,204 characters in all)")
    with page.expect_popup() as popup:
        answer.get_by_role("link", name="Whole body").click()
    assert len(json.loads(popup.value.locator("body").inner_text())["output"][0]["text"]) == 2204


def test_error_is_told_in_full_and_is_text(page: Page) -> None:
    answer = open_test(page, "Fragile")
    body(page).fill('{"text": "<script>alert(1)</script>"}')
    invoke(page)
    expect(answer.locator(".pill > span")).to_have_text("In error")
    expect(answer.get_by_role("alert")).to_contain_text("ValueError: cannot read '<script>alert(1)</script>'")
    expect(answer.get_by_role("alert")).to_contain_text("Send another review.")
    expect(answer.locator("table")).to_contain_text("about to fail: <img src=x")
    assert page.locator("img[src=x]").count() == 0
    assert "broken in" not in page.title()


def test_progress_while_it_works(page: Page) -> None:
    answer = open_test(page, "Trainer")
    invoke(page)
    expect(answer.locator(".pill > span")).to_have_text("Delivered")
    expect(answer.get_by_role("progressbar", name="Waiting")).to_be_visible()
    expect(answer.locator("table")).to_contain_text("step 2 of 4")
    expect(answer.locator(".pill > span")).to_have_text("Completed")
    expect(answer.locator(".tree")).to_contain_text("0.81")


def test_answer_of_a_process_that_waits_for_its_calls(page: Page) -> None:
    answer = open_test(page, "Review Router")
    body(page).fill('{"text": "fan out"}')
    invoke(page)
    expect(answer.locator(".pill > span")).to_have_text("Completed")
    expect(answer.locator(".tree")).to_contain_text("part 2")


def test_invoke_and_leave(page: Page, desk: Desk) -> None:
    answer = open_test(page, "Trainer")
    page.get_by_role("button", name="Invoke and leave").click()
    expect(answer.get_by_text("It goes on without this page.")).to_be_visible()
    answer.get_by_role("link", name="Visual Trace").click()
    page.wait_for_url("**/trace?session=*")
    expect(page.locator(".room-head .pill > span")).to_have_text("Running")
    expect(page.locator(".room-head .pill > span")).to_have_text("Completed")


def test_bad_input_says_what_to_do(page: Page) -> None:
    answer = open_test(page, "Sentiment")
    body(page).fill('{"text": ')
    expect(page.get_by_text("No valid JSON: Expecting value: line 1 column 10")).to_be_visible()
    invoke(page)
    expect(answer.get_by_role("alert")).to_contain_text("Write it as in")
    body(page).fill("[1]")
    expect(page.get_by_text("It must be a JSON object")).to_be_visible()
    body(page).fill("{}")
    page.get_by_label("Class name").fill("desk_hosts.Revue")
    invoke(page)
    expect(answer.get_by_role("alert")).to_contain_text("Did you mean 'Review'?")


def test_item_that_does_not_run(page: Page) -> None:
    page.goto("/test?item=Spare")
    answer = page.get_by_role("region", name="Answer")
    expect(page.get_by_role("region", name="Request")).to_contain_text("Not wanted yet. <img src=x")
    invoke(page)
    expect(answer.get_by_role("alert")).to_contain_text("Spare is disabled.")
    expect(answer.get_by_role("alert")).to_contain_text("Enable it first")


def test_item_in_error_is_not_waited_for(page: Page, desk: Desk) -> None:
    page.goto("/test?item=Broken Model")
    answer = page.get_by_role("region", name="Answer")
    invoke(page)
    expect(answer.get_by_role("alert")).to_contain_text("Broken Model could not be started")
    page.get_by_role("button", name="Invoke and leave").click()
    expect(answer).to_contain_text("the message waits in its queue until it is started again")


def test_other_request_types(page: Page) -> None:
    answer = open_test(page, "Sentiment")
    page.get_by_role("combobox", name="Request type").click()
    page.get_by_role("option", name="Ens.StringRequest").click()
    expect(page.get_by_label("Class name")).to_be_hidden()
    page.get_by_label("Text").fill("just words")
    invoke(page)
    expect(answer.locator(".pill > span")).to_be_visible()
    answer.get_by_role("link", name="Visual Trace").click()
    expect(page.locator(".details .tree")).to_contain_text("just words")


def test_own_text_survives_another_item_and_the_template_can_be_had_again(page: Page) -> None:
    open_test(page, "Sentiment")
    body(page).fill('{"text":"mine"}')
    page.get_by_role("button", name="Format").click()
    expect(body(page)).to_have_value('{\n  "text": "mine"\n}')
    page.get_by_role("combobox", name="Item").fill("Picture")
    page.get_by_role("option", name="Picture Detector").click()
    expect(page.get_by_label("Class name")).to_have_value("desk_hosts.Picture")
    expect(body(page)).to_have_value('{\n  "text": "mine"\n}')
    page.get_by_role("button", name="Template").click()
    expect(body(page)).to_have_value('{\n  "name": "kettle"\n}')


def test_control_enter_invokes(page: Page) -> None:
    answer = open_test(page, "Sentiment")
    body(page).press("Control+Enter")
    expect(answer.locator(".pill > span")).to_have_text("Completed")
