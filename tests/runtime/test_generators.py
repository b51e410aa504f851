"""Generator requests: a value at a time from an operation or a process, until there are no more."""

import json
import sys
from collections.abc import Callable

import pytest

from irislite import generators
from irislite.director import Director
from irislite.errors import RequestFailed
from irislite.header import Body, BusinessType, Status
from irislite.router import Sender
from runtime.asking import message_class
from waiting import eventually

COMPONENTS = '''
from dataclasses import dataclass
from iop import BusinessOperation, BusinessProcess, Message, PickleMessage, handler
from iop.messages.serialization import serialize_pickle_message_generator


@dataclass
class Ask(Message):
    text: str = ""
    count: int = 3


@dataclass
class PickledAsk(PickleMessage):
    count: int = 3


@dataclass
class Number(Message):
    value: int = 0
    member: str = ""


CLOSED = []


class Counter(BusinessOperation):
    """Counts up to what it is asked for."""

    def on_init(self):
        self.name = f"{id(self)}"

    @handler(Ask)
    def ask(self, request):
        if request.text == "list":
            return [Number(value=7), Number(value=8)]
        if request.text == "no generator":
            return Number()
        return self.numbers(request.count, request.text)

    @handler(PickledAsk)
    def pickled(self, request):
        return self.numbers(request.count, "")

    def numbers(self, count, text):
        try:
            for value in range(count):
                if text == "raise" and value == 1:
                    raise ValueError("no more numbers")
                yield Number(value=value, member=self.name)
        finally:
            CLOSED.append(text)


class CountingProcess(BusinessProcess):
    """The same as a process, which asks an operation on the way."""

    @handler(Ask)
    def ask(self, request):
        self.count = request.count
        return self.numbers()

    def numbers(self):
        for value in range(self.count):
            yield self.send_request_sync("Echo", Number(value=value), timeout=60)


class Echo(BusinessOperation):
    @handler(Number)
    def number(self, request):
        return Number(value=request.value * 10)


class Reader(BusinessProcess):
    """Reads a generator and answers with all that came."""

    @handler(Ask)
    def ask(self, request):
        target, _, text = request.text.partition(" ")
        if text == "pickle":
            start = serialize_pickle_message_generator(PickledAsk(count=request.count))
            found = list(self.send_generator_request(target, start, timeout=60))
        elif text == "leave":
            for n in range(3):
                next(self.send_generator_request(target, Ask(text=f"left {n}"), timeout=60))
            found = []
        else:
            found = list(self.send_generator_request(target, Ask(text=text, count=request.count), timeout=60))
        return Ask(text=",".join(f"{n.value}" for n in found), count=len({n.member for n in found}))
'''
ITEMS = """
p.process("Reader", c.Reader, pool_size=4)
p.operation("Counter", c.Counter, pool_size=3)
p.process("CountingProcess", c.CountingProcess, pool_size=1)
p.operation("Echo", c.Echo)
"""


@pytest.fixture
def director(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS)


def ask_name(director: Director) -> str:
    return message_class(director, "Reader")


def ask(director: Director, text: str, count: int = 3) -> dict:
    body = json.dumps({"text": text, "count": count})
    return json.loads(director.test("Reader", ask_name(director), body, timeout_s=60).body)


def closed(director: Director) -> list[str]:
    component = director._hosting.component(director._production.item("Counter"))
    return sys.modules[component.__module__].CLOSED


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Counter", "0,1,2"),
        ("Counter pickle", "0,1,2"),
        ("Counter list", "7,8"),
        ("CountingProcess", "0,10,20"),
    ],
)
def test_a_generator_is_read_to_its_end(director: Director, text: str, values: str) -> None:
    assert ask(director, text)["text"] == values


def test_every_message_of_a_generator_is_in_the_trace(director: Director) -> None:
    result = director.test("Reader", ask_name(director), '{"text": "Counter", "count": 1}', timeout_s=60)
    session = director.store.session(result.session_id)
    assert [header.message_body_class_name for header in session] == [
        "IOP.Message", "IOP.Generator.Message.Start", "IOP.Generator.Message.Ack", "IOP.Generator.Message.Poll",
        "IOP.Message", "IOP.Generator.Message.Poll", "IOP.Generator.Message.Stop", "IOP.Message",
    ]  # fmt: skip
    assert {header.status for header in session} == {Status.COMPLETED}


def test_all_polls_go_to_the_member_that_has_the_generator(director: Director) -> None:
    headers = [
        director.test_async("Reader", ask_name(director), json.dumps({"text": "Counter", "count": 20}))
        for _ in range(8)
    ]
    for header in headers:
        response = eventually(lambda header=header: director.store.response_to(header.id))
        body = json.loads(director.store.body(response.message_body_id).content)
        assert body == {"text": ",".join(map(str, range(20))), "count": 1}


def test_a_generator_that_raises_tells_its_reader_and_the_item_goes_on(director: Director) -> None:
    with pytest.raises(RequestFailed, match="no more numbers"):
        ask(director, "Counter raise")
    assert ask(director, "Counter")["text"] == "0,1,2"


def test_what_is_no_generator_is_told(director: Director) -> None:
    with pytest.raises(RequestFailed, match="Expected a generator"):
        ask(director, "Counter no generator")


def test_a_poll_of_a_generator_that_is_gone_says_what_to_do(director: Director) -> None:
    poll = Body("IOP.Generator.Message.Poll", "IOP.Generator.Message.Poll", "{}")
    for target in ("Counter", "CountingProcess"):
        with pytest.raises(RequestFailed, match="Send the generator request again"):
            director.router.send_sync(Sender("Somebody", BusinessType.PROCESS), target, poll, 5)


def test_a_new_request_of_a_session_closes_the_generator_it_left(director: Director) -> None:
    director.apply_settings("Counter", {}, pool_size=1)
    ask(director, "Counter leave")
    assert closed(director) == ["left 0", "left 1"]


def test_generators_that_nobody_reads_are_bounded(director: Director, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "KEPT", 2)
    director.apply_settings("Counter", {}, pool_size=1)
    for _ in range(3):
        ask(director, "Counter leave")
    assert any("More than 2 generators are open" in entry.text for entry in director.eventlog.newest(20))


def test_a_restart_closes_what_runs(director: Director) -> None:
    ask(director, "Counter leave")
    director.restart_item("Counter")
    assert "left 2" in closed(director)
