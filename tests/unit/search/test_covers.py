"""Covers from folders, bulk zips and a server."""

import random
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from search import pictures
from search.errors import Cancelled, CoversRefused, CoverUnreadable
from search.fetching import Fetcher, Manners, Rate, Wanted
from search.place import Place
from search.samples import library, shapes
from search.shelf import Shelf
from unit.search.covers_server import EMPTY, HTML, Covers, serving

JPEG = shapes.jpeg(shapes.Scene("star", "red", "blue", "large"), random.Random(0))
QUICK = Manners(pause_s=0.01)


def shelf(folder: Path) -> Shelf:
    return Shelf(Place(str(folder)))


def test_a_cover_is_found_by_id_or_isbn_in_any_spelling(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("12.jpg", "0000000013-M.jpg", "0000000013-L.jpg", "deep/9780140328721.jpg", "notes.txt", "14.png"):
        (tmp_path / name).write_bytes(JPEG)
    found = shelf(tmp_path)
    assert found.find(12, None) == "12.jpg"
    assert found.find(13, None) == "0000000013-M.jpg"
    assert found.find(99, "9780140328721") == "deep/9780140328721.jpg"
    assert found.find(14, None) == "14.png"
    assert found.find(15, None) is None
    assert found.read("12.jpg") == JPEG


def test_bulk_zips_are_found_by_the_ids_in_their_names(tmp_path: Path) -> None:
    made = list(library.volumes(30))
    library.write_covers(tmp_path, made, zips=True)
    with zipfile.ZipFile(tmp_path / "olcovers3-M.zip", "w") as archive:
        archive.writestr("30007-M.jpg", JPEG)
    with zipfile.ZipFile(tmp_path / "others.zip", "w") as archive:
        archive.writestr("a/77.jpg", JPEG)
    found = shelf(tmp_path)
    for volume in made:
        reference = found.find(volume.cover_id, None)
        assert reference == f"m_covers_0008_23.zip#{volume.cover_id:010d}-M.jpg"
        pictures.check(found.read(reference))
    assert found.find(30007, None) == "olcovers3-M.zip#30007-M.jpg"
    assert found.find(77, None) == "others.zip#a/77.jpg"
    assert found.find(8_239_999, None) is None
    found.close()


def test_a_broken_zip_is_told_for_each_cover_in_it(tmp_path: Path) -> None:
    library.write_covers(tmp_path, list(library.volumes(3)), zips=True)
    path = tmp_path / "m_covers_0008_23.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CoverUnreadable, match="no zip file that can be read"):
        shelf(tmp_path).find(library.FIRST_COVER + 1, None)
    broken = bytearray(whole)
    broken[100:200] = b"\0" * 100
    path.write_bytes(broken)
    found = shelf(tmp_path)
    reference = found.find(library.FIRST_COVER + 1, None)
    assert reference is not None
    with pytest.raises(CoverUnreadable, match="cannot be read"):
        found.read(reference)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (HTML, "a page of HTML"),
        (EMPTY, "an empty picture of one pixel"),
        (b"plain text", "no picture that can be read"),
        (JPEG[:300], "no picture that can be read"),
    ],
)
def test_what_is_no_cover_says_so(data: bytes, words: str) -> None:
    with pytest.raises(CoverUnreadable, match=words):
        pictures.decode(data)


# -- from a server -------------------------------------------------------------------------------------------------


@pytest.fixture
def covers() -> Iterator[Covers]:
    made = Covers()
    with serving(made):
        yield made


def fetch(covers: Covers, folder: Path, wanted: list[Wanted], manners: Manners = QUICK) -> dict[str, int]:
    made = Manners(**(vars(manners) | {"server": covers.url}))
    return dict(Fetcher(folder, made, print).fetch(wanted, lambda: None))


def by_id(*numbers: int) -> list[Wanted]:
    return [Wanted(number, None) for number in numbers]


def test_covers_are_fetched_once_and_missing_ones_asked_for_once(covers: Covers, tmp_path: Path) -> None:
    covers.pictures = {str(number): JPEG for number in range(1, 21)} | {"9780140328721": JPEG}
    covers.empty = {"30"}
    wanted = [*by_id(*range(1, 21), 30, 31), Wanted(None, "9780140328721")]
    assert fetch(covers, tmp_path, wanted) == {"fetched": 21, "missing": 2}
    assert (tmp_path / "7.jpg").read_bytes() == JPEG
    asked = len(covers.requests)
    assert fetch(covers, tmp_path, wanted) == {"already here": 21, "known to be missing": 2}
    assert len(covers.requests) == asked
    assert shelf(tmp_path).find(None, "9780140328721") == "9780140328721.jpg"


def test_a_busy_server_is_asked_again(covers: Covers, tmp_path: Path) -> None:
    covers.pictures = {"1": JPEG, "2": JPEG, "3": JPEG}
    covers.first = {"1": [503, 429], "2": [500], "3": [403]}
    assert fetch(covers, tmp_path, by_id(1, 2, 3)) == {"fetched": 3}
    assert len(covers.requests) == 7


def test_html_instead_of_a_cover_is_no_cover_and_is_asked_for_again_next_time(covers: Covers, tmp_path: Path) -> None:
    covers.pictures = {"1": HTML}
    assert fetch(covers, tmp_path, by_id(1)) == {"HTML instead of a picture": 1}
    covers.pictures = {"1": JPEG}
    assert fetch(covers, tmp_path, by_id(1)) == {"fetched": 1}


def test_the_documented_rate_is_kept(covers: Covers, tmp_path: Path) -> None:
    covers.by_isbn, covers.window_s = 10, 0.5
    covers.pictures = {f"97801403287{number:02d}": JPEG for number in range(25)}
    manners = Manners(by_isbn=10, window_s=0.9, pause_s=0.01)  # wider, for machines that are busy
    began_s = time.monotonic()
    wanted = [Wanted(None, number) for number in covers.pictures]
    assert fetch(covers, tmp_path, wanted, manners) == {"fetched": 25}
    assert covers.refused["isbn"] == 0, "the server never had to refuse"
    assert 1.8 <= time.monotonic() - began_s < 30


def test_no_window_holds_more_turns_than_the_rate() -> None:
    rate, turns, lock = Rate(5, 0.3), list[float](), threading.Lock()

    def work() -> None:
        for _ in range(3):
            rate.wait(threading.Event())
            with lock:
                turns.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turns.sort()
    assert all(later - first > 0.2 for first, later in zip(turns, turns[5:], strict=False))


def test_covers_come_over_several_connections(covers: Covers, tmp_path: Path) -> None:
    covers.pictures = {str(number): JPEG for number in range(40)}
    covers.delay_s = 0.02
    assert fetch(covers, tmp_path, by_id(*range(40)), Manners(connections=8)) == {"fetched": 40}
    assert 4 <= covers.most_at_once <= 8


def test_a_fetch_that_is_stopped_goes_on_where_it_was(covers: Covers, tmp_path: Path) -> None:
    covers.pictures = {str(number): JPEG for number in range(60)}
    covers.delay_s = 0.005
    seen = 0

    def stop() -> None:
        nonlocal seen
        seen += 1
        if seen == 10:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        Fetcher(tmp_path, Manners(server=covers.url, connections=2), print).fetch(by_id(*range(60)), stop)
    here = len(list(tmp_path.glob("*.jpg")))
    assert 10 <= here < 30
    assert fetch(covers, tmp_path, by_id(*range(60))) == {"already here": here, "fetched": 60 - here}


def test_a_server_that_refuses_everything_ends_the_job(covers: Covers, tmp_path: Path) -> None:
    covers.always = 503
    manners = Manners(tries=1, pause_s=0.001)
    with pytest.raises(CoversRefused, match=r"refuses every cover \(503.*\) What|What was fetched is kept"):
        fetch(covers, tmp_path, by_id(*range(100)), manners)


def test_a_server_that_is_away_ends_the_job(tmp_path: Path) -> None:
    manners = Manners(server="http://127.0.0.1:9", tries=1, pause_s=0.001)
    with pytest.raises(CoversRefused, match="start the job again"):
        Fetcher(tmp_path, manners, print).fetch(by_id(*range(100)), lambda: None)
