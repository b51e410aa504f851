"""The JSON twin of the room System."""

import csv
import io
import json
from pathlib import Path

import pytest
import requests

from runtime.web.sample import PASSWORD, Site

SYSTEM = "/api/irislite/system"
SECRET = "hf_neverShownAgain"


def test_health_tells_what_is_wrong_and_the_cure(site: Site) -> None:
    health = site.call("GET", f"{SYSTEM}/health").json()
    checks = {check["name"]: check for check in health["checks"]}
    assert checks["Production"]["state"] == "ok" and "is running" in checks["Production"]["text"]
    assert checks["Backup"]["state"] == "warn" and checks["Backup"]["text"].endswith("to another machine.")
    assert health["state"] in ("warn", "bad")
    assert health["load"]["uptime_s"] > 0 and health["load"]["memory_bytes"] > 10_000_000
    assert {"Python", "SQLite", "nicegui"} <= set(health["versions"])
    site.call("POST", "/api/irislite/backup", json={})
    after = {check["name"]: check["state"] for check in site.call("GET", f"{SYSTEM}/health").json()["checks"]}
    assert after["Backup"] == "ok"


def test_jobs_queues_alerts(site: Site) -> None:
    jobs = site.call("GET", f"{SYSTEM}/jobs").json()
    assert {"Greeter", "Relay"} <= {job["pool"] for job in jobs}
    queues = {queue["item"]: queue for queue in site.call("GET", f"{SYSTEM}/queues").json()}
    assert queues["Greeter"] == {"item": "Greeter", "waiting": 0, "in_work": 0, "oldest": ""}
    assert site.call("GET", f"{SYSTEM}/alerts").json() == []


def test_the_configuration_hides_secrets(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRISPASSWORD", SECRET)
    monkeypatch.setenv("IRISLITE_PURGE_DAYS", "30")
    answer = site.call("GET", f"{SYSTEM}/configuration")
    rows = {row["name"]: row for row in answer.json()}
    assert (rows["IRISLITE_PURGE_DAYS"]["value"], rows["IRISLITE_PURGE_DAYS"]["is_set"]) == ("30", True)
    assert (rows["PORT"]["value"], rows["PORT"]["is_set"]) == ("52795", False)
    assert SECRET not in answer.text


def test_users_come_and_go(site: Site) -> None:
    assert site.call("GET", f"{SYSTEM}/me").json() == {"name": "SuperUser", "role": "administrator"}
    new = {"name": "otto", "role": "operator", "password": "Otto's password"}
    made = site.call("POST", f"{SYSTEM}/users", json=new)
    assert (made.status_code, made.json()) == (
        201, {"name": "otto", "role": "operator", "disabled": False, "is_owner": False}
    )  # fmt: skip
    assert site.call("POST", f"{SYSTEM}/users", json=new).status_code == 409
    assert site.call("POST", f"{SYSTEM}/users", json=new | {"name": "a b"}).status_code == 400
    me = requests.get(f"{site.url}{SYSTEM}/me", auth=("Otto", "Otto's password"), timeout=60)
    assert me.json() == {"name": "otto", "role": "operator"}
    assert site.call("PATCH", f"{SYSTEM}/users/otto", json={"role": "viewer"}).json()["role"] == "viewer"
    assert site.call("PUT", f"{SYSTEM}/users/otto/password", json={"password": "another one"}).status_code == 200
    assert requests.get(f"{site.url}{SYSTEM}/me", auth=("otto", "Otto's password"), timeout=60).status_code == 401
    assert site.call("PATCH", f"{SYSTEM}/users/otto", json={"disabled": True}).json()["disabled"]
    assert requests.get(f"{site.url}{SYSTEM}/me", auth=("otto", "another one"), timeout=60).status_code == 401
    assert site.call("DELETE", f"{SYSTEM}/users/superuser").status_code == 409
    assert site.call("DELETE", f"{SYSTEM}/users/otto").status_code == 200
    assert site.call("DELETE", f"{SYSTEM}/users/otto").status_code == 404
    assert [user["name"] for user in site.call("GET", f"{SYSTEM}/users").json()] == ["SuperUser"]


def test_a_credential_goes_in_and_never_out(site: Site) -> None:
    new = {"username": "ada", "secret": SECRET}
    put = site.call("PUT", f"{SYSTEM}/credentials/hub", json=new)
    listed = site.call("GET", f"{SYSTEM}/credentials")
    assert put.json() == {"name": "hub", "username": "ada"} and listed.json() == [put.json()]
    too_much = site.call("PUT", f"{SYSTEM}/credentials/hub", json={"secret": {"it": SECRET}})
    assert too_much.status_code == 422
    site.director.flush()
    log = "".join(entry.text for entry in site.director.eventlog.newest(1_000))
    audit = site.call("GET", f"{SYSTEM}/audit?limit=1000")
    for text in (put.text, listed.text, too_much.text, log, audit.text):
        assert SECRET not in text
    assert any(entry["action"].startswith("Keep a credential") and entry["target"] == "hub" for entry in audit.json())
    assert site.call("DELETE", f"{SYSTEM}/credentials/hub").status_code == 200
    assert site.call("DELETE", f"{SYSTEM}/credentials/hub").status_code == 404


def test_the_audit_has_every_change_and_can_be_taken_along(site: Site) -> None:
    site.test("you")
    site.call("POST", "/api/iop/update", json={})
    entries = site.call("GET", f"{SYSTEM}/audit", params={"user": "superuser", "outcome": "done"}).json()
    assert [entry["target"] for entry in entries[:2]] == ["/api/iop/update", "Greeter"]
    assert all(entry["via"] == "REST" and entry["client"] == "127.0.0.1" for entry in entries)
    lines = [json.loads(line) for line in site.call("GET", f"{SYSTEM}/audit/export").text.splitlines()]
    assert lines[:2] == entries[:2]
    exported = site.call("GET", f"{SYSTEM}/audit/export", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert [row["target"] for row in rows[:2]] == ["/api/iop/update", "Greeter"]
    assert exported.headers["content-disposition"] == 'attachment; filename="audit.csv"'


def test_a_spreadsheet_runs_nothing_from_the_audit(site: Site) -> None:
    with site.director.audit.deed("=1+1", "@SUM(A1)"):
        pass
    row = next(csv.DictReader(io.StringIO(site.call("GET", f"{SYSTEM}/audit/export?format=csv").text)))
    assert (row["action"], row["target"]) == ("'=1+1", "'@SUM(A1)")


def test_a_failed_sign_in_is_in_the_audit(site: Site) -> None:
    requests.get(f"{site.url}/api/iop/status", auth=("mallory", PASSWORD), timeout=60)
    entry = site.director.audit.entries(1)[0]
    assert (entry.user, entry.action, entry.outcome) == ("mallory", "Sign in", "refused")


def test_the_audit_lies_beside_the_messages(site: Site) -> None:
    assert Path(site.director.home / "audit.db").stat().st_mode & 0o077 == 0
