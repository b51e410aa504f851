"""What `iop` finds when it asks for IRIS in a process that hosts irislite: lifecycle, plans, log, classes."""

import json
from pathlib import Path

import iop
import iris
import pytest
from iop.migration import utils
from iop.production import ProductionChangePlan
from iop.runtime import director as lifecycle
from iop.runtime.local import _LocalDirector

from irislite.bridge import backend
from irislite.director import Director
from irislite.errors import IrisliteError
from irislite.header import Status
from irislite.views import ItemState
from waiting import eventually


@pytest.fixture(autouse=True)
def no_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOP_URL", raising=False)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No runtime is bound but those of the test, whatever ran before it in this process."""
    monkeypatch.setattr(backend, "_runtimes", [])


def desired(director: Director, production_file: Path) -> iop.Production:
    """The production as its settings file says it, for plans."""
    settings, _ = utils._load_settings(str(production_file))
    return settings.p.with_director(_LocalDirector())


def changes(plan: ProductionChangePlan) -> list[str]:
    """What a plan would do, but for routes that `iop` only infers from code: it cannot apply them."""
    return sorted(operation.op_type for operation in plan.operations if operation.supported)


def value(director: Director, item: str, name: str) -> str | None:
    return next(view.value for view in director.settings(item) if view.name == name)


def test_a_plan_brings_an_edited_production_back_to_its_file(
    director: Director, production_file: Path, tmp_path: Path
) -> None:
    production = desired(director, production_file)
    assert not changes(production.plan())
    director.apply_settings("Echo", {("Host", "number"): "9"}, pool_size=3)
    plan = production.plan()
    assert changes(plan) == ["set_item_field", "set_setting"]
    result = production.apply(plan, backup_dir=str(tmp_path / "backups"))
    assert (result.applied, result.failed, result.updated_runtime) == (2, 0, True)
    assert (value(director, "Echo", "number"), director.item("Echo").pool_size) == ("3", 1)
    assert production.verify(plan).success
    undone = iop.Production.rollback_backup(result.backup_path, director=_LocalDirector(), allow_destructive=True)
    assert undone.success
    assert (value(director, "Echo", "number"), director.item("Echo").pool_size) == ("9", 3)


def test_a_plan_removes_only_what_it_is_allowed_to(director: Director, production_file: Path, tmp_path: Path) -> None:
    production = desired(director, production_file)
    director.apply_settings("Echo", {("Host", "greeting"): "Bye"})
    plan = production.plan()
    assert changes(plan) == ["remove_setting"]
    assert production.apply(plan, backup_dir=str(tmp_path)).applied == 0
    assert value(director, "Echo", "greeting") == "Bye"
    assert production.apply(plan, allow_destructive=True, backup_dir=str(tmp_path)).applied == 1
    assert value(director, "Echo", "greeting") is None


def test_a_plan_that_is_older_than_the_last_edit_is_refused(
    director: Director, production_file: Path, tmp_path: Path
) -> None:
    production = desired(director, production_file)
    director.apply_settings("Echo", {("Host", "number"): "9"})
    plan = production.plan()
    director.apply_settings("Echo", {("Host", "number"): "10"})
    with pytest.raises(RuntimeError, match="changed since"):
        production.apply(plan, backup_dir=str(tmp_path))


OPERATIONS = [
    ({"op_type": "add_item", "item": "New", "after": {
        "class_name": "Python.New", "pool_size": 2, "enabled": "true", "host_settings": {"a": "1"},
        "adapter_settings": {"CallInterval": 3}, "other_settings": [{"@Target": "X", "@Name": "b", "#text": "2"}]}},
     lambda p: (p.item("New").pool_size, p.item("New").enabled, dict(p.item("New").settings)),
     (2, True, {("Host", "a"): "1", ("Adapter", "CallInterval"): "3", ("X", "b"): "2"})),
    ({"op_type": "delete_item", "item": "Echo"}, lambda p: any(item.name == "Echo" for item in p.items), False),
    ({"op_type": "delete_item", "item": "Nobody"}, lambda p: len(p.items), 10),
    ({"op_type": "set_item_field", "item": "Echo", "field": "comment", "after": "well"},
     lambda p: p.item("Echo").comment, "well"),
    ({"op_type": "set_item_field", "item": "Echo", "field": "enabled", "after": False},
     lambda p: p.item("Echo").enabled, False),
    ({"op_type": "replace_item_class", "item": "Echo", "field": "class_name", "after": "Python.Other"},
     lambda p: p.item("Echo").class_name, "Python.Other"),
    ({"op_type": "set_production_field", "field": "actor_pool_size", "after": 5}, lambda p: p.actor_pool_size, 5),
    ({"op_type": "set_production_field", "field": "shutdown_timeout", "after": 60},
     lambda p: p.settings["ShutdownTimeout"], "60"),
    ({"op_type": "set_route_setting", "source_item": "Chain", "source_target_setting": "output", "after": ["A", "B"]},
     lambda p: p.item("Chain").setting("output"), "A,B"),
    ({"op_type": "remove_route", "source_item": "Echo", "source_target_setting": "number"},
     lambda p: p.item("Echo").setting("number"), None),
    ({"op_type": "set_setting", "item": "Echo", "target": "Other", "after": []},
     lambda p: len(p.item("Echo").settings), 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "look", "expected"), OPERATIONS, ids=[str(operation)[:60] for operation, *_ in OPERATIONS]
)
def test_every_operation_of_a_plan(director: Director, operation: dict, look, expected) -> None:
    name = director.status()["production"]
    answer = json.loads(iris.cls("IOP.Utils").ApplyProductionPlan(name, json.dumps({"operations": [operation]})))
    assert [row["status"] for row in answer["operations"]] == ["applied"], answer
    assert look(director.productions.production(name)) == expected


@pytest.mark.parametrize(
    ("operation", "status", "words"),
    [
        ({"op_type": "explode"}, "failed", "not known"),
        ({"op_type": "add_item", "item": "Echo", "after": {}}, "failed", "already"),
        ({"op_type": "set_item_field", "item": "Echo", "field": "pool_size", "after": -1}, "failed", "0 or more"),
        ({"op_type": "set_item_field", "item": "Echo", "field": "colour", "after": 1}, "failed", "no field"),
        ({"op_type": "set_item_field", "item": "Ekho", "field": "comment"}, "failed", "Did you mean 'Echo'"),
        ({"op_type": "set_setting", "risk": "unsupported", "reason": "because"}, "skipped", "because"),
        ({"op_type": "delete_item", "item": "Echo", "risk": "destructive"}, "skipped", "requires allow_destructive"),
    ],
)
def test_operations_that_are_not_done_say_why(director: Director, operation: dict, status: str, words: str) -> None:
    name = director.status()["production"]
    before = director.productions.production(name)
    answer = json.loads(iris.cls("IOP.Utils").ApplyProductionPlan(name, json.dumps({"operations": [operation]})))
    (row,) = answer["operations"]
    assert row["status"] == status and words in row["message"]
    assert director.productions.production(name) == before


def test_a_plan_for_a_production_that_is_not_there_is_an_error(director: Director) -> None:
    answer = json.loads(iris.cls("IOP.Utils").ApplyProductionPlan("Not.There", '{"operations": []}'))
    assert "There is no production 'Not.There'" in answer["error"]
    plan = ProductionChangePlan(id="1", production_name="Not.There")
    assert iop.Production("Not.There", director=_LocalDirector()).apply(plan).applied == 0


def test_the_production_says_when_it_needs_an_update(director: Director, production_file: Path) -> None:
    assert lifecycle.status_production()["NeedsUpdate"] == 0
    production_file.write_text(production_file.read_text().replace("suffix=!", "suffix=?"))
    director.load(production_file)
    status = lifecycle.status_production()
    assert status["NeedsUpdate"] == 1 and "update" in status["UpdateMessage"]
    lifecycle.update_production()
    assert lifecycle.status_production()["NeedsUpdate"] == 0


def test_a_shutdown_does_not_wait_for_the_message_at_hand_and_a_start_handles_it(
    director: Director, ask_class: str
) -> None:
    header = director.test_async("Echo", ask_class, '{"text": "sleep 0.5"}')
    eventually(lambda: director.item("Echo").in_progress)
    lifecycle.shutdown_production()
    assert director.status()["status"] == "stopped"
    assert director.store.header(header.id).status is not Status.COMPLETED
    lifecycle.start_production()
    eventually(lambda: director.store.header(header.id).status is Status.COMPLETED)


def test_a_production_that_iop_creates_replaces_what_was_there(director: Director) -> None:
    name = director.status()["production"]
    director.apply_settings("Echo", {("Host", "greeting"): "Bye"})
    definition = director.export(name)[name]
    definition["Item"] = [item for item in definition["Item"] if item["@Name"] != "Off"]
    utils.register_production_definition(name, {"Production": definition})
    director.update()
    assert "Off" not in {item.name for item in director.items()}
    assert value(director, "Echo", "greeting") == "Bye"


def test_the_log_can_be_asked_for_by_sql(director: Director, ask_class: str) -> None:
    director.test("Echo", ask_class, '{"text": "you"}')
    eventually(lambda: any("asked you" in line for line in lifecycle.read_top_log(20)))
    rows = iris.sql.prepare("SELECT * FROM Ens_Util.Log WHERE Text = ?").execute("asked you")
    assert next(rows)[9] == "asked you"  # IRIS's order of the columns


def test_what_components_write_to_the_console_is_kept(director: Director) -> None:
    iop.BusinessOperation().trace("to the operators", to_console=True)
    assert (director.home / "messages.log").read_text().endswith("to the operators\n")


def test_the_classes_of_iop_need_no_setup_and_others_cannot_be_loaded(director: Director, tmp_path: Path) -> None:
    utils.setup()
    (tmp_path / "Mine.cls").write_text("Class Mine {}")
    with pytest.raises(RuntimeError, match=r"Mine\.cls.*does not run"):
        utils.setup(str(tmp_path))
    assert not iris.system.Status.IsError(iris.cls("%SYSTEM.OBJ").LoadDir(str(tmp_path / ".."), "", "*.none"))
    assert iris.system.Status.IsError(iris.cls("%SYSTEM.OBJ").Compile("Mine.*", "cb"))


def test_schemas_are_kept(director: Director, ask_class: str) -> None:
    module = ask_class.rpartition(".")[0]
    ask = getattr(__import__(module), "Ask")  # noqa: B009
    utils.register_message_schema(ask)
    kept = iris.cls("IOP.Message.JSONSchema")._OpenId(ask_class)
    assert (kept.Name, kept.Category) == (ask_class, ask_class)
    assert json.loads(kept.JSONSchema)["properties"]["text"]["type"] == "string"
    assert iris.cls("IOP.Message.JSONSchema")._OpenId("nothing") is None


def test_a_status_carries_its_text(director: Director) -> None:
    with pytest.raises(RuntimeError, match="went wrong"):
        utils.raise_on_error(iris.system.Status.Error("went wrong"))
    with pytest.raises(RuntimeError, match="#6000: went wrong"):
        utils.raise_on_error(iris.system.Status.Error(6000, "went wrong"))


def test_a_runtime_that_is_closed_answers_no_more(alone: None, director: Director) -> None:
    director.close()
    other = Director(director.home.parent / "other", synchronous="NORMAL")
    assert lifecycle.status_production()["Status"] == "stopped"
    other.close()
    with pytest.raises(IrisliteError, match="No irislite runtime is bound"):
        lifecycle.status_production()


def test_a_component_is_stopped_and_started_through_iop(director: Director) -> None:
    lifecycle.stop_component("Echo")
    assert director.item("Echo").state is ItemState.DISABLED
    lifecycle.start_component("Echo")
    assert director.item("Echo").state is ItemState.RUNNING
    with pytest.raises(RuntimeError, match="Did you mean 'Echo'"):
        lifecycle.start_component("Ekho")
