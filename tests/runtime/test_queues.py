"""Order, claims, and queues longer than memory."""

import threading
from pathlib import Path

import pytest

from irislite import queues
from irislite.database import Database
from irislite.header import Body, Draft, Priority
from irislite.queues import Queue
from irislite.store import Entry, Store


@pytest.fixture
def store(tmp_path: Path):
    database = Database(tmp_path, "NORMAL")
    yield Store(database)
    database.close()


def fill(store: Store, queue: Queue, priorities: list[Priority]) -> list[int]:
    drafts = [Draft("Item", "Item", "me", Body("IOP.Message", "a.B", "{}"), priority=p) for p in priorities]
    entries: list[Entry] = store.accept(drafts, lambda entries: [queue.put(entry) for entry in entries]).wait()
    return [entry.header.id for entry in entries]


def take_all(queue: Queue) -> list[int]:
    taken = []
    while (entry := queue.take(0)) is not None:
        taken.append(entry.header.id)
        queue.release(entry.header.id)
    return taken


def test_first_in_first_out_within_a_priority(store: Store) -> None:
    queue = Queue("Item", store.queued, {})
    ids = fill(store, queue, [Priority.ASYNC, Priority.SYNC, Priority.ASYNC, Priority.HIGH_SYNC])
    assert queue.count == 4
    assert take_all(queue) == [ids[3], ids[1], ids[0], ids[2]]
    assert queue.count == 0


def test_a_claim_is_known_until_it_is_released(store: Store) -> None:
    queue = Queue("Item", store.queued, {})
    (only,) = fill(store, queue, [Priority.ASYNC])
    assert queue.take(0).header.id == only
    assert queue.claimed == {only}
    queue.release(only)
    assert not queue.claimed


def test_what_is_put_back_first_is_taken_next(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(queues, "WINDOW", 2)
    queue = Queue("Item", store.queued, {})
    ids = fill(store, queue, [Priority.ASYNC] * 5)
    taken = [queue.take(0) for _ in range(3)]
    queue.put_back(taken[2], first=True)
    queue.put_back(taken[1])
    queue.put_back(taken[0], first=True)
    assert queue.count == 5
    assert take_all(queue)[:2] == [ids[0], ids[2]]
    assert not queue.claimed


def test_a_queue_longer_than_its_window_keeps_order_and_loses_nothing(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(queues, "WINDOW", 7)
    queue = Queue("Item", store.queued, {})
    ids = fill(store, queue, [Priority.ASYNC] * 50)
    taken = [queue.take(0).header.id for _ in range(20)]
    ids += fill(store, queue, [Priority.ASYNC] * 30)
    assert queue.count == 60
    assert taken + take_all(queue) == ids


def test_what_an_earlier_run_left_comes_first(store: Store) -> None:
    before = Queue("Item", store.queued, {})
    old = fill(store, before, [Priority.ASYNC] * 3)
    queue = Queue("Item", store.queued, store.queued_counts()["Item"], old[-1])
    new = fill(store, queue, [Priority.ASYNC] * 2)
    assert queue.count == 5
    assert take_all(queue) == old + new


def test_a_large_body_is_not_kept_in_memory(store: Store) -> None:
    queue = Queue("Item", store.queued, {})
    body = Body("IOP.Message", "a.B", "x" * (queues.LARGE_BODY + 1))
    store.accept([Draft("Item", "Item", "me", body)], lambda entries: [queue.put(e) for e in entries]).wait()
    entry = queue.take(0)
    assert entry.body is None
    assert store.body(entry.header.message_body_id) == body


def test_what_is_committed_and_not_put_yet_keeps_its_secrets(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(queues, "WINDOW", 2)
    queue = Queue("Item", store.queued, {})
    fill(store, queue, [Priority.ASYNC] * 3)
    secret = Body("IOP.Message", "a.B", '{"api_key": "open sesame"}')
    held: list[Entry] = []
    store.accept([Draft("Item", "Item", "me", secret)], held.extend).wait()
    assert len(take_all(queue)) == 3  # another member reads the store before the committing thread has put it
    queue.put(held[0])
    entry = queue.take(0)
    assert entry.body == secret
    assert queue.take(0) is None


def test_secrets_outlive_a_claim_that_is_given_back(store: Store) -> None:
    queue = Queue("Item", store.queued, {})
    secret = Body("IOP.Message", "a.B", '{"api_key": "open sesame"}')
    store.accept([Draft("Item", "Item", "me", secret)], lambda entries: [queue.put(e) for e in entries]).wait()
    queue.put_back(queue.take(0))
    header = store.latest(1)[0]
    assert queue.remove(header) == Entry(header, secret, True)


def test_members_that_nap_leave_nothing_behind(store: Store) -> None:
    queue = Queue("Item", store.queued, {})
    taken: list[int] = []

    def idle() -> None:
        entry = queue.take(30)
        taken.append(entry.header.id)

    other = threading.Thread(target=idle)
    other.start()
    napper = threading.Thread(target=lambda: taken.append(queue.take(0.2, naps=True).header.id))
    napper.start()
    ids = fill(store, queue, [Priority.ASYNC] * 2)
    napper.join(60)
    other.join(60)
    assert sorted(taken) == ids
