"""A production in a test, as a user of `iop` writes it: started, asked, looked at, restarted, gone."""

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import iop
import pytest
from iop import (
    BusinessOperation,
    BusinessProcess,
    BusinessService,
    DuplexProcess,
    DuplexService,
    Message,
    PydanticMessage,
    handler,
    setting,
)

from irislite.errors import BadRequest, ProductionError, RequestFailed, RequestTimeout, UnknownItem
from irislite.pytest_plugin import production  # noqa: F401 - the fixture under test
from irislite.testing import Arrow, running
from irislite.views import ItemState


@dataclass
class Ask(Message):
    text: str = ""


class Told(PydanticMessage):
    text: str = ""


class Echo(BusinessOperation):
    greeting = setting("Hello")

    @handler(Ask)
    def ask(self, request: Ask):
        if request.text == "raise":
            raise ValueError("it was asked to raise")
        if request.text == "sleep":
            import time

            time.sleep(0.5)
        return Told(text=f"{self.greeting} {request.text}")

    def on_message(self, request):
        return None


class Chain(BusinessProcess):
    @handler(Ask)
    def ask(self, request: Ask):
        return self.send_request_sync("Echo", request)


class Door(BusinessService):
    def on_process_input(self, text):
        return self.send_request_sync("Echo", Ask(text))


class Feed(DuplexService):
    """Sends its documents in one private session that it never ends."""

    documents: ClassVar[list[Ask]] = []

    @staticmethod
    def get_adapter_type() -> str:
        return "Ens.InboundAdapter"

    def on_process_input(self, _: object) -> None:
        if self.documents:
            self.send_document_to_process(self.documents.pop(0))


class Reader(DuplexProcess):
    read: ClassVar[list[str]] = []

    def on_document(self, _source: str, document: Ask) -> None:
        self.read.append(document.text)


class Broken(BusinessOperation):
    def on_init(self):
        raise RuntimeError("no model here")


def project(folder: Path, word: str) -> Path:
    """A project whose modules have the names that every project uses."""
    folder.mkdir()
    (folder / "msg.py").write_text(
        "from dataclasses import dataclass\nfrom iop import Message\n\n@dataclass\nclass Ask(Message):\n"
        f"    text: str = '{word}'\n"
    )
    (folder / "bo.py").write_text(
        "from iop import BusinessOperation\nimport msg\n\nclass Echo(BusinessOperation):\n"
        f"    def on_message(self, request):\n        return msg.Ask(f'{word} {{request.text}}')\n"
    )
    file = folder / "settings.py"
    file.write_text(
        "from bo import Echo\nfrom iop import Production\n\nproduction = Production('My.Production')\n"
        "production.operation('Echo', Echo)\nPRODUCTIONS = [production]\n"
    )
    return file


def test_classes_are_items_that_answer_with_objects(production) -> None:
    hosted = production([Echo, Chain])
    assert hosted.send("Chain", Ask("you")) == Told(text="Hello you")
    assert hosted.send("Echo", "a text") is None
    assert hosted.item("Echo").state is ItemState.RUNNING
    assert hosted.name == "Test.Production"


def test_a_class_may_be_defined_in_the_test_and_an_item_have_a_name_of_its_own(production) -> None:
    class Louder(Echo):
        greeting = setting("HELLO")

    assert production({"Echo": Louder}).send("Echo", Ask("you")).text == "HELLO you"


def test_a_production_object_and_its_dictionary_run(production) -> None:
    definition = iop.Production("Mine.Production")
    definition.operation("Echo", Echo, settings={"greeting": "Moin"})
    assert production(definition).send("Echo", Ask("you")).text == "Moin you"
    items = [{"@Name": "Echo", "@ClassName": Echo}]
    hosted = production({"Dict.Production": {"@Name": "Dict.Production", "Item": items}})  # ends the first
    assert (hosted.name, hosted.send("Echo", Ask("you")).text) == ("Dict.Production", "Hello you")


def test_settings_are_overridden_before_the_start_and_while_it_runs(production) -> None:
    hosted = production([Echo], settings={"Echo": {"greeting": "Bye"}})
    assert hosted.send("Echo", Ask("you")).text == "Bye you"
    hosted.override("Echo", {"greeting": "Ciao"}, pool_size=2)
    assert (hosted.send("Echo", Ask("you")).text, hosted.item("Echo").pool_size) == ("Ciao you", 2)
    hosted.restart()
    assert hosted.send("Echo", Ask("you")).text == "Ciao you"
    hosted.override("Echo", {"greeting": None})
    assert hosted.send("Echo", Ask("you")).text == "Hello you"
    hosted.override("Echo", enabled=False)
    assert hosted.item("Echo").state is ItemState.DISABLED


def test_the_trace_shows_every_message_with_its_body(production) -> None:
    hosted = production([Echo, Chain])
    hosted.send("Echo", Ask("before"))
    session = hosted.send_async("Chain", Ask("you"))
    hosted.wait_idle()
    arrows = hosted.trace_of(session)
    assert [(arrow.kind, arrow.source, arrow.target, arrow.status) for arrow in arrows] == [
        ("request", "EnsLib.Testing.Service", "Chain", "Completed"),
        ("request", "Chain", "Echo", "Completed"),
        ("response", "Echo", "Chain", "Completed"),
        ("response", "Chain", "EnsLib.Testing.Service", "Completed"),
    ]
    assert [arrow.body for arrow in arrows] == [Ask("you"), Ask("you"), Told(text="Hello you"), Told(text="Hello you")]
    assert arrows[2].classname == f"{__name__}.Told"
    assert hosted.trace[-4:] == arrows and len(hosted.trace) == 6
    assert "Chain → Echo  Ask(text='you')  Completed" in str(arrows[1])
    assert isinstance(arrows[0], Arrow)


def test_an_error_carries_the_components_traceback(production) -> None:
    hosted = production([Echo])
    with pytest.raises(RequestFailed, match="it was asked to raise") as caught:
        hosted.send("Echo", Ask("raise"))
    assert "in ask" in "".join(caught.value.__notes__)
    assert [entry.text for entry in hosted.log if entry.stack] == ["ValueError: it was asked to raise"]
    with pytest.raises(RequestTimeout):
        hosted.send("Echo", Ask("sleep"), timeout=0.05)
    with pytest.raises(UnknownItem, match="Did you mean 'Echo'"):
        hosted.send("Ekho", Ask())


def test_what_is_no_message_is_refused_with_what_to_do(production) -> None:
    @dataclass
    class Local(Message):
        text: str = ""

    hosted = production([Echo])
    with pytest.raises(BadRequest, match="top of its module"):
        hosted.send("Echo", Local())
    with pytest.raises(BadRequest, match="A int is no message"):
        hosted.send("Echo", 7)


def test_an_item_that_does_not_start_fails_the_test_with_its_traceback(production) -> None:
    with pytest.raises(
        ProductionError, match=r"(?s)Broken could not be started.*no model here.*in on_init.*check=False"
    ):
        production([Echo, Broken])
    hosted = production([Echo, Broken], check=False)
    assert hosted.send("Echo", Ask("you")).text == "Hello you"
    assert "no model here" in hosted.item("Broken").reason


def test_messages_and_tables_outlive_a_restart(production) -> None:
    hosted = production([Echo])
    hosted.tables.execute("CREATE TABLE My.Rows (Name VARCHAR(50))")
    hosted.tables.execute("INSERT INTO My.Rows (Name) VALUES (?)", ["kept"])
    hosted.override("Echo", enabled=False)
    hosted.director.enable_item("Echo", True)
    hosted.send("Echo", Ask("you"))
    hosted.restart()
    assert [row[0] for row in hosted.tables.execute("SELECT Name FROM My.Rows")] == ["kept"]
    assert hosted.trace[0].body == Ask("you")


def test_a_service_is_called(production) -> None:
    hosted = production([Echo, Door])
    assert hosted.service("Door").on_process_input("you").text == "Hello you"


def test_work_that_does_not_end_is_named(production) -> None:
    hosted = production([Echo])
    hosted.send_async("Echo", Ask("sleep"))
    with pytest.raises(TimeoutError, match="Echo has 1 message"):
        hosted.wait_idle(timeout=0.05)
    hosted.wait_idle()


def test_projects_with_modules_of_the_same_names_run_one_after_the_other(tmp_path: Path) -> None:
    path, modules = list(sys.path), set(sys.modules)
    for word in ("one", "two", "one"):
        folder = tmp_path / word
        file = folder / "settings.py" if folder.exists() else project(folder, word)
        with running(file) as hosted:
            ask = sys.modules["msg"].Ask
            assert hosted.send("Echo", ask()) == ask(f"{word} {word}")
            assert Path(sys.modules["bo"].__file__).parent == folder
            hosted.restart()
            assert hosted.send("Echo", ask("again")).text == f"{word} again"
    assert sys.path == path
    assert not {"msg", "bo", "settings"} & (set(sys.modules) - modules)


def test_one_production_runs_at_a_time_and_is_gone_afterwards(tmp_path: Path) -> None:
    with (
        running([Echo], home=tmp_path / "kept") as hosted,
        pytest.raises(RuntimeError, match="one production runs"),
        running([Echo]),
    ):
        pass
    with pytest.raises(RuntimeError, match="is gone"):
        hosted.send("Echo", Ask())
    with running([Echo], home=tmp_path / "kept") as again:
        again.send("Echo", Ask("you"))
        assert len(again.trace) == 2


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("not-there.py", ProductionError, "no file"),
        (7, TypeError, "A int is no production"),
        ({}, ProductionError, "non-empty"),
    ],
)
def test_what_cannot_be_started_is_refused(source: object, error: type, words: str) -> None:
    with pytest.raises(error, match=words), running(source):
        pass
    with running([Echo]) as hosted:  # nothing is left behind
        assert hosted.send("Echo", Ask("you")).text == "Hello you"


def test_a_failed_test_shows_messages_and_log(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "from iop import BusinessOperation\n\nclass Echo(BusinessOperation):\n    def on_message(self, request):\n"
        "        self.log_warning('a warning')\n\ndef test_it(production):\n"
        "    assert production([Echo]).send('Echo', 'a text') == 'more'\n"
    )
    done = run_pytest(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "EnsLib.Testing.Service → Echo" in done.stdout
    assert "Warning  Echo  a warning" in done.stdout


def test_the_plugin_costs_nothing_before_it_is_used() -> None:
    code = "import sys, irislite.pytest_plugin; print([n for n in ('iop', 'iris', 'sqlglot', 'pydantic') if n in sys.modules])"
    done = run_python(Path.cwd(), "-c", code)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```python") and len(blocks) >= 7
    for name, code in blocks:
        (tmp_path / name).write_text(code)
    done = run_pytest(tmp_path)
    assert done.returncode == 0 and "8 passed" in done.stdout, done.stdout + done.stderr
    done = run_python(tmp_path, "script.py")
    assert done.stdout == "3 EUR\n", done.stderr


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """pytest as a user runs it, with the plugin."""
    return run_python(
        folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "irislite.pytest_plugin", *arguments
    )


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    sources = Path(sys.modules["irislite"].__file__).parent.parent
    environment = {
        "PYTHONPATH": str(sources), "PATH": "/usr/bin:/bin", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_a_process_that_waits_for_the_next_document_is_idle(production) -> None:
    hosted = production(
        {"Feed": Feed, "Reader": Reader}, settings={"Feed": {"DuplexTargetConfigName": "Reader", "CallInterval": 0.01}}
    )
    Feed.documents.extend([Ask("a"), Ask("b")])
    while Feed.documents or len(Reader.read) < 2:
        time.sleep(0.005)
    hosted.wait_idle()
    assert Reader.read == ["a", "b"] and hosted.trace[-1].status == "Deferred"


def test_a_misspelt_setting_is_refused(production) -> None:
    with pytest.raises(ProductionError, match=r"Echo has no setting 'greting'\. Did you mean 'greeting'"):
        production([Echo], settings={"Echo": {"greting": "Bye"}})
    hosted = production([Echo], settings={"Echo": {"%settings": "greting=Bye", "AlertOnError": True}})
    with pytest.raises(ProductionError, match=r"no setting 'AlertOnEror'\. Did you mean 'AlertOnError'"):
        hosted.override("Echo", {"AlertOnEror": True})
    assert hosted.send("Echo", Ask("you")).text == "Hello you"
