"""The small production that the tests of the web side serve, and how they call it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from irislite.director import Director
from irislite.web.accounts import Accounts

COMPONENTS = '''
import time
from dataclasses import dataclass
from iop import BusinessOperation, BusinessProcess, BusinessService, Message, handler, setting, target


@dataclass
class Ask(Message):
    text: str = ""


@dataclass
class Answer(Message):
    text: str = ""


class Greeter(BusinessOperation):
    greeting = setting("Hello", description="What is said first.")

    @handler(Ask)
    def ask(self, request: Ask):
        """Says hello."""
        if request.text == "boom":
            raise ValueError("the greeter was asked to fail")
        if request.text.startswith("sleep "):
            time.sleep(float(request.text[6:]))
        return Answer(text=f"{self.greeting} {request.text}")


class Broken(BusinessOperation):
    def on_init(self):
        raise RuntimeError("there is no model here")


class Relay(BusinessProcess):
    output = target("Greeter")

    @handler(Ask)
    def ask(self, request: Ask):
        return self.send_request_sync("Greeter", request)


class Door(BusinessService):
    pass
'''

PRODUCTION = """
import {module} as c
from iop import Production

p = Production("{name}")
p.service("Door", c.Door)
p.process("Relay", c.Relay)
p.operation("Greeter", c.Greeter)
p.operation("Off/Line", c.Greeter, enabled=False, comment="Not wanted yet.")
PRODUCTIONS = [p]
"""
PASSWORD = "correct horse"


@dataclass(frozen=True)
class Site:
    """A running server, and what the tests need to know of it."""

    url: str
    director: Director
    accounts: Accounts
    production: str
    module: str  # of the components
    file: Path

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """A signed-in request."""
        return requests.request(method, self.url + path, auth=("SuperUser", PASSWORD), timeout=60, **options)

    def test(self, text: str, target: str = "Greeter", **fields: Any) -> requests.Response:
        """Test an item with the message `Ask`."""
        body = {"target": target, "classname": f"{self.module}.Ask", "body": {"text": text}, **fields}
        return self.call("POST", "/api/iop/test", json=body)


def write_production(folder: Path, name: str, module: str, components: str = COMPONENTS) -> Path:
    """A settings file beside the module of its components: `Door`, `Relay` and `Greeter`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text(components)
    file = folder / f"{module}_settings.py"
    file.write_text(PRODUCTION.format(module=module, name=name))
    return file
