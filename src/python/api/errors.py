"""What can go wrong between an application and a production, each with the status that it answers."""


class ApiError(Exception):
    """The root of the tree. `session_id` leads to the trace of a message that was sent; 0: none was."""

    status = 500

    def __init__(self, text: str, session_id: int = 0, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.session_id = session_id
        self.retry_after_s = retry_after_s


class BadRequest(ApiError, ValueError):
    """The request cannot be what was meant."""

    status = 400


class NotIdentified(ApiError, PermissionError):
    """There is no key, or it is not one of ours, or it is revoked or expired."""

    status = 401


class NotAllowed(ApiError, PermissionError):
    """The key's role may not do this."""

    status = 403


class NotFound(ApiError, LookupError):
    """No item, model, session or key is called so."""

    status = 404


class NotAvailable(ApiError, RuntimeError):
    """The production or the item does not take messages now."""

    status = 503


class TooMany(ApiError, RuntimeError):
    """More requests than the key's rate or the server's places allow."""

    status = 429


class ItemFailed(ApiError, RuntimeError):
    """The item answered with an error; the text is the item's."""

    status = 502


class NoAnswerInTime(ApiError, TimeoutError):
    """The item did not answer in time; the request goes on."""

    status = 504
