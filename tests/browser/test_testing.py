"""The test page: requests of every type, answers of every sort."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from browser.conftest import PASSWORD, USERNAME, Desk


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


def test_an_item_that_does_not_run_says_so_until_it_does(page: Page, desk: Desk) -> None:
    open_test(page, "Spare")
    request = page.get_by_role("region", name="Request")
    expect(request.locator(".pill")).to_contain_text("Disabled")
    desk.director.enable_item("Spare", True)
    try:
        expect(request.locator(".pill")).to_have_count(0)
    finally:
        desk.director.enable_item("Spare", False)


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


def test_progress_while_it_works(page: Page, desk: Desk) -> None:
    answer = open_test(page, "Trainer")
    with desk.trainer_held():
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
    body(page).fill('{"text": "typed last"}')
    body(page).press("Control+Enter")
    expect(answer.locator(".tree")).to_contain_text("typed last")


def test_examples_of_a_class(page: Page) -> None:
    open_test(page, "Sentiment")
    examples = page.get_by_role("group", name="Examples")
    examples.get_by_role("button", name="complaint").click()
    expect(body(page)).to_have_value('{\n  "stars": 1\n}')
    examples.get_by_role("button", name="praise").click()
    expect(body(page)).to_have_value('{\n  "text": "The tea was lovely and hot.",\n  "stars": 5\n}')


def test_form_and_json_say_the_same(page: Page) -> None:
    answer = open_test(page, "Sentiment")
    body(page).fill('{"stars": 2, "extra": [1, 2], "api_key": "hf_x"}')
    page.get_by_role("button", name="Form", exact=True).click()
    form = page.get_by_role("region", name="Request")
    expect(form.get_by_label("stars")).to_have_value("2")
    expect(form.get_by_role("textbox", name="extra")).to_have_value("[1, 2]")
    expect(form.get_by_role("textbox", name="api_key")).to_have_attribute("type", "password")
    form.get_by_label("text").fill("from the form")
    form.get_by_label("stars").fill("4")
    form.get_by_role("button", name="Remove extra").click()
    expect(form.get_by_role("textbox", name="extra")).to_have_count(0)  # the form is there anew
    form.get_by_label("Another field").fill("really")
    form.get_by_role("button", name="Add field").click()
    form.get_by_role("textbox", name="really").fill("true")
    form.get_by_role("textbox", name="api_key").fill("")
    page.get_by_role("button", name="JSON", exact=True).click()
    expect(body(page)).to_be_visible()
    typed = json.loads(body(page).input_value())
    assert typed == {"stars": 4, "text": "from the form", "really": True}
    invoke(page)
    expect(answer.locator(".tree")).to_contain_text("from the form")


def test_form_waits_for_json_that_is_valid(page: Page) -> None:
    open_test(page, "Sentiment")
    body(page).fill('{"text": ')
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.get_by_role("region", name="Request")).to_contain_text("Correct it as JSON first.")


def test_an_earlier_test_is_repeated_without_its_secrets(page: Page, desk: Desk) -> None:
    answer = open_test(page, "Sentiment")
    body(page).fill('{"text": "once more", "token": "hf_secret"}')
    invoke(page)
    expect(answer.locator(".tree")).to_contain_text("once more")
    page.goto("/test?item=Fragile")
    earlier = page.get_by_role("region", name="Earlier tests")
    row = earlier.locator("tbody tr").first
    expect(row).to_contain_text("Completed")
    expect(row).to_contain_text("once more")
    row.get_by_role("button", name="Repeat").click()
    expect(page.get_by_role("combobox", name="Item")).to_have_value("Sentiment")
    expect(body(page)).to_have_value('{"text": "once more", "token": "********"}')
    expect(page.get_by_text("Its secrets were not kept")).to_be_visible()
    assert "hf_secret" not in (desk.director.home / "messages.db").read_bytes().decode("latin-1")
    row.get_by_role("link").click()
    page.wait_for_url("**/trace?session=*")
    page.goto("/test")
    page.get_by_role("button", name="Forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    expect(page.get_by_text("What you send is kept here.")).to_be_visible()


def test_the_same_as_a_command(page: Page, desk: Desk) -> None:
    open_test(page, "Picture Detector")
    body(page).fill('{"name": "it\'s", "api_key": "hf_secret"}')
    page.get_by_role("button", name="Copy as curl").click()
    command = page.get_by_role("dialog").locator("pre").inner_text()
    assert "hf_secret" not in command
    ready = command.replace("curl -u SuperUser", f"curl -s -u '{USERNAME}:{PASSWORD}'")
    answer = json.loads(subprocess.run(["bash", "-c", ready], capture_output=True, text=True, check=True).stdout)
    assert json.loads(answer["body"])["output"][0]["label"] == "it's"
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Copy as iop --test").click()
    command = page.get_by_role("dialog").locator("pre").inner_text()
    iop = shutil.which("iop", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    ready = command.replace("iop --test", f"IOP_PASSWORD='{PASSWORD}' IOP_NAMESPACE=IRISAPP {iop} --test")
    done = subprocess.run(["bash", "-c", ready], capture_output=True, text=True, check=False)
    assert "it's" in done.stdout, done
