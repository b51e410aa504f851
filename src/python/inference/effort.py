"""Who works and who waits, told to whoever measures the cost of requests; nothing happens if nobody does.

A request that waits for its turn spends nothing, and one that runs in a batch spends the part of it that its tokens
are. Only the engine knows when that is, and only the host knows who measures: it says so with `borne_by`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol


class Lock(Protocol):
    """Of `threading`, of either kind."""

    def acquire(self, blocking: bool = True) -> bool: ...

    def release(self) -> None: ...


class Effort(Protocol):
    """The measurement of one request, from anywhere. A share of 1 is a thread at work."""

    def weigh(self, shares: Sequence[tuple[Any, float]]) -> None:
        """From now on these efforts have these shares."""

    def aside(self, what: str, pause: bool = True) -> AbstractContextManager["Effort"]:
        """A context for work that is not the request's own; `pause`: the request does nothing meanwhile."""


current: ContextVar[Effort | None] = ContextVar("effort", default=None)
"""Who bears what this thread does now."""


@contextmanager
def borne_by(effort: Effort | None) -> Iterator[None]:
    """`effort` bears what this thread does in this context."""
    token = current.set(effort)
    try:
        yield
    finally:
        current.reset(token)


@contextmanager
def aside(what: str) -> Iterator[None]:
    """Work that is not the request's own, such as the load of a model; `what` names it in the log."""
    effort = current.get()
    with effort.aside(what) if effort is not None else nullcontext() as other, borne_by(other):
        yield


def apart(what: str, function: Callable[..., None]) -> Callable[..., None]:
    """`function` for a thread of its own: it is measured apart, by whoever bears what this thread does now."""
    effort = current.get()
    if effort is None:
        return function

    def run(*arguments: Any) -> None:
        with effort.aside(what, pause=False) as other, borne_by(other):
            function(*arguments)

    return run


def share(efforts: Iterable[tuple[Effort | None, float]]) -> None:
    """From now on these efforts have these shares; None is nobody, and who appears twice has the sum."""
    shares: dict[int, float] = {}
    known: dict[int, Effort] = {}
    for effort, part in efforts:
        if effort is not None:
            shares[id(effort)] = shares.get(id(effort), 0.0) + part
            known[id(effort)] = effort
    pairs = [(effort, shares[key]) for key, effort in known.items()]
    if pairs:
        pairs[0][0].weigh(pairs)


@contextmanager
def taken(lock: Lock) -> Iterator[None]:
    """Holds the lock; while the thread waits for it, it spends nothing."""
    if not lock.acquire(blocking=False):
        effort = current.get()
        share([(effort, 0.0)])
        try:
            lock.acquire()
        finally:
            share([(effort, 1.0)])
    try:
        yield
    finally:
        lock.release()


@contextmanager
def batch(efforts: Sequence[tuple[Effort | None, float]]) -> Iterator[None]:
    """These work together, each by its size; afterwards all wait but the one whose thread this is."""
    leader, whole = current.get(), sum(size for _, size in efforts) or 1.0
    if all(effort is leader for effort, _ in efforts):
        yield
        return
    share([(leader, 0.0), *((effort, size / whole) for effort, size in efforts)])
    try:
        yield
    finally:
        share([*((effort, 0.0) for effort, _ in efforts), (leader, 1.0)])
