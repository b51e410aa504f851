"""Adapters in Python: made beside their host, set up, called at their interval, torn down."""

import json
from collections.abc import Callable

import pytest

from irislite.director import Director
from irislite.errors import ItemNotRunning, ProductionError
from irislite.views import ItemState
from runtime import asking
from waiting import eventually

COMPONENTS = '''
from dataclasses import dataclass
import iop
import iris
from iop import BusinessOperation, BusinessService, Message, handler, setting

NOTES = []


@dataclass
class Ask(Message):
    text: str = ""


class Folder(iop.InboundAdapter):
    """Finds something at every look."""

    path = setting("nowhere", description="Where to look.")
    limit = setting(1)

    def on_connected(self):
        NOTES.append(f"connected {self.business_host_python is not None}")

    def on_init(self):
        NOTES.append(f"init {self.path} {self.limit} {self.suffix}")
        self.looks = 0

    def on_task(self):
        self.looks += 1
        if self.path == "open":
            iris.tstart()
            iris.sql.exec("CREATE TABLE x.Left (a INTEGER)")
        if self.path == "raise":
            raise OSError("no such folder")
        if self.looks <= self.limit:
            status = self.business_host.ProcessInput(Ask(text=f"{self.path} {self.looks}"))
            NOTES.append(f"status {status}")
            self.business_host_python._wait_for_next_call_interval = self.looks % 2 == 0
        elif self.looks == self.limit + 1:
            self.business_host_python.on_process_input(Ask(text="direct"))

    def on_tear_down(self):
        NOTES.append("adapter down")


class Watch(BusinessService):
    @staticmethod
    def get_adapter_type():
        return "My.Folder"

    def on_init(self):
        NOTES.append(f"host init {self.adapter.looks} {self.adapter is self.Adapter}")
        if self.adapter.path == "unready":
            raise ConnectionError("not ready")

    def on_process_input(self, message_input=None):
        if message_input.text == "bad 1":
            raise ValueError("cannot be read")
        self.send_request_async("Keep", message_input)

    def on_tear_down(self):
        NOTES.append("host down")


class Line(iop.OutboundAdapter):
    number = setting("0")

    def on_init(self):
        self.calls = 0

    def dial(self, text):
        self.calls += 1
        return f"{self.number}:{text}:{self.calls}"

    def on_keepalive(self):
        NOTES.append("adapter alive")


class Phone(BusinessOperation):
    @staticmethod
    def get_adapter_type():
        return "My.Line"

    @handler(Ask)
    def ask(self, request):
        return Ask(text=self.adapter.dial(request.text))

    def on_keepalive(self):
        NOTES.append("host alive")


class Keep(BusinessOperation):
    @handler(Ask)
    def ask(self, request):
        return Ask(text=request.text)


class Http(BusinessOperation):
    def get_adapter_type():
        return "EnsLib.HTTP.OutboundAdapter"


class WrongWay(BusinessOperation):
    @staticmethod
    def get_adapter_type():
        return "My.Folder"


class Plain(BusinessOperation):
    @staticmethod
    def get_adapter_type():
        return "Ens.OutboundAdapter"

    @handler(Ask)
    def ask(self, request):
        return Ask(text=str(self.adapter))
'''
ITEMS = """
p.service("Watch", c.Watch, enabled=False,
          adapter_settings={"CallInterval": "0.02", "path": "in", "limit": "2", "%settings": "suffix=.txt"})
p.operation("Keep", c.Keep)
p.operation("Phone", c.Phone, adapter_settings={"%settings": "number=112", "Nonsense": "1"})
p.operation("Http", c.Http)
p.operation("WrongWay", c.WrongWay)
p.operation("Plain", c.Plain)
"""
MORE = 'CLASSES = {"My.Folder": c.Folder, "My.Line": c.Line}'


@pytest.fixture
def director(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS, MORE)


def notes(director: Director) -> list[str]:
    return director._hosting.component(director._production.item("Keep")).ask.__globals__["NOTES"]


def ask(director: Director, target: str, text: str) -> str:
    return asking.ask(director, asking.message_class(director, "Keep"), text, target, timeout_s=60)["text"]


def kept(director: Director) -> list[str]:
    headers = [header for header in director.store.latest(100, target="Keep") if header.target_config_name == "Keep"]
    return [json.loads(director.store.body(header.message_body_id).content)["text"] for header in reversed(headers)]


def test_an_inbound_adapter_is_set_up_before_its_service_and_torn_down_after_it(director: Director) -> None:
    director.enable_item("Watch", True)
    eventually(lambda: len(kept(director)) == 3)
    director.enable_item("Watch", False)
    assert [note for note in notes(director) if "status" not in note] == [
        "connected True", "init in 2 .txt", "host init 0 True", "host down", "adapter down",
    ]  # fmt: skip


def test_an_inbound_adapter_hands_its_input_to_the_service(director: Director) -> None:
    director.enable_item("Watch", True)
    eventually(lambda: len(kept(director)) == 3)
    director.enable_item("Watch", False)
    assert kept(director) == ["in 1", "in 2", "direct"]
    sessions = {header.session_id for header in director.store.latest(100, target="Keep")}
    assert len(sessions) == 3
    assert notes(director).count("status 1") == 2


def test_an_adapter_gets_an_error_status_for_an_input_that_its_service_refuses(director: Director) -> None:
    director.apply_settings("Watch", {("Adapter", "path"): "bad"})
    director.enable_item("Watch", True)
    eventually(lambda: "bad 2" in kept(director))
    assert "status ValueError: cannot be read" in notes(director)
    (line,) = [entry for entry in director.eventlog.newest(50) if "cannot be read" in entry.text]
    assert (line.config_name, "Traceback" in line.stack) == ("Watch", True)


def test_an_adapter_that_raises_is_called_again(director: Director) -> None:
    director.apply_settings("Watch", {("Adapter", "path"): "raise"})
    director.enable_item("Watch", True)
    eventually(lambda: sum("no such folder" in entry.text for entry in director.eventlog.newest(50)) > 1)
    assert director.item("Watch").state is ItemState.RUNNING


def test_a_start_that_fails_takes_the_adapter_down_again(director: Director) -> None:
    director.apply_settings("Watch", {("Adapter", "path"): "unready"})
    with pytest.raises(ProductionError, match="not ready"):
        director.enable_item("Watch", True)
    assert notes(director)[-2:] == ["host init 0 True", "adapter down"]


def test_a_service_that_leaves_a_transaction_open_does_not_keep_others_from_writing(director: Director) -> None:
    director.apply_settings("Watch", {("Adapter", "path"): "open"})
    director.enable_item("Watch", True)
    eventually(lambda: any("left open" in entry.text for entry in director.eventlog.newest(50)))
    director.tables.execute("CREATE TABLE x.Free (a INTEGER)")
    assert "x.Left" not in director.tables.tables()


def test_the_settings_of_an_adapter_are_shown_with_their_defaults(director: Director) -> None:
    def shown(item: str) -> dict[str, tuple[object, object]]:
        return {view.name: (view.value, view.default) for view in director.settings(item) if view.target == "Adapter"}

    assert shown("Watch") == {
        "path": ("in", "nowhere"), "limit": ("2", 1), "CallInterval": ("0.02", 5), "%settings": ("suffix=.txt", ""),
    }  # fmt: skip
    assert shown("Phone") == {
        "number": (None, "0"), "KeepaliveInterval": (None, 0), "%settings": ("number=112", ""), "Nonsense": ("1", ""),
    }  # fmt: skip
    assert shown("Keep") == shown("Http") == {}
    (path,) = [view for view in director.settings("Watch") if view.name == "path"]
    assert path.description == "Where to look."


def test_an_operation_calls_its_adapter(director: Director) -> None:
    assert [ask(director, "Phone", "hello"), ask(director, "Phone", "again")] == ["112:hello:1", "112:again:2"]
    texts = [entry.text for entry in director.eventlog.newest(50, config_name="Phone")]
    assert any("The setting Nonsense has no effect" in text for text in texts)


def test_an_idle_operation_and_its_adapter_give_a_sign_of_life(director: Director) -> None:
    director.apply_settings("Phone", {("Adapter", "KeepaliveInterval"): "0.05"})
    eventually(lambda: "host alive" in notes(director))
    assert notes(director)[notes(director).index("adapter alive") + 1] == "host alive"
    assert ask(director, "Phone", "still there") == "112:still there:1"
    with pytest.raises(ProductionError, match="KeepaliveInterval of Phone is 'soon'"):
        director.apply_settings("Phone", {("Adapter", "KeepaliveInterval"): "soon"})


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("Http", "'EnsLib.HTTP.OutboundAdapter' of Http is not registered: irislite hosts Python adapters"),
        ("WrongWay", "'My.Folder' of WrongWay is no OutboundAdapter"),
    ],
)
def test_an_adapter_that_cannot_be_hosted_puts_its_item_in_error(director: Director, item: str, words: str) -> None:
    eventually(lambda: director.item(item).state is ItemState.ERROR)
    assert words in director.item(item).reason
    with pytest.raises(ItemNotRunning, match="could not be started"):
        ask(director, item, "x")


def test_the_plain_adapter_of_an_operation_is_none(director: Director) -> None:
    assert ask(director, "Plain", "x") == "None"
