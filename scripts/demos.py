"""The demo productions of iop's repository, each started and asked as its own text says (see conformance.py).

`python scripts/demos.py NAME FOLDER` runs one of them; FOLDER is the repository's demo/python. What a demo needs
from a network or a model service is replaced by a stand-in; waits are made shorter; nothing else is changed.
"""

import contextlib
import importlib
import io
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import iop

from irislite.testing import Running, running


def modules(folder: Path, *names: str) -> list[Any]:
    """The modules of a demo; a module that waits does so twenty times as fast."""
    sys.path.insert(0, str(folder))
    found = [importlib.import_module(name) for name in names]
    for module in found:
        if hasattr(module, "time"):
            module.time = SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 20))
    return found


def expect(production: Running, *lines: str) -> None:
    """Every line must be in the event log."""
    texts = [entry.text for entry in production.log]
    missing = [line for line in lines if not any(line in text for text in texts)]
    assert not missing, f"The log has no {missing}; it has {texts}"


def command(*arguments: str) -> str:
    """What the `iop` command line prints; it works on the production of this process."""
    from iop.cli.main import main

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main(list(arguments))
    return printed.getvalue()


def demo_async(folder: Path) -> None:
    """A process asks three times: it takes two answers, and the third is not asked for."""
    with running(folder / "settings.py", check=False) as production:  # two items name classes the demo has not
        production.send("Python.MyBP")
        production.wait_idle()
        expect(production, "Received response one: Hello, Message1", "Received response two: Hello, Message2")
        asked = [arrow for arrow in production.trace if arrow.target == "Python.MyBO"]
        assert len(asked) == 3 and all(arrow.status == "Completed" for arrow in asked), asked


def demo_async_ng(folder: Path) -> None:
    """A process gathers the answers to one to ten requests with asyncio."""
    bo, bp = modules(folder, "bo", "bp")
    with running({"Python.MyAsyncNGBO": bo.MyAsyncNGBO, "Python.MyAsyncNGBP": bp.MyAsyncNGBP}) as production:
        assert production.send("Python.MyAsyncNGBP", timeout=60).message == "All responses received"
        expect(production, "Received response: Hello, Message 0 after")


def demo_multi_sync(folder: Path) -> None:
    """A process asks several times at once and waits for all answers."""
    bo, bp = modules(folder, "bo", "bp")
    with running({"Python.MyMultiBO": bo.MyMultiBO, "Python.MyMultiBP": bp.MyMultiBP}) as production:
        production.send("Python.MyMultiBP")
        lines = ("Received response: Hello, Message1", "Received response: Hello, Message2")
        expect(production, "All requests have been processed", *lines)


def demo_generator(folder: Path) -> None:
    """A process reads the rows of a query, and the words of a language model, one message each."""
    rows = [(1, "first"), (2, "second"), (3, "third")]
    cursor = type("Cursor", (), {"execute": lambda self, sql: None, "__iter__": lambda self: iter(rows)})
    stand_in("intersystems_iris.dbapi._DBAPI", connect=lambda **_: SimpleNamespace(cursor=cursor))
    words = SimpleNamespace(create=lambda **_: iter([SimpleNamespace(to_json=lambda: "token")]))
    stand_in("openai", OpenAI=lambda **_: SimpleNamespace(chat=SimpleNamespace(completions=words)))
    with running([Idle]):  # the demo's modules ask for classes of IRIS when they are imported
        bo, bp = modules(folder, "bo", "bp")
    items = {"User.MyGeneratorOperation": bo.MyGeneratorOperation, "User.MyGeneratorProcess": bp.MyGeneratorProcess}
    with running(items) as production:
        production.send("User.MyGeneratorProcess")
        expect(production, *(f"MyGeneratorResponse(my_other_string='{text}')" for _, text in rows))
        production.send("User.MyGeneratorProcess", "a question")
        expect(production, "MyGeneratorResponse(my_other_string='token')")


def demo_duplex(folder: Path) -> None:
    """A service opens private sessions with a process, again and again."""
    with running([Idle]):
        bp, bs = modules(folder, "bp", "bs")
    settings = {"Service": {"DuplexTargetConfigName": "Process", ("Adapter", "CallInterval"): 0.05}}
    with running({"Process": bp.Process, "Service": bs.Service}, settings=settings) as production:
        wait_for(lambda: [entry.text for entry in production.log].count("In on_document") > 3)
        expect(production, "In on_private_session_started", "In on_document")


def demo_pythonic_productions(folder: Path) -> None:
    """A polling service sends orders along its route; the production draws itself and is tested through iop."""
    fast = {"FileInput": {("Adapter", "CallInterval"): 0.05}}
    for file in ("declarative.py", "demo.py"):
        with running(folder / file, settings=fast) as production:
            wait_for(lambda: [arrow for arrow in production.trace if arrow.status == "Completed"])
            assert production.trace[0].body.order_id == "777"
            if file == "demo.py":
                with contextlib.redirect_stdout(io.StringIO()) as printed:
                    assert runpy.run_path(str(folder / "test.py"))["main"]() == 0
                assert "order_id='123'" in printed.getvalue(), printed.getvalue()
                assert "FileInput" in command("--export", "Demo.Production", "--format", "mermaid")
    with running(folder / "mermaid_showcase.py") as production:
        picture = command("--export", production.name, "--format", "mermaid")
        assert "Validate Claim" in picture and "Audit Store" in picture, picture


def demo_production_change_workflow(folder: Path) -> None:
    """Plan, review, apply, verify and roll back, on the command line and with the demo's own script."""
    settings = folder / "settings.py"
    with running(settings) as production, tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        production.override("OrderService", {"BatchSize": 20})  # what runs is no more what the file says
        told = command("--plan", str(settings), "--production", production.name, "--out", "plan.json")
        assert "written to plan.json" in told, told
        assert "set_setting items.OrderService.settings.Host.BatchSize [safe]" in command("--review-plan", "plan.json")
        told = command("--apply-plan", "plan.json", "--settings", str(settings), "--backup-dir", "backups")
        assert "applied: 1, skipped: 0, failed: 0" in told, told
        assert batch_size(production) == "10"
        assert "success: true" in command("--verify-plan", "plan.json")
        (backup,) = Path("backups").iterdir()
        told = command("--rollback-backup", str(backup), "--allow-destructive")
        assert "success: true" in told and batch_size(production) == "20", told
        workflow(folder, "plan")
        assert "applied: 1" in workflow(folder, "apply", "--backup-dir", "again") and batch_size(production) == "10"
        assert "success: true" in workflow(folder, "verify")
        (backup,) = Path("again").iterdir()
        workflow(folder, "rollback", "--backup", str(backup), "--allow-destructive")
        assert batch_size(production) == "20"


class Idle(iop.BusinessOperation):
    """Does nothing: a production for the time of an import."""


def stand_in(name: str, **members: Any) -> None:
    """A module in the place of one that needs a network or a driver."""
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(members)


def wait_for(check: Callable[[], Any], timeout_s: float = 10) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def batch_size(production: Running) -> str | None:
    """The setting that the change workflow changes."""
    return next(view.value for view in production.director.settings("OrderService") if view.name == "BatchSize")


def workflow(folder: Path, *arguments: str) -> str:
    """What the demo's own script prints."""
    before, sys.argv = sys.argv, ["workflow.py", *arguments]
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(str(folder / "workflow.py"), run_name="__main__")
    finally:
        sys.argv = before
    return printed.getvalue()


DEMOS: dict[str, Callable[[Path], None]] = {
    "async": demo_async,
    "async_ng": demo_async_ng,
    "generator": demo_generator,
    "multi_sync": demo_multi_sync,
    "duplex": demo_duplex,
    "pythonic_productions": demo_pythonic_productions,
    "production_change_workflow": demo_production_change_workflow,
}

if __name__ == "__main__":
    name, root = sys.argv[1], Path(sys.argv[2]).resolve()
    sys.argv = sys.argv[:1]
    DEMOS[name](root / name)
