"""The stock `iop` command line against a real server."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from irislite.eventlog import LogType
from irislite.header import Status
from runtime.web.sample import PASSWORD, Site, write_production
from waiting import eventually


def environment(site: Site, password: str = PASSWORD) -> dict[str, str]:
    """The variables with which `iop` finds the server."""
    return os.environ | {
        "IOP_URL": site.url, "IOP_USERNAME": "SuperUser", "IOP_PASSWORD": password, "IOP_NAMESPACE": "IRISAPP",
    }  # fmt: skip


def iop(site: Site, *arguments: str, password: str = PASSWORD, status: int = 0) -> str:
    """Run the command as a user does. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "iop", *arguments], env=environment(site, password), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_looking(site: Site) -> None:
    assert json.loads(iop(site, "--status")) == {"production": site.production, "status": "running"}
    entry = json.loads(iop(site, "--list"))[site.production]
    assert entry["Status"] == "Running" and entry["LastStartTime"]
    assert f"Production {site.production} is starting." in iop(site, "--log", "10")
    queues = json.loads(iop(site, "--queue"))
    assert {row["item"]: row["count"] for row in queues["items"]}["Greeter"] == 0
    export = json.loads(iop(site, "--export"))[site.production]
    assert [item["@Name"] for item in export["Item"]] == ["Door", "Relay", "Greeter", "Off/Line"]
    assert {row["classname"] for row in json.loads(iop(site, "--bindings"))} == {"Door", "Relay", "Greeter"}
    assert "Relay" in iop(site, "--export", site.production, "--format", "mermaid")


def test_testing(site: Site) -> None:
    message = ("-C", f"{site.module}.Ask", "-B")
    assert "Hello you" in iop(site, "--test", "Greeter", *message, '{"text": "you"}')
    assert "the greeter was asked to fail" in iop(site, "--test", "Greeter", *message, '{"text": "boom"}', status=1)
    assert "Did you mean 'Greeter'" in iop(site, "--test", "Greter", *message, "{}", status=1)
    assert "401" in iop(site, "--status", password="wrong", status=1)


def test_starting_and_stopping(site: Site) -> None:
    assert site.production in iop(site, "--stop")
    assert site.director.status()["status"] == "stopped"
    assert "409" in iop(site, "--update", status=1)
    assert "started" in iop(site, "--start", site.production, "--detach")
    iop(site, "--restart")
    assert site.director.status() == {"production": site.production, "status": "running"}


def test_migrating(site: Site, tmp_path: Path) -> None:
    module = f"migrated_{site.module}"
    file = write_production(tmp_path / "project", "Web.Migrated", module)
    assert "Web.Migrated" in iop(site, "--migrate", str(file))
    assert (site.director.home / "migrated" / "python" / f"{module}.py").is_file()
    iop(site, "--default", "Web.Migrated")
    assert iop(site, "--default").strip() == "Web.Migrated"
    assert "'Web.None'" in iop(site, "--default", "Web.None", status=1)
    site.director.set_default_production(site.production)
    (file.parent / "extra.py").write_text("this is no Python, but nobody imports it")
    file.write_text("PRODUCTIONS = [")
    assert "SyntaxError" in iop(site, "--migrate", str(file), status=1)


@pytest.mark.parametrize("action", [["--kill"], ["--update"]])
def test_commands_that_print_nothing(site: Site, action: list[str]) -> None:
    assert iop(site, *action) == ""
    site.director.start(site.production)


def test_a_kill_does_not_wait_for_the_message_at_hand(site: Site) -> None:
    body = {"target": "Greeter", "classname": f"{site.module}.Ask", "body": {"text": "sleep 4"}, "wait": False}
    message = site.call("POST", "/api/iop/test", json=body).json()["message_id"]
    eventually(lambda: site.director.item("Greeter").in_progress)
    iop(site, "--kill")
    assert site.director.status()["status"] == "stopped"
    assert site.director.store.header(message).status is not Status.COMPLETED
    iop(site, "--start", site.production, "--detach")
    eventually(lambda: site.director.store.header(message).status is Status.COMPLETED)


def test_the_classes_of_iop_are_there_already(site: Site, tmp_path: Path) -> None:
    assert "are part of irislite" in iop(site, "--init")
    (tmp_path / "Mine.cls").write_text("Class Mine Extends %RegisteredObject {}")
    assert "Mine.cls is ObjectScript" in iop(site, "--init", str(tmp_path), status=1)


def test_bindings_are_listed_and_removed(site: Site, tmp_path: Path) -> None:
    module = f"bound_{site.module}"
    (tmp_path / f"{module}.py").write_text(
        "from iop import BusinessOperation\n\nclass Idle(BusinessOperation):\n    pass\n"
    )
    file = tmp_path / f"{module}_settings.py"
    file.write_text(f"import {module}\n\nCLASSES = {{'Mine.Idle': {module}.Idle}}\n")
    iop(site, "--migrate", str(file))  # classes alone, without a production
    (row,) = json.loads(iop(site, "--bindings", "--unused"))
    assert (row["class"], row["super"], row["classname"], row["used"], row["used_by"]) == (
        "Mine.Idle", "IOP.BusinessOperation", "Idle", 0, []
    )  # fmt: skip
    used = [row for row in json.loads(iop(site, "--bindings")) if row["classname"] == "Relay"]
    assert {"production": site.production, "item": "Relay"} in [user for row in used for user in row["used_by"]]
    assert "Removed binding Mine.Idle" in iop(site, "--unbind", "Mine.Idle")
    assert "There is no binding" in iop(site, "--unbind", "Mine.Idle", status=1)


def test_the_log_streams_until_ctrl_c(site: Site) -> None:
    command = [sys.executable, "-u", "-m", "iop", "--log"]
    with subprocess.Popen(command, env=environment(site), stdout=subprocess.PIPE, text=True) as stream:
        eventually(lambda: stream.stdout.readline())
        site.director.eventlog.add(LogType.INFO, "a line that comes later")
        lines: list[str] = []
        eventually(lambda: lines.append(stream.stdout.readline()) or "a line that comes later" in lines[-1])
        stream.send_signal(signal.SIGINT)
        assert stream.wait(60) == 0


def test_strict_validation_refuses_what_a_warning_would_only_tell(site: Site, tmp_path: Path) -> None:
    file = write_production(tmp_path / "project", "Web.Strict", f"strict_{site.module}")
    file.write_text(
        file.read_text().replace(
            'p.operation("Greeter", c.Greeter)', 'p.operation("Greeter", c.Greeter, settings={"greting": "x"})'
        )
    )
    assert "greting" in iop(site, "--migrate", str(file), "--strict-production-validation", status=1)
    assert "Web.Strict" not in site.director.listing()
    iop(site, "--migrate", str(file))
    assert "Web.Strict" in site.director.listing()
    assert any("greting" in entry.text for entry in site.director.eventlog.newest(20, LogType.WARNING))


def test_a_plan_is_made_reviewed_and_verified_remotely_and_applied_only_locally(site: Site, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    site.director.apply_settings("Greeter", {("Host", "greeting"): "Moin"})
    iop(site, "--plan", str(site.file), "--production", site.production, "--out", plan)
    assert "items.Greeter.settings.Host.greeting" in iop(site, "--review-plan", plan)
    assert "success: true" in iop(site, "--verify-plan", plan)
    told = iop(site, "--apply-plan", plan, "--settings", str(site.file), "--allow-destructive", status=1)
    assert "local" in told  # iop 4.1 itself refuses
    site.director.apply_settings("Greeter", {("Host", "greeting"): None})


def test_another_namespace_is_refused(site: Site) -> None:
    assert "There is no namespace 'NOWHERE'" in iop(site, "--status", "--namespace", "NOWHERE", status=1)
