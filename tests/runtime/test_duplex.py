"""Private sessions: documents from duplex services and operations to a process, and what ends them."""

import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from irislite.director import Director
from irislite.errors import NotSupported, RequestFailed
from irislite.header import Body, BusinessType, Header, Status
from irislite.router import Sender
from waiting import eventually

COMPONENTS = '''
import queue
from dataclasses import dataclass
import iris
from iop import DuplexOperation, DuplexProcess, DuplexService, InboundAdapter, Message
from iop.messages.serialization import serialize_message

COMMANDS = queue.Queue()  # for the service: (method, text)
EVENTS = []
REFUSING = []


@dataclass
class Note(Message):
    text: str = ""
    api_key: str = ""


class Door(DuplexService):
    """Does what the test tells it, within its calls for input."""

    def get_adapter_type():
        return "Ens.InboundAdapter"

    def on_process_input(self, _):
        try:
            command, text = COMMANDS.get_nowait()
        except queue.Empty:
            return
        self._wait_for_next_call_interval = False
        if command == "stop":
            EVENTS.append(("status", self.iris_handle.StopPrivateSession(serialize_message(Note(text)))))
        elif command == "start":
            EVENTS.append(("status", self.iris_handle.StartPrivateSession()))
        else:
            self.send_document_to_process(Note(text, "sk-secret" if command == "secret" else ""))
            EVENTS.append(("sent", text, self.iris_handle._InPrivateSession))

    def on_private_session_started(self, source, self_generated):
        EVENTS.append(("door started", self_generated))

    def on_private_session_stopped(self, source, self_generated, message):
        EVENTS.append(("door stopped", self_generated, getattr(message, "text", message)))

    def on_tear_down(self):
        EVENTS.append(("door torn down",))


class Desk(DuplexProcess):
    """Notes what comes, and does what a document says."""

    PERSISTENT_PROPERTY_LIST = ["count"]
    count: int = 0

    def on_document(self, source, document):
        self.count += 1
        text = getattr(document, "text", None)
        EVENTS.append(("document", source, text, self.count))
        if document is not None and document.api_key:
            EVENTS.append(("secret", document.api_key))
        if text == "raise":
            raise ValueError("a bad document")
        if text == "hang up":
            EVENTS.append(("status", self.iris_handle.StopPrivateSession(source, serialize_message(Note("enough")))))
        if text == "hang up all":
            EVENTS.append(("status", self.iris_handle.StopAllPrivateSessions()))
        if text == "call Line":
            EVENTS.append(("status", self.iris_handle.StartPrivateSession("Line")))
        if text and text.startswith("tell Line "):
            self.send_request_async("Line", Note(text[10:]))
        if text and text.startswith("tell Door "):
            self.send_request_async("Door", Note(text[10:]))

    def on_private_session_started(self, source, self_generated):
        EVENTS.append(("desk started", source, self_generated, self.iris_handle.ServiceDuplexName))

    def on_private_session_stopped(self, source, self_generated, message):
        EVENTS.append(("desk stopped", source, self_generated, getattr(message, "text", message)))

    def on_complete(self, request, response):
        EVENTS.append(("desk completed",))


class Line(DuplexOperation):
    def on_message(self, note):
        EVENTS.append(("line note", note.text))
        if note.text.startswith("say "):
            self.send_document_to_process(Note(note.text[4:]))
        if note.text == "bye":
            self.iris_handle.StopPrivateSession()
        if note.text == "fail":
            raise ValueError("the line is dead")
        return Note(f"heard {note.text}")

    def on_private_session_started(self, source, self_generated):
        EVENTS.append(("line started", self_generated))
        if REFUSING:
            raise ValueError("no line free")

    def on_private_session_stopped(self, source, self_generated, message):
        EVENTS.append(("line stopped", self_generated))


class Ticker(InboundAdapter):
    def on_task(self):
        self.business_host_python.on_process_input("tick")


class Meter(DuplexOperation):
    """An operation whose adapter calls it."""

    ticks = 0

    def get_adapter_type():
        return "Own.Ticker"

    def on_process_input(self, value):
        self.ticks += 1
        if self.ticks < 3:
            self.send_document_to_process(iris.cls("Ens.StringRequest")._New(f"{value} {self.ticks}"))


class Reader(DuplexProcess):
    def on_document(self, source, document):
        EVENTS.append(("read", source, document.StringValue))
'''
ITEMS = """
p.service("Door", c.Door, settings={"DuplexTargetConfigName": "Desk"}, adapter_settings={"CallInterval": "0.01"})
p.process("Desk", c.Desk, pool_size=1)
p.operation("Line", c.Line, pool_size=1)
"""


class Scene:
    """A production, the service that does what it is told, and what happened."""

    def __init__(self, director: Director) -> None:
        self.director = director
        component = director._hosting.component(director._production.item("Desk"))
        self.module: ModuleType = sys.modules[component.__module__]
        self.module.EVENTS.clear()
        self.module.COMMANDS = queue.Queue()

    @property
    def events(self) -> list[tuple[Any, ...]]:
        return list(self.module.EVENTS)

    def tell(self, command: str, text: str = "") -> None:
        self.module.COMMANDS.put((command, text))

    def send(self, *texts: str) -> None:
        for text in texts:
            self.tell("send", text)

    def wait(self, *events: tuple[Any, ...]) -> None:
        """Wait until these have happened."""
        eventually(lambda: all(event in self.events for event in events), lambda: self.events)

    def documents(self) -> list[str | None]:
        return [event[2] for event in self.events if event[0] == "document"]

    def headers(self, classname: str) -> list[Header]:
        found = self.director.store.latest(1_000)
        return [header for header in reversed(found) if header.message_body_class_name.endswith(classname)]


def poll_waits(scene: Scene) -> None:
    eventually(lambda: scene.headers("Message.Poll")[-1].status is Status.DEFERRED)


@pytest.fixture
def scene(run_production: Callable[..., Director]) -> Scene:
    return Scene(run_production(COMPONENTS, ITEMS))


# -- a session and its documents -------------------------------------------------------------


def test_the_first_document_starts_a_session_and_all_arrive_in_order(scene: Scene) -> None:
    texts = [f"n{number}" for number in range(20)]
    scene.send(*texts)
    scene.wait(("document", "Door", "n19", 20))
    assert scene.documents() == texts
    scene.wait(("door started", 1), ("desk started", "Door", 0, "Door"), ("sent", "n0", 1))
    assert [event[0] for event in scene.events].count("door started") == 1
    sessions = {header.session_id for header in scene.director.store.latest(1_000)}
    assert len(sessions) == 1


def test_a_poll_waits_deferred_until_there_is_a_document(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    poll_waits(scene)
    scene.send("two")
    scene.wait(("document", "Door", "two", 2))
    poll_waits(scene)
    first, second, _ = scene.headers("Poll")
    assert (first.status, second.status) == (Status.COMPLETED, Status.COMPLETED)
    assert scene.director.store.response_to(second.id).message_body_class_name == "IOP.Message"
    assert len(scene.headers("Start")) == len(scene.headers("Ack")) == 1


def test_documents_are_kept_while_nobody_polls(scene: Scene) -> None:
    scene.send("first")
    scene.wait(("document", "Door", "first", 1))
    poll_waits(scene)
    scene.director.enable_item("Desk", False)
    scene.send("a", "b", "c")
    scene.wait(("sent", "c", 1))
    # The poll that waited took the first of them; the others are on disk.
    kept = [h for h in scene.headers("IOP.Message") if h.status is Status.CREATED]
    assert [scene.director.store.body(h.message_body_id).content for h in kept] == [
        '{"text":"b","api_key":""}', '{"text":"c","api_key":""}'
    ]  # fmt: skip
    scene.director.enable_item("Desk", True)
    scene.wait(("document", "Door", "c", 4))  # `count` is a persistent property
    assert scene.documents() == ["first", "a", "b", "c"]
    assert {scene.director.store.header(h.id).status for h in kept} == {Status.COMPLETED}


def test_a_secret_reaches_the_process_and_not_the_store(scene: Scene) -> None:
    scene.tell("secret", "one")
    scene.tell("secret", "two")
    eventually(lambda: scene.events.count(("secret", "sk-secret")) == 2, lambda: scene.events)
    bodies = [scene.director.store.body(h.message_body_id).content for h in scene.headers("IOP.Message")]
    assert bodies and not any("sk-secret" in body for body in bodies)


def test_a_document_that_is_no_start_gets_a_process_of_its_own(scene: Scene) -> None:
    body = Body("IOP.Message", f"{scene.module.__name__}.Note", '{"text": "plain"}')
    scene.director.router.send_async(Sender("Somebody", BusinessType.SERVICE), "Desk", body)
    scene.wait(("document", "Somebody", "plain", 1), ("desk completed",))


def test_a_poll_that_an_operator_aborts_takes_no_document_and_ends_the_session(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    poll_waits(scene)
    scene.director.enable_item("Desk", False)
    (outcome,) = scene.director.messages.abort([scene.headers("Poll")[-1].id])
    assert outcome.done
    scene.send("two")
    scene.wait(("sent", "two", 1))
    assert scene.headers("IOP.Message")[-1].status is Status.CREATED
    scene.director.enable_item("Desk", True)  # its process gets the error
    scene.wait(("door stopped", 0, ""))
    scene.send("three")
    scene.wait(("document", "Door", "three", 1))


def test_a_process_of_the_actor_pool_has_sessions_too(run_production: Callable[..., Director]) -> None:
    scene = Scene(run_production(COMPONENTS, ITEMS.replace("c.Desk, pool_size=1", "c.Desk, pool_size=0")))
    line_is_open(scene)
    scene.send("tell Line say hello")
    eventually(lambda: {"hello", "heard say hello"} <= set(scene.documents()))
    scene.tell("stop", "good bye")
    scene.wait(("desk stopped", "Door", 0, "good bye"))


# -- stops ---------------------------------------------------------------------------------------


def test_the_service_stops_and_what_it_sent_before_arrives_first(scene: Scene) -> None:
    scene.send("a", "b")
    scene.tell("stop", "good bye")
    scene.wait(("door stopped", 1, ""), ("desk stopped", "Door", 0, "good bye"), ("desk completed",))
    names = [event[:3] for event in scene.events if event[0] in ("document", "desk stopped")]
    assert names == [("document", "Door", "a"), ("document", "Door", "b"), ("desk stopped", "Door", 0)]
    scene.send("c")  # another session, and another process
    scene.wait(("document", "Door", "c", 1))
    assert len({header.session_id for header in scene.headers("Start")}) == 2


def test_the_process_stops_and_the_service_is_told(scene: Scene) -> None:
    scene.send("hang up")
    scene.wait(("desk stopped", "Door", 1, ""), ("door stopped", 0, "enough"), ("desk completed",), ("status", 1))
    scene.send("again")
    scene.wait(("document", "Door", "again", 1))


def test_documents_that_the_process_did_not_want_are_given_up(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    poll_waits(scene)
    scene.director.enable_item("Desk", False)
    scene.send("hang up", "too late", "far too late")
    scene.wait(("sent", "far too late", 1))
    scene.director.enable_item("Desk", True)
    scene.wait(("door stopped", 0, "enough"))
    eventually(lambda: scene.headers("Message.Stop")[-1].status is Status.COMPLETED)
    assert scene.documents() == ["one", "hang up"]
    assert [h.status for h in scene.headers("IOP.Message")][-2:] == [Status.DISCARDED, Status.DISCARDED]


def test_an_error_in_on_document_ends_the_process_and_the_session(scene: Scene) -> None:
    scene.send("raise")
    scene.wait(("door stopped", 0, ""))
    assert any("a bad document" in entry.text for entry in scene.director.eventlog.newest(20))
    assert scene.director.item("Desk").state == "running"
    scene.send("well")
    scene.wait(("document", "Door", "well", 1))


def test_a_start_and_a_stop_outside_of_a_session_do_nothing(scene: Scene) -> None:
    scene.tell("stop")
    scene.wait(("status", 1))
    scene.tell("start")
    scene.tell("start")
    eventually(lambda: scene.events.count(("status", 1)) == 3)
    assert scene.events.count(("door started", 1)) == 1 and not scene.documents()


# -- operations ----------------------------------------------------------------------------------


def line_is_open(scene: Scene) -> None:
    scene.module.EVENTS.clear()
    scene.send("call Line")
    scene.wait(("line started", 0), ("desk started", "Line", 1, "Door"))


def test_documents_go_both_ways_between_a_process_and_an_operation(scene: Scene) -> None:
    line_is_open(scene)
    scene.send("tell Line say hello")
    scene.wait(("line note", "say hello"), ("document", "Line", "hello", 3), ("document", "Line", "heard say hello", 4))


def test_an_operation_stops_its_session(scene: Scene) -> None:
    line_is_open(scene)
    scene.send("tell Line bye")
    scene.wait(("line stopped", 1), ("desk stopped", "Line", 0, ""))
    scene.send("still here")
    eventually(lambda: "still here" in scene.documents())


def test_a_process_stops_all_its_sessions(scene: Scene) -> None:
    line_is_open(scene)
    scene.send("hang up all")
    scene.wait(("line stopped", 0), ("door stopped", 0, ""), ("desk completed",))


def test_an_operation_that_fails_ends_the_process_and_its_other_sessions(scene: Scene) -> None:
    line_is_open(scene)
    scene.send("tell Line fail")
    scene.wait(("line stopped", 0), ("door stopped", 0, ""))


def test_an_operation_that_refuses_a_session_has_none(scene: Scene) -> None:
    scene.module.REFUSING.append(True)
    scene.send("call Line")
    scene.wait(("line started", 0), ("door stopped", 0, ""))
    scene.module.REFUSING.clear()
    line_is_open(scene)


def test_no_reply_is_nothing_to_act_on_where_none_is_due(scene: Scene) -> None:
    scene.director.apply_settings("Line", {("Host", "ReplyCodeActions"): "X=F"})
    line_is_open(scene)
    scene.send("hang up all")
    scene.wait(("line stopped", 0))
    eventually(lambda: {header.status for header in scene.headers("Stop")} == {Status.COMPLETED})


def test_a_session_has_its_pool_member_for_itself(scene: Scene) -> None:
    line_is_open(scene)
    note = f"{scene.module.__name__}.Note"
    waiting = scene.director.test_async("Line", note, '{"text": "me too"}')
    scene.send("tell Line first")
    scene.wait(("line note", "first"))
    assert scene.director.store.header(waiting.id).status is Status.QUEUED
    scene.send("hang up all")
    scene.wait(("line note", "me too"))


def test_other_members_take_what_is_not_of_the_session(scene: Scene) -> None:
    scene.director.apply_settings("Line", {}, pool_size=2)
    line_is_open(scene)
    assert scene.director.test("Line", f"{scene.module.__name__}.Note", '{"text": "others"}', timeout_s=60).body
    scene.send("tell Line mine")
    scene.wait(("line note", "others"), ("document", "Line", "heard mine", 3))


def test_a_restart_of_an_operation_ends_its_session_and_the_process_goes_on(scene: Scene) -> None:
    line_is_open(scene)
    scene.director.restart_item("Line")
    scene.wait(("line stopped", 1), ("desk stopped", "Line", 0, ""))
    line_is_open(scene)


def test_the_adapter_of_an_operation_calls_it(run_production: Callable[..., Director]) -> None:
    items = """
p.operation("Meter", c.Meter, settings={"DuplexTargetConfigName": "Desk"}, adapter_settings={"CallInterval": "0.01"})
p.process("Desk", c.Reader)
"""
    scene = Scene(run_production(COMPONENTS, items, "CLASSES = {'Own.Ticker': c.Ticker}"))
    scene.wait(("read", "Meter", "tick 1"), ("read", "Meter", "tick 2"))


# -- restarts ------------------------------------------------------------------------------------


def test_a_restart_of_the_service_ends_its_session(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    scene.director.restart_item("Door")
    scene.wait(("door torn down",), ("desk stopped", "Door", 0, ""), ("desk completed",))
    assert scene.events.index(("door stopped", 1, "")) < scene.events.index(("door torn down",))
    scene.send("two")
    scene.wait(("document", "Door", "two", 1))


def test_a_disabled_service_still_owes_its_documents(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    poll_waits(scene)
    scene.director.enable_item("Desk", False)
    scene.send("two", "three")
    scene.wait(("sent", "three", 1))
    scene.director.enable_item("Door", False)
    scene.director.enable_item("Desk", True)
    scene.wait(("document", "Door", "two", 2))
    scene.director.enable_item("Door", True)
    scene.wait(("document", "Door", "three", 3), ("desk stopped", "Door", 0, ""))


def test_a_process_keeps_its_session_over_its_own_restart(scene: Scene) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    scene.director.restart_item("Desk")
    scene.send("two")
    scene.wait(("document", "Door", "two", 2))
    assert not [event for event in scene.events if event[0] == "door stopped"]


def test_an_orderly_restart_of_everything_tells_the_process(
    scene: Scene, run_production: Callable[..., Director]
) -> None:
    scene.send("one")
    scene.wait(("document", "Door", "one", 1))
    scene.director.stop()
    scene.wait(("door stopped", 1, ""))
    scene.director.start()
    scene.wait(("desk stopped", "Door", 0, ""), ("desk completed",))
    assert not [h for h in scene.director.store.latest(100) if h.status in (Status.DEFERRED, Status.CREATED)]


CRASH = """
import os, signal, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
from irislite.director import Director
director = Director(folder / "home", synchronous="NORMAL")
director.load(folder / "own_production.py")
director.start()
module = sys.modules[director._hosting.component(director._production.item("Desk")).__module__]
def wait_for(event):
    deadline = time.monotonic() + 20
    while event not in module.EVENTS:
        assert time.monotonic() < deadline, module.EVENTS
        time.sleep(0.005)
module.COMMANDS.put(("send", "one"))
wait_for(("document", "Door", "one", 1))
from irislite.header import Status
while not [h for h in director.store.latest(100) if h.status is Status.DEFERRED]:
    time.sleep(0.005)
if sys.argv[2] == "kept":
    director.enable_item("Desk", False)
    for text in ("two", "three", "four"):
        module.COMMANDS.put(("send", text))
    wait_for(("sent", "four", 1))
director.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("what", "documents"), [("kept", ["two", "three", "four"]), ("nothing", [])])
def test_after_a_crash_kept_documents_arrive_and_the_process_is_told(
    run_production: Callable[..., Director], tmp_path: Path, what: str, documents: list[str]
) -> None:
    run_production(COMPONENTS, ITEMS).close()
    sources = str(Path(__file__).parents[2] / "src" / "python")
    crashed = subprocess.run(
        [sys.executable, "-c", CRASH, str(tmp_path), what],
        env={"PYTHONPATH": sources, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert crashed.returncode == -signal.SIGKILL, crashed.stderr
    director = run_production()
    scene = Scene.__new__(Scene)
    scene.director = director
    scene.module = sys.modules[director._hosting.component(director._production.item("Desk")).__module__]
    if what == "kept":
        director.enable_item("Desk", True)
    scene.wait(("desk stopped", "Door", 0, ""), ("desk completed",))
    assert scene.documents() == documents
    left = (Status.DEFERRED, Status.CREATED, Status.QUEUED)
    eventually(lambda: not [h for h in director.store.latest(100) if h.status in left])


# -- how they look from outside -----------------------------------------------------------------


def test_the_kinds_settings_and_connections_are_told(scene: Scene) -> None:
    kinds = {view.name: view.kind for view in scene.director.items()}
    assert kinds == {"Door": BusinessType.SERVICE, "Desk": BusinessType.PROCESS, "Line": BusinessType.OPERATION}
    (setting,) = [view for view in scene.director.settings("Door") if view.name == "DuplexTargetConfigName"]
    assert setting.value == "Desk"
    rows = {row["item"]: row for row in scene.director.connections("Own.Production")["items"]}
    assert rows["Door"]["connections"] == ["Desk"] and rows["Door"]["kind"] == "service"
    assert not [entry for entry in scene.director.eventlog.newest(50) if "has no effect" in entry.text]


def test_what_cannot_be_is_told(scene: Scene) -> None:
    with pytest.raises(RequestFailed, match="send it no documents"):
        scene.director.test("Door", f"{scene.module.__name__}.Note", "{}", timeout_s=60)
    handle = scene.director.create_service("Door")
    with pytest.raises(NotSupported, match="outside of the production"):
        handle.component.send_document_to_process(scene.module.Note("x"))
    scene.director.apply_settings("Door", {("Host", "DuplexTargetConfigName"): None})
    scene.send("lost")
    eventually(
        lambda: any("no DuplexTargetConfigName: set it" in entry.text for entry in scene.director.eventlog.newest(20))
    )
