"""A real server over the desk's production, and a real browser that is watched while it is used."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    StorageState,
    expect,
    sync_playwright,
)

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_app
from runtime.web.serving import serving
from waiting import eventually

FOLDER = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
USERNAME, PASSWORD = "SuperUser", "tea & <biscuits>"
LOOKS: dict[str, tuple[int, int, Literal["light", "dark"]]] = {
    "light": (1280, 800, "light"),
    "dark": (1280, 800, "dark"),
    "phone": (390, 844, "light"),
}
expect.set_options(timeout=30_000)


@dataclass(frozen=True)
class Desk:
    """The running production and the address of its portal."""

    director: Director
    url: str
    accounts: Accounts

    def test(self, item: str, classname: str = "Review", body: str = "{}") -> int:
        """Send a message, wait for its answer or error, return its session."""
        header = self.director.test_async(item, f"desk_hosts.{classname}", body)
        self.settle(header.session_id)
        return header.session_id

    @contextmanager
    def trainer_held(self) -> Iterator[None]:
        """The Trainer's work stands still after its second step until this ends."""
        go_on: threading.Event = sys.modules["desk_hosts"].GO_ON
        go_on.clear()
        try:
            yield
        finally:
            go_on.set()

    def settle(self, session_id: int) -> None:
        """Wait until everything in a session is done."""
        eventually(lambda: all(header.status >= 7 for header in self.director.store.session(session_id)))


@pytest.fixture(scope="package")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk's production behind a server, with one session of each sort."""
    director = Director(tmp_path_factory.mktemp("desk") / "home", synchronous="NORMAL")
    director.load(FOLDER / "desk_production.py")
    director.start()
    accounts = Accounts.open(director.home, USERNAME, PASSWORD)
    try:
        with serving(create_app(director, accounts)) as url:
            yield Desk(director, url, accounts)
    finally:
        director.close()
        for name in ("desk_hosts", "desk_production"):
            sys.modules.pop(name, None)
        sys.path[:] = [entry for entry in sys.path if entry != str(FOLDER)]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium; `CHROMIUM` names another one."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"There is no browser {CHROMIUM}: install chromium, or name one in the variable CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A browser window, and what went wrong in it."""

    context: BrowserContext
    url: str
    problems: list[str] = field(default_factory=list)

    def page(self) -> Page:
        """A new tab. Console errors, failures and requests to elsewhere are noted."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("console", self._note_console)
        page.on("request", self._note_request)
        return page

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def _note_request(self, request: Request) -> None:
        here = (self.url + "/", self.url.replace("http", "ws") + "/", "data:", "blob:")
        if not request.url.startswith(here):
            self.problems.append(f"foreign: {request.url}")


@pytest.fixture
def visit(browser: Browser, desk: Desk) -> Iterator[Callable[..., Visit]]:
    """Opens windows: `visit()` or `visit("phone")`, not signed in. Ends with nothing having gone wrong."""
    visits: list[Visit] = []

    def open_one(look: str = "light", state: StorageState | None = None) -> Visit:
        visits.append(Visit(new_context(browser, desk, look, state), desk.url))
        return visits[-1]

    yield open_one
    for one in visits:
        one.context.close()
    assert [problem for one in visits for problem in one.problems] == []


def new_context(browser: Browser, desk: Desk, look: str, state: StorageState | None) -> BrowserContext:
    """A window of a size and a colour scheme."""
    width, height, scheme = LOOKS[look]
    return browser.new_context(
        base_url=desk.url, viewport={"width": width, "height": height}, color_scheme=scheme, storage_state=state,
        reduced_motion="reduce",  # nothing to wait for
    )  # fmt: skip


def sign_in(page: Page, username: str = USERNAME) -> None:
    """Fill in the sign-in form that is open; all users have the same password."""
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="package")
def signed_in_state(browser: Browser, desk: Desk) -> StorageState:
    """The cookies of somebody who signed in."""
    context = browser.new_context(base_url=desk.url)
    page = context.new_page()
    page.goto("/messages")
    sign_in(page)
    page.wait_for_url("**/messages")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def window(visit: Callable[..., Visit], signed_in_state: StorageState) -> Callable[[str], Visit]:
    """Opens windows of somebody who is signed in."""
    return lambda look="light": visit(look, signed_in_state)


@pytest.fixture(scope="package")
def shared_context(browser: Browser, desk: Desk, signed_in_state: StorageState) -> Iterator[BrowserContext]:
    """One window for most tests: it loads the portal's scripts once."""
    context = new_context(browser, desk, "light", signed_in_state)
    yield context
    context.close()


@pytest.fixture
def page(shared_context: BrowserContext, desk: Desk) -> Iterator[Page]:
    """A tab of somebody who is signed in. Ends with nothing having gone wrong."""
    visit = Visit(shared_context, desk.url)
    page = visit.page()
    yield page
    for tab in shared_context.pages:
        tab.close()
    assert visit.problems == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go: `EVERGREEN_SCREENSHOTS`, or the test's own folder."""
    folder = Path(os.environ.get("EVERGREEN_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
