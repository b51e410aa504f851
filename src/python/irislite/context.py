"""Which item and message the running code works for: what the event log writes beside a text."""

from contextvars import ContextVar
from typing import NamedTuple


class Context(NamedTuple):
    """The item, its job number, and the message at hand (0: none), which was taken from its queue at `time_taken`."""

    config_name: str = ""
    job: int = 0
    message_id: int = 0
    session_id: int = 0
    time_taken: str = ""


current: ContextVar[Context] = ContextVar("irislite_context", default=Context())  # noqa: B039 - it is frozen
