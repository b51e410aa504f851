"""The whole job: in one process and on Spark, again, after changes, cancelled, and killed."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import search
from search import collection, job, runs
from search.errors import BadRequest, CollectionMismatch, DumpCut, JobRunning, NotRunning
from search.options import Options
from unit.search.conftest import SOURCES

BOOKS, BAD = 240, 5


def run(options: Options, log: Callable[[str], None] = print) -> dict[str, Any]:
    return search.index(options, log)


def contents(options: Options) -> dict[str, bytes]:
    """The vector of each book in the collection."""
    books = collection.opened(job.address(options), options.collection)
    keys = pq.read_table(Path(options.path) / job.CATALOG)["key"].to_pylist()
    found = {key: vector.tobytes() for key, vector in books.vectors(keys).items()}
    assert books.count() == len(found), "no book is there twice"
    return found


def parts(options: Options) -> dict[str, int]:
    """The finished parts, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (Path(options.path) / "pictures").glob("[!.]*")}


def test_a_dump_and_covers_become_a_collection(options: Callable[..., Options]) -> None:
    made = options()
    lines: list[str] = []
    report = run(made, lines.append)
    assert (report["books"], report["vectors"], report["problems"]) == (BOOKS, BOOKS - BAD, BAD)
    assert [stage["stage"] for stage in report["stages"]] == ["catalogue", "covers", "pictures", "books"]
    assert {"load", "read", "decode", "forward", "write"} <= set(report["stages"][2]["steps"])
    assert any(line.startswith("The index is ready: 240 books") for line in lines)
    problems = pq.read_table(Path(made.path) / job.PROBLEMS).to_pylist()
    assert sorted(row["problem"].split(" (")[0].split(" of one")[0] for row in problems) == [
        "a page of HTML instead of a picture", "an empty file", "an empty picture", "no cover",
        "no picture that can be read",
    ]  # fmt: skip
    assert len(contents(made)) == BOOKS - BAD
    assert search.state(made)["state"] == "done"
    assert search.state(made)["report"] == report


def test_a_second_run_changes_nothing(options: Callable[..., Options]) -> None:
    made = options()
    run(made)
    before, vectors = parts(made), contents(made)
    files = {path: path.stat().st_mtime_ns for path in Path(made.path, "collection").rglob("*.lance")}
    report = run(made)
    assert report["written"] == 0
    assert all(stage["again"] == stage["rows"] for stage in report["stages"] if stage["stage"] != "covers")
    assert (parts(made), contents(made)) == (before, vectors)
    assert files == {path: path.stat().st_mtime_ns for path in Path(made.path, "collection").rglob("*.lance")}


def test_a_new_cover_costs_one_part(options: Callable[..., Options], books: Path, tmp_path: Path) -> None:
    covers = tmp_path / "covers"
    covers.mkdir()
    for cover in (books / "covers").iterdir():
        (covers / cover.name).write_bytes(cover.read_bytes())
    made = options(covers=str(covers))
    run(made)
    before = parts(made)
    missing = next(number for number in range(8_230_001, 8_230_241) if not (covers / f"{number}.jpg").exists())
    (covers / f"{missing}.jpg").write_bytes((covers / "8230001.jpg").read_bytes())
    report = run(made)
    assert report["vectors"] == BOOKS - BAD + 1
    assert report["written"] == 1
    assert len(set(before) & set(parts(made))) >= len(before) - 2, "the other parts are as they were"


def test_spark_does_the_same_and_loads_the_model_once_per_worker(
    options: Callable[..., Options], spark: Any, tmp_path: Path
) -> None:
    alone = options()
    run(alone)
    spread = options(path=str(tmp_path / "spread"), master="local[2]")
    report = run(spread)
    pictures = next(stage for stage in report["stages"] if stage["stage"] == "pictures")
    assert 1 <= pictures["processes"] <= 2
    assert parts(spread).keys() == parts(alone).keys()
    ours, theirs = contents(alone), contents(spread)
    assert ours.keys() == theirs.keys()
    near = [
        abs(pq.read_table(Path(one.path) / "pictures" / name)["vector"].combine_chunks().flatten().to_numpy()).sum()
        for one in (alone, spread)
        for name in sorted(parts(alone))[:2]
    ]
    assert near[:2] == pytest.approx(near[2:], rel=1e-4)


def test_what_a_worker_of_spark_raises_is_told_as_it_is(
    options: Callable[..., Options], spark: Any, books: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.txt"
    cut.write_bytes((books / "editions.txt").read_bytes()[:-300])
    with pytest.raises(DumpCut, match="allow_cut=true"):
        run(options(master="local[2]", dump=str(cut)))
    assert run(options(dump=str(cut), allow_cut="true"))["books"] == BOOKS - 1


def test_texts_are_a_collection_of_their_own(options: Callable[..., Options], model: Path) -> None:
    made = options(text_model=str(model), limit=60)
    report = run(made)
    assert report["texts"]["vectors"] == 60
    asker = search.opened(made)
    book = pq.read_table(Path(made.path) / job.CATALOG).to_pylist()[7]
    found = asker.ask(search.Question(text=f"{book['title']}. {book['description']}", over="texts", limit=60))
    assert found[0].hit.score == pytest.approx(1.0, abs=1e-4)
    assert book["key"] in [one.hit.key for one in found if one.hit.score > 0.9999]


def test_one_job_at_a_time(options: Callable[..., Options]) -> None:
    made = options()
    with runs.turn(Path(made.path)), pytest.raises(JobRunning, match="Another job is busy"):
        run(made)
    with pytest.raises(NotRunning):
        search.cancel(made)


@pytest.mark.parametrize("master", ["none", "local[2]"])
def test_a_cancelled_job_keeps_what_is_finished(options: Callable[..., Options], spark: Any, master: str) -> None:
    made = options(master=master, part_rows=8)

    def cancel() -> None:
        while len(parts(made)) < 2:
            time.sleep(0.001)
        search.cancel(made)

    watching = threading.Thread(target=cancel, daemon=True)
    watching.start()
    with pytest.raises(search.Cancelled, match="start it again to go on"):
        run(made)
    watching.join()
    assert search.state(made)["state"] == "cancelled"
    kept = parts(made)
    assert 2 <= len(kept) < BOOKS // 8
    assert run(options(part_rows=8))["vectors"] == BOOKS - BAD
    assert kept.items() <= parts(made).items()


def test_settings_that_do_not_go_together_are_told(options: Callable[..., Options], model: Path) -> None:
    with pytest.raises(BadRequest, match="setting dump is empty"):
        run(options(dump=""))
    with pytest.raises(BadRequest, match="setting model is empty"):
        run(options(model=""))
    with pytest.raises(search.SearchError, match="There is no model folder"):
        run(options(model="/nowhere/clip"))
    made = options(limit=20)
    run(made)
    config = json.loads((model / "config.json").read_text())
    other = Path(made.path).parent / "other"
    other.mkdir()
    for path in model.iterdir():
        os.link(path, other / path.name) if path.name != "config.json" else None
    (other / "config.json").write_text(json.dumps(config | {"changed": True}))
    with pytest.raises(CollectionMismatch, match="Set collection to another name"):
        run(options(limit=20, model=str(other)))


# -- killed ---------------------------------------------------------------------------------------------------------


def started(options: Options) -> subprocess.Popen[str]:
    arguments = ["--path", options.path, "--dump", options.dump, "--covers", options.covers, "--model", options.model]
    arguments += ["--master", options.master, "--part-rows", str(options.part_rows), "--dtype", "float32"]
    return subprocess.Popen(
        [sys.executable, "-m", "search", *arguments],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_a_job_that_is_killed_goes_on_where_it_was(options: Callable[..., Options]) -> None:
    """Three times here; twenty times, on Spark too, in benchmarks/search.py."""
    whole = options()
    run(whole)
    killed = options(path=whole.path + "-killed", part_rows=8)
    draw, finished, kills = random.Random(3), {}, 0
    while True:
        process = started(killed)
        # It ends in the middle of the parts: after one more than there were.
        until = len(parts(killed)) + draw.randrange(1, 6)
        while process.poll() is None and len(parts(killed)) < until:
            time.sleep(0.005)
        if kills == 3:
            out, error = process.communicate(timeout=120)
            assert process.returncode == 0, error
            break
        time.sleep(draw.uniform(0, 0.02))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
        assert search.state(killed)["state"] == "interrupted"
        now = parts(killed)
        assert finished.items() <= now.items(), "what is finished is never done again"
        assert len(now) > len(finished)
        finished = now
    assert finished.items() <= parts(killed).items()
    report = json.loads(out.splitlines()[-1])
    assert report["vectors"] == BOOKS - BAD
    assert contents(killed).keys() == contents(whole).keys(), "nothing doubled, nothing missing"
    assert not list(Path(killed.path).rglob(".draft-*.lance"))
