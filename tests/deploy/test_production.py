"""production.py as IRIS gets it, read by `iop` where no engine is."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from deploy.images import ROOT
from known_production import KNOWN, lines

FILE = ROOT / "src/python/production.py"
ALONE = {name: value for name, value in os.environ.items() if not name.startswith(("IOP_", "IRIS"))}


def python(*arguments: str) -> str:
    """Standard output of a Python of its own, in which nothing of irislite is loaded."""
    environment = ALONE | {"PYTHONPATH": str(ROOT / "src/python"), "PYTHONWARNINGS": "error:::production"}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported() -> dict:
    """The production as XML, and what its validation finds."""
    script = (
        "import json, sys, production\n"
        "found = production.production.validate()\n"
        "issues = [str(issue) for issue in found.issues]\n"
        "assert 'irislite' not in sys.modules, 'on IRIS there is no irislite'\n"
        "assert 'torch' not in sys.modules, 'a migration must not load torch'\n"
        "print(json.dumps({'xml': production.production.to_xml(), 'issues': issues}))\n"
    )
    return json.loads(python("-c", script).splitlines()[-1])


def test_a_dry_run_is_clean_and_strict() -> None:
    command = ("--migrate", str(FILE), "--dry-run", "--force-local", "--strict-production-validation")
    plan = python("-m", "iop", *command)
    assert "iris.Production" in plan
    assert "WARNING" not in plan.upper().replace("WARNINGS: 0", "")


def test_the_validation_finds_nothing(exported: dict) -> None:
    assert exported["issues"] == []


def test_the_xml_has_the_items_that_users_know(exported: dict) -> None:
    root = ElementTree.fromstring(exported["xml"])
    assert (root.tag, root.get("Name"), root.get("TestingEnabled")) == ("Production", "iris.Production", "true")
    items = {item.get("Name"): item for item in root.findall("Item")}
    found = {
        name: (items[name].get("ClassName"), lines(items[name].findtext("Setting[@Name='%settings']") or ""))
        for name in items
        if name in KNOWN
    }
    assert found == KNOWN
    assert list(found) == list(KNOWN)
    for name, item in items.items():
        targets = {setting.get("Target") for setting in item.findall("Setting")}
        assert targets <= {"Host", "Adapter"}, name
        assert "\r" not in "".join(item.itertext()), name


def test_on_iris_the_members_of_a_pool_share_the_process_of_their_model(exported: dict) -> None:
    items = ElementTree.fromstring(exported["xml"]).findall("Item[@ClassName='Python.MLOperation']")
    assert {item.get("PoolSize") for item in items} == {"4"}
    assert not any("isolation" in "".join(item.itertext()) for item in items)  # auto: a process on IRIS


def test_what_needs_a_redis_is_disabled_and_says_what_to_do(exported: dict) -> None:
    items = {item.get("Name"): item for item in ElementTree.fromstring(exported["xml"]).findall("Item")}
    for name in ("Python.SentimentService", "Python.SentimentProcess", "Python.SentimentDelivery"):
        assert items[name].get("Enabled") == "false"
        assert "redis-server --appendonly yes" in (items[name].get("Comment") or "")
    told = {"SENTIMENT_REDIS_URL": "redis://elsewhere:6379/0"}
    script = "import production; print(production.production.to_xml())"
    environment = ALONE | told | {"PYTHONPATH": str(ROOT / "src/python")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    named = ElementTree.fromstring(done.stdout)
    assert {item.get("Enabled") for item in named.findall("Item") if "Sentiment" in item.get("Name", "")} == {"true"}
    assert "redis_url=redis://elsewhere:6379/0" in done.stdout
