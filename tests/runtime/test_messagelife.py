"""Resend, suspend, resubmit, discard, abort: what operators do with messages, and what a restart does."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest

from irislite import queues
from irislite.director import Director
from irislite.errors import RequestFailed
from irislite.header import Status
from irislite.router import Address
from waiting import eventually

BUSY = "sleep 0.5"


@pytest.fixture
def ask_later(director: Director, ask_class: str) -> Callable[..., int]:
    """Sends a request to a busy Echo; returns the id."""

    def send(text: str, target: str = "Echo", **fields: str) -> int:
        return director.test_async(target, ask_class, json.dumps({"text": text, **fields})).id

    return send


@pytest.fixture
def busy(director: Director, ask_later: Callable[..., int]) -> Iterator[int]:
    """Echo works on a message: what is sent to it now waits."""
    header_id = ask_later(BUSY)
    eventually(lambda: header_id in director.router.queue("Echo").claimed)
    yield header_id


def status(director: Director, header_id: int) -> Status:
    return director.store.header(header_id).status


def answer_text(director: Director, header_id: int) -> str:
    eventually(lambda: director.store.response_to(header_id))
    return json.loads(director.store.body(director.store.response_to(header_id).message_body_id).content)["text"]


def test_a_request_is_resent_in_its_session_with_the_same_body(director: Director, ask_later) -> None:
    first = ask_later("you")
    answer_text(director, first)
    (outcome,) = director.messages.resend([first], by="Ann")
    old, new = director.store.header(first), director.store.header(outcome.new_id)
    assert outcome.done and new.session_id == old.session_id and new.message_body_id == old.message_body_id
    assert (new.description, new.source_config_name) == (f"Resent from message {first}", old.source_config_name)
    assert answer_text(director, new.id) == "Hello you!"
    director.flush()
    assert any("by Ann" in entry.text for entry in director.eventlog.of_session(old.session_id))


def test_a_request_is_resent_edited_and_to_another_target(director: Director, ask_later) -> None:
    first = ask_later("you")
    answer_text(director, first)
    (outcome,) = director.messages.resend([first], target="Other", content='{"text": "me"}')
    new = director.store.header(outcome.new_id)
    assert new.target_config_name == "Other"
    assert new.message_body_id != director.store.header(first).message_body_id
    assert answer_text(director, new.id) == "Hello me"
    for content, words in (("{", "no valid JSON"), ("[]", "must be an object")):
        (refused,) = director.messages.resend([first], content=content)
        assert not refused.done and words in refused.reason
    response = director.store.response_to(first).id
    for header_id, target, words in ((response, "", "response"), (10**9, "", "no message"), (first, "X", "no item")):
        (refused,) = director.messages.resend([header_id], target)
        assert not refused.done and words in refused.reason


def test_a_request_that_is_purged_meanwhile_is_not_resent(
    director: Director, ask_later, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask_later("you")
    answer_text(director, first)
    address = director.router.address

    def address_after_a_purge(target: str, waits: bool) -> Address:
        assert director.housekeeping.purge(0).messages
        return address(target, waits)

    for content in (None, '{"text": "me"}'):
        monkeypatch.setattr(director.router, "address", address_after_a_purge)
        (refused,) = director.messages.resend([first], content=content)
        assert not refused.done and f"There is no message {first}: it may have been purged." in refused.reason
        assert director.store.latest(1) == [] and not director.router.queue("Echo").count
        monkeypatch.undo()
        first = ask_later("you")
        answer_text(director, first)


def test_a_mask_is_never_resent_for_a_secret(director: Director, ask_later) -> None:
    first = ask_later("you", api_key="sesame")
    eventually(lambda: status(director, first) in (Status.COMPLETED, Status.ERROR))
    (refused,) = director.messages.resend([first])
    assert not refused.done and "edit them in" in refused.reason
    (refused,) = director.messages.resend([first], content='{"text": "key", "api_key": "********"}')
    assert not refused.done
    (outcome,) = director.messages.resend([first], content='{"text": "key", "api_key": "sesame"}')
    assert answer_text(director, outcome.new_id) == "sesame"
    assert "sesame" not in director.store.body(director.store.header(outcome.new_id).message_body_id).content


def test_a_suspended_message_keeps_its_secrets_while_the_runtime_runs(director: Director, ask_later, busy) -> None:
    header_id = ask_later("key", api_key="sesame")
    director.messages.suspend([header_id])
    assert director.messages.resubmit([header_id])[0].done
    assert answer_text(director, header_id) == "sesame"


def test_a_suspended_message_waits_until_it_is_resubmitted(director: Director, ask_later, busy: int) -> None:
    kept, other = ask_later("kept"), ask_later("other")
    assert [outcome.done for outcome in director.messages.suspend([kept, busy])] == [True, False]
    assert status(director, kept) is Status.SUSPENDED
    assert director.router.queue("Echo").count == 1
    assert answer_text(director, other) == "Hello other!"
    assert not director.messages.suspend([kept])[0].done
    assert director.messages.resubmit([kept])[0].done
    assert answer_text(director, kept) == "Hello kept!"
    refused = director.messages.resubmit([kept])[0]
    assert not refused.done and "Completed" in refused.reason


def test_a_message_is_resubmitted_to_another_item(director: Director, ask_later, busy: int) -> None:
    moved = ask_later("moved")
    director.messages.suspend([moved])
    assert director.messages.resubmit([moved], target="Other")[0].done
    assert answer_text(director, moved) == "Hello moved"
    assert director.store.header(moved).target_config_name == "Other"


def test_discard_and_abort_end_a_message(director: Director, ask_later, busy: int) -> None:
    first, second, third = (ask_later(text) for text in "abc")
    refused = director.messages.discard([first])[0]
    assert not refused.done and "suspend it first" in refused.reason
    director.messages.suspend([first, second])
    assert director.messages.discard([first])[0].done
    assert [outcome.done for outcome in director.messages.abort([second, third, first, busy])] == [
        True, True, False, False,
    ]  # fmt: skip
    assert [status(director, header_id) for header_id in (first, second, third)] == [
        Status.DISCARDED, Status.ABORTED, Status.ABORTED,
    ]  # fmt: skip
    assert director.router.queue("Echo").count == 0


def test_a_queue_is_aborted_with_what_is_in_the_store_alone(
    director: Director, ask_later, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "WINDOW", 3)
    ids = [ask_later(str(number)) for number in range(10)]
    assert director.messages.suspend([ids[1], ids[8]])[0].done
    assert director.messages.resubmit([ids[1], ids[8]])[1].done
    assert director.abort_queue("Echo") == 10
    assert {status(director, header_id) for header_id in ids} == {Status.ABORTED}
    last = ask_later("last")
    assert answer_text(director, last) == "Hello last!"


def test_each_message_of_a_long_queue_is_handled_once(
    director: Director, ask_later, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "WINDOW", 3)
    ids = [ask_later(str(number)) for number in range(10)]
    director.messages.suspend([ids[0], ids[7], ids[9]])
    director.messages.resubmit([ids[0], ids[7]])
    eventually(lambda: all(status(director, each) is Status.COMPLETED for each in ids[:9]))
    assert status(director, ids[9]) is Status.SUSPENDED
    director.messages.resubmit([ids[9]])
    assert answer_text(director, ids[9]) == "Hello 9!"
    director.flush()
    for number, header_id in enumerate(ids):
        asked = [entry for entry in director.eventlog.of_session(header_id) if entry.text == f"asked {number}"]
        assert len(asked) == 1
    assert director.router.queue("Echo").count == 0


@pytest.mark.parametrize("act", ["suspend", "abort"])
def test_a_caller_is_told_at_once(director: Director, ask_class: str, busy: int, act: str) -> None:
    told: list[Exception] = []

    def call() -> None:
        with pytest.raises(RequestFailed) as raised:
            director.test("Echo", ask_class, '{"text": "x"}')
        told.append(raised.value)

    thread = threading.Thread(target=call)
    thread.start()
    eventually(lambda: director.router.queue("Echo").count == 1)
    assert getattr(director.messages, act)([director.store.latest(1)[0].id])[0].done
    thread.join(60)
    assert f"was {act}" in str(told[0])


def test_a_process_is_told_of_an_aborted_call(director: Director, ask_later, busy: int) -> None:
    fan = ask_later("fan a", target="Chain")
    eventually(lambda: director.router.queue("Echo").count == 1)
    assert director.abort_queue("Echo") == 1
    eventually(lambda: director.store.response_to(fan))
    answer = director.store.response_to(fan)
    assert answer.is_error and "was aborted" in answer.error_text


def test_a_stop_suspends_synchronous_requests_and_keeps_the_others(
    director: Director, ask_class: str, ask_later, busy: int
) -> None:
    told: list[str] = []

    def call() -> None:
        with pytest.raises(RequestFailed) as raised:
            director.test("Echo", ask_class, '{"text": "sync"}')
        told.append(str(raised.value))

    thread = threading.Thread(target=call)
    thread.start()
    eventually(lambda: director.router.queue("Echo").count == 1)
    sync, later = director.store.latest(1)[0].id, ask_later("later")
    director.stop()
    thread.join(60)
    assert told and status(director, sync) is Status.SUSPENDED and status(director, later) is Status.QUEUED
    director.start()
    assert answer_text(director, later) == "Hello later!"
    assert status(director, sync) is Status.SUSPENDED


def test_a_start_suspends_requests_whose_callers_died(
    director: Director, ask_later, open_director: Callable[[], Director], busy: int
) -> None:
    header_id = ask_later("lost")
    director.stop()
    # As a process that was killed leaves it.
    director._database.write(
        lambda connection: connection.execute(
            "UPDATE message_header SET return_queue_name = '_SyncCall:7' WHERE id = ?", (header_id,)
        )
    )
    director.close()
    again = open_director()
    again.flush()
    assert status(again, header_id) is Status.SUSPENDED
    assert again.router.queue("Echo").count == 0
    assert "lost their callers" in again.eventlog.newest(1)[0].text


def test_the_list_keeps_items_and_statuses(director: Director, ask_later, busy: int) -> None:
    waiting = ask_later("a")
    director.messages.suspend([waiting])
    for target in (None, "Echo", "EnsLib.Testing.Service"):
        assert [header.id for header in director.store.latest(5, target=target, status=Status.SUSPENDED)] == [waiting]
    assert director.store.latest(5, target="Echo", before_id=waiting)[0].id == busy
    plan = director._database.reader().execute(
        "EXPLAIN QUERY PLAN SELECT id FROM message_header WHERE target_config_name = 'a' ORDER BY id DESC LIMIT 5"
    )
    assert "message_header_target" in plan.fetchone()["detail"]


def test_what_cannot_be_done_is_told_with_what_can(director: Director, ask_later, busy: int) -> None:
    queued, aborted = ask_later("a"), ask_later("b")
    director.messages.abort([aborted])
    done = ask_later("c", "Other")
    answer_text(director, done)

    def reason(act: str, header_id: int) -> str:
        return getattr(director.messages, act)([header_id])[0].reason.partition(": ")[2]

    assert reason("resubmit", queued) == "it waits in its queue; suspend it first."
    assert {reason(act, done) for act in ("resubmit", "suspend", "discard")} == {"it is finished; resend it."}
    assert reason("discard", aborted) == "it is given up already; resend it if needed."
    director.messages.suspend([queued])
    assert reason("suspend", queued) == "it is laid aside already; resubmit or discard it."


def test_a_queue_whose_items_class_becomes_a_duplex_one_hands_everything_out_once(
    director: Director, ask_later, busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "WINDOW", 2)
    sent = [ask_later("key", api_key=f"sesame {number}") for number in range(6)]  # the last ones are in the store alone
    changed = director.router.session_queue("Echo")
    assert changed is director.router.queue("Echo") and busy in changed.claimed
    sent.append(ask_later("key", api_key="sesame 6"))
    assert [answer_text(director, header_id) for header_id in sent] == [f"sesame {number}" for number in range(7)]
    eventually(lambda: not changed.claimed)
    assert changed.count == 0 and director.item("Echo").processed == len(sent) + 1
