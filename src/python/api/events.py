"""Server-sent events: what becomes of a session, and a text as it is written."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from api import models, streams
from api.engine import Engine, LogLine, Message
from api.errors import BadRequest
from api.routes import Asker, Request_, Timeout, called, description, engine_of, may_see
from api.routes import router as api

TICK_S = 0.5  # how often a session is looked at
_SIGN_OF_LIFE_S = 15.0  # a comment, so that nobody on the way takes the connection for dead
_PIECE_S = 0.2  # how long pieces are waited for at a time: they are handed on as they come
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}, "description": "The events."}}

router = APIRouter(prefix=api.prefix, responses=api.responses)


@router.get("/sessions/{session_id}/events", tags=["messages"], response_class=StreamingResponse, responses=_EVENTS)
async def session_events(
    request: Request,
    identity: Asker,
    session_id: models.Id,
    last_event_id: Annotated[str | None, Header(description="The log entry after which a reader goes on.")] = None,
) -> StreamingResponse:
    """What is logged for a session and what becomes of its messages, as it happens, until nothing more is to come.

    Events: `log` (an entry, its id is the event's), `message` (one that is new or has another status), `end`.
    """
    engine = engine_of(request)
    first = await called(request, engine.session, session_id)
    may_see(identity, first[0].description)
    after_id = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else 0
    return StreamingResponse(
        _session(request, engine, session_id, min(after_id, 2**63 - 1)),
        headers=_HEADERS,
        media_type="text/event-stream",
    )


@router.post("/models/{model}/generate", tags=["models"], response_class=StreamingResponse, responses=_EVENTS)
async def generate(
    request: Request, identity: Asker, model: str, fields: Request_, timeout_s: Timeout = 300.0
) -> StreamingResponse:
    """Let a model of the task text-generation write, and hand on its text as it comes.

    The fields are those of msg.MLRequest. Events: `text` ({"text": ...}), then `answer`, which is what `predict`
    would have answered, or `error`. A reader that leaves ends the writing.
    """
    engine = engine_of(request)
    found = await called(request, engine.model, model)
    if found.task != "text-generation":
        raise BadRequest(f"{model} has the task {found.task}, which writes nothing in pieces: ask it with predict.")
    told = description(request, identity)
    events = _generation(request, engine, found.item, fields, timeout_s, told)
    opening = await anext(events)  # what refuses the message is an answer with a status, not an event
    return StreamingResponse(_after(opening, events), headers=_HEADERS, media_type="text/event-stream")


async def _after(first: bytes, events: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(events):  # a reader that leaves closes the stream
        yield first
        async for event in events:
            yield event


async def _session(request: Request, engine: Engine, session_id: int, after_id: int) -> AsyncIterator[bytes]:
    statuses: dict[int, str] = {}
    spoke_s = time.monotonic()
    while True:
        messages, lines = await called(request, _news, engine, session_id, after_id)
        events = [_event("message", _shown(one)) for one in messages if statuses.get(one.id) != one.status]
        events += [_event("log", models.LogLine.model_validate(line).model_dump(), line.id) for line in lines]
        statuses |= {message.id: message.status for message in messages}
        after_id = lines[-1].id if lines else after_id
        if all(message.is_finished for message in messages):
            yield b"".join(events) + _event("end", {"session_id": session_id})
            return
        if events or time.monotonic() - spoke_s > _SIGN_OF_LIFE_S:
            spoke_s = time.monotonic()
            yield b"".join(events) or b": \n\n"
        await asyncio.sleep(TICK_S)


def _news(engine: Engine, session_id: int, after_id: int) -> tuple[list[Message], list[LogLine]]:
    messages = engine.session(session_id)  # first: what is logged before a message ends is not missed
    return messages, engine.log(session_id, after_id)


async def _generation(
    request: Request, engine: Engine, item: str, fields: dict[str, Any], timeout_s: float, told: str
) -> AsyncGenerator[bytes]:
    """The events of one generation; the first says which session it is."""
    deadline_s = time.monotonic() + timeout_s
    with streams.opened() as stream:
        message = {"stream": stream.name, "request": fields}
        session_id = await called(request, engine.post, item, "msg.StreamRequest", message, told)
        yield _event("session", {"session_id": session_id})
        spoke_s = time.monotonic()
        while True:
            pieces = await called(request, stream.read, _PIECE_S)
            if pieces is None:
                text = f"{item} broke off: see session {session_id}, and send the request again."
                yield _event("error", {"error": text, "session_id": session_id})
                return
            for piece in pieces:
                name = next(iter(piece))
                yield _event(name, piece if name == "text" else {**_ending(piece), "session_id": session_id})
                if name != "text":
                    return
            if time.monotonic() > deadline_s:
                text = f"{item} did not end within {timeout_s:g} s: ask with a longer timeout_s, or for less."
                yield _event("error", {"error": text, "session_id": session_id})
                return
            if pieces:
                spoke_s = time.monotonic()
            elif time.monotonic() - spoke_s > _SIGN_OF_LIFE_S:
                spoke_s = time.monotonic()
                yield b": \n\n"


def _ending(piece: dict[str, Any]) -> dict[str, Any]:
    """The last piece, in the form of an answer or of an error."""
    return {"class": "msg.MLResponse", "body": piece["answer"]} if "answer" in piece else {"error": piece["error"]}


def _shown(message: Message) -> dict[str, Any]:
    return models.Message.model_validate(message).model_dump(exclude={"body"})


def _event(name: str, data: Any, event_id: int | None = None) -> bytes:
    numbered = f"id: {event_id}\n" if event_id is not None else ""
    return f"event: {name}\n{numbered}data: {json.dumps(data)}\n\n".encode()
