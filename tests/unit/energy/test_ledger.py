"""What counters count is split among those who work, and all of it."""

import random
import threading

import pytest

from energy.ledger import Counts, Ledger


class Counters:
    """Counters that a test moves on."""

    def __init__(self) -> None:
        self.now = Counts(100.0, 10.0, 5.0)

    def read(self) -> Counts:
        return self.now

    def pass_by(self, seconds: float, cpu_s: float = 0.0, joules: float = 0.0) -> None:
        self.now = Counts(self.now.wall_s + seconds, self.now.cpu_s + cpu_s, self.now.joules + joules)


@pytest.fixture
def counters() -> Counters:
    return Counters()


def test_one_alone_has_all_of_it(counters: Counters) -> None:
    ledger = Ledger(counters.read)
    counters.pass_by(5, 5, 500)  # before: nobody's
    entry = ledger.open()
    counters.pass_by(2, 1, 30)
    assert ledger.close(entry) == pytest.approx((2, 1, 30))
    assert entry.busy_s == pytest.approx(2)
    ledger.weigh([(entry, 1.0)])  # too late
    counters.pass_by(5, 5, 500)
    assert ledger.close(entry) == pytest.approx((2, 1, 30)), "what comes after is not its"
    assert ledger._shares == 0


def test_two_at_once_share_and_the_sum_is_the_whole(counters: Counters) -> None:
    ledger = Ledger(counters.read)
    first = ledger.open()
    counters.pass_by(1, 1, 10)
    second = ledger.open()
    counters.pass_by(2, 2, 20)
    one = ledger.close(first)
    counters.pass_by(1, 1, 8)
    two = ledger.close(second)
    assert one == pytest.approx((2, 2, 20))
    assert two == pytest.approx((2, 2, 18))
    assert first.busy_s == pytest.approx(3), "it worked for 3 s and has 2 s of them: shared"


def test_a_batch_is_split_by_share_and_who_waits_has_nothing(counters: Counters) -> None:
    ledger = Ledger(counters.read)
    members = [ledger.open() for _ in range(3)]
    late = ledger.open()
    ledger.weigh([(members[0], 0.5), (members[1], 0.3), (members[2], 0.2), (late, 0.0)])
    counters.pass_by(1, 2, 100)
    joules = [ledger.close(entry).joules for entry in (*members, late)]
    assert joules == pytest.approx([50, 30, 20, 0])
    assert late.busy_s == 0


def test_shares_that_have_no_exact_sum_leave_nothing_behind(counters: Counters) -> None:
    ledger = Ledger(counters.read)
    for size in (3, 7, 11, 13):
        entries = [ledger.open() for _ in range(size)]
        ledger.weigh([(entry, 1 / size) for entry in entries])
        counters.pass_by(1, 1, 42)
        assert sum(ledger.close(entry).joules for entry in entries) == pytest.approx(42)
    counters.pass_by(1, 1, 1000)
    entry = ledger.open()
    assert ledger.close(entry) == (0, 0, 0)


def test_a_counter_that_cannot_be_read_spoils_no_other(counters: Counters) -> None:
    ledger = Ledger(counters.read)
    entry = ledger.open()
    counters.pass_by(1, 1, float("nan"))
    counts = ledger.close(entry)
    assert counts[:2] == pytest.approx((1, 1))
    assert not counts.joules > 0


def test_threads_that_come_and_go_claim_what_there_was_and_no_more() -> None:
    counters, guard = Counters(), threading.Lock()
    given = 0.0

    def read() -> Counts:
        nonlocal given
        with guard:
            counters.pass_by(0.001, 0.001, 1.0)
            given += 1.0
            return counters.now

    ledger, claimed = Ledger(read), []
    standing = ledger.open()  # somebody always works: all that is given is somebody's
    before = given

    def work(seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(200):
            entry = ledger.open()
            ledger.weigh([(entry, draw.random())])
            ledger.counted(entry)
            claimed.append(ledger.close(entry).joules)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    claimed.append(ledger.close(standing).joules)
    assert min(claimed) >= 0
    assert sum(claimed) == pytest.approx(given - before)
