"""The rooms Models and Energy, over real tiny models: what an operator does there, in every look."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, StorageState, expect

from browser.accessibility import OF_COLOURS, severe_findings
from browser.conftest import LOOKS, Visit, new_context
from browser.house import LABELS, MARKUP, PASSWORD, House, house, save_candidate, signed_in
from browser.test_looks import look
from tuning import curve


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with house(folder) as served:
        yield served


@pytest.fixture(scope="module")
def state(browser: Browser, home: House) -> StorageState:
    return signed_in(browser, home)


@pytest.fixture
def window(browser: Browser, home: House, state: StorageState) -> Iterator[Callable[[str], Page]]:
    visits: list[Visit] = []

    def open_one(kind: str = "light") -> Page:
        visits.append(Visit(new_context(browser, home, kind, state), home.url))  # type: ignore[arg-type]
        return visits[-1].page()

    yield open_one
    for one in visits:
        one.context.close()
    assert [problem for one in visits for problem in one.problems] == []


@pytest.fixture
def candidate(home: House, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not (home.models / "temp-bert").exists():
        save_candidate(home, home.root.parent / "candidate")


def test_what_is_there_and_who_uses_it(window: Callable[[str], Page]) -> None:
    page = window("light")
    page.goto("/models")
    card = page.get_by_role("article").filter(has_text="mit")
    expect(card).to_contain_text("text-classification")
    expect(card.get_by_role("link", name="Labels")).to_have_attribute("href", "/production?item=Labels")
    expect(card.get_by_role("link", name="Tuning")).to_be_visible()
    card.get_by_role("link", name="bert").click()
    page.get_by_role("tab", name="Card").click()
    expect(page.get_by_role("heading", name="A card")).to_be_visible()
    expect(page.get_by_text("<img src=x")).to_be_visible()
    page.get_by_role("tab", name="Folder and origin").click()
    expect(page.get_by_text("BertForSequenceClassification")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0 and "broken in" not in page.title()


def test_a_model_is_downloaded_by_its_address(window: Callable[[str], Page], home: House) -> None:
    page = window("light")
    page.goto("/models")
    page.get_by_label("Address of a model").fill("gopher://elsewhere")
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_text("is not an http or https address")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.get_by_label("Address of a model").fill(f"{home.hub.hub.url}/{home.hub.name}")
    page.get_by_label("Folder (optional)").fill("my-ner")
    page.get_by_role("button", name="Download").click()
    expect(page.locator(".download").first).to_contain_text("done")
    expect(page.get_by_role("article").filter(has_text="my-ner")).to_contain_text("token-classification")
    found = home.call("GET", "/api/irislite/models/my-ner").json()
    assert (found["source"], found["commit"], found["uses"]) == (home.hub.name, home.hub.commit(), [])
    shutil.rmtree(home.models / "my-ner")


@pytest.mark.usefixtures("candidate")
def test_a_candidate_is_compared_promoted_and_taken_back(window: Callable[[str], Page], home: House) -> None:
    page = window("light")
    page.goto("/models?model=bert&tab=decision")
    table = page.get_by_role("region", name="Metrics side by side")
    expect(table.locator("tr").filter(has_text="Accuracy")).to_contain_text("0.500")
    expect(table.locator("td.best").first).to_have_text("0.640")
    matrix = page.get_by_role("region", name="Confusion matrix, candidate")
    expect(matrix.locator("td.right").first).to_have_text("7")
    expect(matrix.get_by_role("rowheader", name=MARKUP)).to_be_visible()
    page.get_by_role("button", name="Promote the candidate").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("better by 0.140 accuracy")
    dialog.get_by_role("button", name="Promote", exact=True).click()
    expect(page.get_by_text("bert is now the model of the last training")).to_be_visible()
    expect(page.locator(".history li")).to_contain_text("SuperUser")
    assert (home.models / "previous-bert").is_dir() and not (home.models / "temp-bert").exists()
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("bert is now the previous model again")).to_be_visible()
    page.get_by_role("link", name="Trace").last.click()
    page.wait_for_url("**/trace?session=*")
    decision = home.call("GET", "/api/irislite/models/bert/decision").json()
    assert [entry["act"] for entry in decision["history"]][:2] == ["rollback", "promotion"]


@pytest.fixture
def training(home: House) -> Iterator[Path]:
    """A training at work, as its files tell: the folder of its checkpoints."""
    folder, checkpoints = home.models / ".training-bert", home.models / "checkpoints" / "bert-abc"
    folder.mkdir(exist_ok=True)
    record = {"id": "abc", "began": "2026-11-21T10:00:00+00:00", "fields": {}, "checkpoints": str(checkpoints)}
    (folder / "run-abc.json").write_text(json.dumps(record | {"plan": {"data": "", "base": "", "arguments": ""}}))
    (folder / "current").write_text("abc")
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield checkpoints
    shutil.rmtree(folder)
    shutil.rmtree(checkpoints.parent)


def test_a_training_at_work_is_followed_and_stopped(window: Callable[[str], Page], home: House, training: Path) -> None:
    curve.add(training, 5, 20, 0.5, {"loss": 1.5})
    page = window("light")
    page.goto("/models?model=bert&tab=decision")
    live = page.get_by_role("region", name="Training at work", exact=True)
    expect(live).to_contain_text("step 5 of 20")
    live.get_by_text("The same as a table").click()
    curve.add(training, 10, 20, 1.0, {"loss": 1.25})
    curve.add(training, 10, 20, 1.0, {"eval_accuracy": 0.5})
    expect(live).to_contain_text("step 10 of 20")
    expect(live.locator("tbody tr").last).to_contain_text("1.25")  # still open: only what changed is drawn anew
    live.get_by_role("button", name="Stop", exact=True).click()
    curve.add(training, 15, 20, 1.5, {"loss": 1.0})
    expect(live).to_contain_text("step 15 of 20")
    page.get_by_role("dialog").get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("The training of bert stops at its next step.")).to_be_visible()
    assert json.loads((home.models / ".training-bert" / "cancel").read_text()) == {"run": "abc", "keep_best": False}


def test_a_model_is_tried_by_its_item(window: Callable[[str], Page]) -> None:
    page = window("light")
    page.goto("/models?model=bert&tab=try")
    expect(page.get_by_role("link", name="Labels")).to_be_visible()
    page.get_by_label("More fields (JSON)").fill('{"top_k": ')
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_contain_text("no valid JSON")
    page.get_by_label("More fields (JSON)").fill('{"top_k": 2}')
    page.get_by_label("Text", exact=True).fill("A lovely evening")
    page.get_by_role("button", name="Ask").click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer.locator(".tree")).to_contain_text("score", timeout=60_000)  # the first one loads the library
    expect(answer.get_by_role("link", name="Visual Trace")).to_be_visible()


def test_a_model_without_an_item_is_loaded_for_one_question(
    window: Callable[[str], Page], home: House, tmp_path: Path
) -> None:
    page = window("light")
    page.goto("/models?model=cats&tab=try")
    expect(page.get_by_text("No item runs it")).to_be_visible()
    fake = tmp_path / "fake.png"
    fake.write_text("no picture")
    page.locator("input[type=file]").set_input_files(fake)
    expect(page.get_by_text("That is no PNG, JPEG, GIF or WebP picture")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.locator("input[type=file]").set_input_files(home.root / "misc" / "000000039769.jpg")
    expect(page.get_by_label("Or its address")).to_have_value("(the upload 000000039769.jpg)")
    page.get_by_role("button", name="Ask").click()
    answer = page.get_by_role("region", name="Answer")
    expect(answer.get_by_role("img").first).to_be_visible(timeout=90_000)
    expect(answer.locator(".tree")).to_contain_text("remote")
    expect(answer.get_by_role("link", name="Visual Trace")).to_have_count(0)


def test_what_was_spent_is_told_with_range_and_method(window: Callable[[str], Page], home: House) -> None:
    body = {"target": "Labels", "classname": "msg.MLRequest", "body": {"inputs": "tea"}, "restart": False}
    assert home.call("POST", "/api/iop/test", json=body).ok
    report = home.call("GET", "/api/irislite/energy?by=item").json()
    labels = next(each for each in report["sums"] if each["name"] == "Labels")
    assert labels["pieces"] >= 1 and labels["low"] < labels["joules"] < labels["high"]
    assert labels["methods"] and set(labels["methods"]) <= {"estimated-tdp", "measured-rapl", "unavailable"}
    page = window("light")
    page.goto("/energy")
    row = page.get_by_role("region", name="By item").locator("tbody tr").filter(has_text="Labels")
    expect(row).to_contain_text(labels["methods"][0])
    expect(row).to_contain_text("–")
    expect(page.locator(".chart svg")).to_be_visible()
    page.get_by_role("combobox", name="Added up").click()
    page.get_by_role("option", name="By model").click()
    expect(page.get_by_role("region", name="By model").locator("tbody")).to_contain_text("bert")


@pytest.mark.parametrize("path", ["/models/nothing", "/models/..%2F..", "/models/nothing/decision"])
def test_what_is_not_there(home: House, path: str) -> None:
    assert home.call("GET", f"/api/irislite{path}").status_code == 404


@pytest.mark.usefixtures("candidate")
def test_a_viewer_sees_and_changes_nothing(browser: Browser, home: House) -> None:
    person = {"name": "vera", "role": "viewer", "password": PASSWORD}
    assert home.call("POST", "/api/irislite/system/users", json=person).status_code == 201
    for path, body in (
        ("downloads", {"address": home.hub.name}), ("downloads/x/cancel", {}), ("bert/promote", {"expect": ""}),
        ("bert/rollback", {}), ("bert/stop-training", {}), ("bert/try", {"fields": {"inputs": "tea"}}),
    ):  # fmt: skip
        asked = requests.post(f"{home.url}/api/irislite/models/{path}", json=body, auth=("vera", PASSWORD), timeout=30)
        assert asked.status_code == 403 and "needs the role operator" in asked.json()["error"]
    assert (home.models / "temp-bert").is_dir()
    context = browser.new_context(base_url=home.url, storage_state=signed_in(browser, home, "vera"))
    page = context.new_page()
    page.goto("/models?model=bert&tab=decision")
    expect(page.get_by_role("button", name="Promote the candidate")).to_be_disabled()
    expect(page.get_by_text("Needs the role operator")).to_be_visible()
    page.goto("/models")
    expect(page.get_by_role("button", name="Download")).to_be_disabled()
    page.get_by_label("Address of a model").fill(home.hub.name)
    page.get_by_label("Address of a model").press("Enter")  # the server refuses, whatever the page looks like
    expect(page.get_by_text("needs the role operator")).to_be_visible()
    downloads = home.call("GET", "/api/irislite/models/downloads").json()
    assert all(download["name"] != "tiny-ner" for download in downloads)
    context.close()


@pytest.mark.usefixtures("candidate")
@pytest.mark.parametrize("kind", LOOKS)
def test_looks(kind: str, window: Callable[[str], Page], shots: Path) -> None:
    page = window(kind)
    page.goto("/models")
    expect(page.get_by_role("article").first).to_be_visible()
    see(page, shots, f"models-{kind}")
    for tab in ("decision", "try", "card", "origin") if kind == "light" else ("decision",):
        page.goto(f"/models?model=bert&tab={tab}")
        expect(page.locator(".panel-body")).not_to_be_empty()
        if tab == "decision":
            expect(page.locator(".chart svg").first).to_be_visible()
            expect(page.get_by_role("region", name="Confusion matrix, candidate")).to_contain_text(LABELS[0])
        see(page, shots, f"models-{tab}-{kind}")
    page.goto("/energy")
    expect(page.locator("main h1")).to_be_visible()
    see(page, shots, f"energy-{kind}")
    page.goto("/sql")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".grid table")).to_be_visible(timeout=30_000)  # the item may still be loading its library
    see(page, shots, f"sql-{kind}")


def see(page: Page, shots: Path, name: str) -> None:
    """As `look`, of the whole page, with axe-core, and on a desk at a tablet's width too."""
    look(page, shots, name)
    if os.environ.get("EVERGREEN_SCREENSHOTS"):
        page.screenshot(path=shots / f"{name}-whole.png", full_page=True)
    assert severe_findings(page, OF_COLOURS if name.endswith("dark") else ()) == []
    if name.endswith("light"):
        page.set_viewport_size({"width": 768, "height": 1024})
        look(page, shots, name.replace("light", "tablet"))
        page.set_viewport_size({"width": 1280, "height": 800})
