"""The JSON twin of what the rooms Production and Test do beside `twin`: new items, jobs, queues, tests to repeat."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from irislite.actor import Role, acting
from irislite.web import twin
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Item, Message, Text, Word
from irislite.web.roles import needs
from irislite.web.testing import TestRequest, message
from irislite.web.twin import ItemName

MOST_WAITING = 1_000
router = APIRouter(
    prefix="/api/irislite",
    tags=["irislite"],
    responses={status: {"model": Failure} for status in (400, 404, 409, 422, 500)},
)


class _Record(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class FormField(_Record):
    """Something that a new item is asked for; `choices` are offered, others may be given."""

    name: str
    help: str
    required: bool
    choices: list[str]


class ItemForm(_Record):
    """A component that items can be made of; `is_own` says that it has a form of its own."""

    class_name: str
    kind: Word
    description: str
    fields: list[FormField]
    is_own: bool


class NewItem(BaseModel):
    """An item to add: its name, the component, the answers to the component's form."""

    name: Text = Field(min_length=1, max_length=200)
    class_name: Text
    answers: dict[Text, Text] = {}
    comment: Text = Field("", max_length=2_000)


class NewName(BaseModel):
    """What a copy is called."""

    name: Text = Field(min_length=1, max_length=200)


class Enabling(BaseModel):
    """Whether an item is to run."""

    enabled: bool


class Removed(BaseModel):
    """The item that is no longer in the production."""

    removed: str


class Recovered(BaseModel):
    """The items that were in error, and run again."""

    recovered: list[str]


class Job(_Record):
    """A member of an item's pool. `message_id` is what it works on, since a time in seconds since the epoch, or 0."""

    job: int
    state: str
    item: str
    message_id: int
    session_id: int
    since: float


class Sent(_Record):
    """A test that was sent; `body` is its text with secrets masked, null if it was too long to be kept."""

    target: str
    classname: str
    body: str | None
    session_id: int
    message_id: int
    time: str


class Forgotten(BaseModel):
    """How many tests were forgotten."""

    forgotten: int


# An item's name may hold a slash: these longer paths are asked before `twin`'s.
@router.get("/components")
def components(director: Engine) -> list[ItemForm]:
    """The components that items can be made of, and what each asks for."""
    return [ItemForm.model_validate(form) for form in director.item_forms()]


@router.post("/items", status_code=201)
@needs(Role.OPERATOR)
def add(director: Engine, new: NewItem) -> Item:
    """Add an item to the production, and start it if the production runs."""
    director.add_item(new.name, new.class_name, dict(new.answers), new.comment)
    return Item.model_validate(director.item(new.name.strip()))


@router.post("/items/{name:path}/copy", status_code=201)
@needs(Role.OPERATOR)
def copy(director: Engine, name: ItemName, new: NewName) -> Item:
    """Add a disabled copy of an item, with its settings."""
    director.copy_item(name, new.name)
    return Item.model_validate(director.item(new.name.strip()))


@router.put("/items/{name:path}/enabled")
@needs(Role.OPERATOR)
def enable(director: Engine, name: ItemName, enabling: Enabling) -> Item:
    """Enable or disable an item."""
    director.enable_item(name, enabling.enabled)
    return Item.model_validate(director.item(name))


@router.delete("/items/{name:path}")
@needs(Role.ADMINISTRATOR)
def remove(director: Engine, name: ItemName) -> Removed:
    """Remove an item from the production; its messages stay."""
    director.remove_item(name)
    return Removed(removed=name)


@router.post("/recover")
@needs(Role.OPERATOR)
def recover(director: Engine) -> Recovered:
    """Start the items again that are in error."""
    return Recovered(recovered=director.recover())


@router.get("/items/{name:path}/jobs")
def jobs(director: Engine, name: ItemName) -> list[Job]:
    """The members of an item's pool: what each works on."""
    return [Job.model_validate(job) for job in director.jobs(name)]


@router.get("/items/{name:path}/queue")
def queue(director: Engine, name: ItemName, limit: Annotated[int, Field(ge=1, le=MOST_WAITING)] = 100) -> list[Message]:
    """The first messages of an item's queue: those that are worked on, then those that wait, next first."""
    return twin.shown(director, director.waiting(name, limit))


@router.get("/tests")
def tests(director: Engine) -> list[Sent]:
    """The tests that you sent from the test page or by POST here, the newest first."""
    return [Sent.model_validate(test) for test in director.tests.of(acting.get().name)]


@router.post("/tests", status_code=202)
@needs(Role.OPERATOR)
def send(director: Engine, request: TestRequest) -> Sent:
    """Send a test without waiting for its answer, which will be the response of its message."""
    classname, body = message(request)
    user = acting.get().name
    header = director.test_async(request.target, classname, body, user)
    return Sent.model_validate(director.tests.add(user, request.target, classname, body, header.session_id, header.id))


@router.delete("/tests")
@needs(Role.OPERATOR)
def forget(director: Engine) -> Forgotten:
    """Forget the tests that you sent; their messages stay."""
    return Forgotten(forgotten=director.tests.forget(acting.get().name))
