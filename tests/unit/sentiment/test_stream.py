"""The stream of posts: nothing is lost, nobody's work is done twice, and one bad post harms no other."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import sentiment
from sentiment.batch import Batch
from sentiment.delivery import KEPT_BYTES, Delivery
from sentiment.errors import BadRequest
from sentiment.gathering import Gatherer
from sentiment.labelling import Failure, Labelled, Polarity, label_batch
from sentiment.link import Link
from sentiment.options import Options
from sentiment.overview import Overview
from sentiment.trimming import trim

Put = Callable[..., list[str]]
KNOWN = {"tweet": "Good tea", "returns": 1, "filter": "tea", "sentiment": 1}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no batch waits for a moment only."""
    monkeypatch.setattr("sentiment.gathering._LOOK_S", 0.2)


def never() -> bool:
    return False


def label(texts: list[str]) -> list[str]:
    return ["positive" if "good" in text.lower() else "negative" for text in texts]


def gatherer(options: Options, link: Link, **changed: Any) -> Gatherer:
    return Gatherer(Options(**{**vars(options), **changed}), link, lambda _: None)


def impatient_gatherer(options: Options, link: Link, idle_ms: int = 300, **changed: Any) -> Gatherer:
    """One that claims sooner than a setting allows."""
    member = gatherer(options, link, **changed)
    member.inbox._idle_ms = idle_ms
    return member


def labelled(batch: Batch | None) -> Labelled:
    assert batch is not None
    return label_batch(batch, label, Polarity())


def test_from_the_stream_to_the_channels(made, put: Put) -> None:
    options, link = made(keywords="tea", max_age_s=0.01)
    (entry,) = put({"id": 5, "text": "Good tea! https://x.org", "colour": "red"})
    put({"id": 6, "text": "water"}, {"id": 7, "text": "RT @ann: tea"}, {"id": 5, "text": "Good tea, again"})
    member = gatherer(options, link)
    with link.reached() as redis, redis.pubsub() as channels:
        channels.subscribe(*sentiment.CHANNELS)
        batch = member.next(never)
        done = Delivery(link, options).deliver_labelled(labelled(batch))
        assert (done.published, done.already) == (1, 0)
        heard = {}
        while len(heard) < 2:
            message = channels.get_message(timeout=2)
            if message["type"] == "message":
                heard[message["channel"]] = json.loads(message["data"])
    assert heard == {b"stream": KNOWN, b"STREAM": KNOWN}
    overview = Overview(link, options)
    (result,) = overview.newest()
    assert (result["id"], result["keyword"], result["sentiment"], result["tweet"]) == ("5", "tea", 1, "Good tea")
    assert result["accepted_ms"] == int(entry.partition("-")[0])
    assert 0 <= result["delay_ms"] < 5_000
    assert overview.shares(2)["keywords"]["tea"]["positive"][-2:] in ([0, 1], [1, 0])
    state = overview.state()
    assert (state["lag"], state["pending"], state["results"], state["dead"]) == (0, 0, 1, 0)
    assert state["durability"] == "always"
    assert member.counts == {
        "read": 4, "kept": 1, "skipped_keyword": 1, "skipped_repost": 1, "skipped_duplicate": 1
    }  # fmt: skip


def test_a_batch_that_is_not_full_goes_when_it_is_old(made, put: Put) -> None:
    options, link = made(batch_size=10, max_age_s=0.3)
    member = gatherer(options, link)
    put("one")
    began_s = time.monotonic()
    batch = member.next(never)
    assert batch is not None
    assert 0.3 <= time.monotonic() - began_s < 30
    put(*(f"number {number}" for number in range(25)))
    began_s = time.monotonic()
    sizes = [len(batch.posts) for _ in range(3) if (batch := member.next(never))]
    assert sizes == [10, 10, 5]
    assert member.next(lambda: True) is None


def test_at_a_stop_what_waits_goes_at_once(made, put: Put) -> None:
    options, link = made(batch_size=10, max_age_s=60)
    member = gatherer(options, link)
    put("one")
    stopped = threading.Event()
    threading.Timer(0.1, stopped.set).start()
    began_s = time.monotonic()
    batch = member.next(stopped.is_set)
    assert batch is not None
    assert time.monotonic() - began_s < 30
    assert member.next(stopped.is_set) is None


def test_what_is_no_post_is_a_dead_letter_with_its_reason(made, put: Put) -> None:
    options, link = made(longest_text=1_000)
    put(b"", b"not JSON", b'{"text": "\xff"}', {"text": ""}, {"text": "x" * 1_000_000}, {"txt": "a"}, "fine")
    batch = gatherer(options, link).next(never)
    assert [post.text for post in batch.posts] == ["fine"]
    overview = Overview(link, options)
    letters = overview.dead()
    assert [letter["reason"].split(" ")[2:4] for letter in reversed(letters)] == [
        ["empty:", "send"], ["no", "JSON"], ["no", "UTF-8"], ["no", "text:"], ["has", "1,000,000"], ["no", "text:"],
    ]  # fmt: skip
    assert [letter["whole"] for letter in letters] == [True, False, True, True, True, True]
    assert letters[1]["bytes"] == KEPT_BYTES
    assert overview.state()["pending"] == 1


def test_dead_letters_are_put_back_or_dropped(made, put: Put) -> None:
    options, link = made(longest_text=10)
    put({"id": 1, "text": "much too long"}, b"not JSON", {"id": 2, "text": "x" * 100_000})
    assert gatherer(options, link).next(never) is None
    overview = Overview(link, options)
    cut, broken, long = overview.dead()
    assert overview.dead(count=1, before=cut["id"]) == [broken]
    assert overview.put_back([long["id"], cut["id"]]) == 1  # of what was cut nobody has the rest
    assert overview.put_back([long["id"]]) == 0
    assert overview.drop([broken["id"], cut["id"]]) == 2
    assert overview.dead() == []
    batch = gatherer(options, link, longest_text=100).next(never)
    assert (batch.posts[0].text, batch.posts[0].origin) == ("much too long", long["entry"])
    for ids in ([], ["no id"], ["1-0; DEL x"], ["1-0"] * 1_001):
        with pytest.raises(BadRequest, match="by their ids"):
            overview.put_back(ids)


def test_what_was_put_back_is_no_duplicate_of_itself(made, put: Put) -> None:
    """Not even if it dies twice: its first life's mark is still there."""
    options, link = made(max_deliveries=1)
    put({"id": 1, "text": "bad"})
    delivery, overview = Delivery(link, options), Overview(link, options)
    for _ in range(3):
        batch = gatherer(options, link, max_age_s=0.01).next(never)
        assert batch is not None
        done = delivery.deliver_labelled(Labelled((), (Failure(batch.posts[0], "The model fails at it: so"),)), "me")
        assert done.buried == 1
        (letter,) = overview.dead()
        assert (letter["reason"], letter["consumer"]) == ("The model fails at it: so", "me")
        assert overview.put_back([letter["id"]]) == 1


@pytest.mark.parametrize(("duplicates", "kept"), [("post", 3), ("text", 2), ("none", 5)])
def test_duplicates(made, put: Put, duplicates: str, kept: int) -> None:
    options, link = made(duplicates=duplicates, max_age_s=0.01)
    put({"id": 1, "text": "same"}, {"id": 2, "text": "Same!"}, {"id": 1, "text": "other"}, "same", "SAME")
    batch = gatherer(options, link).next(never)
    assert len(batch.posts) == kept


def test_a_dead_workers_posts_are_anothers(made, put: Put) -> None:
    options, link = made(max_age_s=0.01)
    put("one", "two")
    assert len(gatherer(options, link, consumer="dies").next(never).posts) == 2
    lives = impatient_gatherer(options, link, consumer="lives")
    assert lives.next(never) is None
    time.sleep(0.2)
    batch = lives.next(never)
    assert [(post.text, post.deliveries) for post in batch.posts] == [("one", 2), ("two", 2)]
    assert Delivery(link, options).deliver_labelled(labelled(batch)).published == 2


def test_a_restarted_worker_begins_with_what_it_had(made, put: Put) -> None:
    options, link = made(claim_idle_s=60, max_age_s=0.01, consumer="stays")
    put("one", "two")
    assert len(gatherer(options, link).next(never).posts) == 2
    put("three")
    again, texts = gatherer(options, link), []
    while batch := again.next(never):
        texts += [post.text for post in batch.posts]
    assert texts == ["one", "two", "three"]


def test_a_post_at_which_workers_die_drags_no_other_along(made, put: Put) -> None:
    options, link = made(max_age_s=0.01, max_deliveries=3)
    put("one", "poison", "two")
    delivered: list[str] = []
    for _ in range(4):  # lives of workers; the first three end with the poison in hand
        member = impatient_gatherer(options, link)
        while batch := member.next(never):
            if any(post.text == "poison" for post in batch.posts):
                break
            Delivery(link, options).deliver_labelled(labelled(batch))
            delivered += [post.text for post in batch.posts]
            member.done(batch)
        time.sleep(0.3)
    assert sorted(delivered) == ["one", "two"]
    (letter,) = Overview(link, options).dead()
    assert "poison" in letter["text"]
    assert "handed out 3 times" in letter["reason"]


def test_who_works_long_is_not_robbed(made, put: Put) -> None:
    options, link = made(claim_idle_s=4, max_age_s=0.01)
    put("one")
    slow = sentiment.opened(options, link, print)
    try:
        assert slow.next(never) is not None
        other = gatherer(options, link)
        until_s = time.monotonic() + 4.5
        while time.monotonic() < until_s:
            assert other.next(never) is None
    finally:
        slow.close()


def test_two_that_deliver_the_same_publish_it_once(made, put: Put) -> None:
    options, link = made(claim_idle_s=1, max_age_s=0.01)
    put("good one", "bad two")
    found = labelled(gatherer(options, link).next(never))
    delivery = Delivery(link, options)
    assert [delivery.deliver_labelled(found).published for _ in range(3)] == [2, 0, 0]
    assert Overview(link, options).state()["results"] == 2
    assert delivery.bury([(_entry(found), "late")]) == 0


def _entry(found: Labelled) -> sentiment.Entry:
    return sentiment.Entry(found.results[0].post.entry, b"{}", 0)


def test_texts_typed_by_hand_are_published(made) -> None:
    options, link = made()
    done = Delivery(link, options).deliver_labelled(labelled(sentiment.batch_of(["good", "bad"])))
    assert done.published == 2
    assert [one["sentiment"] for one in Overview(link, options).newest()] == [0, 1]


def test_a_group_that_was_lost_is_made_again(made, put: Put) -> None:
    options, link = made(max_age_s=0.01)
    put("one")
    member = gatherer(options, link)
    assert member.next(never) is not None
    with link.reached() as redis:
        redis.delete(sentiment.Names(options.prefix).posts)
    put("two")
    batch = member.next(never) or member.next(never)
    assert [post.text for post in batch.posts] == ["two"]


def test_plain_fields_of_other_producers(made) -> None:
    options, link = made(max_age_s=0.01)
    names = sentiment.Names(options.prefix)
    with link.reached() as redis:
        redis.xadd(names.posts, {"text": "grüße", "id": "7", "colour": "red"})
        redis.xadd(names.posts, {"text": b"\xff"})
    batch = gatherer(options, link).next(never)
    assert [(post.text, post.id) for post in batch.posts] == [("grüße", "7")]
    assert "surrogate" in Overview(link, options).dead()[0]["reason"]


def test_nothing_unread_is_trimmed(made, put: Put) -> None:
    options, link = made(max_age_s=0.01, batch_size=3, duplicates="none")
    names = sentiment.Names(options.prefix)
    put(*(f"post {number}" for number in range(10)))
    assert trim(link, names.posts, 0, options.group) == 0  # nobody reads yet
    member, delivery = gatherer(options, link), Delivery(link, options)
    first, second = member.next(never), member.next(never)
    delivery.deliver_labelled(labelled(second))
    assert trim(link, names.posts, 0, options.group) == 0  # the first three are pending
    delivery.deliver_labelled(labelled(first))
    assert trim(link, names.posts, 0, options.group) == 6
    with link.reached() as redis:
        assert redis.xlen(names.posts) == 4
        redis.xgroup_create(names.results, "readers", "0")
        assert trim(link, names.results, 2) == 0  # a group of somebody else has not read
        redis.xreadgroup("readers", "a", {names.results: ">"}, count=3)
        assert trim(link, names.results, 2) == 0
        redis.xack(names.results, "readers", *(one for one, _ in redis.xrange(names.results, count=3)))
        assert trim(link, names.results, 2) == 3
        redis.xgroup_destroy(names.results, "readers")
    assert trim(link, names.results, 2) == 1
    assert trim(link, "nothing", 0) == 0


def test_a_wrong_lag_is_put_right(made, put: Put) -> None:
    options, link = made(max_age_s=0.01, batch_size=2)
    names = sentiment.Names(options.prefix)
    (_, last, _) = put("one", "two", "three")
    member = gatherer(options, link)
    member.next(never)
    with link.reached() as redis:
        redis.execute_command("XGROUP", "SETID", names.posts, options.group, last, "ENTRIESREAD", 1)
        member.inbox.recount()  # there are entries that nobody read: nobody can know
        assert redis.xinfo_groups(names.posts)[0]["lag"] == 2
        batch = member.next(never)
        assert [post.text for post in batch.posts] == ["three"]
        assert redis.xinfo_groups(names.posts)[0]["lag"] == 1
        assert Overview(link, options).state()["lag"] == 0
        member.inbox.recount()
        assert redis.xinfo_groups(names.posts)[0]["lag"] == 0


def test_lag_where_redis_does_not_know_it(made, put: Put) -> None:
    options, link = made(max_age_s=0.01, batch_size=2)
    ids = put("one", "two", "three", "four", "five")
    gatherer(options, link).next(never)
    with link.reached() as redis:
        redis.xdel(sentiment.Names(options.prefix).posts, ids[3])
    state = Overview(link, options).state()
    assert (state["lag"], state["pending"]) == (2, 2)
