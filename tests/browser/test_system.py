"""The room System, as administrators, operators and viewers use it."""

from collections.abc import Callable, Iterator

import pytest
import requests
from playwright.sync_api import Page, expect

from browser.conftest import PASSWORD, USERNAME, Desk, Visit
from browser.walk import press_everything, with_tabs
from irislite.actor import Role
from irislite.audit import Entry
from waiting import eventually

SECRET = "hf_neverShownAgain"


@pytest.fixture
def people(desk: Desk) -> Iterator[None]:
    """A user of each role below the owner's."""
    users = desk.accounts.made_users()
    for role in (Role.VIEWER, Role.OPERATOR):
        users.add(f"the-{role.word}", role, f"the {role.word}'s own")
    yield
    for role in (Role.VIEWER, Role.OPERATOR):
        users.remove(f"the-{role.word}")


def enter(window: Visit, role: Role, path: str) -> Page:
    """A page of somebody who signed in with that role."""
    page = window.page()
    page.goto(path)
    page.get_by_label("User name").fill(f"the-{role.word}")
    page.get_by_label("Password").fill(f"the {role.word}'s own")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{path}")
    return page


def test_health_says_what_is_wrong(page: Page) -> None:
    page.goto("/system")
    rows = page.locator(".records tbody tr")
    expect(rows.filter(has_text="Items")).to_contain_text("Broken Model")
    expect(rows.filter(has_text="Backup")).to_contain_text("make one")
    expect(page.get_by_text("Python", exact=True)).to_be_visible()


def test_a_user_is_made_signs_in_and_is_put_out(page: Page, desk: Desk, visit: Callable[..., Visit]) -> None:
    page.goto("/system?tab=users")
    page.get_by_role("button", name="Add a user…").click()
    page.get_by_label("User name").fill("nora")
    page.get_by_role("combobox", name="Role").click()
    page.get_by_role("option", name="Operator: runs the production").click()
    page.get_by_label("Password", exact=True).fill("Nora's password")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.locator("[data-row=nora]")
    expect(row).to_contain_text("operator")
    window = visit()
    other = window.page()
    other.goto("/log")
    other.get_by_label("User name").fill("nora")
    other.get_by_label("Password").fill("Nora's password")
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/log")
    expect(other.get_by_role("button", name="Sign out nora")).to_be_visible()
    row.get_by_role("button", name="Disable or enable nora").click()
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(row).to_contain_text("no")
    other.wait_for_url("**/signin?next=%2Flog")
    window.problems.clear()  # the connection that was refused
    row.get_by_role("button", name="Remove nora").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)
    assert desk.accounts.user("nora") is None
    entries = desk.director.audit.entries(20, text="nora")
    assert [(entry.action, entry.user) for entry in entries] == [
        ("Remove a user", USERNAME), ("Disable a user", USERNAME), ("Make a user", USERNAME),
    ]  # fmt: skip


def test_a_credential_is_kept_and_never_shown(page: Page, desk: Desk) -> None:
    received: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(str(frame))))
    page.goto("/system?tab=credentials")
    page.get_by_role("button", name="Add a credential…").click()
    page.get_by_label("Name", exact=True).fill("hub")
    page.get_by_label("Password or key").fill(SECRET)
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("[data-row=hub]")).to_contain_text("set, not shown")
    kept = desk.director.vault.get("hub")
    assert kept is not None and kept.secret == SECRET
    page.reload()
    expect(page.locator("[data-row=hub]")).to_be_visible()
    assert SECRET not in page.content() and received and not any(SECRET in frame for frame in received)
    page.locator("[data-row=hub]").get_by_role("button", name="Forget hub").click()
    page.get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_text("There is none yet.")).to_be_visible()


def test_the_audit_is_filtered_and_taken_along(page: Page, desk: Desk) -> None:
    for number in range(3):
        with desk.director.audit.deed("Restart an item", f"Item {number} <b>of a test</b>"):
            pass
    page.goto("/system?tab=audit")
    page.get_by_label("Text").fill("item 1 <b>")
    rows = page.locator(".records tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Item 1 <b>of a test</b>")
    with page.expect_download() as download:
        page.get_by_role("link", name="All as CSV").click()
    assert download.value.suggested_filename == "audit.csv"


def test_backup_and_purge(page: Page, desk: Desk) -> None:
    desk.test("Sentiment")
    page.goto("/system?tab=backup and purge")
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_text("It was read back and is whole.")).to_be_visible()
    expect(page.locator(".records tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Look what would go…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete what is older than 30 days?")
    page.get_by_role("button", name="Cancel").click()
    assert desk.director.store.latest(1)


def test_jobs_show_who_works(page: Page, desk: Desk) -> None:
    with desk.trainer_held():
        header = desk.director.test_async("Trainer", "desk_hosts.Review", "{}")
        page.goto("/system?tab=jobs")
        expect(page.locator(".records").first).to_contain_text("Trainer")
    desk.settle(header.session_id)


@pytest.mark.usefixtures("people")
def test_viewers_see_health_but_no_users(visit: Callable[..., Visit]) -> None:
    page = enter(visit(), Role.VIEWER, "/system?tab=users")
    expect(page.get_by_text("You are the-viewer, viewer.")).to_be_visible()
    expect(page.get_by_role("tab", name="Health")).to_be_visible()
    expect(page.get_by_role("tab", name="Users")).to_have_count(0)
    answer = page.context.request.get("/system/audit/export")
    assert answer.status == 403 and "administrators" in answer.text()


@pytest.mark.usefixtures("people")
def test_a_viewer_who_presses_everything_changes_nothing(visit: Callable[..., Visit], desk: Desk) -> None:
    """Every handler of every room of irislite, over the page's own connection: what looks disabled, and what is asked back, too."""
    window = visit()
    page = enter(window, Role.VIEWER, "/production")
    since = (desk.director.audit.entries(1) or [None])[0]
    paths = ("/production", "/production?item=Sentiment", "/test?item=Sentiment", "/messages", "/log", "/sql", "/system",
             f"/trace?session={desk.test('Sentiment')}")  # fmt: skip
    before = state(desk)
    for path in paths:
        for place in with_tabs(page, path):
            press_everything(page)
            assert state(desk) == before, place

    def deeds() -> list[Entry]:
        entries = desk.director.audit.entries(200, user="the-viewer")
        return [entry for entry in entries if since is None or entry.id > since.id]

    eventually(lambda: any(entry.action == "Test an item" and entry.outcome == "refused" for entry in deeds()))
    assert {entry.action for entry in deeds() if entry.outcome == "done"} <= {"Run a SQL statement"}  # a SELECT
    assert state(desk) == before
    window.problems.clear()


def state(desk: Desk) -> object:
    """What nobody may change without a role: the production, its settings, messages, users, credentials, tables."""
    director = desk.director
    return (
        director.export("Desk.Production"),
        [(item.name, item.enabled, str(item.state), item.pool_size, item.queue_count) for item in director.items()],
        [header.id for header in director.store.latest(1)], director.default_production(), director.vault.names(),
        [(user.name, user.role, user.disabled) for user in desk.accounts.everyone()],
        sorted(path.name for path in (director.home / "backups").iterdir()) if (director.home / "backups").exists() else [],
    )  # fmt: skip


def test_rest_and_portal_know_the_same_people(desk: Desk) -> None:
    answer = requests.get(f"{desk.url}/api/irislite/system/me", auth=(USERNAME, PASSWORD), timeout=60)
    assert answer.json() == {"name": USERNAME, "role": "administrator"}
