"""What an operator sees of a production: items, settings, the answer to a test."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from irislite.header import BusinessType


class ProductionStatus(StrEnum):
    """The states of a production, as `iop --status` prints them."""

    RUNNING = "running"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    TROUBLED = "troubled"


class ItemState(StrEnum):
    """The states of an item, as the portal shows them."""

    DISABLED = "disabled"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item as an operator sees it.

    `reason` says why it is not running; `last_activity` is in seconds since the epoch; `throughput` counts the
    messages it handled in each of the last `throughput.STEPS` steps, the oldest first.
    """

    name: str
    class_name: str
    kind: BusinessType
    category: str
    comment: str
    enabled: bool
    pool_size: int
    state: ItemState
    reason: str
    queue_count: int
    in_progress: int
    processed: int
    last_activity: float
    throughput: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobView:
    """A member of an item's pool. `message_id` is what it works on, since a time in seconds since the epoch, or 0.

    `item` is whose message that is: the actors' members work for several.
    """

    job: int
    state: str
    item: str
    message_id: int
    session_id: int
    since: float


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as an operator sees it; `value` is its text, None if the default holds."""

    name: str
    target: str
    type: str
    value: str | None
    default: Any
    required: bool
    category: str
    description: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """The answer to a test. `body` is the answer's JSON text, empty for an answer without a body."""

    __test__ = False  # pytest would take it for a test class

    session_id: int
    request_id: int
    classname: str
    body: str
