"""What is typed on a test page, and what it becomes."""

import json

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
    example = 'as in {"inputs": "text"}'
    try:
        fields = json.loads(text or "{}")
        content = json.dumps(fields, ensure_ascii=False, allow_nan=False)
        content.encode()  # a lone surrogate cannot be stored
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no valid JSON: {error}. Write it {example}.") from error
    if not isinstance(fields, dict):
        raise BadRequest(f"The body is a JSON {type(fields).__name__}: it must be an object, {example}.")
    return Body("IOP.Message", name, content)


def result(call: Call) -> TestResult:
    """What is shown of an answered call. Raises `RequestFailed` with the target's words."""
    body, header = call.answer(), call.header
    return TestResult(
        session_id=header.session_id if header is not None else 0,
        request_id=header.id if header is not None else 0,
        classname=body.classname if body is not None else "",
        body=body.content if body is not None else "",
    )
