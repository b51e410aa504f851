"""The room Messages: live, searched by text and by conditions, kept, chosen, resent, exported."""

import asyncio
import csv
import json
import threading

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.accessibility import severe_findings
from browser.conftest import Desk
from browser.desk_hosts import MARKUP
from irislite.header import Body, Draft, Status
from irislite.web.portal.searchbar import SearchBar


def rows(page: Page) -> Locator:
    return page.locator(".records tbody tr")


def search(page: Page, text: str) -> None:
    """Type a search."""
    page.get_by_role("searchbox", name="Search").fill(text)
    page.keyboard.press("Enter")


def suspended(desk: Desk, text: str = "tea") -> int:
    """A message that lies aside; its id."""
    body = Body("IOP.Message", "desk_hosts.Review", json.dumps({"text": text}))
    draft = Draft("Sentiment", "Sentiment", "Review Feed", body, status=Status.SUSPENDED)
    (entry,) = desk.director.store.accept([draft]).wait()
    return entry.header.id


def test_messages_follow_what_happens(page: Page, desk: Desk) -> None:
    page.goto("/messages")
    session = desk.test("Fragile")
    row = page.locator(f'[data-message="{session}"]')
    expect(row).to_contain_text("desk_hosts.Review")
    expect(row.locator(".status-error")).to_contain_text("Error")


def test_messages_are_searched_by_text(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment", body='{"text": "jasmine and lemon"}')
    desk.test("Fragile")
    page.goto("/messages?item=Trainer&status=Error")
    expect(page.get_by_text("No message fits.")).to_be_visible()
    page.wait_for_url("**/messages?q=item%3DTrainer+and+status%3DError")
    search(page, 'body~"JASMINE and" and type=Request or status=Error and item=Nobody')
    expect(rows(page)).to_have_count(1)
    expect(page.locator(f'[data-message="{session}"] .preview-line')).to_contain_text("jasmine and lemon")
    page.wait_for_url("**JASMINE**")
    page.reload()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("searchbox").fill("stats=Error")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Is 'status' meant?")


def test_conditions_are_put_together_by_hand(page: Page, desk: Desk) -> None:
    desk.test("Fragile")
    desk.test("Sentiment", body='{"text": "bergamot"}')
    page.goto("/messages")
    page.get_by_role("button", name="Conditions").click()
    first = page.get_by_role("group", name="Alternative 1")
    first.get_by_label("Value of status").select_option("Error")
    expect(page.locator("td.status-completed")).to_have_count(0)
    expect(page.locator("td.status-error").first).to_be_visible()
    first.get_by_role("button", name="+ and").click()
    first.get_by_label("Field").nth(1).select_option("target")
    first.get_by_label("Value of target").fill("Fragile")
    first.get_by_label("Value of target").press("Tab")
    page.get_by_role("button", name="+ or").click()
    second = page.get_by_role("group", name="Alternative 2")
    second.get_by_label("Field").select_option("body")
    second.get_by_label("Value of body").fill("bergamot")
    second.get_by_label("Value of body").press("Tab")
    expect(page.get_by_role("searchbox")).to_have_value("status=Error and target=Fragile or body~bergamot")
    expect(rows(page).filter(has_text="bergamot").first).to_be_visible()
    second.get_by_role("button", name="Take this condition away").click()
    expect(page.get_by_role("searchbox")).to_have_value("status=Error and target=Fragile")
    expect(rows(page).filter(has_text="bergamot")).to_have_count(0)


def test_what_is_done_before_the_answer_to_a_search_stays(
    page: Page, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, look_for = threading.Semaphore(0), SearchBar.look_for

    async def answered(bar: SearchBar, text: str) -> None:
        await asyncio.to_thread(answers.acquire)
        await look_for(bar, text)

    monkeypatch.setattr(SearchBar, "look_for", answered)
    desk.test("Fragile")
    desk.test("Sentiment")
    page.goto("/messages")
    page.get_by_role("button", name="Conditions").click()
    group = page.get_by_role("group", name="Alternative 1")
    group.get_by_label("Value of status").select_option("Error")
    group.get_by_role("button", name="+ and").click()
    group.get_by_label("Field").nth(1).select_option("target")
    group.get_by_label("Value of target").fill("Frag")
    answers.release()
    expect(page.locator("td.status-completed")).to_have_count(0)
    expect(group.get_by_label("Value of target")).to_have_value("Frag")
    expect(page.get_by_role("searchbox")).to_have_value("status=Error")
    page.keyboard.press("Tab")
    search(page, "status=Completed")
    page.get_by_role("searchbox").fill("status=Completed and target=Sent")
    answers.release()  # of the condition that was left
    expect(page.locator("td.status-error")).to_have_count(0)
    answers.release()  # of what was typed there
    expect(page.locator("td.status-completed").first).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("status=Completed and target=Sent")
    page.keyboard.press("Enter")
    answers.release()
    expect(group.get_by_label("Value of target")).to_have_value("Sent")


def test_a_search_is_kept_for_its_user(page: Page, desk: Desk) -> None:
    page.goto("/messages?q=status%3DError")
    page.get_by_role("button", name="Save", exact=False).first.click()
    page.get_by_label("Name of the search").fill(MARKUP[:60])
    page.get_by_role("button", name="Save it").click()
    kept = page.get_by_label("Saved searches")
    expect(kept.locator("option")).to_have_count(2)
    page.goto("/messages")
    expect(kept.locator("option")).to_have_text(["Saved searches", MARKUP[:60]])
    kept.select_option(MARKUP[:60])
    expect(page.get_by_role("searchbox")).to_have_value("status=Error")
    page.get_by_role("button", name="Forget it").click()
    expect(kept).to_have_count(0)


def test_messages_page_by_page(page: Page, desk: Desk) -> None:
    for _ in range(60):
        last = desk.director.test_async("Sentiment", "desk_hosts.Review", "{}")
    desk.settle(last.session_id)
    page.goto("/messages?item=Sentiment")
    expect(rows(page)).to_have_count(50)
    newest = int(rows(page).first.get_attribute("data-message") or 0)
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("status").first).to_contain_text("before message")
    expect(rows(page).first).not_to_have_attribute("data-message", str(newest))
    assert int(rows(page).first.get_attribute("data-message") or 0) < newest
    page.get_by_role("button", name="Newest").click()
    expect(rows(page).first).to_have_attribute("data-message", str(newest))


def test_a_body_is_shown_in_place(page: Page, desk: Desk) -> None:
    session = desk.test("Picture Detector", "Picture")
    page.goto(f"/messages?q=session%3D{session}")
    page.get_by_title(f"Show the body of message {session + 1}").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name="Boxes on kettle")).to_be_visible()
    expect(dialog.locator(".tree")).to_contain_text("0.88")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_chosen_messages_are_resubmitted_and_discarded(page: Page, desk: Desk) -> None:
    first, second = suspended(desk), suspended(desk)
    page.goto(f"/messages?q=id%3E%3D{first}")
    page.get_by_label(f"Choose message {first}").check()
    page.get_by_role("button", name="Resubmit").click()
    page.get_by_role("dialog").get_by_role("button", name="Resubmit").click()
    expect(page.locator(f'[data-message="{first}"] .status-completed')).to_be_visible()
    page.get_by_label(f"Choose message {second}").check()
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.locator(f'[data-message="{second}"] .status-discarded')).to_be_visible()


def test_many_are_edited_and_resent_to_another_item(page: Page, desk: Desk) -> None:
    sessions = [desk.test("Fragile", body='{"text": "chipped cup"}') for _ in range(2)]
    page.goto(f"/messages?q=target%3DFragile+and+id%3E%3D{sessions[0]}")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Choose all of this page").check()
    page.get_by_role("button", name="Edit and resend").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Each of them is sent again")
    dialog.get_by_role("combobox", name="Target").fill("Sentim")
    page.get_by_role("option", name="Sentiment", exact=True).click()
    dialog.get_by_label("Body (JSON)").fill('{"text": ')
    dialog.get_by_role("button", name="Resend").click()
    expect(dialog.get_by_text("no valid JSON")).to_be_visible()
    dialog.get_by_label("Body (JSON)").fill('{"text": "mended cup"}')
    dialog.get_by_role("button", name="Resend").click()
    expect(page.get_by_text("2 of 2 resent.")).to_be_visible()
    for session in sessions:
        desk.settle(session)
        again = [header for header in desk.director.store.session(session) if header.target_config_name == "Sentiment"]
        assert [header.status for header in again] == [Status.COMPLETED]
        body = desk.director.store.body(again[0].message_body_id)
        assert body is not None and json.loads(body.content)["text"] == "mended cup"


def test_what_cannot_be_done_is_told_one_by_one(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment")
    page.goto(f"/messages?q=session%3D{session}")
    page.get_by_label("Choose all of this page").check()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("dialog").get_by_role("button", name="Suspend").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("0 of 2 suspended.")
    expect(dialog).to_contain_text("it is finished")


def test_what_is_searched_for_is_exported(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment", body='{"text": "=1+1"}')
    page.goto(f"/messages?q=session%3D{session}")
    expect(rows(page)).to_have_count(2)
    address = page.get_by_role("link", name="Export JSON lines").get_attribute("href") or ""
    lines = [json.loads(line) for line in page.request.get(address).text().splitlines()]
    assert [line["id"] for line in lines] == [session + 1, session] and lines[1]["body"]["text"] == "=1+1"
    address = page.get_by_role("link", name="Export CSV").get_attribute("href") or ""
    table = list(csv.DictReader(page.request.get(address).text().removeprefix("\ufeff").splitlines()))
    assert [row["target"] for row in table] == ["EnsLib.Testing.Service", "Sentiment"]


def test_markup_is_text_in_every_room(page: Page, desk: Desk) -> None:
    body = Body("IOP.Message", MARKUP, json.dumps({"text": MARKUP, MARKUP: [MARKUP], "images": [{"title": MARKUP}]}))
    draft = Draft(
        MARKUP, "nobody", MARKUP, body, status=Status.ERROR, is_error=True, error_text=MARKUP, description=MARKUP
    )
    (entry,) = desk.director.store.accept([draft]).wait()
    desk.test("Fragile", body=json.dumps({"text": MARKUP}))
    session = entry.header.id
    for address in (f"/messages?q=session%3D{session}", f"/trace?session={session}", f"/trace?session={session}&view=time",
                    "/log", "/log?grouped=1&q=type%3DError"):  # fmt: skip
        page.goto(address)
        expect(page.locator("main").get_by_text("<script>").first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
        assert page.title() != "broken in"
    page.goto(f"/messages?q=session%3D{session}")
    page.get_by_title(f"Show the body of message {session}").click()
    expect(page.get_by_role("dialog").locator(".tree")).to_contain_text("<script>")
    assert page.locator("img[src=x]").count() == 0


def test_what_opens_and_unfolds_is_accessible(page: Page, desk: Desk) -> None:
    session = desk.test("Review Router")
    page.goto(f"/messages?q=session%3D{session}+or+created%3E%3D-1h+and+id%3D{session}")
    page.get_by_role("button", name="Conditions").click()
    page.get_by_label("Choose all of this page").check()
    expect(page.get_by_text("4 chosen")).to_be_visible()
    assert severe_findings(page) == []
    page.goto(f"/trace?session={session}&view=time")
    expect(page.locator(".bar").first).to_be_visible()
    assert severe_findings(page) == []
    page.goto(f"/log?grouped=1&q=session%3D{session}")
    expect(page.locator(".groups")).to_be_visible()
    assert severe_findings(page) == []
