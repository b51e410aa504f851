"""A file of posts, replayed at a rate, and fed into the stream once."""

import importlib.util
import json
import threading
import time
from pathlib import Path

import pytest

import sentiment
from sentiment.errors import SourceUnreadable
from sentiment.feeding import Feeder, Lease
from sentiment.file import FileSource

MISC = Path(__file__).parents[3] / "misc"


def lines(path: Path, count: int) -> Path:
    path.write_text("".join(json.dumps({"id": number, "text": f"text {number}"}) + "\n" for number in range(count)))
    return path


def test_lines_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "posts"
    file.write_bytes(b'{"text": "a"}\n\n  \n{"text": "b"}\r\n' + b"x" * 3_000_000 + b"\n\xff\xfe\nlast")
    source = FileSource(file)
    found = source.read(10, 0)
    assert [entry.body[:20] for entry in found] == [b'{"text": "a"}', b'{"text": "b"}', b"x" * 20, b"\xff\xfe", b"last"]
    assert len(found[2].body) == 1 << 20  # the rest of a line without an end is left out
    assert source.read(10, 0) == []
    assert source.ended


def test_the_rate_is_kept_and_pauses_are_not_made_up_for(tmp_path: Path) -> None:
    now_s = 0.0
    source = FileSource(lines(tmp_path / "posts", 100), rate=10, clock=lambda: now_s)
    assert source.read(50, 0) == []
    now_s = 0.55
    assert len(source.read(50, 0)) == 5
    now_s = 60.0
    assert len(source.read(50, 0)) == 10
    now_s = 60.1
    assert len(source.read(50, 0)) == 1


def test_it_begins_anew(tmp_path: Path) -> None:
    source = FileSource(lines(tmp_path / "posts", 3), repeat=True)
    found = source.read(8, 0)
    assert [entry.lap for entry in found] == [0, 0, 0, 1, 1, 1, 2, 2]
    other = FileSource(tmp_path / "posts", repeat=True)
    other.seek(source.position)
    assert other.read(1, 0)[0].body == b'{"id": 2, "text": "text 2"}'


def test_an_empty_file_and_none(tmp_path: Path) -> None:
    assert FileSource(lines(tmp_path / "posts", 0), repeat=True).read(5, 0) == []
    with pytest.raises(SourceUnreadable, match="correct the setting path"):
        FileSource(tmp_path / "nothing").read(1, 0)
    with pytest.raises(SourceUnreadable, match="no position"):
        FileSource(tmp_path / "posts").seek("here")


def test_several_feeders_feed_each_line_once(tmp_path: Path, made) -> None:
    options, link = made()
    file, said = lines(tmp_path / "posts", 2_000), []
    for _ in range(3):  # one after the other goes on; the last finds nothing to do
        feeders = [Feeder(FileSource(file), link, options, said.append) for _ in range(2)]
        stop = threading.Event()
        threads = [threading.Thread(target=one.run, args=(stop.wait, True)) for one in feeders]
        for thread in threads:
            thread.start()
        until_s = time.monotonic() + 5
        while not any(one.ended for one in feeders) and time.monotonic() < until_s:
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
    with link.reached() as redis:
        found = [json.loads(fields[b"post"])["id"] for _, fields in redis.xrange(sentiment.Names(options.prefix).posts)]
    assert found == list(range(2_000))
    assert not said


def test_a_feeder_whose_position_is_old_feeds_nothing(tmp_path: Path, made) -> None:
    options, link = made()
    file = lines(tmp_path / "posts", 10)
    slow, quick = (Feeder(FileSource(file), link, options, print) for _ in range(2))
    names = sentiment.Names(options.prefix)
    slow._begin()  # it has the lease, and then sleeps until the lease is another's
    quick._begin()
    quick._feed(quick._source.read(10, 0), quick._source.position)
    slow._feed(slow._source.read(10, 0), slow._source.position)
    with link.reached() as redis:
        assert redis.xlen(names.posts) == 10


def test_a_lease_is_one_holders(made) -> None:
    options, link = made()
    key = sentiment.Names(options.prefix).feeder
    one, other = Lease(link, key), Lease(link, key)
    assert (one.held(), other.held(), one.held()) == (True, False, True)
    one.release()
    time.sleep(0.01)
    assert (other.held(), one.held()) == (True, False)


def test_the_posts_of_misc_are_what_their_generator_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_posts", MISC / "make_posts.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (MISC / "posts.jsonl").read_text() == "".join(f"{line}\n" for line in module.posts())
