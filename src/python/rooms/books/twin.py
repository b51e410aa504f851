"""The JSON twin of the room Books, under /api/irislite/books."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from irislite import audit
from irislite.actor import Role
from irislite.web import blocking
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Text
from irislite.web.roles import needs
from rooms.books import acts

router = APIRouter(responses={status: {"model": Failure} for status in (400, 403, 409, 422, 500)})


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Question(BaseModel):
    """One of `query` (a text), `image` (an address, a path, a data URI) and `like` (a book's key)."""

    query: Text = Field("", max_length=1_000)
    image: Text = Field("", max_length=30_000_000)
    like: Text = Field("", max_length=200)
    over: Text = Field("covers", max_length=10)
    limit: int = Field(10, ge=1, le=100)
    filter: dict[str, Any] | None = None
    thumbnails: bool = True


class Answer(_Model):
    """The books, the best first; a hit's `image` is the place of its cover in `images`."""

    item: str
    session_id: int
    hits: list[dict[str, Any]]
    images: list[dict[str, Any]]
    note: str


class Job(_Model):
    """How the job stands: never, running, done, cancelled, failed, interrupted or elsewhere."""

    item: str
    state: str
    stage: str
    done: int
    total: int
    error: str
    books: int
    vectors: int
    problems: int


class Told(BaseModel):
    """The item that was told."""

    item: str


@router.post("/search")
@needs(Role.OPERATOR)
async def find(director: Engine, asked: Question) -> Answer:
    """Search books."""
    return Answer.model_validate(await blocking.run(acts.ask, director, asked.model_dump()))


@router.get("/job")
def job(director: Engine) -> Job | None:
    """How far the index is; null if no item makes one."""
    found = acts.job(director)
    return Job.model_validate(found) if found else None


@router.post("/job/start", status_code=202)
@needs(Role.OPERATOR)
def start(director: Engine) -> Told:
    """Start the job that makes the index."""
    item = acts.start(director)
    audit.tell("started", target=item)
    return Told(item=item)


@router.post("/job/cancel")
@needs(Role.OPERATOR)
async def cancel(director: Engine) -> Told:
    """Stop the job that makes the index."""
    return Told(item=await blocking.run(acts.cancel, director))
