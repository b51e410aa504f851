"""The room Stream over a real Redis: what it shows, what an operator does with dead letters, how it looks."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import requests
from playwright.sync_api import Browser, Page, expect

from acceptance.running import PROJECT
from browser.accessibility import OF_COLOURS, severe_findings
from browser.conftest import LOOKS, PASSWORD, USERNAME, Visit, new_context, sign_in
from browser.test_looks import look
from browser.walk import act_on_row
from real_redis import RedisServer, free_port
from sentiment import Names
from waiting import eventually

KEYWORDS = {"tea": 0.8, "trains": 0.35, "weather": 0.55}
NAMES = Names("evergreen:sentiment")
MARKUP = "<img src=x onerror=\"document.title='broken in'\">"


@dataclass
class Served:
    """The address of the portal, and the Redis behind it."""

    url: str
    server: RedisServer
    client: Any

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        return requests.request(
            method, f"{self.url}/api/irislite{path}", auth=(USERNAME, PASSWORD), timeout=30, **values
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("stream")
    server = RedisServer(folder)
    server.start()
    port = free_port()
    environment = {
        **os.environ, "SENTIMENT_REDIS_URL": server.url, "KEYWORDS": ",".join(KEYWORDS), "PORT": str(port),
        "IRISLITE_HOME": str(folder / "home"), "PYTHONPATH": f"{PROJECT / 'src/python'}:{PROJECT / 'tests'}",
        "IRISUSERNAME": USERNAME, "IRISPASSWORD": PASSWORD, "PYTHONUNBUFFERED": "1", "IRISLITE_SYNCHRONOUS": "NORMAL",
    }  # fmt: skip
    client = redis.Redis.from_url(server.url, decode_responses=True)
    _earlier(client)
    command = [sys.executable, "-m", "irislite.cli", "run", str(PROJECT / "tests/application/stream_production.py")]
    with subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C" in line for line in iter(process.stdout.readline, "")), "it starts"
            for number in range(30):
                word = list(KEYWORDS)[number % 3]
                text = f"{'a good' if number % 2 else 'no'} day for {word}, number {number} {MARKUP if number == 29 else ''}"
                client.xadd(NAMES.posts, {"post": json.dumps({"id": number, "text": text})})
            for body in ("no JSON at all", json.dumps({"id": 77, "text": 5}), MARKUP):
                client.xadd(NAMES.posts, {"post": body})
            eventually(lambda: client.xlen(NAMES.results) >= 30 and client.xlen(NAMES.dead) >= 3)
            yield Served(f"http://localhost:{port}", server, client)
        finally:
            process.terminate()
            process.communicate(timeout=30)
            client.close()
            server.kill()


def _earlier(client: Any) -> None:
    """Counts of the hour before, as the delivery would have written them."""
    now = int(time.time() // 60)
    for minute in range(1, 60):
        for place, (word, share) in enumerate(KEYWORDS.items()):
            total = int(24 + 14 * math.sin(minute / 7 + place))
            positive = round(total * (share + 0.15 * math.sin(minute / 9 + 2 * place)))
            client.hset(NAMES.counts(now - minute), mapping={f"{word}|1": positive, f"{word}|0": total - positive})


def opened(browser: Browser, served: Served, kind: str) -> tuple[Visit, Page]:
    visit = Visit(new_context(browser, served, kind, None), served.url)  # type: ignore[arg-type]
    page = visit.page()
    page.goto("/stream")
    sign_in(page)
    page.wait_for_url("**/stream*")
    expect(page.get_by_role("table", name="Newest posts").locator("tbody tr")).to_have_count(15)
    return visit, page


@pytest.mark.parametrize("kind", LOOKS)
def test_every_look(browser: Browser, served: Served, kind: str, tmp_path: Path) -> None:
    visit, page = opened(browser, served, kind)
    shots = Path(os.environ.get("EVERGREEN_SCREENSHOTS") or tmp_path)
    shots.mkdir(exist_ok=True)
    page.wait_for_timeout(300)  # the picture is drawn
    look(page, shots, f"stream-{kind}")
    page.screenshot(path=shots / f"stream-{kind}-whole.png", full_page=True)
    assert severe_findings(page, [] if kind == "light" else OF_COLOURS) == []
    visit.context.close()
    assert visit.problems == []


def test_an_operator_follows_the_stream_and_sees_to_what_is_dead(browser: Browser, served: Served) -> None:
    visit, page = opened(browser, served, "light")
    now = page.get_by_role("region", name="Now")
    expect(now).to_contain_text("0 unread, 0 in hand")
    expect(now).to_contain_text("fsync always")
    posts = page.get_by_role("table", name="Newest posts")
    expect(posts.get_by_role("row").nth(1)).to_contain_text(MARKUP)  # as text
    served.client.xadd(NAMES.posts, {"post": json.dumps({"id": 99, "text": "good news of tea, live"})})
    expect(posts.get_by_role("row").nth(1)).to_contain_text("good news of tea, live")
    expect(posts.get_by_role("row").nth(1)).to_contain_text("positive")
    page.get_by_text("As a table").click()
    expect(page.get_by_role("columnheader", name="trains")).to_be_visible()

    dead = page.get_by_role("table", name="Dead letters")
    expect(dead.get_by_role("row")).to_have_count(4)
    expect(dead).to_contain_text("no JSON")
    dead.get_by_role("button", name="Drop").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Drop").click()
    expect(dead.get_by_role("row")).to_have_count(3)
    before = served.client.xrange(NAMES.dead)[0][0]
    dead.get_by_role("button", name="Put back").last.click()
    expect(dead.locator(f"[data-row='{before}']")).to_have_count(0)
    expect(dead.get_by_role("row")).to_have_count(3)  # it cannot be read the second time either
    assert served.client.xrange(NAMES.dead)[-1][1]["post"] == "no JSON at all"
    earlier = [one for one, _ in served.client.xrange(NAMES.dead)]
    page.get_by_role("button", name="Put all of these back").click()
    page.get_by_role("dialog").get_by_role("button", name="Put back").click()
    for one in earlier:
        expect(dead.locator(f"[data-row='{one}']")).to_have_count(0)
    expect(dead.get_by_role("row")).to_have_count(3)
    deeds = served.call("GET", "/system/audit").json()
    told = json.dumps(deeds)
    assert "Put dead letters back" in told and "Drop dead letters" in told and "1 dropped" in told
    visit.context.close()
    assert visit.problems == []


def test_a_viewer_changes_nothing(browser: Browser, served: Served) -> None:
    person = {"name": "vera", "role": "viewer", "password": PASSWORD}
    assert served.call("POST", "/system/users", json=person).status_code == 201
    before = served.client.xrange(NAMES.dead)
    visit = Visit(new_context(browser, served, "light", None), served.url)  # type: ignore[arg-type]
    page = visit.page()
    page.goto("/stream")
    sign_in(page, "vera")
    dead = page.get_by_role("table", name="Dead letters")
    expect(dead.locator("tbody tr")).to_have_count(len(before))
    expect(dead.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("button", name="Put all of these back")).to_be_disabled()
    for action in ("back", "drop"):
        act_on_row(page, action, before[0][0])
    expect(page.get_by_text("This needs the role operator")).to_be_visible()
    assert served.client.xrange(NAMES.dead) == before
    call = requests.post(
        f"{served.url}/api/irislite/stream/dead/drop", json={"ids": [before[0][0]]}, auth=("vera", PASSWORD)
    )
    assert call.status_code == 403 and served.client.xrange(NAMES.dead) == before
    visit.context.close()
    assert visit.problems == []


def test_the_twin_says_the_same_in_json(served: Served) -> None:
    found = served.call("GET", "/stream").json()
    assert [part["item"] for part in found["parts"]] == [
        "Python.SentimentService", "Python.SentimentProcess", "Python.SentimentDelivery",
    ]  # fmt: skip
    assert found["state"]["lag"] == 0 and found["problem"] == ""
    shares = served.call("GET", "/stream/shares?minutes=60").json()
    assert len(shares["minutes"]) == 60 and shares["keywords"].keys() == set(KEYWORDS)
    assert served.call("GET", "/stream/posts?count=1").json()[0]["sentiment"] in (0, 1)
    letters = served.call("GET", "/stream/dead").json()
    assert served.call("POST", "/stream/dead/drop", json={"ids": [letters[0]["id"]]}).json() == {"count": 1}
    assert served.call("POST", "/stream/dead/put-back", json={"ids": ["x"]}).status_code == 422
    assert served.call("POST", "/stream/dead/put-back", json={"ids": ["1-1"]}).json() == {"count": 0}


def test_a_redis_that_is_away_is_told(browser: Browser, served: Served) -> None:
    visit, page = opened(browser, served, "light")
    served.server.kill()
    expect(page.get_by_role("region", name="Now").get_by_role("alert")).to_contain_text("start it")
    expect(page.get_by_role("table", name="Newest posts")).to_be_hidden()
    assert "start it" in served.call("GET", "/stream").json()["problem"]
    refused = served.call("GET", "/stream/posts")
    assert refused.status_code == 503 and "start it" in refused.json()["error"]
    served.server.start()
    expect(page.get_by_role("table", name="Newest posts")).to_be_visible()
    visit.context.close()
    assert visit.problems == []
