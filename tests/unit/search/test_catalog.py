"""The catalogue against what the generator knows of each line, in one process and by many pieces."""

import gzip
import io
import itertools
import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from search import catalog, dump
from search.catalog import Reader, Rules
from search.errors import DumpCut, DumpUnreadable
from search.place import Place
from search.samples import dump as sample

LINES = 3_000
RULES = Rules()


@pytest.fixture(scope="module")
def made() -> list[sample.Made]:
    return list(itertools.islice(sample.lines(seed=7, wanted_share=0.4), LINES))


def read(lines: list[bytes], rules: Rules = RULES) -> list[dict[str, Any]]:
    return list(Reader(rules).books(lines))


def catalogue(path: Path, folder: Path, rules: Rules = RULES, piece_bytes: int = 100_000, allow_cut: bool = False):
    place = Place(str(folder))
    pieces = dump.pieces(str(path), piece_bytes)
    for number in range(len(pieces)):
        catalog.filter_piece(pieces, rules, allow_cut, place, number)
    data, counts = catalog.join(place, [catalog.name(piece, rules) for piece in pieces], lambda keys: {})
    return pq.read_table(io.BytesIO(data)).to_pylist(), counts


def test_every_dirt_is_judged_right(made: list[sample.Made]) -> None:
    kinds = {one.kind for one in made}
    assert len(kinds) > 40, "the sample has them all"
    for one in made:
        assert bool(read([one.line])) == one.wanted, (one.kind, one.line)


def test_a_look_at_the_bytes_rules_out_nothing_that_is_wanted(made: list[sample.Made]) -> None:
    reader = Reader(Rules())
    likely = set(reader._likely([one.line for one in made]))
    assert all(one.line in likely for one in made if one.wanted)
    assert len(likely) < 0.8 * len(made), "and it rules out something"


def test_each_rule_is_a_setting() -> None:
    record = sample.good(1, Random(1)) | {"subjects": ["Poetry"], "publish_date": "1950"}
    lines = [sample.line(record | {"languages": [{"key": "/languages/fre"}], "number_of_pages": 40})]
    assert read(lines) == []
    assert read(lines, Rules(language="", subjects=("poetry",), min_pages=0, min_year=0))
    assert read(lines, Rules(language="fre", subjects=(), min_pages=40, min_year=1950))
    assert not read(lines, Rules(language="fre", subjects=(), min_pages=40, min_year=0, recent_years=10))
    assert not read(lines, Rules(language="fre", subjects=(), without=("poetry",), min_pages=0, min_year=0))


def test_fields_come_out_clean() -> None:
    record = sample.good(1, Random(1)) | {
        "isbn_13": [],
        "isbn_10": ["0-14-032872-6"],
        "covers": [-1, None, 12],
        "subtitle": "a tale",
        "title": "Islands",
        "by_statement": "by Ana Silva.",
        "number_of_pages": "320 p.",
    }
    [book] = read([sample.line(record)])
    assert (book["isbn"], book["cover_id"], book["pages"]) == ("9780140328721", 12, 320)
    assert (book["title"], book["authors"]) == ("Islands: a tale", ["Ana Silva"])


@pytest.mark.parametrize("ending", [".txt", ".txt.gz"])
def test_pieces_of_any_size_give_the_same_books(made: list[sample.Made], tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ol_dump_editions{ending}"
    data = b"".join(one.line + b"\n" for one in made)
    path.write_bytes(gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])
                     if ending.endswith(".gz") else data)  # fmt: skip
    wanted = {one.key for one in made if one.wanted}
    for size in (1 << 30, 100_003):
        books, counts = catalogue(path, tmp_path / str(size), piece_bytes=size)
        assert {book["key"] for book in books} == wanted
        assert counts["books"] == len(books) == len(wanted)
        assert counts["lines"] == LINES
        assert counts["wrong JSON"] + counts["another language"] + counts["another subject"] > 0


def test_a_book_is_one_row(tmp_path: Path) -> None:
    draw = Random(1)
    first, second = sample.good(1, draw), sample.good(2, draw)
    lines = [
        sample.line(first | {"title": "Old"}, "2019-01-01T00:00:00"),
        sample.line(first | {"title": "New"}, "2022-01-01T00:00:00"),
        sample.line(second | {"isbn_13": first["isbn_13"], "title": "The same book"}, "2020-01-01T00:00:00"),
        sample.line(sample.good(3, draw) | {"isbn_10": [sample.isbn_10(sample.good(3, draw)["isbn_13"][0])]}),
    ]
    (tmp_path / "dump.txt").write_bytes(b"\n".join(lines) + b"\n")
    books, counts = catalogue(tmp_path / "dump.txt", tmp_path / "out")
    assert sorted(book["title"] for book in books if book["key"] != "/books/OL3M") == ["New"]
    assert len(books) == 2
    assert counts["the same book again"] == 2


def test_authors_are_named_by_their_own_dump(tmp_path: Path) -> None:
    record = sample.good(1, Random(1)) | {"by_statement": None}
    (tmp_path / "dump.txt").write_bytes(sample.line(record) + b"\n")
    key = record["authors"][0]["key"]
    author = "\t".join(("/type/author", key, "1", "2020", json.dumps({"key": key, "name": "Ana Silva"})))
    (tmp_path / "authors.txt").write_text(author + "\n")
    place = Place(str(tmp_path / "out"))
    pieces = dump.pieces(str(tmp_path / "dump.txt"))
    catalog.filter_piece(pieces, Rules(), False, place, 0)
    names = [catalog.name(pieces[0], Rules())]
    data, _ = catalog.join(place, names, lambda keys: catalog.authors(str(tmp_path / "authors.txt"), keys))
    assert pq.read_table(io.BytesIO(data))["authors"].to_pylist() == [["Ana Silva"]]


@pytest.mark.parametrize("packed", [False, True])
def test_a_cut_dump_is_told(made: list[sample.Made], tmp_path: Path, packed: bool) -> None:
    data = b"".join(one.line + b"\n" for one in made[:500])
    path = tmp_path / ("dump.txt.gz" if packed else "dump.txt")
    path.write_bytes(gzip.compress(data)[:-3000] if packed else data[:-100])
    with pytest.raises(DumpCut, match=r"ends in the middle.*allow_cut=true"):
        catalogue(path, tmp_path / "out")
    books, counts = catalogue(path, tmp_path / "out", allow_cut=True)
    assert counts["cut files"] == 1
    assert {book["key"] for book in books} <= {one.key for one in made if one.wanted}
    assert len(books) > 100, "what is there is taken"


def test_a_dump_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DumpUnreadable, match="Correct the setting dump"):
        dump.pieces(str(tmp_path / "none.txt"))
    with pytest.raises(DumpUnreadable, match="There is no dump at"):
        dump.pieces(str(tmp_path))
    (tmp_path / "empty.txt").touch()
    with pytest.raises(DumpUnreadable, match="empty"):
        dump.pieces(str(tmp_path))
    broken = bytearray(gzip.compress(b"x" * 100_000))
    broken[20:40] = b"\xff" * 20
    (tmp_path / "broken.gz").write_bytes(broken)
    with pytest.raises(DumpUnreadable, match="damaged"):
        list(dump.blocks(dump.pieces(str(tmp_path / "broken.gz"))[0]))


def test_a_dump_in_an_object_store_is_read(made: list[sample.Made], tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe("/dumps/editions.txt", b"".join(one.line + b"\n" for one in made[:300]))
    place = Place("memory://out")
    pieces = dump.pieces("memory://dumps", 50_000)
    for number in range(len(pieces)):
        catalog.filter_piece(pieces, Rules(), False, place, number)
    data, _ = catalog.join(place, [catalog.name(piece, Rules()) for piece in pieces], lambda keys: {})
    keys = set(pq.read_table(io.BytesIO(data))["key"].to_pylist())
    assert keys == {one.key for one in made[:300] if one.wanted}


def test_the_generator_makes_dumps_of_the_size_that_is_asked_for(tmp_path: Path) -> None:
    count = sample.write(tmp_path / "dump.txt", 300_000)
    assert 300_000 <= (tmp_path / "dump.txt").stat().st_size < 303_000
    assert sample.write(tmp_path / "dump.txt.gz", 300_000) == count
    assert gzip.decompress((tmp_path / "dump.txt.gz").read_bytes()) == (tmp_path / "dump.txt").read_bytes()
