"""Keys: made once, kept as hashes, revoked at once; what each role may do; what is never written anywhere."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import evergreen
from api.errors import BadRequest, NotFound, NotIdentified
from api.keys import Keys
from application.conftest import PASSWORD, Site

SOURCES = Path(__file__).parents[2] / "src" / "python"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys.db")


def test_a_key_is_known_by_its_hash_alone(keys: Keys, tmp_path: Path) -> None:
    made, text = keys.create("shop", "predictor", rate=5)
    assert keys.identify(text).name == "shop" and keys.identify(text).rate == 5
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    secret = text.removeprefix(f"egk_{made.id}_")
    assert secret.encode() not in stored and made.id.encode() in stored
    assert (tmp_path / "keys.db").stat().st_mode & 0o077 == 0


def test_what_is_no_key_opens_nothing(keys: Keys) -> None:
    made, text = keys.create("shop", "predictor")
    for wrong in (
        "",
        "egk_",
        text + "x",
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text.replace(made.id, "0" * 12),
    ):
        with pytest.raises(NotIdentified, match="an administrator can make one"):
            keys.identify(wrong)


def test_a_key_is_revoked_and_expires(keys: Keys) -> None:
    made, text = keys.create("shop", "predictor")
    _, short = keys.create("short", "predictor", days=1e-9)
    keys.revoke(made.id)
    for worthless in (text, short):
        with pytest.raises(NotIdentified):
            keys.identify(worthless)
    assert {key.name: key.is_valid for key in keys.all()} == {"shop": False, "short": False}
    with pytest.raises(NotFound, match="list the keys"):
        keys.revoke("nothing")


def test_another_server_lets_in_what_was_exported(keys: Keys, tmp_path: Path) -> None:
    _, text = keys.create("shop", "predictor", rate=5)
    gone, _ = keys.create("gone", "operator")
    keys.revoke(gone.id)
    exported = keys.exported()
    assert text.rpartition("_")[2] not in exported and exported.count("\n") == 1
    other = Keys(tmp_path / "other.db")
    assert other.take(exported) == 1 and other.take(exported + "\n") == 1
    assert (other.identify(text).name, other.identify(text).role, other.identify(text).rate) == ("shop", "predictor", 5)
    for wrong in ("no JSON", "[]", exported.replace("predictor", "god"), exported.replace('"hash": "', '"hash": "00')):
        with pytest.raises(BadRequest, match="keys export"):
            other.take(wrong)
    other.close()


@pytest.mark.parametrize(
    ("name", "role", "days", "rate"),
    [("", "viewer", None, None), ("a\nb", "viewer", None, None), ("a", "king", None, None), ("a", "viewer", 0, None),
     ("a", "viewer", None, -1), ("a", "viewer", float("nan"), None)],
)  # fmt: skip
def test_a_key_that_cannot_be(keys: Keys, name: str, role: str, days: float | None, rate: float | None) -> None:
    with pytest.raises(BadRequest):
        keys.create(name, role, days, rate)


ASKED = {
    "predict": ("POST", "/api/v1/models/labels/predict", {"inputs": "x"}),
    "read": ("GET", "/api/v1/items", None),
    "operate": ("POST", "/api/v1/models/labels/promote", {}),
    "operate by message": ("POST", "/api/v1/items/Tuner/messages", {"class": "msg.OverrideRequest"}),
    "administer": ("GET", "/api/v1/keys", None),
}
MAY = {
    "": set(),
    "predictor": {"predict"},
    "viewer": {"read"},
    "operator": {"predict", "read", "operate", "operate by message"},
    "administrator": set(ASKED),
}


@pytest.mark.parametrize("role", MAY)
def test_what_a_role_may(site: Site, role: str) -> None:
    with site.client(role) as client:
        answers = {name: client.request(method, path, json=body) for name, (method, path, body) in ASKED.items()}
    assert {name for name, answer in answers.items() if answer.is_success} == MAY[role]
    refused = {answer.status_code for name, answer in answers.items() if name not in MAY[role]}
    assert refused <= {403} if role else refused == {401}


def test_a_predictor_sees_its_own_sessions_alone(site: Site) -> None:
    with site.client("predictor") as predictor, site.client() as other:
        own = predictor.post("/api/v1/models/labels/predict", json={"inputs": "x"}).json()["session_id"]
        foreign = other.post("/api/v1/models/labels/predict", json={"inputs": "x"}).json()["session_id"]
        assert predictor.get(f"/api/v1/sessions/{own}").status_code == 200
        assert predictor.get(f"/api/v1/sessions/{own}/events").status_code == 200
        assert predictor.get(f"/api/v1/sessions/{foreign}").status_code == 403
        assert predictor.get(f"/api/v1/sessions/{foreign}/events").status_code == 403


def test_an_administrator_makes_and_revokes_keys(site: Site) -> None:
    with site.client() as client:
        made = client.post("/api/v1/keys", json={"name": "shop", "days": 1, "rate": 10})
        assert made.status_code == 201 and made.json()["role"] == "predictor"
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        assert client.get("/api/v1/status", headers=key).status_code == 200
        assert client.get("/api/v1/status", headers={"Authorization": "", "X-API-Key": made.json()["key"]}).is_success
        listed = client.get("/api/v1/keys").json()
        assert made.json()["id"] in {one["id"] for one in listed} and not any("key" in one for one in listed)
        assert client.delete(f"/api/v1/keys/{made.json()['id']}").json()["revoked"]
        assert client.get("/api/v1/status", headers=key).status_code == 401
        assert client.delete("/api/v1/keys/nothing").status_code == 404


def test_the_command_line_works_beside_the_server(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES), "EVERGREEN_DATA": str(site.folder / "data")}
    command = [sys.executable, "-m", "evergreen", "keys", "create", "a script", "--role", "viewer", "--days", "7"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    key = {"Authorization": f"Bearer {made.stdout.strip()}"}
    with site.client("") as client:
        assert client.get("/api/v1/items", headers=key).status_code == 200
        assert evergreen.main(["keys", "list"]) == 0
        assert "a script" in (listed := capsys.readouterr().out) and made.stdout.strip() not in listed
        assert evergreen.main(["keys", "revoke", made.stderr.split()[0]]) == 0
        assert client.get("/api/v1/items", headers=key).status_code == 401
    assert evergreen.main(["keys", "revoke", "nothing"]) == 1
    assert "list the keys" in capsys.readouterr().err


def test_a_user_of_the_portal_needs_no_key(site: Site) -> None:
    with site.client("") as client:
        assert client.get("/api/v1/keys", auth=("SuperUser", PASSWORD)).status_code == 200
        assert client.get("/api/v1/keys", auth=("SuperUser", "wrong")).status_code == 401


def test_keys_are_written_nowhere(make_site: Callable, capfd: pytest.CaptureFixture[str]) -> None:
    """Every way to bring a key, right ones and wrong ones, in every place; then every byte that was written."""
    with make_site() as site, site.client() as client:
        wrong = site.keys["viewer"][:-4] + "AAAA"
        for key in (*site.keys.values(), wrong):
            headers = [{"Authorization": f"Bearer {key}"}, {"Authorization": "", "X-API-Key": key}]
            for header in headers:
                client.get("/api/v1/items", headers=header)
                client.post("/api/v1/models/labels/predict", json={"inputs": "raise"}, headers=header)
            client.delete(f"/api/v1/keys/{key}")
            client.get(f"/api/v1/status?key={key}")
            client.post("/api/v1/models/labels/predict", json={"inputs": "x", "api_key": key})
        made = client.post("/api/v1/keys", json={"name": "another"}).json()["key"]
        site.director.flush()
        secrets = [key[len("egk_") + 13 :] for key in (*site.keys.values(), wrong, made)]
        written = {file: file.read_bytes() for file in site.folder.rglob("*") if file.is_file()}
    printed = "".join(capfd.readouterr())
    for secret in secrets:
        assert secret not in printed
        assert [file.name for file, content in written.items() if secret.encode() in content] == []
    keys = sqlite3.connect(site.folder / "data" / "api" / "keys.db")
    assert keys.execute("SELECT count(*) FROM api_key").fetchone()[0] == len(site.keys) + 1
