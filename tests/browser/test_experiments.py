"""The room Experiments: from a table to a promoted model, live, in every look, and not without the role."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

import tiny_models
from acceptance.running import PROJECT, free_port
from browser.accessibility import severe_findings
from browser.conftest import LOOKS, PASSWORD, USERNAME, Visit, new_context, sign_in
from browser.house import signed_in
from browser.test_looks import look
from browser.walk import press_everything, walk
from irislite.sql import Tables
from unit.experiment.folders import MODELS, QUICK, set_keys, write_models

NAME = "EXP-1-reviews"
TABS = ("Comparison", "Curves", "By label", "Settings", "Log")


@dataclass
class Laboratory:
    """The address of the running production, and its project."""

    url: str
    root: Path

    def call(self, method: str, path: str, **values: Any) -> requests.Response:
        url = f"{self.url}/api/irislite{path}"
        return requests.request(method, url, auth=(USERNAME, PASSWORD), timeout=60, **values)

    @property
    def folder(self) -> Path:
        return self.root / "src" / "experiments" / NAME


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    root = tmp_path_factory.mktemp("laboratory")
    write_models(root / "src" / "model")
    tiny_models.build("bert-classifier", root / "src" / "model" / "reviews")
    tables = Tables(root / "home")
    tables.load_csv("iris.Review", PROJECT / "misc" / "reviews.csv", mode="append")
    tables.close()
    port = free_port()
    environment = {
        **os.environ, "EVERGREEN_ROOT": str(root), "IRISLITE_HOME": str(root / "home"), "PORT": str(port),
        "PYTHONPATH": str(PROJECT / "src" / "python"), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1",
        "IRISUSERNAME": USERNAME, "IRISPASSWORD": PASSWORD, "IRISLITE_SYNCHRONOUS": "NORMAL",
        "EVERGREEN_ENERGY_BOOK": str(root / "book.db"),
    }  # fmt: skip
    command = [sys.executable, "-m", "irislite.cli", "run", str(Path(__file__).with_name("experiments_production.py"))]
    with subprocess.Popen(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert any("Ctrl-C" in line for line in iter(process.stdout.readline, "")), "it starts"
            yield Laboratory(f"http://localhost:{port}", root)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def opened(browser: Browser, served: Laboratory, kind: str, path: str = "/experiments") -> tuple[Visit, Page]:
    visit = Visit(new_context(browser, served, kind, None), served.url)  # type: ignore[arg-type]
    page = visit.page()
    page.goto(path)
    sign_in(page)
    page.wait_for_url("**/experiments*")
    return visit, page


def test_from_a_table_to_a_promoted_model(browser: Browser, served: Laboratory) -> None:
    visit, page = opened(browser, served, "light")
    expect(page.get_by_text("There is no experiment yet")).to_be_visible()
    page.get_by_role("button", name="New experiment").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url(f"**/experiments?experiment={NAME}*")
    set_keys(served.folder, **QUICK | {"MODEL_NAMES": "nowhere"})
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("before anything is started")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("nowhere")).to_be_visible()
    page.get_by_role("button", name="Start a run").click()
    expect(page.get_by_role("alert")).to_contain_text("nowhere", timeout=60_000)
    set_keys(served.folder, **QUICK)
    page.get_by_role("button", name="Start a run").click()
    runs, steps = page.get_by_role("region", name="Runs").first, page.get_by_role("region", name="Steps").first
    expect(runs).to_contain_text("run 1", timeout=60_000)
    expect(runs).to_contain_text("Done", timeout=90_000)
    expect(steps.locator(".step.is-completed")).to_have_count(7)
    page.get_by_role("tab", name="Comparison").click()
    table = page.get_by_role("region", name="Models side by side")
    for model in MODELS:
        expect(table).to_contain_text(model)
    expect(table.locator(".best")).to_have_count(1)
    page.get_by_role("button", name="Make it the candidate").click()
    expect(page.get_by_text("waits as the candidate of reviews")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Promote the candidate").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.get_by_text("answers as reviews")).to_be_visible(timeout=30_000)
    visit.context.close()
    assert visit.problems == []


def test_another_run_is_compared_by_its_settings(browser: Browser, served: Laboratory) -> None:
    set_keys(served.folder, EPOCHS="2")
    visit, page = opened(browser, served, "light", f"/experiments?experiment={NAME}")
    page.get_by_role("button", name="Start a run").click()
    runs = page.get_by_role("region", name="Runs").first
    expect(runs).to_contain_text("run 2", timeout=60_000)
    expect(runs.get_by_text("Done")).to_have_count(2, timeout=90_000)
    page.get_by_role("tab", name="Settings").click()
    expect(page.get_by_role("main")).to_contain_text("training.EPOCHS")
    page.get_by_role("tab", name="Curves").click()
    expect(page.locator(".chart svg").first).to_be_visible()
    visit.context.close()
    assert visit.problems == []


@pytest.mark.parametrize("kind", LOOKS)
def test_every_look(browser: Browser, served: Laboratory, kind: str, shots: Path) -> None:
    visit, page = opened(browser, served, kind)
    expect(page.get_by_role("article")).to_have_count(1)
    look(page, shots, f"experiments-{kind}")
    page.get_by_role("link", name=NAME).click()
    expect(page.get_by_role("region", name="Steps").first).to_be_visible()
    for tab in TABS:
        page.get_by_role("tab", name=tab).evaluate("tab => tab.click()")
        expect(page.get_by_label("Reading")).to_have_count(0)
        if tab in ("Curves", "By label"):
            expect(page.locator(".chart svg").first).to_be_visible()
        look(page, shots, f"experiments-{tab.replace(' ', '-').lower()}-{kind}")
        if kind == "light":
            assert severe_findings(page) == [], tab
    visit.context.close()
    assert visit.problems == []


def test_a_viewer_changes_nothing(browser: Browser, served: Laboratory) -> None:
    person = {"name": "vera", "role": "viewer", "password": PASSWORD}
    assert served.call("POST", "/system/users", json=person).status_code == 201
    state = signed_in(browser, served, "vera")  # type: ignore[arg-type]
    visit = Visit(new_context(browser, served, "light", state), served.url)  # type: ignore[arg-type]
    before = {path: path.stat().st_mtime_ns for path in (served.root / "src").rglob("*")}
    messages = served.call("GET", "/messages", params={"limit": 1}).json()
    page = visit.page()
    for place in walk(page, "/experiments"):
        press_everything(page)
        assert served.call("GET", "/messages", params={"limit": 1}).json() == messages, place
    assert {path: path.stat().st_mtime_ns for path in (served.root / "src").rglob("*")} == before
    visit.context.close()


def test_the_twin_says_the_same_in_json(served: Laboratory) -> None:
    found = served.call("GET", "/experiments").json()
    assert [one["name"] for one in found] == [NAME]
    runs = served.call("GET", f"/experiments/{NAME}").json()
    assert [(run["number"], run["state"]) for run in runs] == [(2, "done"), (1, "done")]
    one = served.call("GET", f"/experiments/{NAME}/runs/1").json()
    assert one["comparison"]["winner"] in MODELS and one["deployed"]["model_name"] == "reviews"
    assert one["curves"].keys() == one["statistics"].keys() == set(MODELS)
    assert one["deployed"]["answers"] == f"{NAME}-run_1-{one['comparison']['winner']}"
    differences = served.call("GET", f"/experiments/{NAME}/differences", params={"one": 1, "other": 2}).json()
    assert differences == [{"key": "training.EPOCHS", "one": "1", "other": "2"}]
    assert served.call("GET", f"/experiments/{NAME}/runs/9").status_code == 404
    assert served.call("GET", "/experiments/EXP-9").status_code == 404
    assert served.call("POST", f"/experiments/{NAME}/runs/1/cancel", json={}).status_code in (400, 500)
    handed = served.call("POST", f"/experiments/{NAME}/runs/2/candidate", json={}).json()
    refused = served.call("POST", f"/experiments/{NAME}/runs/2/promote", json={"expect": "0" * 12})
    assert refused.status_code == 400 and "hand it over again" in refused.json()["error"]
    done = served.call("POST", f"/experiments/{NAME}/runs/2/promote", json={"expect": handed["output"]["id"]}).json()
    assert done["session_id"] > 0
