"""A small production of every kind of host, and a runtime that hosts it in a temporary folder."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irislite.director import Director

COMPONENTS = '''
from dataclasses import dataclass, field
import time
import iop
from iop import BusinessOperation, BusinessProcess, BusinessService, PollingBusinessService, Message, handler, setting


@dataclass
class Ask(Message):
    text: str = ""


@dataclass
class Answer(Message):
    text: str = ""
    number: int = 0


class Echo(BusinessOperation):
    """Answers what it is asked."""

    greeting = setting("Hello", description="What is said first.")
    number = setting(7, description="A whole number.")

    def on_init(self):
        self.log_info("echo is up")

    @handler(Ask)
    def ask(self, request: Ask):
        if request.text == "raise":
            raise ValueError("it was asked to raise")
        if request.text == "exit":
            raise SystemExit(3)
        if request.text == "odd":
            raise ValueError("a file named \\udc80")
        if request.text == "key":
            return Answer(text=request.api_key)
        if request.text == "silent":
            return None
        if request.text.startswith("sleep "):
            time.sleep(float(request.text[6:]))
        self.log_info(f"asked {request.text}")
        return Answer(text=f"{self.greeting} {request.text}{getattr(self, 'suffix', '')}", number=self.number)


class Broken(BusinessOperation):
    def on_init(self):
        raise RuntimeError("no model here")


class Late(BusinessOperation):
    """Fails when nobody expects it any more."""

    def on_init(self):
        time.sleep(1.3)
        raise RuntimeError("no download")


class BrokenProcess(BusinessProcess):
    def on_init(self):
        raise RuntimeError("no plan here")


class Chain(BusinessProcess):
    """Asks Echo, at once or several times at a time."""

    PERSISTENT_PROPERTY_LIST = ["seen"]
    seen: int = 0

    @handler(Ask)
    def ask(self, request: Ask):
        if request.text.startswith("fan "):
            for name in request.text[4:].split(","):
                self.send_request_async("Echo", Ask(text=name), completion_key=name)
            return Answer()
        if request.text.startswith("early"):
            self.send_request_async("Echo", Ask(text="a"), completion_key="a")
            self.send_request_sync("Other", Ask(text="sleep 0.3"), timeout=60)
            if request.text == "early raise":
                raise ValueError("after a call")
            return Answer(text="begun")
        if request.text == "reply raise":
            self.reply(Answer(text="replied"))
            raise ValueError("after the reply")
        return self.send_request_sync("Echo", Ask(text=request.text), timeout=60)

    def on_response(self, request, response, call_request, call_response, completion_key):
        self.seen += 1
        parts = sorted(filter(None, response.text.split("|")) ) + [f"{completion_key}={call_response.text}"]
        return Answer(text="|".join(sorted(parts)), number=self.seen)


class Poll(PollingBusinessService):
    def on_poll(self):
        self.send_request_async("Echo", Ask(text="polled"))


class Door(BusinessService):
    """Called from outside through iop's Director."""

    def on_message(self, request=None):
        return self.send_request_sync("Echo", Ask(text=request or ""))
'''

PRODUCTION = """
import {module} as c
from iop import Production

p = Production("Test.Production")
p.service("Poll", c.Poll, enabled=False, adapter_settings={{"CallInterval": "0.05"}})
p.service("Door", c.Door)
p.process("Chain", c.Chain, pool_size=2)
p.process("Actor", c.Chain, pool_size=0)
p.process("BrokenActor", c.BrokenProcess, pool_size=0)
p.operation("Echo", c.Echo, settings={{"%settings": "suffix=!", "number": 3}})
p.operation("Other", c.Echo)
p.operation("Late", c.Late, enabled=False)
p.operation("Off", c.Echo, enabled=False, comment="Not wanted yet.")
p.operation("Broken", c.Broken)
PRODUCTIONS = [p]
"""


@pytest.fixture
def production_file(tmp_path: Path) -> Iterator[Path]:
    """A settings file beside its components; their module has a name of its own for each test."""
    module = f"components_{uuid.uuid4().hex}"
    (tmp_path / f"{module}.py").write_text(COMPONENTS)
    file = tmp_path / "production.py"
    file.write_text(PRODUCTION.format(module=module))
    yield file
    sys.modules.pop(module, None)
    sys.modules.pop("production", None)
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]


@pytest.fixture
def ask_class(production_file: Path) -> str:
    """The name of the request class `Ask`."""
    return f"{next(production_file.parent.glob('components_*.py')).stem}.Ask"


@pytest.fixture
def open_director(tmp_path: Path) -> Iterator[Callable[[], Director]]:
    """Opens a runtime over the test's data folder, again and again; every one is closed at the end."""
    opened: list[Director] = []

    def open_one() -> Director:
        director = Director(tmp_path / "home", synchronous="NORMAL")
        opened.append(director)
        return director

    yield open_one
    for director in opened:
        director.close()


@pytest.fixture
def director(production_file: Path, open_director: Callable[[], Director]) -> Director:
    """A runtime that hosts the small production."""
    director = open_director()
    director.load(production_file)
    director.start()
    return director


@pytest.fixture
def run_production(tmp_path: Path, open_director: Callable[[], Director]) -> Iterator[Callable[..., Director]]:
    """Starts a production of a test's own: the source of its components, and the lines that add items to `p`.

    Called again it closes the runtime and opens a new one over the same folder: a restart.
    """
    module = f"components_{uuid.uuid4().hex}"
    file = tmp_path / "own_production.py"
    opened: list[Director] = []

    def run(components: str = "", items: str = "", more: str = "") -> Director:
        if opened:
            opened.pop().close()
        if components:
            (tmp_path / f"{module}.py").write_text(components)
            file.write_text(
                f"import {module} as c\nfrom iop import Production\np = Production('Own.Production')\n"
                f"{items}\nPRODUCTIONS = [p]\n{more}\n"
            )
        director = open_director()
        opened.append(director)
        director.load(file)
        director.start()
        return director

    yield run
    for name in (module, "own_production"):
        sys.modules.pop(name, None)
    sys.path[:] = [folder for folder in sys.path if folder != str(tmp_path)]
