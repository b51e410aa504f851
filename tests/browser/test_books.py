"""The room Books, over a small library: the index is made there, books are found, refined, and like each other."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from acceptance.running import PROJECT, free_port
from browser.accessibility import severe_findings
from browser.conftest import LOOKS, PASSWORD, USERNAME, Visit, new_context, sign_in
from browser.test_looks import look
from search.samples import clip, library


class Library:
    """The address of the running production."""

    def __init__(self, url: str) -> None:
        self.url = url


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("library")
    clip.train(root / "src" / "model" / "shapes-clip", clip.Lesson(steps=2, pictures=64, batch=8, width=32, layers=1))
    made = list(library.volumes(60))
    (root / "src" / "books").mkdir()
    library.write_dump(root / "src" / "books" / "editions.txt", made)
    library.write_covers(root / "src" / "books" / "covers", made)
    port = free_port()
    environment = {
        **os.environ, "EVERGREEN_ROOT": str(root), "IRISLITE_HOME": str(root / "home"), "PORT": str(port),
        "PYTHONPATH": str(PROJECT / "src" / "python"), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1",
        "IRISUSERNAME": USERNAME, "IRISPASSWORD": PASSWORD, "IRISLITE_SYNCHRONOUS": "NORMAL",
    }  # fmt: skip
    command = [sys.executable, "-m", "irislite.cli", "run", str(Path(__file__).with_name("books_production.py"))]
    with subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C" in line for line in iter(process.stdout.readline, "")), "it starts"
            yield Library(f"http://localhost:{port}")
        finally:
            process.terminate()
            process.communicate(timeout=30)


def opened(browser: Browser, served: Library, kind: str) -> tuple[Visit, Page]:
    visit = Visit(new_context(browser, served, kind, None), served.url)  # type: ignore[arg-type]
    page = visit.page()
    page.goto("/books")
    sign_in(page)
    page.wait_for_url("**/books*")
    return visit, page


@contextmanager
def another_answer(answer: Locator) -> Iterator[None]:
    """Waits until what is shown belongs to the question asked meanwhile: the one before could look alike."""
    trace = answer.get_by_role("link", name="Visual Trace")
    before = trace.get_attribute("href") or ""
    yield
    expect(trace).not_to_have_attribute("href", before)


def test_from_nothing_to_books_like_this_one(
    browser: Browser, served: Library, tmp_path_factory: pytest.TempPathFactory
) -> None:
    visit, page = opened(browser, served, "light")
    answer = page.get_by_role("region", name="Answer")
    page.get_by_label("Describe a cover").fill("a red star")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(answer.get_by_role("alert")).to_contain_text("There is no collection books", timeout=60_000)
    page.get_by_role("button", name="Make the index").click()
    expect(page.get_by_role("region", name="Index")).to_contain_text("60 covers of 60 books", timeout=60_000)
    page.get_by_role("button", name="Find", exact=True).click()
    covers = answer.get_by_role("article")
    expect(covers).to_have_count(24)
    expect(covers.first.get_by_role("img")).to_be_visible()
    title = covers.first.get_by_role("heading").inner_text()
    with another_answer(answer):
        covers.first.get_by_role("button", name=f"Books like {title}").click()
    expect(answer.get_by_role("status")).to_contain_text("24 books")
    page.get_by_label("Subjects, with commas").fill("stars")
    with another_answer(answer):
        page.get_by_role("button", name="Find", exact=True).click()
    expect(covers.first.get_by_role("heading")).to_contain_text("star")
    assert all("star" in text for text in covers.get_by_role("heading").all_inner_texts())
    page.get_by_label("Year from").fill("2200")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(answer).to_contain_text("take some of it away")
    visit.context.close()
    assert visit.problems == []


@pytest.mark.parametrize("kind", LOOKS)
def test_every_look(browser: Browser, served: Library, kind: str, shots: Path) -> None:
    call = requests.get(f"{served.url}/api/irislite/books/job", auth=(USERNAME, PASSWORD), timeout=60)
    assert call.json()["state"] == "done", "the test before has made it"
    visit, page = opened(browser, served, kind)
    page.get_by_label("Describe a cover").fill("a red star")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("article")).to_have_count(24)
    look(page, shots, f"books-{kind}")
    assert severe_findings(page) == []
    visit.context.close()
    assert visit.problems == []


def test_the_twin_says_the_same_in_json(served: Library) -> None:
    def call(method: str, path: str, **values: object) -> requests.Response:
        url = f"{served.url}/api/irislite/books{path}"
        return requests.request(method, url, auth=(USERNAME, PASSWORD), timeout=60, **values)  # type: ignore[arg-type]

    found = call("POST", "/search", json={"query": "a red star", "limit": 3}).json()
    assert len(found["hits"]) == len(found["images"]) == 3
    assert found["session_id"] > 0
    refused = call("POST", "/search", json={"query": "a red star", "filter": {"year": "x"}})
    assert refused.status_code == 400 or refused.status_code == 500
    assert "no range" in refused.json()["error"]
    state = call("GET", "/job").json()
    assert (state["item"], state["state"], state["vectors"]) == ("Index", "done", 60)
    assert "nothing to cancel" in call("POST", "/job/cancel", json={}).json()["error"]
