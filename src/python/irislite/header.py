"""The message header, its statuses, and the moves between them."""

from enum import IntEnum
from typing import NamedTuple


class Status(IntEnum):
    """The status of a message, with IRIS's codes."""

    CREATED = 1
    QUEUED = 2
    DELIVERED = 3
    DISCARDED = 4
    SUSPENDED = 5
    DEFERRED = 6
    ABORTED = 7
    ERROR = 8
    COMPLETED = 9


class MessageType(IntEnum):
    """Request or response, with IRIS's codes."""

    REQUEST = 1
    RESPONSE = 2


class Invocation(IntEnum):
    """How the target is called: through its queue, or in the sender's own thread."""

    QUEUE = 1
    INPROC = 2


class Priority(IntEnum):
    """The priority of a message in a queue: a lower code is taken first."""

    HIGH_SYNC = 1
    SYNC = 2
    SIM_SYNC = 4
    ASYNC = 6


class BusinessType(IntEnum):
    """What kind of host an item is, with IRIS's codes."""

    UNKNOWN = 0
    SERVICE = 1
    PROCESS = 2
    OPERATION = 3


# The state machine, drawn once. The store is the only writer of a status and obeys it;
# the picture in docs/architecture.md is made from it.
MOVES: dict[Status, frozenset[Status]] = {
    Status.CREATED: frozenset({Status.QUEUED, Status.DELIVERED, Status.COMPLETED, Status.DISCARDED, Status.ERROR}),
    Status.QUEUED: frozenset({Status.DELIVERED, Status.SUSPENDED, Status.ABORTED, Status.DISCARDED}),
    Status.DELIVERED: frozenset(
        {Status.COMPLETED, Status.ERROR, Status.DEFERRED, Status.SUSPENDED, Status.QUEUED, Status.ABORTED}
    ),
    Status.DEFERRED: frozenset({Status.COMPLETED, Status.ERROR, Status.ABORTED}),
    Status.SUSPENDED: frozenset({Status.QUEUED, Status.ABORTED, Status.DISCARDED}),
    Status.DISCARDED: frozenset(),
    Status.ABORTED: frozenset(),
    Status.ERROR: frozenset(),
    Status.COMPLETED: frozenset(),
}
FINISHED = tuple(status for status, moves in MOVES.items() if not moves)


def sources_of(new: Status) -> frozenset[Status]:
    """The stored statuses from which a message may become `new`.

    That a pool member works on a message is known in memory alone, so the row of a
    delivered message still says Queued.
    """
    sources = {old for old, allowed in MOVES.items() if new in allowed}
    if Status.DELIVERED in sources:
        sources.add(Status.QUEUED)
    return frozenset(sources)


def state_diagram() -> str:
    """The moves as a mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> Created"]
    for old, allowed in MOVES.items():
        lines += [f"    {old.name.title()} --> {new.name.title()}" for new in sorted(allowed)]
        if not allowed:
            lines.append(f"    {old.name.title()} --> [*]")
    return "\n".join(lines)


class Body(NamedTuple):
    """What a message carries, as it is stored.

    `class_name` is the class IRIS would store it in (`IOP.Message`), `classname` the Python
    class (`msg.MLRequest`), `content` its JSON, or base64 pickle text.
    """

    class_name: str
    classname: str
    content: str


class Header(NamedTuple):
    """One message's header; the columns carry IRIS's property names in snake case.

    Times are ISO 8601 texts in UTC with microseconds. `session_id` is the id of the
    session's first message. `message_body_id` is 0 for a message without a body. `time_taken` is when
    a pool member took the message from its queue; empty before its end, and where nobody took it.
    """

    id: int
    session_id: int
    type: MessageType
    invocation: Invocation
    status: Status
    priority: Priority
    source_config_name: str
    target_config_name: str
    source_business_type: BusinessType
    target_business_type: BusinessType
    target_queue_name: str
    return_queue_name: str
    business_process_id: int
    message_body_class_name: str
    message_body_id: int
    description: str
    time_created: str
    time_processed: str
    is_error: bool
    error_text: str
    corresponding_message_id: int
    time_taken: str = ""


class Draft(NamedTuple):
    """A message that is about to be stored: a header without what the store gives it.

    `session_id` 0 starts a session. With `body_id` the message carries a body that is stored
    already, of the class `body_class_name`.
    """

    target_config_name: str
    target_queue_name: str
    source_config_name: str
    body: Body | None
    session_id: int = 0
    type: MessageType = MessageType.REQUEST
    invocation: Invocation = Invocation.QUEUE
    priority: Priority = Priority.ASYNC
    source_business_type: BusinessType = BusinessType.UNKNOWN
    target_business_type: BusinessType = BusinessType.UNKNOWN
    return_queue_name: str = ""
    business_process_id: int = 0
    description: str = ""
    corresponding_message_id: int = 0
    is_error: bool = False
    error_text: str = ""
    status: Status = Status.QUEUED
    body_id: int = 0
    body_class_name: str = ""
