"""Signing in and out: nothing is shown without it, nobody is led elsewhere by it."""

import re
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import PASSWORD, USERNAME, Desk, Visit, sign_in


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def status(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """The status of a plain request, and where it leads."""
    try:
        with urllib.request.build_opener(_Stay).open(urllib.request.Request(url, headers=headers or {})) as answer:
            return answer.status, ""
    except HTTPError as error:
        return error.code, error.headers.get("location", "")


def test_sign_in_leads_where_one_wanted_to_go(visit: Callable[..., Visit]) -> None:
    window = visit()
    page = window.page()
    page.goto("/log?type=Error&item=Fragile")
    expect(page.get_by_role("heading")).to_have_text("Sign in to irislite")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_label("User name").fill('"><b>nobody')
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The user name or the password is wrong.")
    expect(page.get_by_label("User name")).to_have_value('"><b>nobody')
    assert page.url.endswith("/signin")
    assert [problem for problem in window.problems if "401" not in problem] == []
    window.problems.clear()  # the browser's own word about the 401
    sign_in(page)
    page.wait_for_url("**/log?type=Error&item=Fragile")
    expect(page.get_by_role("heading", name="Event Log")).to_be_visible()


@pytest.mark.parametrize("wanted", ["https://evil.example/", "/%09/evil.example"])
def test_sign_in_leads_nowhere_else(visit: Callable[..., Visit], wanted: str) -> None:
    page = visit().page()
    page.goto(f"/signin?next={wanted}")
    sign_in(page)
    page.wait_for_url("**/production")


def test_the_address_that_users_know(visit: Callable[..., Visit]) -> None:
    page = visit().page()
    page.goto("/csp/irisapp/EnsPortal.ProductionConfig.zen?PRODUCTION=Desk.Production")
    sign_in(page)
    page.wait_for_url("**/production?name=Desk.Production")
    expect(page.get_by_role("heading", name="Desk.Production")).to_be_visible()


@pytest.mark.parametrize(
    "path", ["/production", "/test", "/messages", "/trace?session=1", "/log", "/bodies/1", "/pictures/1/0", "/nowhere"]
)
def test_nothing_is_shown_without_it(desk: Desk, path: str) -> None:
    code, location = status(desk.url + path)
    assert code == 303
    assert location.startswith("/signin?next=%2F")


def test_no_live_connection_without_it(desk: Desk) -> None:
    assert status(f"{desk.url}/_nicegui_ws/socket.io/?EIO=4&transport=polling")[0] == 401


def test_no_live_connection_from_elsewhere(desk: Desk, page: Page) -> None:
    """A page of another site can use the cookie, but its name goes with it."""
    cookie = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == desk.accounts.cookie)
    upgrade = {
        "Cookie": f"{desk.accounts.cookie}={cookie}", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    answers = []
    for origin in (desk.url, "http://evil.example"):
        connection = HTTPConnection(desk.url.removeprefix("http://"), timeout=60)
        path = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        connection.request("GET", path, headers=upgrade | {"Origin": origin})
        answers.append(connection.getresponse().status)
        connection.close()
    assert answers == [101, 403]


def test_cookie_is_out_of_reach_of_scripts(page: Page, desk: Desk) -> None:
    page.goto("/log")
    cookie = next(cookie for cookie in page.context.cookies() if cookie["name"] == desk.accounts.cookie)
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert page.evaluate("document.cookie") == ""


def test_signing_out_ends_every_tab_and_the_cookie(desk: Desk, visit: Callable[..., Visit]) -> None:
    window = visit()
    page, other = window.page(), window.page()
    page.goto("/production")
    sign_in(page)
    page.wait_for_url("**/production")
    other.goto("/log")
    expect(other.get_by_role("heading", name="Event Log")).to_be_visible()
    cookie = next(cookie["value"] for cookie in window.context.cookies() if cookie["name"] == desk.accounts.cookie)
    page.get_by_role("button", name=f"Sign out {USERNAME}").click()
    page.wait_for_url(re.compile(r"/signin(\?next=%2Fproduction)?$"))  # the page's own clock may be there first
    other.wait_for_url("**/signin?next=%2Flog")
    assert status(f"{desk.url}/log", {"Cookie": f"{desk.accounts.cookie}={cookie}"})[0] == 303
    window.problems.clear()  # the other tab's connection is refused while it reloads


def test_no_secret_is_kept_readable(desk: Desk) -> None:
    kept = (desk.director.home / "sessions.json").read_text()
    assert PASSWORD not in kept
    assert (desk.director.home / "sessions.json").stat().st_mode & 0o077 == 0


def test_pictures_are_pictures_and_nothing_else(page: Page, desk: Desk) -> None:
    """What a message calls a picture is sent as one only if browsers cannot run it."""
    session = desk.test("Picture Detector", "Picture")
    answer = desk.director.store.response_to(session)
    assert answer is not None
    request = page.context.request
    picture = request.get(f"/pictures/{answer.message_body_id}/0")
    assert (picture.status, picture.headers["content-type"]) == (200, "image/png")
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert request.get(f"/pictures/{answer.message_body_id}/1").status == 404
    assert request.get("/pictures/999999/0").status == 404
    assert request.get("/bodies/999999").status == 404
    body = request.get(f"/bodies/{answer.message_body_id}")
    assert body.headers["content-type"].startswith("application/json")


def test_answers_allow_nothing_from_elsewhere(page: Page) -> None:
    headers = page.context.request.get("/production").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
