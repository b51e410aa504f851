"""The lanes of private sessions, also in a queue that is longer than memory."""

from pathlib import Path

import pytest

from irislite import queues
from irislite.database import Database
from irislite.header import Body, Draft
from irislite.router import Router
from irislite.sessionqueue import SessionQueue
from irislite.store import Store


@pytest.fixture
def store(tmp_path: Path):
    database = Database(tmp_path, "NORMAL")
    yield Store(database)
    database.close()


@pytest.fixture
def queue(store: Store) -> SessionQueue:
    return Router(store).session_queue("Item")


def put(store: Store, queue: SessionQueue, *sessions: int) -> list[int]:
    """Accept a message of each session; the ids are those of the messages."""
    drafts = [Draft("Item", "Item", "me", Body("IOP.Message", "a.B", "{}"), session_id=session) for session in sessions]
    entries = store.accept(drafts, lambda entries: [queue.put(entry) for entry in entries]).wait()
    return [entry.header.id for entry in entries]


def take_all(queue: SessionQueue, member: int) -> list[int]:
    taken = []
    while (entry := queue.take(0, member)) is not None:
        taken.append(entry.header.id)
        queue.release(entry.header.id)
    return taken


def test_a_session_is_for_its_member_alone(store: Store, queue: SessionQueue) -> None:
    early = put(store, queue, 7, 8, 7)
    queue.open_session(7, member=1)
    late = put(store, queue, 8, 7)
    assert queue.count == 5 and queue.has_session(7)
    assert take_all(queue, 1) == [early[0], early[2], late[1]]
    assert take_all(queue, 0) == [early[1], late[0]]
    assert queue.count == 0


def test_a_closed_session_goes_to_everyone(store: Store, queue: SessionQueue) -> None:
    queue.open_session(7, member=1)
    ids = put(store, queue, 7, 8, 7)
    queue.close_session(7)
    assert not queue.has_session(7)
    assert sorted(take_all(queue, 0)) == ids
    put(store, queue, 9)
    assert take_all(queue, 1)


def test_what_is_put_back_keeps_its_place_in_the_session(store: Store, queue: SessionQueue) -> None:
    queue.open_session(7, member=1)
    ids = put(store, queue, 7, 7)
    queue.put_back(queue.take(0, 1))
    assert take_all(queue, 0) == [] and take_all(queue, 1) == ids


def test_a_member_that_ends_leaves_its_session_to_the_others(store: Store, queue: SessionQueue) -> None:
    queue.open_session(7, member=1)
    ids = put(store, queue, 7, 7)
    queue.unpin_all(1)
    assert take_all(queue, 0) == ids


def test_what_is_removed_can_be_put_again(store: Store, queue: SessionQueue) -> None:
    queue.open_session(7, member=1)
    ids = put(store, queue, 7, 7)
    entry = store.queued("Item", store.header(ids[0]).priority, 0, 1)[0]
    assert queue.remove(entry.header) is not None and queue.remove(entry.header) is None
    assert queue.count == 1
    queue.put_again(entry)
    assert take_all(queue, 1) == [ids[1], ids[0]]


@pytest.mark.parametrize("closed", [False, True])
def test_nothing_is_lost_or_taken_twice_behind_the_window(
    store: Store, queue: SessionQueue, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    monkeypatch.setattr(queues, "WINDOW", 5)
    ids = put(store, queue, *([7, 8, 8] * 8))
    queue.open_session(7, member=1)
    ids += put(store, queue, *([8, 7] * 4))
    if closed:
        first = [entry.header.id for entry in (queue.take(0, 1), queue.take(0, 1)) if entry is not None]
        queue.close_session(7)
        assert sorted(first + take_all(queue, 0)) == ids
        return
    mine = take_all(queue, 1)
    assert mine == sorted(mine) and len(mine) == 12
    assert sorted(mine + take_all(queue, 0)) == ids


def test_a_queue_of_another_kind_is_read_anew(store: Store) -> None:
    router = Router(store)
    entries = store.accept(
        [Draft("Item", "Item", "me", None)], lambda entries: [router.queue("Item").put(entry) for entry in entries]
    ).wait()
    queue = router.session_queue("Item")
    assert router.queue("Item") is queue is router.session_queue("Item")
    assert take_all(queue, 0) == [entries[0].header.id]
