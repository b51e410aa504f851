"""The loop that labels: a batch is taken, labelled, delivered, and only then let go."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from sentiment.batch import Batch
from sentiment.delivery import Delivery
from sentiment.errors import ModelFailed, Stopped
from sentiment.labelling import Label, Polarity, label_batch
from sentiment.link import Link, patiently
from sentiment.member import Member
from sentiment.options import Options
from sentiment.overview import quantile

_REMEMBERED = 1_000
_RATED_S = 10.0


class Worker:
    """One member of the group that labels what it gathers. `label` is the model.

    One batch is in hand at a time. Redis or the model being away is waited for, with the batch in hand: nothing more
    is read meanwhile.
    """

    def __init__(self, options: Options, link: Link, label: Label, log: Callable[[str], None]) -> None:
        self._delivery = Delivery(link, options)
        self._polarity = Polarity(options.positive)
        self._label = label
        self._log = log
        self._counts: Counter[str] = Counter()
        self._batches: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)  # when, how many
        self._delays_ms: deque[int] = deque(maxlen=_REMEMBERED)
        self._member = Member(options, link, log, self._numbers)

    @property
    def consumer(self) -> str:
        """Its name in the group."""
        return self._member.inbox.consumer

    def run(self, stopping: threading.Event) -> None:
        """Work until the event is set; what is in hand then is finished, if Redis and the model are there."""

        def wait(pause_s: float) -> bool:
            self._member.moved()
            return stopping.wait(pause_s)

        try:
            while True:
                batch = patiently(lambda: self._member.next(stopping.is_set), wait, self._log)
                if batch is not None:
                    self._work(batch, wait)
                elif stopping.is_set():
                    break
        except Stopped as stopped:
            self._log(f"{stopped} What is in hand will be another's.")
        finally:
            self._member.close()

    def figures(self) -> dict[str, Any]:
        """What it did since its start, how fast, and how old posts were when they went out."""
        delays = sorted(self._delays_ms)
        return {
            "consumer": self.consumer,
            **self._member.counts,
            **self._counts,
            "rate_per_s": self._rate(),
            "delay_ms": {"p50": quantile(delays, 0.5), "p99": quantile(delays, 0.99)},
            "in_hand": len(self._member.held()),
            "alive": self._member.alive(),
        }

    def _work(self, batch: Batch, wait: Callable[[float], bool]) -> None:
        labelled = patiently(
            lambda: label_batch(batch, self._label, self._polarity), wait, self._log, (ModelFailed,)
        )  # fmt: skip
        done = patiently(lambda: self._delivery.deliver_labelled(labelled, self.consumer), wait, self._log)
        self._member.done(batch)
        now_ms = time.time_ns() // 1_000_000
        self._delays_ms.extend(max(0, now_ms - result.post.accepted_ms) for result in labelled.results)
        self._batches.append((time.monotonic(), done.published))
        self._counts.update(
            batches=1, labelled=done.published, already=done.already, dead_by_model=done.buried, to_come_again=done.left
        )

    def _rate(self) -> float:
        since_s = time.monotonic() - _RATED_S
        return round(sum(many for at_s, many in tuple(self._batches) if at_s > since_s) / _RATED_S, 2)

    def _numbers(self) -> dict[str, float]:
        return {**self._counts, "rate_per_s": self._rate()}
