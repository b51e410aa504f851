"""The stock `iop` command line against a real server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.web.sample import PASSWORD, Site, write_production


def iop(site: Site, *arguments: str, password: str = PASSWORD, status: int = 0) -> str:
    """Run the command as a user does. Returns what it printed."""
    environment = os.environ | {
        "IOP_URL": site.url, "IOP_USERNAME": "SuperUser", "IOP_PASSWORD": password, "IOP_NAMESPACE": "IRISAPP",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "iop", *arguments], env=environment, capture_output=True, text=True, timeout=60
    )
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
