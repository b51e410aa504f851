"""Who works and who waits, as the engine tells it to whoever measures."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from energy import Meter
from energy.grid import WORLD
from inference import effort, pipeline
from inference.batching import Batcher, Limits, Work
from waiting import eventually


class Share:
    """An effort that knows its share, and what was measured apart from it."""

    def __init__(self) -> None:
        self.share = 1.0
        self.apart: list[str] = []

    def weigh(self, shares: Sequence[tuple["Share", float]]) -> None:
        for one, share in shares:
            one.share = share

    @contextmanager
    def aside(self, what: str, pause: bool = True) -> Iterator["Share"]:
        self.apart.append(what if pause else f"{what} (beside)")
        yield Share()


def start(bearer: Share, work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        with effort.borne_by(bearer):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_batch_is_borne_by_its_rows_and_who_waits_bears_nothing() -> None:
    first, second, third = Share(), Share(), Share()
    seen: list[tuple[float, ...]] = []
    gate = threading.Semaphore(0)

    def forward(batch: Sequence[Work]) -> list[Any]:
        gate.acquire()
        seen.append((first.share, second.share, third.share))
        return [work.inputs for work in batch]

    batcher = Batcher(forward, Limits())
    threads = [start(first, lambda: batcher.run([Work("a", 10, "k")]))]
    eventually(lambda: batcher._led and not batcher._waiting)
    for count, (bearer, size) in enumerate(((second, 18), (third, 22)), 1):
        threads.append(start(bearer, lambda size=size: batcher.run([Work("b", size, "k")])))
        eventually(lambda count=count: len(batcher._waiting) == count)
    gate.release(3)
    for thread in threads:
        thread.join()
    assert seen[0] == (1, 0, 0), "one alone bears all, and two wait"
    assert len(seen) == 2
    assert seen[1][1:] == pytest.approx((0.45, 0.55))
    assert (first.share, second.share, third.share) == (1, 1, 1)


def test_the_rows_of_one_request_are_added_up() -> None:
    mine, other = Share(), Share()
    with effort.borne_by(mine), effort.batch([(mine, 10), (other, 20), (mine, 10), (None, 40)]):
        assert (mine.share, other.share) == pytest.approx((0.25, 0.25))
    assert (mine.share, other.share) == (1, 0)


def test_a_leader_without_a_row_in_the_batch_bears_nothing_of_it() -> None:
    leader, other = Share(), Share()
    with effort.borne_by(leader), effort.batch([(other, 20)]):
        assert (leader.share, other.share) == (0, 1)
    assert leader.share == 1


def test_a_forward_that_fails_leaves_nobody_with_a_share_of_it() -> None:
    leader, other = Share(), Share()
    with pytest.raises(ValueError, match="bad"), effort.borne_by(leader), effort.batch([(leader, 1), (other, 1)]):
        raise ValueError("bad")
    assert (leader.share, other.share) == (1, 0)


def test_a_thread_that_waits_for_a_lock_bears_nothing() -> None:
    lock, bearer = threading.Lock(), Share()

    def take() -> None:
        with effort.taken(lock):
            assert bearer.share == 1

    with lock:
        thread = start(bearer, take)
        eventually(lambda: bearer.share == 0)
    thread.join()
    assert bearer.share == 1
    assert not lock.locked()


def test_nobody_measures_and_nothing_happens() -> None:
    with effort.aside("Loading"), effort.batch([(None, 3), (None, 4)]), effort.taken(threading.Lock()):
        effort.share([(None, 1.0)])


def test_the_work_of_another_thread_is_measured_beside_the_request() -> None:
    bearer, done = Share(), []
    with effort.borne_by(bearer):
        work = effort.apart("Choosing", done.append)
    thread = threading.Thread(target=work, args=("x",))
    thread.start()
    thread.join()
    assert (bearer.apart, done, bearer.share) == (["Choosing (beside)"], ["x"], 1)
    assert effort.apart("Choosing", print) is print, "nobody measures"


def test_what_is_apart_is_borne_apart() -> None:
    bearer = Share()
    with effort.borne_by(bearer):
        with effort.aside("Loading"):
            other = effort.current.get()
            assert other is not None
            assert other is not bearer
        assert effort.current.get() is bearer


def test_a_load_is_apart_and_only_once(model_root: Path) -> None:
    bearer = Share()
    for _ in range(2):
        with effort.borne_by(bearer):
            model = pipeline.open("bert-base-uncased", "fill-mask", path=str(model_root))
        assert model.device == "cpu"
        with effort.borne_by(bearer):
            pipeline.run(model, {"inputs": "I lived in [MASK]."})
        pipeline.close(model)
    assert bearer.apart in ([], ["Loading bert-base-uncased"])  # an earlier test may have loaded it
    pipeline.unload(model)
    with effort.borne_by(bearer):
        pipeline.run(model, {"inputs": "I lived in [MASK]."})
    assert bearer.apart[-1] == "Loading bert-base-uncased"
    assert bearer.share == 1


def test_requests_together_are_measured_as_what_the_process_spent(model_root: Path) -> None:
    model = pipeline.open("bert-base-uncased", "fill-mask", path=str(model_root))
    meter, costs = Meter(WORLD), []
    gate = threading.Barrier(9)

    def ask(number: int) -> None:
        gate.wait()
        for _ in range(4):
            with meter.measure(model.device) as spent, effort.borne_by(spent):
                pipeline.run(model, {"inputs": f"{'So it was. ' * number}I lived in [MASK]."})
            costs.append(spent.result)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    before_s = time.process_time()
    gate.wait()
    for thread in threads:
        thread.join()
    spent_s = time.process_time() - before_s
    pipeline.close(model)
    assert len(costs) == 32
    assert sum(cost["cpu_s"] for cost in costs) == pytest.approx(spent_s, rel=0.15)
    assert any(cost["shared"] for cost in costs)
