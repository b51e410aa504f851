"""The JSON that the web side answers with, and what it takes."""

from enum import IntEnum
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from irislite.purge import LONGEST_AGE_DAYS

_WORDS = {"INPROC": "InProc"}


def _word(value: Any) -> Any:
    """A code as IRIS writes it: Status.QUEUED is Queued, Priority.HIGH_SYNC is HighSync."""
    if isinstance(value, IntEnum):
        return _WORDS.get(value.name, value.name.title().replace("_", ""))
    return value


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _storable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("half a character (a lone surrogate) cannot be stored") from error
    return text


Text = Annotated[str, AfterValidator(_storable)]
Word = Annotated[str, BeforeValidator(_word)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Position = Annotated[int, Field(ge=0, le=2**63 - 1)]  # an id that something comes after, 0 for the beginning
Count = Annotated[int, Field(ge=1, le=10_000)]


class _Model(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Item(_Model):
    """An item of the production. `reason` says why it does not run; `last_activity` is seconds since the epoch."""

    name: str
    class_name: str
    kind: Word
    category: str
    comment: str
    enabled: bool
    pool_size: int
    state: str
    reason: str
    queue_count: int
    in_progress: int
    processed: int
    last_activity: float


class Setting(_Model):
    """A setting of an item; `value` null means that the default holds."""

    name: str
    target: str
    type: str
    value: str | None
    default: Annotated[Any, BeforeValidator(_plain)]
    required: bool
    category: str
    description: str


class SettingChange(BaseModel):
    """A new text for a setting; null takes it back to its default."""

    target: str = Field("Host", pattern="^(Host|Adapter)$")
    name: Text = Field(min_length=1, max_length=200)
    value: Text | None = None


class SettingsChange(BaseModel):
    """New settings of an item, and its pool size if that changes too."""

    settings: list[SettingChange] = []
    pool_size: int | None = Field(None, ge=0, le=1_000)


class Changes(BaseModel):
    """A sentence for each change that was made."""

    changes: list[str]


class RequestClass(_Model):
    """A message class that an item takes, with a JSON object to start from."""

    name: str
    template: dict[str, Any]
    description: str


class Message(_Model):
    """A message's header. Times are ISO 8601 in UTC."""

    id: int
    session_id: int
    type: Word
    invocation: Word
    status: Word
    priority: Word
    source_config_name: str
    target_config_name: str
    source_business_type: Word
    target_business_type: Word
    message_body_class_name: str
    description: str
    time_created: str
    time_processed: str
    is_error: bool
    error_text: str
    corresponding_message_id: int


class Body(BaseModel):
    """What a message carries: the class IRIS keeps it in, the Python class, its JSON (text, if it is none)."""

    class_name: str
    classname: str
    content: Any


class WholeMessage(Message):
    """A message with its body; `response_id` is the answer's id, null while there is none."""

    body: Body | None
    response_id: int | None


class LogLine(_Model):
    """An entry of the event log. `stack` is a traceback, or empty."""

    id: int
    config_name: str
    job: int
    message_id: int
    session_id: int
    source_class: str
    source_method: str
    text: str
    stack: str
    time_logged: str
    type: Word


class MessageIds(BaseModel):
    """Messages that something is done to."""

    ids: list[Id] = Field(min_length=1, max_length=10_000)


class Resubmission(MessageIds):
    """Messages for the target they had, or for another item."""

    target: Text = ""


class Resending(Resubmission):
    """Requests to send again; `content` is a JSON object in place of the body's."""

    content: dict[str, Any] | None = None


class Outcome(_Model):
    """What became of one message: done, or the reason why not. `new_id` is the id of a resent one, or 0."""

    id: int
    done: bool
    reason: str
    new_id: int


class Aborted(BaseModel):
    """How many messages of a queue were given up."""

    aborted: int


class Age(BaseModel):
    """What a purge deletes: what is older than so many days. With `dry_run` it only counts."""

    older_than_days: float = Field(ge=0, le=LONGEST_AGE_DAYS, allow_inf_nan=False)
    dry_run: bool = False


class Purge(_Model):
    """What a purge deleted, or would delete; see `irislite.purge.PurgeReport`."""

    cutoff: str
    dry_run: bool
    sessions: int
    messages: int
    bodies: int
    log_entries: int
    processes: int
    bytes: int
    freed_bytes: int


class Size(_Model):
    """What the data folder takes; see `irislite.size.SizeReport`."""

    folder: str
    schema_version: int
    files: dict[str, int]
    backups_bytes: int
    disk_free_bytes: int
    free_bytes: int
    shrinks: bool
    rows: dict[str, int]
    unfinished_messages: int
    oldest_message: str
    newest_message: str


class Backup(_Model):
    """A backup that was made below the data folder: where, and the bytes of each file."""

    path: str
    files: dict[str, int]


class Column(_Model):
    """A host that took part in a session."""

    name: str
    kind: Word


class Arrow(_Model):
    """A message in a session's picture, from column to column; see `irislite.visualtrace.Arrow`."""

    number: int
    header_id: int
    kind: str
    source: int
    target: int
    time: str
    offset_ms: float
    duration_ms: float | None
    status: Word
    description: str
    failed: bool


class Trace(_Model):
    """A session's picture: the hosts as columns, the messages as numbered arrows."""

    columns: list[Column]
    arrows: list[Arrow]
    finished: bool
    duration_ms: float


class Session(BaseModel):
    """A session: its messages with their bodies, what was logged for them, and its picture."""

    session_id: int
    messages: list[WholeMessage]
    log: list[LogLine]
    trace: Trace
