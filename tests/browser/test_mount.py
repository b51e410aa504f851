"""The portal is mounted again, as other tests of the process do: it serves the newest director."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_app


@pytest.mark.parametrize("turn", [1, 2])
def test_mounted_again(tmp_path: Path, turn: int) -> None:
    director = Director(tmp_path, synchronous="NORMAL")
    try:
        accounts = Accounts.open(tmp_path, "SuperUser", f"tea {turn}")
        with TestClient(create_app(director, accounts), base_url="http://localhost") as client:
            refused = client.post("/signin", data={"username": "SuperUser", "password": "coffee"})
            assert refused.status_code == 401
            form = {"username": "superuser", "password": f"tea {turn}", "next": "/log"}
            answer = client.post("/signin", data=form, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"]) == (303, "/log")
            assert "httponly" in answer.headers["set-cookie"]
            page = client.get("/log")
            assert page.status_code == 200
            assert "There is no production" in page.text
            client.post("/signout")
            assert client.get("/log", follow_redirects=False).status_code == 303
    finally:
        director.close()
