"""The JSON twin of the room Experiments, under /api/irislite/experiments."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

import experiment
from irislite import audit
from irislite.actor import Role
from irislite.web import blocking
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Text
from irislite.web.roles import needs
from rooms.errors import told_as_ours
from rooms.experiments import acts, reading

Name = Annotated[str, Path(description="The experiment's folder, as EXP-3333-longformer.", min_length=1, max_length=63)]
Number = Annotated[int, Path(description="The number of a run.", ge=1, le=1_000_000)]
router = APIRouter(responses={status: {"model": Failure} for status in (400, 403, 404, 409, 422, 500, 504)})


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class New(BaseModel):
    """A new experiment on the rows of a SQL table; `columns` names the label first and the text second."""

    experiment: Text = Field(min_length=1, max_length=63)
    table: Text = Field(min_length=1, max_length=200)
    columns: Text = Field(min_length=3, max_length=400)


class Choice(BaseModel):
    """A model of the run; empty: its winner."""

    model: Text = Field("", max_length=200)


class Promotion(BaseModel):
    """`expect` is the candidate's id, so that no other candidate is promoted."""

    expect: Text = Field(min_length=8, max_length=200)


class Done(_Model):
    """What the item answered; the session has the trace."""

    item: str
    session_id: int
    output: Any
    note: str


class Problems(BaseModel):
    """What is wrong with an experiment; nothing, if it can be started."""

    problems: list[str]


class Deployed(_Model):
    """The run's model that waits as the candidate of `model_name`, or answers as it; "" where there is none."""

    model_name: str
    candidate: str
    candidate_id: str
    answers: str


class RunView(BaseModel):
    """A run: how its steps stand, and what came of it. Figures are as its files have them; see docs/experiment.md."""

    run: dict[str, Any]
    comparison: dict[str, Any] | None
    statistics: dict[str, dict[str, Any]]
    curves: dict[str, list[dict[str, Any]]]
    settings: dict[str, str]
    deployed: Deployed


@router.get("")
def experiments(director: Engine) -> list[dict[str, Any]]:
    """The experiments that there are."""
    with told_as_ours():
        return experiment.experiments(acts.place(director).root)


@router.post("", status_code=201)
@needs(Role.OPERATOR)
async def new(director: Engine, asked: New) -> Done:
    """Make an experiment."""
    audit.tell("made", target=asked.experiment)
    return Done.model_validate(await blocking.run(acts.new, director, asked.experiment, asked.table, asked.columns))


@router.get("/{name}")
def runs(director: Engine, name: Name) -> list[dict[str, Any]]:
    """The runs of an experiment, the newest first."""
    return reading.runs(acts.folder(director, name))


@router.get("/{name}/runs/{number}")
def run(director: Engine, name: Name, number: Number) -> RunView:
    """A run with its comparison, statistics, curves and settings."""
    folder = acts.folder(director, name)
    found = reading.run(folder, number)
    return RunView(
        run=found,
        comparison=reading.comparison(folder, number),
        statistics=reading.statistics(folder, found),
        curves=reading.curves(folder, found),
        settings=reading.settings(folder, number),
        deployed=Deployed.model_validate(acts.deployed(director, name, number)),
    )


@router.get("/{name}/differences")
def differences(
    director: Engine, name: Name, one: Annotated[int, Query(ge=1)], other: Annotated[int, Query(ge=1)]
) -> list[dict[str, str]]:
    """The settings in which two runs differ: key, one, other."""
    return reading.differences(acts.folder(director, name), one, other)


@router.post("/{name}/validate")
@needs(Role.OPERATOR)
async def validate(director: Engine, name: Name) -> Problems:
    """Look for what is wrong with an experiment."""
    return Problems(problems=await blocking.run(acts.validate, director, name))


@router.post("/{name}/start", status_code=202)
@needs(Role.OPERATOR)
async def start(director: Engine, name: Name) -> Done:
    """Start a run of an experiment."""
    return Done.model_validate(await blocking.run(acts.start, director, name))


@router.post("/{name}/runs/{number}/cancel")
@needs(Role.OPERATOR)
async def cancel(director: Engine, name: Name, number: Number) -> Done:
    """Stop a run."""
    return Done.model_validate(await blocking.run(acts.cancel, director, name, number))


@router.post("/{name}/runs/{number}/candidate")
@needs(Role.OPERATOR)
async def hand_over(director: Engine, name: Name, number: Number, asked: Choice) -> Done:
    """Make a model of a run a candidate."""
    return Done.model_validate(await blocking.run(acts.hand_over, director, name, number, asked.model))


@router.post("/{name}/runs/{number}/promote")
@needs(Role.OPERATOR)
async def promote(director: Engine, name: Name, number: Number, asked: Promotion) -> Done:
    """Promote the candidate of a run."""
    return Done.model_validate(await blocking.run(acts.promote, director, name, number, asked.expect))
