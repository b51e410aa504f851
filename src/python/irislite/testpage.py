"""What is typed on a test page, and what it becomes."""

import json

from irislite import bodytext
from irislite.bridge import components
from irislite.errors import BadRequest
from irislite.header import Body, BusinessType
from irislite.router import Call, Sender
from irislite.views import TestResult

# The name that IRIS gives to the sender of a test.
TESTER = Sender("EnsLib.Testing.Service", BusinessType.SERVICE)
ALIASES = {"Grongier.PEX.Message": "IOP.Message"}  # what test pages of earlier versions send


def request_body(classname: str, text: str) -> Body:
    """The stored form of what was typed. Raises `BadRequest` with what to do."""
    name = ALIASES.get(classname, classname)
    if name in ("", "Ens.Request"):
        return Body("Ens.Request", "Ens.Request", "{}")
    if name == "Ens.StringRequest":
        return Body(name, name, json.dumps({"StringValue": text}))
    if name == "IOP.Message":
        raise BadRequest("The request type IOP.Message needs a Python class name too, as in msg.MLRequest.")
    components.check_request_class(name)
    return Body("IOP.Message", name, bodytext.stored(text or "{}", "The body", 'Write it as in {"inputs": "text"}.'))


def description(user: str) -> str:
    """What a test's message says of who sent it."""
    return f"sent by {user}" if user else ""


def result(call: Call) -> TestResult:
    """What is shown of an answered call. Raises `RequestFailed` with the target's words."""
    body, header = call.answer(), call.header
    return TestResult(
        session_id=header.session_id,
        request_id=header.id,
        classname=body.classname if body is not None else "",
        body=body.content if body is not None else "",
    )
