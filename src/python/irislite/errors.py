"""The errors of the runtime. Each message ends with what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class IrisliteError(Exception):
    """The root of the tree."""


class StoreError(IrisliteError, OSError):
    """The store cannot be opened, read or written."""


class DataFolderInUse(StoreError):
    """Another process has the data folder."""


class Interrupted(BaseException):
    """The item stops while a message of it waits: the message stays queued, before all others. Nothing should catch it
    but the pool."""


class IllegalMove(IrisliteError, RuntimeError):
    """A message cannot go from its status to the asked one."""


class ProductionError(IrisliteError, ValueError):
    """A production or an item is not as it must be."""


class UnknownProduction(ProductionError, LookupError):
    """No production has that name."""


class UnknownItem(ProductionError, LookupError):
    """No item has that name."""


class UnknownBinding(ProductionError, LookupError):
    """No Python class is registered under that name."""


class UnknownSession(IrisliteError, LookupError):
    """No session, or no message, has that id."""


class UnknownSearch(IrisliteError, LookupError):
    """Nobody keeps a search under that name."""


class ItemNotRunning(ProductionError, RuntimeError):
    """The item, or its production, does not take messages now."""


class BadRequest(IrisliteError, ValueError):
    """A request's class or JSON is not as it must be."""


class RequestFailed(IrisliteError, RuntimeError):
    """The target answered with an error; the text is the target's, `session_id` leads to its trace."""

    def __init__(self, message: str, session_id: int = 0) -> None:
        super().__init__(message)
        self.session_id = session_id


class RequestTimeout(IrisliteError, TimeoutError):
    """The target did not answer in time."""


class Forbidden(IrisliteError, PermissionError):
    """The user's role does not allow it."""


class GeneratorGone(IrisliteError, RuntimeError):
    """The generator that is polled does not run any more."""


class NotSupported(IrisliteError, NotImplementedError):
    """IRIS knows it, this runtime does not."""


class ClassNotFound(IrisliteError, LookupError, RuntimeError):
    """`iris.cls` was asked for a class the runtime does not have."""


def near(name: str, names: Iterable[str]) -> str:
    """A sentence that names what was perhaps meant, or what there is; empty if there is nothing."""
    known = sorted(names)
    close = get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f" Did you mean {' or '.join(repr(match) for match in close)}?"
    return f" There {'are' if len(known) > 1 else 'is'}: {', '.join(known)}." if known else ""
