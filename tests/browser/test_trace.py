"""The Visual Trace: picture, details, log."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from browser.conftest import Desk


def test_columns_and_numbered_arrows(page: Page, desk: Desk) -> None:
    session = desk.test("Review Router", body='{"text": "fan"}')
    page.goto(f"/trace?session={session}")
    hosts = ["serviceEnsLib.Testing.Service", "processReview Router", "operationSentiment"]
    expect(page.locator(".host")).to_have_text(hosts)
    expect(page.locator(".diagram .arrow")).to_have_count(8)
    expect(page.locator(".badge-number")).to_have_text([str(number) for number in range(1, 9)])
    expect(page.locator(".arrow-request")).to_have_count(4 + 1)  # one is in the key
    expect(page.locator(".room-head")).to_contain_text("8 messages")
    first = page.get_by_role("button", name="Message 1, request, from EnsLib.Testing.Service to Review Router")
    expect(first).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".trace-log tbody tr")).to_have_count(3)


def test_click_and_keyboard_open_a_message(page: Page, desk: Desk) -> None:
    session = desk.test("Review Router", body='{"text": "one"}')
    page.goto(f"/trace?session={session}")
    details = page.get_by_role("region", name="Message")
    page.get_by_role("button", name="Message 2, request").click()
    expect(details.get_by_role("heading")).to_have_text(f"2. Request {session + 1}")
    expect(details).to_contain_text("one by one")
    expect(details.locator(".tree")).to_contain_text("one")
    page.get_by_role("button", name="Message 2, request").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(details.get_by_role("heading")).to_have_text(f"3. Response {session + 2}")
    expect(details.locator(".tree")).to_contain_text("0.9731")
    page.wait_for_url(f"**message={session + 2}*")
    page.reload()
    expect(details.get_by_role("heading")).to_have_text(f"3. Response {session + 2}")


def test_error_is_marked_by_shape_and_word(page: Page, desk: Desk) -> None:
    session = desk.test("Fragile")
    page.goto(f"/trace?session={session}")
    failed = page.get_by_role("button", name="Message 1, request, failed")
    expect(failed.locator(".cross")).to_be_visible()
    expect(failed.locator(".label")).to_contain_text("Error")
    expect(page.get_by_role("region", name="Message").get_by_role("alert")).to_contain_text("Send another review.")
    page.get_by_text("Traceback", exact=True).click()
    expect(page.locator("details[open] pre")).to_contain_text("in on_review")
    assert page.locator("img[src=x]").count() == 0


def test_pictures_are_shown(page: Page, desk: Desk) -> None:
    session = desk.test("Picture Detector", "Picture")
    page.goto(f"/trace?session={session}&message={session + 1}")
    expect(page.get_by_role("img", name="Boxes on kettle")).to_be_visible()
    page.wait_for_function("document.querySelector('.pictures img').naturalWidth === 320")


def test_follows_a_session_that_goes_on(page: Page, desk: Desk) -> None:
    with desk.trainer_held():
        header = desk.director.test_async("Trainer", "desk_hosts.Review", "{}")
        page.goto(f"/trace?session={header.session_id}")
        expect(page.locator(".diagram .waiting .took")).to_have_text("Delivered")
    expect(page.locator(".diagram .arrow")).to_have_count(2)
    expect(page.locator(".room-head .pill > span")).to_have_text("Completed")
    expect(page.locator(".trace-log")).to_contain_text("step 4 of 4")


def test_unknown_session_offers_recent_ones(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment")
    page.goto("/trace?session=987654")
    expect(page.get_by_role("alert")).to_contain_text("There is no session 987654")
    page.get_by_label("Session", exact=True).fill(str(session))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/trace?session={session}**")


def test_session_is_chosen_from_the_list(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment")
    page.goto("/trace")
    page.locator("tbody tr").first.get_by_role("link", name=str(session)).last.click()
    expect(page.get_by_role("heading", name=f"Session {session}")).to_be_visible()


def test_timeline_tells_where_the_time_went(page: Page, desk: Desk) -> None:
    session = desk.test("Review Router", body='{"text": "one"}')
    page.goto(f"/trace?session={session}")
    page.get_by_role("button", name="Timeline").click()
    page.wait_for_url("**&view=time")
    expect(page.locator(".bar")).to_have_count(2)
    expect(page.locator(".bar .part-work").first).to_be_visible()
    expect(page.locator('[data-row="Review Router"]')).to_be_visible()
    page.locator(".bar").last.click()
    expect(page.get_by_role("region", name="Message").get_by_role("heading")).to_have_text(f"2. Request {session + 1}")
    expect(page.get_by_role("region", name="Message")).to_contain_text("At work")
    page.wait_for_url(f"**message={session + 1}*")
    page.reload()
    expect(page.locator(".bar[aria-pressed=true]")).to_contain_text("Sentiment")


def test_log_stands_between_the_arrows(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment", body='{"text": "oolong"}')
    page.goto(f"/trace?session={session}")
    note = page.locator(".diagram .note")
    expect(note).to_contain_text("labelled oolong")
    places = (f'.arrow[data-message="{session}"]', ".diagram .note", f'.arrow[data-message="{session + 1}"]')
    top = [page.locator(place).bounding_box() or {} for place in places]
    assert top[0]["y"] < top[1]["y"] < top[2]["y"]
    page.get_by_role("button", name="Hide log").click()
    expect(note).to_have_count(0)


def test_session_is_saved_as_picture_and_as_page(page: Page, desk: Desk, browser: Browser, tmp_path: Path) -> None:
    session = desk.test("Picture Detector", "Picture")
    page.goto(f"/trace?session={session}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save picture").click()
    assert download.value.suggested_filename == f"session-{session}.svg"
    with page.expect_download() as download:
        page.get_by_role("link", name="Save page").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    saved = browser.new_page()
    asked: list[str] = []
    saved.on("request", lambda request: asked.append(request.url))
    saved.goto(file.as_uri())
    expect(saved.get_by_role("heading", name=f"Session {session}")).to_be_visible()
    expect(saved.locator("svg.trace .n")).to_have_text(["1", "2"])
    saved.get_by_text("2. Response").click()
    expect(saved.get_by_role("img", name="Boxes on kettle")).to_be_visible()
    assert [url for url in asked[1:] if not url.startswith("data:")] == []
    saved.close()


def test_body_and_link_are_copied(page: Page, desk: Desk) -> None:
    session = desk.test("Sentiment", body='{"text": "sencha"}')
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/trace?session={session}")
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert "sencha" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function(f"navigator.clipboard.readText().then(text => text.includes('/trace?session={session}'))")
