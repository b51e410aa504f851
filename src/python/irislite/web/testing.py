"""One test of an item, as it is asked for by REST: the message, the restart before it, the answer."""

import json
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from irislite import audit, testpage
from irislite.actor import acting
from irislite.director import Director
from irislite.errors import BadRequest
from irislite.eventlog import LogType
from irislite.header import BusinessType
from irislite.web.models import Text

LONGEST_TIMEOUT_S = 7 * 24 * 3600
# The request types of IRIS's test page that carry a Python message.
CARRIERS = frozenset({"IOP.Message", "Grongier.PEX.Message"})


class TestRequest(BaseModel):
    """A test of an item.

    `body` is the message's JSON, as text or as an object. `timeout` is in seconds; without it the
    answer is waited for as long as it takes. `wait` false answers at once. `request_type` is what
    IRIS's test page calls so; a Python message needs none.
    """

    target: Text = ""
    classname: Text = ""
    body: Text | dict[str, Any] | None = None
    restart: bool = True
    wait: bool = True
    timeout: float | None = Field(None, gt=0, le=LONGEST_TIMEOUT_S, allow_inf_nan=False)
    request_type: Text = ""


def test(director: Director, request: TestRequest) -> dict[str, Any]:
    """Send the request for whoever acts; answer with its response, or at once with the message's number.

    Blocks as long as the item works. Raises what `Director.test` raises.
    """
    if not request.target:
        raise HTTPException(400, 'No item is named: send {"target": NAME}.')
    classname, body = message(request)
    testpage.request_body(classname, body)  # a request that is refused restarts nothing
    user = acting.get().name
    audit.tell(f"{classname or 'An empty message'}.", request.target)
    if request.restart:
        _restart(director, request.target)
    if not request.wait:
        header = director.test_async(request.target, classname, body, user)
        return {"session_id": header.session_id, "message_id": header.id}
    result = director.test(request.target, classname, body, request.timeout, user)
    return {"classname": result.classname, "body": result.body, "truncated": False, "session_id": result.session_id}


def message(request: TestRequest) -> tuple[str, str]:
    """The class and the JSON text of a test's message. Raises `BadRequest` for what cannot be stored."""
    classname, body = request.classname, request.body if request.body is not None else ""
    if request.request_type and request.request_type not in CARRIERS:
        classname = request.request_type
    elif classname in CARRIERS:  # the body has the fields of IRIS's own message class
        fields = body if isinstance(body, dict) else _parsed(body)
        classname, body = fields.get("classname") or classname, fields.get("json") or ""
    if not isinstance(classname, str) or not isinstance(body, str | dict):
        raise BadRequest('The body is no message: write it as in {"classname": "msg.MLRequest", "json": {}}.')
    try:
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except ValueError as error:
        raise BadRequest(f"The body cannot be stored: {error}. Send valid JSON in Unicode.") from error
    return classname, text


def _parsed(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no valid JSON: {error}. Correct it and send it again.") from error
    return fields if isinstance(fields, dict) else {}


def _restart(director: Director, target: str) -> None:
    """Restart an item before its test, as IRIS does, but not while it works on a message."""
    item = director.item(target)
    if not item.enabled or item.kind is BusinessType.SERVICE:
        return  # the test itself tells why it cannot be
    if item.in_progress:
        text = f"{target} works on a message: it is not restarted before the test."
        director.eventlog.add(LogType.INFO, text, "irislite.web", "test")
    else:
        director.restart_item(target)
