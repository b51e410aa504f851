"""`iop.PersistentMessage`: refused, with what to use instead.

It exists to make IRIS generate a class, with a table, for the message's body. There is no class
compiler here, and a body without its table would be a promise half kept.
"""

from typing import Any, NoReturn

from iris_persistence.runtime import install_runtime

from irislite.errors import NotSupported

NO_PERSISTENT_MESSAGES = (
    "irislite has no PersistentMessage: IRIS would generate a class and a table for it. Use iop.Message or "
    "iop.PydanticMessage, and write what must be asked for by SQL into a table of your own."
)


class _Refusal:
    """What `iris_persistence` takes for IRIS: whatever is asked of it is refused."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotSupported(NO_PERSISTENT_MESSAGES)


def refuse() -> None:
    """Let every use of a `PersistentMessage` in this process raise `NotSupported`."""
    runtime: Any = _Refusal()
    install_runtime(runtime)
