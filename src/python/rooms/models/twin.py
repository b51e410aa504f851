"""The JSON twin of the room Models, under /api/irislite/models."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

import paths
from inference import catalog
from irislite import audit
from irislite.actor import Role
from irislite.web import blocking
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Text
from irislite.web.roles import needs
from rooms.errors import told_as_ours
from rooms.models import acts, shelf
from tuning import overview

ModelName = Annotated[str, Path(description="The folder's name in src/model.", min_length=1, max_length=200)]
router = APIRouter(responses={status: {"model": Failure} for status in (400, 403, 404, 409, 422, 500, 504)})


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Use(_Model):
    """An item that answers with the model, or tunes it."""

    item: str
    how: str
    task: str
    state: str


class ModelView(BaseModel):
    """A model folder. What nobody says is "" or null; `problem` says what is wrong with it."""

    name: str
    task: str
    architecture: str
    licence: str
    size_bytes: int
    parameters: int | None
    labels: list[str]
    source: str
    commit: str
    problem: str
    version: str
    version_of: str
    uses: list[Use]


class ModelCard(ModelView):
    """The same with its card: Markdown as its writer left it, and the facts on its top."""

    card: str
    facts: dict[str, Any]


class Standing(_Model):
    """Champion, candidate, previous or rolled-back model. Compare metrics of the same `judged_on` alone."""

    role: str
    folder: str
    id: str
    metrics: dict[str, float]
    judged_on: str
    rows: int | None
    labels: list[str]
    confusion: list[list[int]]
    verdict: str
    method: str
    task: str
    created: str
    duration_s: float | None
    curve: list[dict[str, Any]]
    energy: dict[str, Any] | None


class Training(_Model):
    """A training at work; `of` is 0 until it is known how many steps there are."""

    id: str
    began: str
    method: str
    step: int
    of: int
    curve: list[dict[str, Any]]


class Decision(BaseModel):
    """What there is to decide by."""

    model: str
    standings: list[Standing]
    training: Training | None
    unfinished: list[str]
    history: list[dict[str, Any]]
    shadow: dict[str, Any] | None


class DownloadView(_Model):
    """A download; `total_bytes` is 0 until it is known."""

    id: str
    name: str
    address: str
    state: str
    done_bytes: int
    total_bytes: int
    error: str
    lines: list[str]


class NewDownload(BaseModel):
    """The model's address as people paste it; `name` is the folder's, by default the model's own."""

    address: Text = Field(min_length=1, max_length=2_000)
    name: Text = Field("", max_length=200)


class Promotion(BaseModel):
    """`expect` is the candidate's id, so that no other candidate is promoted; empty: whichever waits."""

    expect: Text = Field("", max_length=200)


class Stop(BaseModel):
    """`keep_best`: what was learned until then becomes the candidate."""

    keep_best: bool = False


class Question(BaseModel):
    """A request's fields, as of msg.MLRequest. `task` is for a model that no item runs; empty: the model's own."""

    fields: dict[str, Any]
    task: Text = Field("", max_length=100)


class Done(_Model):
    """What the item answered; the session has the trace."""

    item: str
    session_id: int
    output: Any
    note: str


class Answer(Done):
    """What the model answered; `session_id` 0: no item runs it, it was loaded for this question."""

    images: list[dict[str, Any]]


@router.get("")
def models(director: Engine) -> list[ModelView]:
    """The models that are there, and who uses them."""
    return [view(shelved) for shelved in shelf.shelf(director)]


@router.get("/downloads")
def list_downloads(director: Engine) -> list[DownloadView]:
    """Downloads that run, and that ran."""
    return [DownloadView.model_validate(one) for one in acts.downloads(director).all()]


@router.post("/downloads", status_code=202)
@needs(Role.OPERATOR)
def download(director: Engine, asked: NewDownload) -> DownloadView:
    """Download a model."""
    made = acts.download(director, asked.address, asked.name)
    audit.tell(made.address, target=made.name)
    return DownloadView.model_validate(made)


@router.post("/downloads/{id}/cancel")
@needs(Role.OPERATOR)
def cancel_download(director: Engine, id: str) -> DownloadView:
    """Cancel a download."""
    with told_as_ours():
        return DownloadView.model_validate(acts.downloads(director).cancel(id))


@router.get("/{name}")
def model(director: Engine, name: ModelName) -> ModelCard:
    """A model with its card."""
    found = shelf.find(director, name)
    folder = paths.model_root() / found.entry.name
    return ModelCard(**view(found).model_dump(), card=catalog.card(folder), facts=_plain(catalog.facts(folder)))


@router.get("/{name}/decision")
def decision(director: Engine, name: ModelName) -> Decision:
    """Champion, candidate and previous model with their metrics, trainings, history, shadow agreement."""
    shelf.find(director, name)
    with told_as_ours():
        found = overview.overview(paths.model_root(), name)
    return Decision(
        model=found.model,
        standings=[Standing.model_validate(one) for one in found.standings],
        training=Training.model_validate(found.training) if found.training else None,
        unfinished=found.unfinished,
        history=[dict(entry) for entry in found.history],
        shadow=dict(found.shadow) if found.shadow else None,
    )


@router.post("/{name}/promote")
@needs(Role.OPERATOR)
async def promote(director: Engine, name: ModelName, asked: Promotion) -> Done:
    """Promote a candidate."""
    return Done.model_validate(await blocking.run(acts.promote, director, name, asked.expect))


@router.post("/{name}/rollback")
@needs(Role.OPERATOR)
async def roll_back(director: Engine, name: ModelName) -> Done:
    """Take a promotion back."""
    return Done.model_validate(await blocking.run(acts.roll_back, director, name))


@router.post("/{name}/stop-training")
@needs(Role.OPERATOR)
async def stop_training(director: Engine, name: ModelName, asked: Stop) -> Done:
    """Stop a training."""
    return Done.model_validate(await blocking.run(acts.stop_training, director, name, asked.keep_best))


@router.post("/{name}/try")
@needs(Role.OPERATOR)
async def ask(director: Engine, name: ModelName, asked: Question) -> Answer:
    """Try a model."""
    return Answer.model_validate(await blocking.run(acts.ask, director, name, asked.task, asked.fields))


def view(shelved: shelf.Shelved) -> ModelView:
    """A model as JSON shows it."""
    entry = shelved.entry
    return ModelView(
        name=entry.name,
        task=entry.task,
        architecture=entry.architecture,
        licence=entry.licence,
        size_bytes=entry.size_bytes,
        parameters=entry.parameters,
        labels=list(entry.labels),
        source=(entry.origin.repository or entry.origin.source) if entry.origin else "",
        commit=(entry.origin.commit or "") if entry.origin else "",
        problem=entry.problem,
        version=shelved.version,
        version_of=shelved.version_of,
        uses=[Use.model_validate(use) for use in shelved.uses],
    )


def _plain(value: Any) -> Any:
    """YAML knows dates; JSON does not."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
