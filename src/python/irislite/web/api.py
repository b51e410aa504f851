"""The REST service that `iop`'s command line speaks, under /api/iop."""

import os
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from pydantic import BaseModel, BeforeValidator
from starlette.exceptions import HTTPException

from irislite.actor import Role, acting
from irislite.config import flag
from irislite.director import Director
from irislite.masking import masked_definition
from irislite.web import blocking, migration, testing
from irislite.web.failures import Failure
from irislite.web.models import BriefLogLine, Count, Position, Text
from irislite.web.roles import needs

VERSION = "1.0.0"  # of the service, as IRIS answers it


def director_of(request: Request) -> Director:
    """The runtime that the app serves."""
    director: Director = request.app.state.director
    return director


async def in_namespace(request: Request, namespace: str = "IRISAPP") -> None:
    """Refuse namespaces that are not there; a body's `namespace` wins over the query's."""
    if request.method in ("POST", "PUT") and await request.body():
        try:
            body = await request.json()
        except (ValueError, RecursionError) as error:
            text = f"The body is no valid JSON: {error}. Correct it and send it again, or send none."
            raise HTTPException(400, text) from error
        if isinstance(body, dict) and body.get("namespace"):
            namespace = str(body["namespace"])
    known = {"IRISAPP", "USER", os.environ.get("IRISNAMESPACE", "IRISAPP").upper()}
    if namespace.upper() not in known:
        raise HTTPException(404, f"There is no namespace {namespace!r} here: use {' or '.join(sorted(known))}.")


Engine = Annotated[Director, Depends(director_of)]
ProductionName = Annotated[str, Query(description="The default production if it is not given.")]
router = APIRouter(
    prefix="/api/iop",
    tags=["iop"],
    dependencies=[Depends(in_namespace)],
    responses={status: {"model": Failure} for status in (400, 404, 409, 422, 500)},
)


class ProductionChoice(BaseModel):
    """Which production; empty for the default one."""

    production: Text = ""


class DefaultChoice(BaseModel):
    """Which production becomes the default; empty for none."""

    production: Text


class ComponentChoice(BaseModel):
    """Which item of the production; IRIS takes both names of the field."""

    component: str = ""
    item: str = ""


def _said(value: Any, unsaid: Any) -> Any:
    """A query parameter that is there but empty counts as one that is not there, as on IRIS."""
    return unsaid if value == "" else value


_EMPTY_IS_10 = BeforeValidator(lambda value: _said(value, 10))
_EMPTY_IS_NONE = BeforeValidator(lambda value: _said(value, None))
Choice = Annotated[ProductionChoice, Body(default_factory=ProductionChoice)]
Component = Annotated[ComponentChoice, Body(default_factory=ComponentChoice)]


@router.get("/version")
def version() -> dict[str, str]:
    """The version of this service."""
    return {"version": VERSION, "description": "irislite: iop's REST service on the embedded runtime"}


@router.get("/status")
def status(director: Engine) -> dict[str, str]:
    """The running production, or the default one, and its status."""
    return director.status()


@router.post("/start")
@needs(Role.OPERATOR)
def start(director: Engine, choice: Choice) -> dict[str, str]:
    """Start a production."""
    director.start(choice.production)
    return {"status": "started", "production": director.status()["production"]}


@router.post("/stop")
@needs(Role.OPERATOR)
def stop(director: Engine) -> dict[str, str]:
    """Stop the running production; what is queued stays queued."""
    director.stop()
    return {"status": "stopped", "production": director.status()["production"]}


@router.post("/kill")
@needs(Role.OPERATOR)
def kill(director: Engine) -> dict[str, str]:
    """Stop without waiting for the messages at hand: what is not done is handled again at the next start."""
    director.stop(timeout_s=0)
    return {"status": "killed", "production": director.status()["production"]}


@router.post("/restart")
@needs(Role.OPERATOR)
def restart(director: Engine) -> dict[str, str]:
    """Stop and start the production."""
    director.restart()
    return {"status": "restarted", "production": director.status()["production"]}


@router.post("/update")
@needs(Role.OPERATOR)
def update(director: Engine) -> dict[str, str]:
    """Apply what was configured since the start."""
    director.update()
    return {"status": "updated", "production": director.status()["production"]}


@router.post("/component/start")
@needs(Role.OPERATOR)
def start_component(director: Engine, choice: Component) -> dict[str, str]:
    """Enable an item and start it."""
    name = _name_of(choice)
    director.enable_item(name, True)
    return {"status": "started", "component": name}


@router.post("/component/stop")
@needs(Role.OPERATOR)
def stop_component(director: Engine, choice: Component) -> dict[str, str]:
    """Stop an item and disable it."""
    name = _name_of(choice)
    director.enable_item(name, False)
    return {"status": "stopped", "component": name}


@router.post("/component/restart")
@needs(Role.OPERATOR)
def restart_component(director: Engine, choice: Component) -> dict[str, str]:
    """Stop and start an item; one that was disabled is enabled, as on IRIS."""
    name = _name_of(choice)
    if director.item(name).enabled:
        director.restart_item(name)
    else:
        director.enable_item(name, True)
    return {"status": "restarted", "component": name}


@router.get("/list")
def list_productions(director: Engine) -> dict[str, dict[str, Any]]:
    """All productions with their status and times."""
    return director.listing()


@router.get("/default")
def default(director: Engine) -> dict[str, str]:
    """The production that a start without a name starts."""
    return {"production": director.default_production()}


@router.put("/default")
@needs(Role.OPERATOR)
def set_default(director: Engine, choice: DefaultChoice) -> dict[str, str]:
    """Choose the production that a start without a name starts."""
    if choice.production:
        director.productions.production(choice.production)  # an unknown one is told now, not at the next start
    director.set_default_production(choice.production)
    return {"production": choice.production}


@router.get("/log")
def log(
    director: Engine,
    top: Annotated[Count, _EMPTY_IS_10] = 10,
    since_id: Annotated[Position | None, _EMPTY_IS_NONE] = None,
) -> list[BriefLogLine]:
    """The newest entries of the event log, newest first; or, with `since_id`, those after it, oldest first."""
    entries = director.eventlog.newest(top) if since_id is None else director.eventlog.since(since_id)
    return [BriefLogLine.model_validate(entry) for entry in entries]


@router.get("/export")
def export(director: Engine, production: ProductionName = "") -> dict[str, Any]:
    """A production's definition; the secrets in it are for administrators."""
    definition = director.export(production)
    return definition if acting.get().role is Role.ADMINISTRATOR else masked_definition(definition)


@router.get("/connections")
def connections(director: Engine, production: ProductionName = "") -> dict[str, Any]:
    """Which items send to which."""
    return director.connections(production)


@router.get("/queues")
def queues(director: Engine, production: ProductionName = "") -> dict[str, Any]:
    """How many messages wait for each item."""
    return director.queue_counts(production)


@router.get("/bindings")
def bindings(director: Engine, unused: str = "") -> list[dict[str, Any]]:
    """The registered Python classes; with `unused` (1, true, yes or on) those that no item uses."""
    return director.bindings(flag(unused, False))


@router.delete("/binding")
def unbind(director: Engine, name: Annotated[str, Query(alias="class")] = "", classname: str = "") -> dict[str, str]:
    """Forget a Python class that no item uses."""
    name = name or classname
    if not name:
        raise HTTPException(400, "No class is named: add ?class=NAME; /api/iop/bindings lists them.")
    director.unbind_component(name)
    return {"status": "unbound", "class": name}


@router.post("/test")
@needs(Role.OPERATOR)
async def test(director: Engine, request: testing.TestRequest, response: Response) -> dict[str, Any]:
    """Send a request to an item and answer with its response, or at once with the message's number."""
    if not request.wait:
        response.status_code = 202
    return await blocking.run(testing.test, director, request)


@router.put("/migrate")
def migrate(director: Engine, upload: migration.Upload) -> dict[str, Any]:
    """Take the files of a project, register what its settings file names, renew what runs with it."""
    return migration.migrate(director, upload)


def _name_of(choice: ComponentChoice) -> str:
    name = choice.component or choice.item
    if not name:
        raise HTTPException(400, 'No item is named: send {"component": NAME}.')
    return name
