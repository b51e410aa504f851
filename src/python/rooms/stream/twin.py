"""The JSON twin of the room Stream, under /api/irislite/stream."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from irislite import audit
from irislite.actor import Role
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Text
from irislite.web.roles import needs
from rooms.stream import acts

router = APIRouter(responses={status: {"model": Failure} for status in (400, 403, 422, 500)})
Count = Annotated[int, Query(ge=1, le=1_000)]
_ID = r"^\d{1,20}-\d{1,20}$"


class PartView(BaseModel):
    """An item that works on the stream."""

    model_config = ConfigDict(from_attributes=True)

    item: str
    state: str
    comment: str


class Stream(BaseModel):
    """How the stream goes. `state` has rate, delay, lag, pending and the workers; null while `problem` says why not."""

    parts: list[PartView]
    state: dict[str, Any] | None
    problem: str


class Shares(BaseModel):
    """Minutes of the epoch, and for each keyword the posts of each minute, all and positive ones."""

    minutes: list[int]
    keywords: dict[str, dict[str, list[int]]]


class Letters(BaseModel):
    """Dead letters, by their ids."""

    ids: list[Annotated[Text, Field(pattern=_ID)]] = Field(min_length=1, max_length=1_000)


class Changed(BaseModel):
    """How many there were."""

    count: int


@router.get("")
def stream(director: Engine) -> Stream:
    """How the stream goes now."""
    found = acts.pulse(director)
    parts = [PartView.model_validate(part) for part in found.parts]
    return Stream(parts=parts, state=dict(found.state) if found.state else None, problem=found.problem)


@router.get("/shares")
def shares(director: Engine, minutes: Annotated[int, Query(ge=1, le=1_440)] = 60) -> Shares:
    """How many posts of each keyword were positive, minute by minute."""
    return Shares.model_validate(acts.shares(director, minutes))


@router.get("/posts")
def posts(director: Engine, count: Count = 50) -> list[dict[str, Any]]:
    """The posts that were labelled last, the newest first."""
    return acts.newest(director, count)


@router.get("/dead")
def dead(
    director: Engine, count: Count = 50, before: Annotated[str, Query(pattern=rf"{_ID}|^$")] = ""
) -> list[dict[str, Any]]:
    """Dead letters with their reasons, the newest first."""
    return acts.dead(director, count, before)


@router.post("/dead/put-back")
@needs(Role.OPERATOR)
def put_back(director: Engine, letters: Letters) -> Changed:
    """Put dead letters back into the stream."""
    count = acts.put_back(director, letters.ids)
    audit.tell(f"{count} put back")
    return Changed(count=count)


@router.post("/dead/drop")
@needs(Role.OPERATOR)
def drop(director: Engine, letters: Letters) -> Changed:
    """Drop dead letters for good."""
    count = acts.drop(director, letters.ids)
    audit.tell(f"{count} dropped")
    return Changed(count=count)
