"""Business processes and what every host can send: state that survives, completion, replies, many at a time."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import iop
import pytest

from irislite.director import Director
from irislite.errors import RequestFailed
from irislite.header import Header, MessageType
from runtime import asking
from runtime.asking import answer_text as answer
from runtime.asking import eventually, kill_when

COMPONENTS = '''
import asyncio
import os
from dataclasses import dataclass
import time
from iop import BusinessOperation, BusinessProcess, BusinessService, Message, handler, target


@dataclass
class Ask(Message):
    text: str = ""


class Echo(BusinessOperation):
    @handler(Ask)
    def ask(self, request):
        words = request.text.split()
        if words[0] == "sleep":
            time.sleep(float(words[1]))
        if words[0] == "raise":
            raise ValueError("it was asked to raise")
        return Ask(text=request.text.upper())


class Keeper(BusinessProcess):
    """Keeps a value of every type while it waits for two answers, one after the other."""

    PERSISTENT_PROPERTY_LIST = ["text", "number", "share", "flag", "raw", "count", "never"]
    text: str = ""
    number: int = 0
    share: float = 0.0
    flag: bool = False
    raw: bytes = b""
    count: int = 0
    never: str = "as the class says"

    @handler(Ask)
    def ask(self, request):
        self.text, self.number, self.share, self.flag, self.raw = "tëxt", 2**70, 0.1, True, bytes(range(256))
        self.plain = ["kept in memory alone"]
        self.send_request_async("Echo", Ask(text=request.text), completion_key="first")
        return Ask(text="asked")

    def on_response(self, request, response, call_request, call_response, completion_key):
        kept = (self.text, self.number, self.share, self.flag, self.raw)
        assert kept == ("tëxt", 2**70, 0.1, True, bytes(range(256))), kept
        assert [type(value) for value in kept] == [str, int, float, bool, bytes]
        assert self.never == "as the class says"
        self.count += 1
        if completion_key == "first":
            self.send_request_async("Echo", Ask(text=call_response.text + "!"), completion_key="second")
        plain = "plain" if hasattr(self, "plain") else "new"
        return Ask(text=f"{response.text} {completion_key}={call_response.text} {plain}")

    def on_complete(self, request, response):
        return Ask(text=f"{response.text} count={self.count} of {request.text}")


class Demo(BusinessProcess):
    """Like iop's example: it remembers answers without a persistent property."""

    def on_message(self, request):
        self.send_request_async("Echo", Ask(text="one"), completion_key="1")
        self.send_request_async("Echo", Ask(text="two"), completion_key="2")
        self.send_request_async("Echo", Ask(text="three"), completion_key="3", response_required=False)

    def on_response(self, request, response, call_request, call_response, completion_key):
        if completion_key == "1":
            self.response_one = call_response
        elif completion_key == "2":
            self.response_two = call_response

    def on_complete(self, request, response):
        return Ask(text=f"{self.response_one.text} {self.response_two.text}")


class Replier(BusinessProcess):
    """Answers before it is done."""

    @handler(Ask)
    def ask(self, request):
        self.reply(Ask(text="at once"))
        if "HANG" in os.environ:
            time.sleep(60)
        self.send_request_async("Echo", Ask(text="later"), completion_key="k")

    def on_complete(self, request, response):
        return Ask(text="too late")


class _Many:
    def many(self, how):
        if how == "multi":
            found = self.send_multi_request_sync(
                [("Echo", Ask(text="a")), ("Echo", Ask(text="raise")), ("Slow", Ask(text="sleep 4"))], timeout=2
            )
            return Ask(text=",".join(f"{target}:{r.text if r else r}:{status}" for target, _, r, status in found))
        async def gather():
            return await asyncio.gather(
                *(self.send_request_async_ng("Echo", Ask(text=f"n{n}"), timeout=60) for n in range(3)),
                self.send_request_async_ng("Echo", Ask(text="raise"), timeout=60),
                self.send_request_async_ng("Slow", Ask(text="sleep 2"), timeout=0.3),
                return_exceptions=True,
            )
        return Ask(text="|".join(r.text if isinstance(r, Ask) else f"{r}" for r in asyncio.run(gather())))


class ManyProcess(_Many, BusinessProcess):
    @handler(Ask)
    def ask(self, request):
        return self.many(request.text)


class ManyOperation(_Many, BusinessOperation):
    @handler(Ask)
    def ask(self, request):
        return self.many(request.text)


class ManyService(_Many, BusinessService):
    Output = target()

    def on_process_input(self, message_input=None):
        if message_input == "session":
            self.send_request_sync("Echo", Ask(text="s"))
            return self.send_request_sync(self.Output, Ask(text="s"))
        return self.many(message_input)
'''
ITEMS = """
p.process("Keeper", c.Keeper, pool_size=2)
p.process("KeepingActor", c.Keeper, pool_size=0)
p.process("Demo", c.Demo, pool_size=2)
p.process("Replier", c.Replier)
p.process("ManyProcess", c.ManyProcess)
p.operation("ManyOperation", c.ManyOperation)
p.service("ManyService", c.ManyService, settings={"Output": "Echo"})
p.operation("Echo", c.Echo)
p.operation("Slow", c.Echo, pool_size=4)
"""


@pytest.fixture
def director(run_production: Callable[..., Director]) -> Director:
    return run_production(COMPONENTS, ITEMS)


def ask_name(director: Director) -> str:
    return asking.message_class(director, "Keeper")


def send(director: Director, target: str, text: str) -> Header:
    return director.test_async(target, ask_name(director), json.dumps({"text": text}))


def ask(director: Director, target: str, text: str) -> str:
    return asking.ask(director, ask_name(director), text, target, timeout_s=60)["text"]


def test_what_a_process_keeps_is_no_setting(director: Director) -> None:
    assert not {"text", "number", "count", "never"} & {view.name for view in director.settings("Keeper")}


@pytest.mark.parametrize("target", ["Keeper", "KeepingActor"])
def test_a_process_keeps_values_of_every_type_and_completes(director: Director, target: str) -> None:
    assert ask(director, target, "x") == "asked first=X plain second=X! plain count=2 of x"


@pytest.mark.parametrize("target", ["Keeper", "KeepingActor"])
def test_a_restart_in_the_middle_of_a_call_loses_nothing_that_is_persistent(
    director: Director, run_production: Callable[..., Director], target: str
) -> None:
    header = send(director, target, "sleep 0.5")
    eventually(lambda: director.router.queue("Echo").claimed)
    director = run_production()
    said = answer(director, header.id)
    # The first answer may have come before the stop was through.
    assert said.replace("plain", "new") == "asked first=SLEEP 0.5 new second=SLEEP 0.5! new count=2 of sleep 0.5"
    assert "new" in said, "what is no persistent property does not survive"


def test_a_process_remembers_its_attributes_while_the_runtime_goes_on(director: Director) -> None:
    headers = [send(director, "Demo", "x") for _ in range(20)]
    assert {answer(director, header.id) for header in headers} == {"ONE TWO"}


def test_new_settings_make_a_new_component(director: Director) -> None:
    header = send(director, "Keeper", "sleep 0.5")
    eventually(lambda: director.router.queue("Echo").claimed)
    director.restart_item("Keeper")
    assert "first=SLEEP 0.5 new" in answer(director, header.id)


def test_a_reply_is_the_only_answer(director: Director) -> None:
    header = send(director, "Replier", "x")
    assert answer(director, header.id) == "at once"
    eventually(lambda: not director.store.has_open_processes("Replier"))
    session = director.store.session(header.session_id)
    assert sum(h.source_config_name == "Replier" and h.type is MessageType.RESPONSE for h in session) == 1


def test_a_request_that_comes_again_after_a_crash_is_not_answered_twice(
    director: Director, run_production: Callable[..., Director], tmp_path: Path
) -> None:
    name = ask_name(director)
    director.close()
    header_id = kill_when("director.store.response_to(header.id)", tmp_path, "Replier", name, "x", HANG="1")
    director = run_production()
    eventually(lambda: any(h.target_config_name == "Echo" for h in director.store.session(header_id)))
    eventually(lambda: not director.store.has_open_processes("Replier"))
    answers = [h for h in director.store.session(header_id)
               if h.source_config_name == "Replier" and h.type is MessageType.RESPONSE]  # fmt: skip
    assert len(answers) == 1


@pytest.mark.parametrize("host", ["ManyProcess", "ManyOperation", "ManyService"])
def test_every_kind_of_host_sends_many_at_a_time(director: Director, host: str) -> None:
    def many(how: str) -> str:
        if host == "ManyService":
            service = iop.Director.create_python_business_service(host)
            with ThreadPoolExecutor(1) as own:  # the test's own thread may have an event loop already
                return own.submit(service.on_process_input, how).result().text
        return ask(director, host, how)

    assert many("multi") == "Echo:A:1,Echo:None:2,Slow:None:0"
    told = many("async").split("|")
    assert told[:3] == ["N0", "N1", "N2"]
    assert "it was asked to raise" in told[3]
    assert "not answered within 0.3 s" in told[4]


def test_a_multiple_request_with_an_unknown_target_sends_none(director: Director) -> None:
    handle = director.create_service("ManyService")
    before = director.store.latest(1)
    with pytest.raises(LookupError, match="no item 'Nobody'"):
        handle.component.send_multi_request_sync([("Echo", None), ("Nobody", None)])
    assert director.store.latest(1) == before


def test_the_sends_of_a_service_share_a_session_until_it_is_told_otherwise(director: Director) -> None:
    service = iop.Director().get_business_service("ManyService")
    service.on_process_input("session")
    first = service.iris_handle._SessionId
    service.on_process_input("session")
    assert service.iris_handle._SessionId == first
    assert len(director.store.session(int(first))) == 8
    iop.Director().get_business_service("ManyService", force_session_id=True)
    assert service.iris_handle._SessionId == ""
    service.on_process_input("session")
    assert service.iris_handle._SessionId != first
    assert service.iris_handle.ProcessInput("session") == 1
    assert service.iris_handle.GetClass() is service
    iop.Director._bs.clear()


def test_connections_follow_settings(director: Director) -> None:
    rows = {row["item"]: row["connections"] for row in director.connections("")["items"]}
    assert rows["ManyService"] == ["Echo"]
    assert rows["Keeper"] == ["Echo"]
    director.apply_settings("ManyService", {("Host", "Output"): "Slow"})
    rows = {row["item"]: row["connections"] for row in director.connections("")["items"]}
    assert sorted(rows["ManyService"]) == ["Echo", "Slow"]


def test_an_error_ends_a_process_that_waits(director: Director) -> None:
    with pytest.raises(RequestFailed, match="asked to raise"):
        ask(director, "Keeper", "raise")
    assert not director.store.has_open_processes("Keeper")
