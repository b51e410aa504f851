"""Every kind of message as request and response: synchronous, asynchronous, and read again after a restart."""

import base64
import json
from collections.abc import Callable

import pytest

from irislite.director import Director
from irislite.errors import NotSupported, RequestFailed
from irislite.header import Body
from irislite.testpage import TESTER
from irislite.views import ItemState
from runtime import asking
from waiting import eventually

COMPONENTS = '''
from dataclasses import dataclass, field
from datetime import datetime
import time
import iris
from iop import (
    BusinessOperation, BusinessProcess, Message, PersistentMessage, PickleMessage, PydanticMessage,
    PydanticPickleMessage, handler,
)
from iop.messages.serialization import serialize_pickle_message


@dataclass
class Ask(Message):
    text: str = ""


@dataclass
class Part:
    name: str = ""


@dataclass
class Plain(Message):
    text: str = ""
    at: datetime = None
    parts: list[Part] = field(default_factory=list)


class Model(PydanticMessage):
    text: str = ""
    at: datetime | None = None
    numbers: dict[str, int] = {}


@dataclass
class Pickled(PickleMessage):
    text: str = ""
    any: object = None


class PickledModel(PydanticPickleMessage):
    text: str = ""
    any: object = None


class Table(PersistentMessage):
    text: str = ""


class Mirror(BusinessOperation):
    """Answers with what it is sent, and notes what it was."""

    def on_message(self, request):
        if getattr(request, "text", "") == "hold":
            time.sleep(1)
        return Ask(text=repr(request.any)) if isinstance(getattr(request, "any", None), set) else request


class Sender(BusinessProcess):
    """Sends one of each, synchronously and asynchronously."""

    def make(self, kind):
        at = datetime(2026, 11, 21, 12, 30)
        return {
            "Plain": lambda: Plain(text="t", at=at, parts=[Part("a"), Part("b")]),
            "Large": lambda: Plain(text="x" * 1_200_000, at=at),
            "Model": lambda: Model(text="t", at=at, numbers={"one": 1}),
            # `iop` 4.1 sends these two as JSON, and a pickle only when it is told to.
            "Pickled": lambda: Pickled(text="t", any=[1, 2]),
            "PickledModel": lambda: PickledModel(text="t", any=[1, 2]),
            "Pickle": lambda: serialize_pickle_message(Pickled(text="t", any={1, 2})),
            "String": lambda: iris.cls("Ens.StringRequest")._New("t"),
            "Table": lambda: Table(text="t"),
        }[kind]()

    @handler(Ask)
    def ask(self, request):
        kind, _, way = request.text.partition(" ")
        message = self.make(kind)
        if way == "sync":
            return Ask(text=self.compared(message, self.send_request_sync("Mirror", message, timeout=60)))
        self.send_request_async("Later" if way == "later" else "Mirror", message, completion_key=kind)

    def on_response(self, request, response, call_request, call_response, completion_key):
        return Ask(text=self.compared(self.make(completion_key), call_request, call_response))

    def compared(self, message, *others):
        def seen(value):
            value = {**vars(value)}
            value.pop("body_id", None), value.pop("_iris_id", None)
            return value
        if type(others[-1]) is Ask:
            return "same" if others[-1].text == "{1, 2}" else others[-1].text
        same = all(type(other) is type(message) and seen(other) == seen(message) for other in others)
        return "same" if same else f"{message!r} became {others!r}"


class Annotated(BusinessOperation):
    """Handles a class of IRIS's, named as it is there."""

    def string(self, request: iris.Ens.StringRequest):
        return Ask(text=f"string {request.StringValue}")


class Keeper(BusinessOperation):
    @handler(Table)
    def table(self, request):
        return request
'''
ITEMS = """
p.process("Sender", c.Sender, pool_size=2)
p.operation("Mirror", c.Mirror)
p.operation("Later", c.Mirror)
p.operation("Annotated", c.Annotated)
p.operation("Keeper", c.Keeper)
"""
KINDS = ("Plain", "Large", "Model", "Pickled", "PickledModel", "Pickle", "String")


@pytest.fixture
def director(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS)


def ask_name(director: Director) -> str:
    return asking.message_class(director, "Sender")


def ask(director: Director, text: str) -> str:
    return asking.ask(director, ask_name(director), text, "Sender", timeout_s=60)["text"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_message_comes_and_goes_as_it_was(director: Director, kind: str, way: str) -> None:
    assert ask(director, f"{kind} {way}") == "same"


def test_every_message_is_read_again_after_a_restart(
    director: Director, run_production: Callable[..., Director]
) -> None:
    name = ask_name(director)
    director.test_async("Later", name, '{"text": "hold"}')  # the others wait behind it when the runtime is closed
    headers = {kind: director.test_async("Sender", name, json.dumps({"text": f"{kind} later"})) for kind in KINDS}
    eventually(lambda: director.router.queue("Later").count >= len(KINDS))
    director = run_production()
    for kind, header in headers.items():
        response = eventually(lambda header=header: director.store.response_to(header.id))
        assert json.loads(director.store.body(response.message_body_id).content) == {"text": "same"}, kind


def test_a_pickle_is_stored_as_base64_and_nobody_but_its_target_reads_it(director: Director) -> None:
    ask(director, "Pickle sync")
    header = next(h for h in director.store.latest(10) if h.message_body_class_name == "IOP.PickleMessage")
    body = director.store.body(header.message_body_id)
    assert body.classname.endswith(".Pickled")
    assert base64.b64decode(body.content).startswith(b"\x80")


def test_a_class_of_iris_is_named_in_an_annotation(director: Director) -> None:
    call = director.router.send_sync(
        TESTER, "Annotated", Body("Ens.StringRequest", "Ens.StringRequest", '{"StringValue": "here"}'), 5
    )
    assert json.loads(call.answer().content) == {"text": "string here"}


def test_a_persistent_message_that_is_sent_is_refused_with_what_to_use(director: Director) -> None:
    with pytest.raises(RequestFailed, match=r"no PersistentMessage: .* Use iop\.Message or iop\.PydanticMessage"):
        ask(director, "Table sync")


def test_a_handler_for_a_persistent_message_puts_its_item_in_error(director: Director) -> None:
    assert director.item("Keeper").state is ItemState.ERROR
    assert "Keeper.table handles" in director.item("Keeper").reason
    assert "Use iop.Message" in director.item("Keeper").reason


def test_a_persistent_message_in_classes_is_refused(run_production: Callable[..., Director]) -> None:
    with pytest.raises(NotSupported, match="no PersistentMessage"):
        run_production(COMPONENTS, ITEMS, 'CLASSES = {"My.Table": c.Table}')
