"""The JSON that the API takes and answers with."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _storable(value: Any) -> Any:
    """Half a character (a lone surrogate) can be in JSON, but in no store."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError as error:
                raise ValueError("half a character (a lone surrogate) cannot be stored") from error
    return value


Fields = Annotated[dict[str, Any], AfterValidator(_storable)]
Text = Annotated[str, AfterValidator(_storable)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
TimeoutS = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Failure(BaseModel):
    """What every error answers. `session_id` leads to the trace of a message that was sent before."""

    error: str
    request_id: str
    session_id: int | None = None


class Status(BaseModel):
    """The production and its status, as in running, stopped or troubled."""

    production: str
    status: str


class Item(_Model):
    """An item of the production."""

    name: str
    class_name: str
    enabled: bool
    comment: str


class Model(_Model):
    """A local model, and the item that runs it."""

    name: str
    task: str
    item: str
    enabled: bool


class Sending(BaseModel):
    """A message for an item: the name of its class, as in msg.MLRequest, and its fields.

    `wait` false answers at once with the session; else the answer is waited for, `timeout_s` seconds at most.
    """

    classname: Text = Field(alias="class", min_length=1, max_length=200)
    body: Fields = {}
    wait: bool = True
    timeout_s: TimeoutS = 60.0


class Sent(BaseModel):
    """A message that nobody waits for: what becomes of it is told at `session` and, as it happens, at `events`."""

    session_id: int
    session: str
    events: str


class Answer(BaseModel):
    """What an item answered; `body` are the fields of its message, for models those of msg.MLResponse."""

    classname: str = Field(serialization_alias="class")
    body: Any
    session_id: int


class SearchRequest(BaseModel):
    """What is looked for; see docs/search.md."""

    model_config = ConfigDict(extra="allow")

    query: Text = ""
    limit: int = Field(10, ge=1, le=1_000)
    filter: Fields | None = None


class Message(_Model):
    """A message of a session. Times are in UTC; `answers` is the id of the request that a response belongs to."""

    id: int
    session_id: int
    type: Literal["Request", "Response"]
    status: str
    source: str
    target: str
    created: str
    processed: str
    error: str
    description: str
    answers: int
    body_class: str
    body: Any = None


class LogLine(_Model):
    """An entry of the event log."""

    id: int
    item: str
    type: str
    text: str
    time: str
    message_id: int


class Session(BaseModel):
    """A session: its messages in order, what was logged for them, and whether nothing more is to come."""

    session_id: int
    finished: bool
    messages: list[Message]
    log: list[LogLine]


class KeyWish(BaseModel):
    """A key to make: who it is for, what it may do, for how long, and how often a second."""

    name: Text = Field(min_length=1, max_length=100)
    role: Literal["predictor", "viewer", "operator", "administrator"] = "predictor"
    days: float | None = Field(None, gt=0, le=36_500)
    rate: float | None = Field(None, gt=0, le=1_000_000)


class Key(_Model):
    """What is known of a key."""

    id: str
    name: str
    role: str
    rate: float | None
    created: str
    expires: str | None
    revoked: str | None
    used: str | None


class NewKey(Key):
    """A key that was made just now. `key` is shown this once."""

    key: str
