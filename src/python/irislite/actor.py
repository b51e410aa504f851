"""Who acts: the roles, and the user on whose behalf the running code reads or changes something."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a user may do; each role may do what the ones before it may."""

    VIEWER = 1  # sees everything but users, credentials and the audit; changes nothing
    OPERATOR = 2  # runs the production: starts, stops, tests, resends, promotes, changes settings
    ADMINISTRATOR = 3  # decides who may, what code runs and what is deleted

    @property
    def word(self) -> str:
        """The role as people write it: viewer, operator or administrator."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Actor:
    """A user at work: by which way (`REST`, `portal`, `command line`, empty for code in the process), from where."""

    name: str
    role: Role
    via: str = ""
    client: str = ""


NOBODY = Actor("", Role.ADMINISTRATOR)  # the process itself: nobody asked
acting: ContextVar[Actor] = ContextVar("irislite_actor", default=NOBODY)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Whatever runs in the block, threads that copy the context included, runs for this user."""
    token = acting.set(actor)
    try:
        yield
    finally:
        acting.reset(token)
