"""Items added, copied and removed while the production runs, and what a changed file makes of that."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from irislite import assembly, config
from irislite.director import Director
from irislite.errors import ProductionError, UnknownItem
from irislite.eventlog import LogType
from irislite.header import Status
from irislite.throughput import STEP_S, STEPS, Throughput
from irislite.views import ItemState
from runtime.asking import ask
from waiting import eventually

COMPONENTS = '''
from dataclasses import dataclass
from iop import BusinessOperation, Message, handler, setting


@dataclass
class Ask(Message):
    text: str = ""


class Model(BusinessOperation):
    """Runs a model."""

    name = setting("", required=True, description="Its folder.")
    word = setting("", description="What it says.")

    def on_init(self):
        if self.name == "gone":
            raise FileNotFoundError("There is no such model: name another.")

    @classmethod
    def item_form(cls):
        return {"model": {"help": "Which one.", "choices": ["small", "large"]}, "word": {"required": False}}

    @classmethod
    def item_settings(cls, answers):
        if answers["model"] == "huge":
            raise ValueError("huge does not fit: choose small.")
        return {"name": answers["model"], "word": answers.get("word", "hello")}

    @handler(Ask)
    def ask(self, request: Ask):
        return Ask(text=f"{self.word} {request.text}")


class Plain(BusinessOperation):
    """Needs a folder."""

    folder = setting("", required=True, description="Where it looks.")

    @handler(Ask)
    def ask(self, request: Ask):
        return Ask(text=self.folder)
'''
ITEMS = """
p.operation("First", c.Model, settings={"%settings": "name=small"})
p.operation("Plain", c.Plain, settings={"folder": "/tmp"})
"""


@pytest.fixture
def shop(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS)


def model_class(director: Director) -> str:
    return next(form.class_name for form in director.item_forms() if form.is_own)


def names(director: Director) -> list[str]:
    return [item.name for item in director.items()]


def request_class(director: Director) -> str:
    return director.request_classes("First")[0].name


def test_forms_say_what_a_new_item_is_asked_for(shop: Director) -> None:
    own, plain = shop.item_forms()
    assert own.is_own and own.description == "Runs a model."
    assert [(field.name, field.required, field.choices) for field in own.fields] == [
        ("model", True, ("small", "large")), ("word", False, ()),
    ]  # fmt: skip
    assert not plain.is_own and [(field.name, field.help) for field in plain.fields] == [("folder", "Where it looks.")]


def test_an_added_item_answers_at_once_and_after_a_restart(
    shop: Director, run_production: Callable[..., Director]
) -> None:
    lines = shop.add_item(" Second ", model_class(shop), {"model": "large", "word": "good"}, comment="mine")
    assert lines == ["name=large", "word=good"]
    assert ask(shop, request_class(shop), "morning", "Second") == {"text": "good morning"}
    assert (shop.item("Second").state, shop.item("Second").comment) == (ItemState.RUNNING, "mine")
    again = run_production()
    assert names(again) == ["First", "Plain", "Second"]
    assert ask(again, request_class(again), "evening", "Second") == {"text": "good evening"}


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("First", {"model": "small"}, "has an item 'First' already"),
        ("", {"model": "small"}, "has no name"),
        ("x" * 200, {"model": "small"}, "128 are the most"),
        ("a\nb", {"model": "small"}, "cannot be called"),
        ("_SyncCall:1", {"model": "small"}, "cannot be called"),
        ("Ens.Alarm", {"model": "small"}, "cannot be called"),
        ("New", {}, "needs model: fill that in"),
        ("New", {"model": "small", "colour": "red"}, "not asked for 'colour'"),
        ("New", {"model": "small", "word": "a\nname=large"}, "more than one line"),
        ("New", {"model": "huge"}, "huge does not fit: choose small"),
    ],
)
def test_what_cannot_be_added_is_said_and_nothing_changes(
    shop: Director, name: str, answers: dict[str, str], words: str
) -> None:
    with pytest.raises(ProductionError, match=words):
        shop.add_item(name, model_class(shop), answers)
    with pytest.raises(ProductionError, match="No item can be made of"):
        shop.add_item("New", "Python.Nothing", {})
    assert names(shop) == ["First", "Plain"]


def test_an_item_that_does_not_come_up_is_there_in_error_and_recovers(shop: Director) -> None:
    with pytest.raises(ProductionError, match="There is no such model"):
        shop.add_item("Lost", model_class(shop), {"model": "gone"})
    assert shop.item("Lost").state is ItemState.ERROR
    with pytest.raises(ProductionError, match="Lost could not be started"):
        shop.recover()
    assert shop.status()["status"] == "troubled"
    shop.apply_settings("Lost", {("Host", "%settings"): "name=small"})
    assert shop.recover() == []
    assert shop.status()["status"] == "running"


def test_a_copy_has_the_settings_and_is_disabled(shop: Director) -> None:
    shop.add_item("Second", model_class(shop), {"model": "large"})
    shop.copy_item("First", "First 2")
    assert names(shop) == ["First", "First 2", "Plain", "Second"]
    assert shop.item("First 2").state is ItemState.DISABLED
    assert {view.name: view.value for view in shop.settings("First 2")}["%settings"] == "name=small"
    shop.enable_item("First 2", True)
    assert shop.item("First 2").state is ItemState.RUNNING
    with pytest.raises(ProductionError, match="already"):
        shop.copy_item("First", "Plain")
    with pytest.raises(UnknownItem):
        shop.copy_item("Nobody", "Somebody")
    assert assembly.free_name("First", names(shop)) == "First 3"


def test_a_removed_item_stays_away_until_the_file_says_something_new_of_it(
    shop: Director, run_production: Callable[..., Director], tmp_path: Path
) -> None:
    shop.remove_item("Plain")
    assert names(shop) == ["First"]
    with pytest.raises(UnknownItem):
        shop.test_async("Plain", request_class(shop), "{}")
    again = run_production(COMPONENTS, ITEMS)
    assert names(again) == ["First"]
    changed = run_production(COMPONENTS, ITEMS.replace("/tmp", "/var"))
    assert names(changed) == ["First", "Plain"]
    told = [entry.text for entry in changed.eventlog.newest(50, LogType.WARNING)]
    assert any("edits to Plain that were made in the portal are gone" in text for text in told)


def test_an_item_with_messages_is_not_removed(shop: Director) -> None:
    shop.apply_settings("Plain", {("Host", "ThrottleDelay"): "300"})
    headers = [shop.test_async("Plain", request_class(shop), "{}") for _ in range(4)]
    with pytest.raises(ProductionError, match="has messages to handle"):
        shop.remove_item("Plain")
    waiting = shop.waiting("Plain", 10)
    assert {header.id for header in waiting} <= {header.id for header in headers}
    shop.abort_queue("Plain")
    eventually(lambda: not shop.item("Plain").in_progress)
    shop.remove_item("Plain")
    assert all(shop.store.header(header.id).status in (Status.ABORTED, Status.COMPLETED) for header in headers)


def test_a_production_that_was_replaced_is_told_when_the_file_takes_it_back(
    shop: Director, run_production: Callable[..., Director]
) -> None:
    production = shop.productions.production("Own.Production")
    shop.register_production(dataclasses.replace(production, items=production.items[:1]))  # as iop's API does
    again = run_production(COMPONENTS, ITEMS)
    assert names(again) == ["First", "Plain"]
    told = [entry.text for entry in again.eventlog.newest(50, LogType.WARNING)]
    assert any("was replaced through the API since its file was read the last time" in text for text in told)


def test_only_edits_that_are_lost_are_told() -> None:
    item = assembly.new_item("One", "Python.One", {"a": "1"})
    source = config.from_dict("P", {}).__class__("P", "", 2, True, False, {}, (item,))
    edited = source.with_item(dataclasses.replace(item, pool_size=3))
    other_change = source.with_item(dataclasses.replace(item, comment="new"))
    same_change = source.with_item(dataclasses.replace(item, pool_size=7))
    for file, expected in ((source, []), (other_change, []), (same_change, ["One"])):
        merged = config.merge(edited, source, file)
        assert config.overruled(edited, source, merged) == expected


def test_jobs_tell_what_each_member_works_on(director: Director, ask_class: str) -> None:
    director.apply_settings("Echo", {}, pool_size=2)
    header = director.test_async("Echo", ask_class, '{"text": "sleep 0.4"}')
    eventually(lambda: any(job.message_id == header.id for job in director.jobs("Echo")))
    jobs = director.jobs("Echo")
    assert len({job.job for job in jobs}) == 2 and {job.state for job in jobs} == {"running"}
    busy = next(job for job in jobs if job.message_id)
    assert (busy.item, busy.session_id) == ("Echo", header.session_id) and busy.since > 0
    eventually(lambda: all(not job.message_id for job in director.jobs("Echo")))
    assert director.jobs("Off") == [] and len(director.jobs("Actor")) == 2
    assert director.item("Echo").throughput[-1] + director.item("Echo").throughput[-2] == 1


def test_secrets_in_settings_are_neither_shown_nor_lost(director: Director) -> None:
    key = ("Host", "%settings")

    def shown() -> str | None:
        return next(view.value for view in director.settings("Other") if view.name == "%settings")

    def kept() -> str | None:
        return director.productions.production("Test.Production").item("Other").setting("%settings")

    director.apply_settings("Other", {key: "suffix=!\napi_key=hf_secret"})
    assert shown() == "suffix=!\napi_key=********"
    director.apply_settings("Other", {key: "suffix=?\napi_key=********"})
    assert kept() == "suffix=?\napi_key=hf_secret"
    director.apply_settings("Other", {key: "api_key=hf_new"})
    assert kept() == "api_key=hf_new"
    director.apply_settings("Other", {("Host", "token"): "hf_other"})
    director.apply_settings("Other", {("Host", "token"): "********"})
    assert director.productions.production("Test.Production").item("Other").setting("token") == "hf_other"


def test_throughput_counts_in_steps() -> None:
    counter, start = Throughput(), 1_000_000.0
    assert counter.recent(start) == (0,) * STEPS
    for _ in range(3):
        counter.count(start)
    counter.count(start + STEP_S)
    assert counter.recent(start + STEP_S)[-2:] == (3, 1)
    assert counter.recent(start + 3 * STEP_S)[-4:] == (3, 1, 0, 0)
    counter.count(start)  # a clock that was set back
    assert sum(counter.recent(start + 3 * STEP_S)) == 5
    assert counter.recent(start + 1_000 * STEP_S) == (0,) * STEPS
