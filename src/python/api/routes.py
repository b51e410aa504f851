"""The routes of /api/v1: items, messages, models, search, sessions."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from api import models
from api.access import Identity, allow, require
from api.engine import Engine
from api.errors import NotAllowed
from api.models import Fields, TimeoutS

P = ParamSpec("P")
T = TypeVar("T")

# The messages that ask a model and change nothing: everything else takes the role of an operator.
_ASKING = frozenset({"msg.MLRequest", "msg.StreamRequest", "msg.HFRequest", "msg.SearchRequest"})
_SEARCH_CLASS = "Python.SearchOperation"

Reader = Annotated[Identity, Depends(require("read"))]
Asker = Annotated[Identity, Depends(require("predict"))]
Operator = Annotated[Identity, Depends(require("operate"))]
Wait = Annotated[bool, Query(description="Whether to wait for the answer.")]
Timeout = Annotated[TimeoutS, Query(alias="timeout_s", description="How many seconds to wait at most.")]
Request_ = Annotated[Fields, Body(description="The fields of the message.")]

FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": models.Failure} for status in (400, 401, 403, 404, 413, 415, 422, 429, 502, 503, 504)
}
router = APIRouter(prefix="/api/v1", responses=FAILURES)


def engine_of(request: Request) -> Engine:
    """The production that the application serves."""
    engine: Engine = request.app.state.engine
    return engine


async def called(request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function of the engine returns; it blocks, and this does not."""
    found: T = await request.app.state.calls(function, *args, **kwargs)
    return found


def description(request: Request, identity: Identity) -> str:
    """What a message says of who sent it; it begins with the identity's id, which `may_see` goes by."""
    return f"{identity.id} {identity.name}, request {request.state.request_id}"[:128]


async def sent(
    request: Request,
    response: Response,
    identity: Identity,
    target: Callable[[Engine], str],
    classname: str,
    fields: Mapping[str, Any],
    wait: bool,
    timeout_s: float,
) -> models.Answer | models.Sent:
    """Send a message as a route was asked to; `target` finds the item. The answer, or where to look for it."""
    engine, told = engine_of(request), description(request, identity)
    if wait:
        reply = await called(request, lambda: engine.send(target(engine), classname, fields, timeout_s, told))
        return models.Answer(classname=reply.classname, body=reply.content, session_id=reply.session_id)
    session_id = await called(request, lambda: engine.post(target(engine), classname, fields, told))
    place = f"/api/v1/sessions/{session_id}"
    response.status_code = 202
    response.headers["Location"] = place
    return models.Sent(session_id=session_id, session=place, events=f"{place}/events")


@router.get("/status", tags=["production"])
async def status(request: Request, _: Asker) -> models.Status:
    """The production, and whether it runs."""
    production, state = await called(request, engine_of(request).status)
    return models.Status(production=production, status=state)


@router.get("/items", tags=["production"])
async def items(request: Request, _: Reader) -> list[models.Item]:
    """The items of the production."""
    return [models.Item.model_validate(item) for item in await called(request, engine_of(request).items)]


@router.post("/items/{item:path}/messages", tags=["messages"], status_code=200)
async def send_message(
    request: Request, response: Response, identity: Asker, item: str, sending: models.Sending
) -> models.Answer | models.Sent:
    """Send a message to an item. A message that changes something takes the role operator."""
    if sending.classname not in _ASKING:
        allow(identity, "operate")
    asked, wait, timeout_s = sending.body, sending.wait, sending.timeout_s
    return await sent(request, response, identity, lambda _: item, sending.classname, asked, wait, timeout_s)


@router.get("/models", tags=["models"])
async def list_models(request: Request, _: Asker) -> list[models.Model]:
    """The local models that items run."""
    return [models.Model.model_validate(model) for model in await called(request, engine_of(request).models)]


@router.post("/models/{model}/predict", tags=["models"])
async def predict(
    request: Request, response: Response, identity: Asker, model: str, fields: Request_, timeout_s: Timeout = 60.0
) -> models.Answer | models.Sent:
    """Ask a local model: the fields are those of msg.MLRequest, as in {"inputs": "some text"}."""
    return await sent(
        request, response, identity, lambda engine: engine.model(model).item, "msg.MLRequest", fields, True, timeout_s
    )


@router.post("/models/{model}/train", tags=["models"], status_code=202)
async def train(
    request: Request,
    response: Response,
    identity: Operator,
    model: str,
    fields: Request_,
    wait: Wait = False,
    timeout_s: Timeout = 3600.0,
) -> models.Answer | models.Sent:
    """Tune a model: the fields are those of msg.TrainRequest. Progress is at the session's events."""
    return await _tuned(request, response, identity, model, "msg.TrainRequest", fields, wait, timeout_s)


@router.post("/models/{model}/cancel", tags=["models"])
async def cancel(
    request: Request, response: Response, identity: Operator, model: str, fields: Request_, timeout_s: Timeout = 60.0
) -> models.Answer | models.Sent:
    """Stop the training of a model: the fields are those of msg.CancelRequest."""
    return await _tuned(request, response, identity, model, "msg.CancelRequest", fields, True, timeout_s)


@router.post("/models/{model}/promote", tags=["models"])
async def promote(
    request: Request, response: Response, identity: Operator, model: str, fields: Request_, timeout_s: Timeout = 300.0
) -> models.Answer | models.Sent:
    """Let the model of the last training answer: the fields are those of msg.OverrideRequest."""
    return await _tuned(request, response, identity, model, "msg.OverrideRequest", fields, True, timeout_s)


@router.post("/models/{model}/rollback", tags=["models"])
async def roll_back(
    request: Request, response: Response, identity: Operator, model: str, timeout_s: Timeout = 300.0
) -> models.Answer | models.Sent:
    """Let the model before the last promotion answer again."""
    return await _tuned(request, response, identity, model, "msg.RollbackRequest", {}, True, timeout_s)


@router.get("/models/{model}/history", tags=["models"])
async def history(
    request: Request,
    response: Response,
    identity: Reader,
    model: str,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 20,
) -> models.Answer | models.Sent:
    """The last promotions and rollbacks of a model, the newest first."""
    return await _tuned(request, response, identity, model, "msg.HistoryRequest", {"limit": limit}, True, 60.0)


@router.post("/search", tags=["search"])
async def search(
    request: Request,
    response: Response,
    identity: Asker,
    wish: models.SearchRequest,
    item: Annotated[
        str, Query(description="The item that searches; the first that is enabled if it is not given.")
    ] = "",
    timeout_s: Timeout = 60.0,
) -> models.Answer | models.Sent:
    """Find by meaning: the fields are those of msg.SearchRequest."""
    fields = wish.model_dump(exclude_unset=True)
    return await sent(
        request,
        response,
        identity,
        lambda engine: item or engine.of_class(_SEARCH_CLASS).name,
        "msg.SearchRequest",
        fields,
        True,
        timeout_s,
    )


@router.get("/sessions/{session_id}", tags=["messages"])
async def session(
    request: Request,
    identity: Asker,
    session_id: models.Id,
    bodies: Annotated[bool, Query(description="Whether the messages come with what they carry.")] = False,
) -> models.Session:
    """The trace of a session. A key that may not read sees the sessions that it began itself."""
    found, carried, lines = await called(request, _session, engine_of(request), identity, session_id, bodies)
    return models.Session(
        session_id=session_id,
        finished=all(message.is_finished for message in found),
        messages=[
            models.Message.model_validate(message).model_copy(update={"body": body})
            for message, body in zip(found, carried, strict=True)
        ],
        log=[models.LogLine.model_validate(line) for line in lines],
    )


def _session(
    engine: Engine, identity: Identity, session_id: int, bodies: bool
) -> tuple[list[Any], list[Any], list[Any]]:
    found = engine.session(session_id)
    may_see(identity, found[0].description)
    return found, [engine.body(message) if bodies else None for message in found], engine.log(session_id)


def may_see(identity: Identity, description: str) -> None:
    """Raise `NotAllowed` unless the identity may read, or began the session whose first message says `description`."""
    if not identity.may("read") and not description.startswith(f"{identity.id} "):
        raise NotAllowed(
            f"{identity.name} is {identity.role} and sees the sessions that it began itself: ask for yours."
        )


async def _tuned(
    request: Request,
    response: Response,
    identity: Identity,
    model: str,
    classname: str,
    fields: Mapping[str, Any],
    wait: bool,
    timeout_s: float,
) -> models.Answer | models.Sent:
    response.status_code = 200
    return await sent(
        request, response, identity, lambda engine: engine.tuner(model).name, classname, fields, wait, timeout_s
    )
