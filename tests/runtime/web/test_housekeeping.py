"""Purge, size and backup over REST: for the administrator alone, and never at a place that a request names."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from runtime.web.sample import Site

BASE = "/api/irislite"


def test_a_purge_is_counted_first_and_then_made(site: Site) -> None:
    session = site.test("old").json()["session_id"]
    counted = site.call("POST", f"{BASE}/purge", json={"older_than_days": 0, "dry_run": True})
    assert counted.status_code == 200
    assert counted.json()["dry_run"] is True and counted.json()["messages"] >= 2
    assert site.call("GET", f"{BASE}/sessions/{session}").status_code == 200
    kept = site.call("POST", f"{BASE}/purge", json={"older_than_days": 1}).json()
    assert (kept["messages"], kept["dry_run"]) == (0, False)
    done = site.call("POST", f"{BASE}/purge", json={"older_than_days": 0}).json()
    assert (done["messages"], done["bodies"]) == (counted.json()["messages"], counted.json()["bodies"])
    assert site.call("GET", f"{BASE}/sessions/{session}").status_code == 404
    assert site.test("new", restart=False).json()["session_id"] > session
    log = site.call("GET", f"{BASE}/log", params={"text": "Purged"}).json()
    assert any(f"Purged {done['messages']} messages" in entry["text"] for entry in log)


@pytest.mark.parametrize(
    "body",
    [{}, {"older_than_days": -1}, {"older_than_days": "x"}, {"older_than_days": 1e9}, {"dry_run": True}, []],
)
def test_an_age_that_is_none_is_refused(site: Site, body: object) -> None:
    assert site.call("POST", f"{BASE}/purge", json=body).status_code == 422


def test_the_size_tells_what_fills_the_folder(site: Site) -> None:
    site.test("you")
    size = site.call("GET", f"{BASE}/size").json()
    assert size["folder"] == str(site.director.home)
    assert size["files"]["messages.db"] > 0 and size["disk_free_bytes"] > 0
    assert size["rows"]["message_header"] >= 2
    assert size["oldest_message"] <= size["newest_message"]


def test_a_backup_lies_below_the_data_folder_whatever_the_request_says(site: Site, tmp_path: Path) -> None:
    answer = site.call("POST", f"{BASE}/backup", json={"path": str(tmp_path), "target": str(tmp_path)})
    assert answer.status_code == 200
    made = Path(answer.json()["path"])
    assert made.parent == site.director.home / "backups"
    assert os.listdir(tmp_path) == []
    assert answer.json()["files"]["messages.db"] == (made / "messages.db").stat().st_size
    with closing(sqlite3.connect(made / "messages.db")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM production").fetchone()[0] >= 1
    assert site.call("GET", f"{BASE}/size").json()["backups_bytes"] >= answer.json()["files"]["messages.db"]


@pytest.mark.parametrize(("method", "path"), [("POST", "purge"), ("GET", "size"), ("POST", "backup")])
def test_nobody_else_may(site: Site, method: str, path: str) -> None:
    for account in (None, ("Someone", "correct horse")):
        answer = requests.request(
            method, f"{site.url}{BASE}/{path}", json={"older_than_days": 0}, auth=account, timeout=60
        )
        assert answer.status_code == 401
