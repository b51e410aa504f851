"""What a request can come to instead of an answer."""

from collections.abc import Mapping
from typing import Any


class EvergreenError(Exception):
    """The root of the tree: the server's words, its status (0: none came), and the ids that lead to logs and traces."""

    def __init__(self, text: str, status: int = 0, request_id: str = "", session_id: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.request_id = request_id
        self.session_id = session_id


class KeyRefused(EvergreenError, PermissionError):
    """The key is missing, not valid, or its role does not allow this."""


class NotFound(EvergreenError, LookupError):
    """No item, model or session is called so."""


class Busy(EvergreenError, RuntimeError):
    """Too many requests, or an item that takes none now; still so after all retries."""


class ItemFailed(EvergreenError, RuntimeError):
    """The item answered with an error; the text is the item's."""


class TimedOut(EvergreenError, TimeoutError):
    """No answer in time. The request may go on: see the session."""


class Unreachable(EvergreenError, ConnectionError):
    """The server could not be reached, or broke off."""


_BY_STATUS: dict[int, type[EvergreenError]] = {
    401: KeyRefused,
    403: KeyRefused,
    404: NotFound,
    429: Busy,
    502: ItemFailed,
    503: Busy,
    504: TimedOut,
}


def error_of(status: int, body: Any, reason: str) -> EvergreenError:
    """The error that an answer is; `reason` is what is said where it has no words of its own."""
    told: Mapping[str, Any] = body if isinstance(body, dict) else {}
    kind = _BY_STATUS.get(status, EvergreenError)
    return kind(str(told.get("error") or reason), status, str(told.get("request_id") or ""), told.get("session_id"))
