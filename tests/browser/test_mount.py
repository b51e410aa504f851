"""The portal is mounted again in one process, as tests of the REST service do: it serves the newest director."""

import os
import subprocess
import sys
from pathlib import Path

# In a process of its own: NiceGUI has one portal per process, and this one would take the other tests' away.
SCRIPT = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.app import create_app

for turn in ("first", "second"):
    home = Path(sys.argv[1]) / turn
    director = Director(home, synchronous="NORMAL")
    app = create_app(director, Accounts.open(home, "SuperUser", turn))
    with TestClient(app, base_url="http://localhost") as client:
        form = {"username": "superuser", "password": "wrong", "next": "/log"}
        assert client.post("/signin", data=form).status_code == 401
        answer = client.post("/signin", data=form | {"password": turn}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/log"), answer
        page = client.get("/log")
        assert page.status_code == 200
        assert "There is no production yet" in page.text  # what the runtime refuses is said in the room's place
        account = ("SuperUser", turn)  # a script is told in JSON what is wrong, and not sent to the sign-in page
        for method, path, status in (("GET", "/api/iop/nothing", 404), ("DELETE", "/api/iop/status", 405)):
            refused = client.request(method, path, auth=account, follow_redirects=False)
            assert refused.status_code == status and "/openapi.json" in refused.json()["error"], refused
        client.post("/signout")
        assert client.get("/log", follow_redirects=False).status_code == 303
    director.close()
print("served", turn)
"""


def test_mounted_again(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "served second\n", done.stderr
    assert not (tmp_path / ".nicegui").exists()
