"""What keeps a page from being used by others: its policy, its cookie, the end of its session, the limits of uploads."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect
from starlette.types import Message, Receive, Scope, Send

import coroutines
from browser.conftest import PASSWORD, USERNAME, Desk, Visit, sign_in
from browser.walk import CONNECTED
from irislite.web.portal.access import Access
from irislite.web.portal.gate import Gate
from irislite.web.portal.sessions import Sessions

FORM = {"username": USERNAME, "password": PASSWORD, "next": "/log"}


def signed_in(desk: Desk) -> requests.Session:
    """A script with the cookie of a sign-in."""
    session = requests.Session()
    assert session.post(f"{desk.url}/signin", data=FORM, allow_redirects=False, timeout=60).status_code == 303
    return session


def test_a_pages_own_scripts_run_and_no_other(window: Callable[..., Visit]) -> None:
    visit = window("light")
    page = visit.page()
    answer = page.goto("/log")
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert (
        "default-src 'none'" in policy and "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    )
    expect(page.get_by_role("heading", name="Event Log")).to_be_visible()
    ran = page.evaluate("""() => new Promise(resolve => {
        document.addEventListener('securitypolicyviolation', () => resolve('refused'), {once: true});
        window.evil = () => resolve('ran');
        const picture = document.createElement('div');
        picture.innerHTML = '<img src="/nowhere.png" onerror="evil()">';
        document.body.append(picture);
    })""")
    assert ran == "refused"
    assert any("inline event handler" in problem for problem in visit.problems)
    page.wait_for_load_state("networkidle")
    visit.problems.clear()  # that one is what was wanted, and the picture that is not there


def test_each_page_has_a_nonce_of_its_own(desk: Desk) -> None:
    session, nonces = signed_in(desk), set()
    for _ in range(2):
        answer = session.get(f"{desk.url}/log", timeout=60)
        nonce = re.findall(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[0]
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce}"') > 3
        nonces.add(nonce)
    assert len(nonces) == 2


def test_the_sign_in_page_runs_no_script_at_all(desk: Desk) -> None:
    answer = requests.get(f"{desk.url}/signin", timeout=60)
    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


def test_the_cookie_is_of_this_server_alone(desk: Desk) -> None:
    session = signed_in(desk)
    assert [cookie.name for cookie in session.cookies] == [desk.accounts.cookie]
    cookie = session.post(f"{desk.url}/signin", data=FORM, allow_redirects=False, timeout=60).headers["set-cookie"]
    assert "httponly" in cookie.lower() and "samesite=lax" in cookie.lower()


def test_a_token_from_before_the_sign_in_is_not_kept(desk: Desk) -> None:
    """Whoever plants a cookie in somebody's browser has nothing of their sign-in."""
    session = signed_in(desk)
    before = session.cookies[desk.accounts.cookie]
    session.post(f"{desk.url}/signin", data=FORM, allow_redirects=False, timeout=60)
    planted = requests.get(f"{desk.url}/log", cookies={desk.accounts.cookie: before}, allow_redirects=False, timeout=60)
    assert planted.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},  # another server on this machine
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_other_page_signs_anybody_in_or_out_or_sends_files(desk: Desk, headers: dict[str, str]) -> None:
    session = signed_in(desk)
    for path in ("/signin", "/signout", "/_nicegui/client/x/upload/1"):
        assert session.post(desk.url + path, data=FORM, headers=headers, timeout=60).status_code == 403
    assert session.get(f"{desk.url}/log", allow_redirects=False, timeout=60).status_code == 200


def test_files_are_taken_from_operators_alone_and_up_to_a_size(desk: Desk) -> None:
    path = f"{desk.url}/_nicegui/client/x/upload/1"
    assert requests.post(path, data=b"x", timeout=60).status_code == 401
    session = signed_in(desk)
    assert session.post(path, data=b"x", timeout=60).status_code == 404  # past the gate: there is no such page

    def endless() -> object:
        yield b"x"

    answer = session.post(path, data=endless(), headers={"Content-Length": str(10**10)}, timeout=60)  # type: ignore[arg-type]
    assert answer.status_code in (400, 413)


def test_a_session_ends_without_use_and_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("irislite.web.portal.sessions.time.time", lambda: now)
    sessions = Sessions(tmp_path, lifetime_s=1_000, idle_s=300)
    token, idle = sessions.open("ada"), sessions.open("ada")
    for _ in range(3):
        now += 250
        assert sessions.use(token) == "ada"
    assert sessions.account(idle) == "" and sessions.use(idle) == ""
    assert Sessions(tmp_path, 1_000, 300).account(token) == "ada"  # a restart forgets nothing
    now += 249
    assert sessions.use(token) == "ada"
    now += 2
    assert sessions.account(token) == ""
    other = sessions.open("ada")
    sessions.close_all("ADA")
    assert sessions.account(other) == ""
    assert token not in (tmp_path / "sessions.json").read_text()


@pytest.mark.parametrize(
    "text", ['42["event",{}]', '427["event",{}]', '42["javascript_response",{}]', '45["event",{}]', "3"]
)
def test_an_open_connection_is_not_heard_after_its_session(text: str, desk: Desk, tmp_path: Path) -> None:
    """However it is written: what the page's script sends, and what a script of one's own could."""
    sessions = Sessions(tmp_path)
    token = sessions.open(USERNAME)
    coming = iter([text, "", text])
    heard = []

    async def receive() -> Message:
        if (sent := next(coming, None)) == "":
            sessions.close(token)
            sent = next(coming)
        return {"type": "websocket.receive", "text": sent} if sent else {"type": "websocket.disconnect"}

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "websocket", "session": {"token": token}, "headers": []}
    coroutines.run(Gate(page, Access(desk.accounts, sessions, desk.director.audit))(scope, receive, send))
    assert heard == [text]


def test_an_open_page_ends_with_its_session(visit: Callable[..., Visit], desk: Desk) -> None:
    window = visit()
    page = window.page()
    page.goto("/log")
    sign_in(page)
    page.wait_for_url("**/log")
    expect(page.get_by_role("heading", name="Event Log")).to_be_visible()
    cookie = next(each for each in window.context.cookies() if each["name"] == desk.accounts.cookie)
    requests.post(f"{desk.url}/signout", cookies={cookie["name"]: cookie["value"]}, allow_redirects=False, timeout=60)
    page.wait_for_url("**/signin?next=%2Flog")
    window.problems.clear()


def test_a_page_that_wakes_up_after_its_session_asks_for_the_sign_in(visit: Callable[..., Visit], desk: Desk) -> None:
    window = visit()
    page = window.page()
    page.goto("/log")
    sign_in(page)
    page.wait_for_url("**/log")
    page.wait_for_function(CONNECTED)
    page.evaluate("socket.disconnect()")  # a laptop that is closed
    cookie = next(each for each in window.context.cookies() if each["name"] == desk.accounts.cookie)
    requests.post(f"{desk.url}/signout", cookies={cookie["name"]: cookie["value"]}, allow_redirects=False, timeout=60)
    page.evaluate("socket.connect()")
    page.wait_for_url("**/signin?next=%2Flog")
    window.problems.clear()


def test_many_wrong_passwords_close_the_door(tmp_path: Path, visit: Callable[..., Visit], desk: Desk) -> None:
    """At the form as at REST; the address is one of its own, so that the other tests can go on."""
    from irislite.web.lockout import FREE_FAILURES

    for _ in range(FREE_FAILURES):
        assert desk.accounts.check("mallory", "guess", "192.0.2.7") is None
    assert desk.accounts.wait_s("192.0.2.7", "anybody") > 0
    assert desk.accounts.wait_s("127.0.0.1", USERNAME) == 0


def test_no_secret_is_in_any_page_answer_or_log(desk: Desk) -> None:
    """Planted where secrets go, looked for wherever something comes out."""
    director, secrets = desk.director, [f"hush-{number}-hush" for number in range(5)]
    credential, in_settings, in_message, in_password, in_error = secrets
    director.vault.put("planted", "ada", credential)
    director.apply_settings("Spare", {("Host", "%settings"): f"api_key={in_settings}"})
    body = json.dumps({"text": "fan", "api_key": in_message, "more": {"client_secret": in_error}})
    session_id = desk.test("Sentiment", body=body)
    users = f"{desk.url}/api/irislite/system/users"
    for body in (
        {"name": "planted", "role": "operator", "password": in_password},
        {"name": "x", "password": in_password},
    ):
        requests.post(users, json=body, auth=(USERNAME, PASSWORD), timeout=60)
    browser, shown = signed_in(desk), ""
    pages = ("/production", "/production?item=Spare", "/test?item=Spare", "/messages", f"/trace?session={session_id}", "/log",
             "/sql", "/system", "/system?tab=users", "/system?tab=credentials", "/system?tab=audit")  # fmt: skip
    for path in pages:
        shown += browser.get(desk.url + path, timeout=60).text
    paths = requests.get(f"{desk.url}/openapi.json", auth=(USERNAME, PASSWORD), timeout=60).json()["paths"]
    for path in [path for path, methods in paths.items() if "get" in methods]:
        for name, value in {"name": "Spare", "session_id": session_id, "message_id": session_id, "room": "log"}.items():
            path = path.replace(f"{{{name}}}", str(value))
        shown += requests.get(desk.url + path, auth=("planted", in_password), timeout=60).text
    director.flush()
    kept = b"".join(file.read_bytes() for file in director.home.iterdir() if file.suffix in (".db", ".db-wal", ".json")
                    and file.name != "credentials.json")  # fmt: skip
    assert len(shown) > 100_000 and "planted" in shown
    for secret in (*secrets, PASSWORD, desk.accounts.secret):
        assert secret not in shown
    for secret in (credential, in_message, in_password, in_error, PASSWORD):
        assert secret.encode() not in kept
    director.vault.remove("planted")
    director.apply_settings("Spare", {("Host", "%settings"): None})
    desk.accounts.made_users().remove("planted")
