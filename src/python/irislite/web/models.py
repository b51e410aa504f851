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
    """An item of the production. `reason` says why it does not run; `last_activity` is seconds since the epoch.

    `throughput` counts the messages it handled in each of the last steps of five seconds, the oldest first.
    """

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
    throughput: list[int]


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


class RequestField(_Model):
    """A field that a message class declares: text, integer, number, yes or no, or JSON for anything else."""

    name: str
    type: str
    default: Any
    required: bool
    choices: list[Any]


class Example(_Model):
    """A JSON object of a class, and what it is an example of."""

    label: str
    body: dict[str, Any]


class RequestClass(_Model):
    """A message class that an item takes: a JSON object to start from, the declared fields, more examples."""

    name: str
    template: dict[str, Any]
    description: str
    fields: list[RequestField]
    examples: list[Example]


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


class BriefLogLine(_Model):
    """An entry of the event log, without its traceback."""

    id: int
    config_name: str
    job: int
    message_id: int
    session_id: int
    source_class: str
    source_method: str
    text: str
    time_logged: str
    type: Word


class LogLine(BriefLogLine):
    """An entry of the event log. `stack` is a traceback, or empty."""

    stack: str


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
    waited_ms: float | None
    worked_ms: float | None
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


class FoundMessage(Message):
    """A message that was searched for; `preview` is how its body begins, `size` the body's length in characters."""

    body_class: str
    preview: str
    size: int


class MessagePage(BaseModel):
    """A page of a search. `next_id` null: that is all. `is_full` false: the time was over; go on from `next_id`."""

    messages: list[FoundMessage]
    next_id: int | None
    is_full: bool


class LogPage(BaseModel):
    """The same of the event log."""

    entries: list[LogLine]
    next_id: int | None
    is_full: bool


class LogGroup(BaseModel):
    """Log entries that say the same, but for numbers and quoted names."""

    count: int
    first_time: str
    last_time: str
    newest: LogLine


class LogGroupPage(BaseModel):
    """Groups, the one with the newest entry first; `next_id` null: all that fits was counted."""

    groups: list[LogGroup]
    next_id: int | None


class SearchField(BaseModel):
    """A field to search by: how it is compared, and the words that it can hold if these are few."""

    name: str
    kind: str
    signs: list[str]
    words: list[str]
    help: str


class SavedSearch(_Model):
    """A search that a user keeps."""

    name: str
    query: str


class SavedSearchQuery(BaseModel):
    """The search to keep."""

    query: Text = Field(max_length=20_000)


class Share(_Model):
    """What an item had of a session's time; see `irislite.visualtrace.Share`."""

    name: str
    requests: int
    waited_ms: float
    worked_ms: float
    own_ms: float


class Energy(BaseModel):
    """What an answer says it cost, as a number and with its range and method in words."""

    message_id: int
    joules: float
    words: str


class SessionTimes(BaseModel):
    """Where a session's time and energy went."""

    duration_ms: float
    shares: list[Share]
    energies: list[Energy]
