"""Work for one model that waits at the same time runs together: who waits, what goes into a batch, who runs it.

There is no thread and no timer here. Whoever brings work and finds nobody working becomes the leader: it runs batch
after batch until its own work is done, then hands over to the owner of the oldest work that waits. All others sleep
until their results are there. With one request at a time nothing is queued, copied or waited for.
"""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference import effort

_WINDOW = 128  # so many of the oldest are looked at for a batch; the others wait behind them anyway


@dataclass(eq=False)
class Work:
    """One forward of one request.

    `size` is its length in tokens, or what stands for them; only works of equal `kind` can share a batch.
    """

    inputs: Any
    size: int
    kind: Hashable
    output: Any = None
    error: BaseException | None = None
    owner: "_Owner | None" = field(default=None, repr=False)


@dataclass
class Limits:
    """How large a batch may become.

    `tokens` counts padding; `overhead` is what a batch costs beside its tokens, in tokens: the more, the rather two
    batches become one with padding. `wait_s` is how long the oldest waits for company while a batch is not full.
    """

    tokens: int = 1024
    rows: int = 64
    overhead: int = 32
    wait_s: float = 0.0


@dataclass(eq=False)
class _Owner:
    """A thread that waits for its works: woken when all are done, or when it is to lead."""

    pending: int
    arrived_s: float
    awake: threading.Event = field(default_factory=threading.Event)
    bearer: effort.Effort | None = field(default_factory=effort.current.get)


class Batcher:
    """Runs `forward`, a function from the works of one batch to their outputs, never twice at the same time.

    `unfit` hears the error of a batch whose works all succeeded alone: it was the batch that was wrong.
    """

    def __init__(
        self,
        forward: Callable[[Sequence[Work]], Sequence[Any]],
        limits: Limits,
        unfit: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.limits = limits
        self._forward = forward
        self._unfit = unfit
        self._guard = threading.Lock()
        self._arrival = threading.Condition(self._guard)
        self._waiting: list[Work] = []  # the oldest first
        self._led = False

    def run(self, works: Sequence[Work]) -> None:
        """Run the works, together with those of other threads; each then has its `output` or its `error`."""
        if not works:
            return
        owner = _Owner(len(works), time.monotonic())
        for work in works:
            work.owner = owner
        with self._guard:
            self._waiting.extend(works)
            lead, self._led = not self._led, True
            self._arrival.notify()
            if not lead:
                effort.share([(owner.bearer, 0.0)])  # before a leader sees the works
        if not lead:
            owner.awake.wait()
            effort.share([(owner.bearer, 1.0)])
        if owner.pending:
            try:
                while owner.pending:
                    self._run_batch(self._take())
            finally:
                self._hand_over(owner)

    def _hand_over(self, owner: _Owner) -> None:
        """The owner of the oldest work leads on; nobody does if nothing waits."""
        with self._guard:
            if owner.pending:  # its thread is being ended and takes what it brought along
                self._waiting = [work for work in self._waiting if work.owner is not owner]
            if self._waiting:
                _owner(self._waiting[0]).awake.set()
            else:
                self._led = False

    def _take(self) -> list[Work]:
        """The next batch, removed from the queue."""
        with self._guard:
            batch = self._choose()
            if self.limits.wait_s:
                deadline_s = _owner(batch[0]).arrived_s + self.limits.wait_s
                while len(batch) == len(self._waiting) < self.limits.rows:
                    rest_s = deadline_s - time.monotonic()
                    if rest_s <= 0 or not self._arrival.wait(rest_s):
                        break
                    batch = self._choose()
            taken = set(map(id, batch))
            self._waiting = [work for work in self._waiting if id(work) not in taken]
            return batch

    def _choose(self) -> list[Work]:
        """The batch that holds the oldest work, so that none ever starves, in the cheapest cut of all that waits."""
        oldest = self._waiting[0]
        works = [work for work in self._waiting[:_WINDOW] if work.kind == oldest.kind]
        works.sort(key=lambda work: work.size)
        place = next(place for place, work in enumerate(works) if work is oldest)
        for start, end in cut([work.size for work in works], self.limits):
            if start <= place < end:
                return works[start:end]
        return [oldest]

    def _run_batch(self, batch: list[Work]) -> None:
        try:
            self._run_works(batch)
        finally:  # even if this thread is being ended: nobody may wait for ever
            for work in batch:
                owner = _owner(work)
                owner.pending -= 1
                if not owner.pending:
                    owner.awake.set()

    def _run_works(self, batch: list[Work]) -> None:
        """Run the batch; if that fails, each of its works alone, so that only the one at fault has the error."""
        error = self._try(batch)
        if error is not None and len(batch) > 1:
            errors = [self._try([work]) for work in batch]
            if not any(errors):
                self._unfit(error)

    def _try(self, batch: list[Work]) -> Exception | None:
        """Run these works together. An error is given to all of them, and their owners raise it."""
        try:
            with effort.batch([(_owner(work).bearer, work.size) for work in batch]):
                outputs = self._forward(batch)
            for work, output in zip(batch, outputs, strict=True):
                work.output, work.error = output, None
        except BaseException as error:
            for work in batch:
                work.error = error
            if not isinstance(error, Exception):
                raise
            return error
        return None


def cut(sizes: Sequence[int], limits: Limits) -> list[tuple[int, int]]:
    """The cheapest way to cut ascending sizes into batches, as (start, end): a batch costs its padded tokens and the
    overhead. A size beyond the limit is a batch of its own."""
    cheapest, begins = [0.0], [0]  # by the end of the last batch
    for end in range(1, len(sizes) + 1):
        longest, best, begin = sizes[end - 1], float("inf"), end - 1
        for start in range(end - 1, max(-1, end - 1 - limits.rows), -1):
            padded = longest * (end - start)
            if padded > limits.tokens and start < end - 1:
                break
            if (cost := cheapest[start] + padded + limits.overhead) < best:
                best, begin = cost, start
        cheapest.append(best)
        begins.append(begin)
    cuts, end = [], len(sizes)
    while end:
        cuts.append((begins[end], end))
        end = begins[end]
    return cuts[::-1]


def _owner(work: Work) -> _Owner:
    if work.owner is None:
        raise RuntimeError("A work was queued without its owner; report this with the request that did it.")
    return work.owner
