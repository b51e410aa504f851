"""One contract, two databases: every test runs on LanceDB and on Milvus Lite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from search import collection, lance, milvus
from search.collection import Address, Collection
from search.errors import BadRequest, BookUnknown, CollectionMismatch, CollectionMissing, CollectionUnreachable
from search.query import Filter, Span

DIMENSION = 16
COUNT = 60


def address(kind: str, folder: Path) -> Address:
    return Address(str(folder / "collection") if kind == "lance" else str(folder / "milvus.db"))


def units(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def books(count: int = COUNT, **changes: Any) -> list[dict[str, Any]]:
    return [
        {
            "key": f"/books/OL{number}M",
            "title": f"Book {number}",
            "authors": ["Ana Silva"],
            "year": 2010 + number % 10 if number % 7 else None,
            "pages": 100 + number if number % 5 else None,
            "subjects": ["Fiction", "Love stories"] if number % 2 else ["Science fiction, American"],
            **changes,
        }
        for number in range(count)
    ]


def rows(count: int = COUNT, seed: int = 0, **changes: Any) -> pa.Table:
    return collection.rows(books(count, **changes), [f"{number}.jpg" for number in range(count)], units(count, seed))


@pytest.fixture(scope="module", params=["lance", "milvus"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def where(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Address:
    return address(kind, tmp_path_factory.mktemp(kind))


@pytest.fixture(scope="module")
def filled(where: Address) -> Iterator[Collection]:
    made = collection.made(where, "books", DIMENSION, "model one")
    assert made.upsert(rows()) == COUNT
    made.index()
    yield made
    made.close()


def test_the_nearest_come_first_with_all_their_fields(filled: Collection) -> None:
    vectors = units(COUNT)
    for number in (0, 7, 33):
        hits = filled.search(vectors[number], 5)
        assert hits[0].key == f"/books/OL{number}M"
        assert hits[0].score == pytest.approx(1.0, abs=1e-4)
        best = np.argsort(-(vectors @ vectors[number]))[:5]
        assert [hit.key for hit in hits] == [f"/books/OL{one}M" for one in best]
        assert [hit.score for hit in hits] == pytest.approx(list((vectors @ vectors[number])[best]), abs=1e-4)
    hit = filled.search(vectors[8], 1)[0]
    assert (hit.title, hit.authors, hit.year, hit.pages) == ("Book 8", ["Ana Silva"], 2018, 108)
    assert (hit.subjects, hit.cover) == (["Science fiction, American"], "8.jpg")


def test_a_filter_is_kept_and_the_order_is_that_of_the_vectors(filled: Collection) -> None:
    vectors = units(COUNT)
    question = vectors[3]
    order = [f"/books/OL{one}M" for one in np.argsort(-(vectors @ question))]
    made = {book["key"]: book for book in books()}

    def expected(wanted: Any) -> list[str]:
        return [key for key in order if wanted(made[key])][:8]

    cases = [
        ({"year": {"from": 2015}}, lambda book: (book["year"] or 0) >= 2015),
        ({"year": {"to": 2012}}, lambda book: book["year"] and book["year"] <= 2012),
        ({"year": 2014}, lambda book: book["year"] == 2014),
        ({"pages": {"from": 110, "to": 130}}, lambda book: 110 <= (book["pages"] or 0) <= 130),
        ({"subjects": ["love stories"]}, lambda book: "Love stories" in book["subjects"]),
        ({"subjects": "Science Fiction"}, lambda book: "Science fiction, American" in book["subjects"]),
        ({"subjects": ["american", "science"], "year": {"from": 2013}},
         lambda book: "Science fiction, American" in book["subjects"] and (book["year"] or 0) >= 2013),
        ({"subjects": ["poetry"]}, lambda book: False),
    ]  # fmt: skip
    for given, wanted in cases:
        hits = filled.search(question, 8, Filter.parse(given))
        assert [hit.key for hit in hits] == expected(wanted), given


def test_no_filter_is_ever_code(filled: Collection) -> None:
    for text in ("x' OR 1=1 --", 'x" or year > 0 or title == "', "\\'; DROP TABLE books", "') OR true"):
        assert filled.search(units(1)[0], 5, Filter.parse({"subjects": [text]})) == []
    assert filled.count() == COUNT


def test_the_same_again_changes_nothing(where: Address, filled: Collection) -> None:
    before = filled.search(units(1)[0], 10)
    again = collection.made(where, "books", DIMENSION, "model one")
    assert again.upsert(rows()) == 0
    assert again.count() == COUNT
    assert again.search(units(1)[0], 10) == before


def test_a_changed_book_takes_its_own_place(where: Address) -> None:
    made = collection.made(where, "changing", DIMENSION, "model one")
    made.upsert(rows())
    changed = books()
    changed[4]["title"] = "Another title"
    table = collection.rows(changed, [f"{number}.jpg" for number in range(COUNT)], units(COUNT))
    assert made.upsert(table) == 1
    assert made.count() == COUNT
    assert made.search(units(COUNT)[4], 1)[0].title == "Another title"
    assert made.upsert(rows(seed=5)) == COUNT, "other vectors are changes too"
    assert made.count() == COUNT
    made.close()


def test_a_book_is_found_by_its_key(filled: Collection) -> None:
    assert filled.vector("/books/OL9M") == pytest.approx(units(COUNT)[9], abs=1e-6)
    for key in ("/books/OL999M", "x' OR '1'='1", 'x" or key != "'):
        with pytest.raises(BookUnknown, match="Give the key of a hit"):
            filled.vector(key)


def test_a_collection_of_another_dimension_or_model_is_refused(where: Address, filled: Collection) -> None:
    with pytest.raises(CollectionMismatch, match=r"16 numbers of the model model one.*is model two with 16"):
        collection.made(where, "books", DIMENSION, "model two")
    with pytest.raises(CollectionMismatch, match="with 8"):
        collection.made(where, "books", 8, "model one")
    with pytest.raises(CollectionMismatch, match="has 8 numbers"):
        filled.search(np.zeros(8, np.float32), 1)


def test_a_collection_that_is_not_there_is_told(where: Address) -> None:
    with pytest.raises(CollectionMissing, match=r"msg\.IndexRequest"):
        collection.opened(where, "nothing")
    with pytest.raises(BadRequest, match="cannot be called"):
        collection.opened(where, "books; drop")


def test_a_milvus_that_is_away_is_told() -> None:
    with pytest.raises(CollectionUnreachable, match=r"127\.0\.0\.1:9.*Start it"):
        collection.opened(Address("http://127.0.0.1:9", "secret-token", timeout_s=1.0), "books")


def test_texts_of_any_length_are_taken(where: Address) -> None:
    made = collection.made(where, "long", DIMENSION, "model one")
    table = rows(3, title="ä" * 5_000, subjects=[f"Subject {number} {'x' * 900}" for number in range(300)])
    assert made.upsert(table) == 3
    assert made.search(units(3)[1], 1)[0].key == "/books/OL1M"
    made.close()


def test_an_index_finds_what_all_vectors_would(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few vectors, so the size up to which all are compared is less; 100,000 are in benchmarks/search.py."""
    monkeypatch.setattr(lance if kind == "lance" else milvus, "EXACT_ROWS", 1_000)
    count, dimension = 3_000, 32
    centres = units(200, 1, dimension)
    draw = np.random.default_rng(2)
    vectors = centres[draw.integers(0, 200, count)] + 0.15 * draw.normal(size=(count, dimension)).astype(np.float32)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    made = collection.made(address(kind, tmp_path), "many", dimension, "model one")
    made.upsert(collection.rows(books(count), ["x.jpg"] * count, vectors))
    assert "HNSW" in made.index()
    found = 0
    for question in vectors[::150]:
        best = {f"/books/OL{one}M" for one in np.argsort(-(vectors @ question))[:10]}
        found += len(best & {hit.key for hit in made.search(question, 10)})
    made.close()
    assert found / (10 * len(vectors[::150])) >= 0.99


def test_an_open_span_has_no_end() -> None:
    assert Filter.parse({"year": {"from": 2015}}) == Filter(year=Span(2015, None))
