"""The items that search and index, in a production: what docs/search.md says of them."""

import base64
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from iop import Production

import bo
import msg
from irislite.errors import RequestFailed
from irislite.testing import Running, running
from search.samples import library
from unit.search.conftest import SCENES
from waiting import eventually

BOOKS = 120


@pytest.fixture(scope="module")
def root(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(model, folder / "src" / "model" / "shapes-clip")
    made = list(library.volumes(BOOKS, known=SCENES))
    (folder / "src" / "books").mkdir()
    library.write_dump(folder / "src" / "books" / "editions.txt", made)
    library.write_covers(folder / "src" / "books" / "covers", made)
    (folder / "misc").mkdir()
    (folder / "misc" / "cover.jpg").write_bytes((folder / "src" / "books" / "covers" / "8230005.jpg").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_ROOT", str(folder))
        yield folder


@pytest.fixture(scope="module")
def production(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    made = Production("Searching.Production")
    both = "path=/irisdev/app/src/books\nmodel=shapes-clip\ntext_model=bundled\n"
    made.operation("Search", bo.SearchOperation, settings={"%settings": both})
    job = f"{both}dump=src/books/editions.txt\nmaster=none\npart_rows=16"
    made.operation("Index", bo.IndexOperation, settings={"%settings": job}, pool_size=2)
    made.operation("Typo", bo.IndexOperation, settings={"%settings": "model=shapes-clip\nmin_page=3"})
    made.operation("NoModel", bo.SearchOperation, settings={"%settings": "model=nowhere"})
    with running(made, home=tmp_path_factory.mktemp("home"), check=False) as started:
        with pytest.raises(RequestFailed, match=r"no collection books.*msg\.IndexRequest"):
            started.send("Search", msg.SearchRequest(query="a red ring"))
        report = started.send("Index", msg.IndexRequest(), timeout=120)
        assert report.output["vectors"] == report.output["texts"]["vectors"] == BOOKS
        yield started


def ask(production: Running, **fields: Any) -> msg.SearchResponse:
    answer = production.send("Search", msg.SearchRequest(**fields), timeout=30)
    assert isinstance(answer, msg.SearchResponse)
    return answer


def test_a_cover_is_found_by_describing_it(production: Running) -> None:
    answer = ask(production, query="a red ring", limit=3)
    assert [hit["title"] for hit in answer.hits] == ["The red ring"] * 3
    hit = answer.hits[0]
    assert hit.keys() == {"key", "title", "authors", "year", "pages", "subjects", "cover", "score", "image"}
    picture = answer.images[hit["image"]]
    assert picture["media_type"] == "image/jpeg"
    assert base64.b64decode(picture["data"]).startswith(b"\xff\xd8")
    assert answer.energy is not None


def test_pictures_books_and_texts_are_questions_too(production: Running) -> None:
    by_path = ask(production, image="/irisdev/app/misc/cover.jpg", limit=1).hits[0]
    assert by_path["key"] == "/books/OL5M"
    like = ask(production, like="/books/OL5M", limit=3)
    assert "/books/OL5M" not in [hit["key"] for hit in like.hits]
    texts = ask(production, query="a story about a blue square", over="texts", limit=3)
    assert texts.hits[0]["title"] == "The blue square"
    filtered = ask(production, query="a red ring", filter={"subjects": ["squares"]}, thumbnails=False)
    assert all("square" in hit["title"] for hit in filtered.hits)
    assert filtered.images == []


def test_vectors_are_given(production: Running) -> None:
    answer = production.send("Search", msg.EmbedRequest(texts=["a red ring"], images=["/irisdev/app/misc/cover.jpg"]))
    assert answer.output["dimension"] == 64
    assert [len(vector) for vector in answer.output["vectors"]] == [64, 64]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Ask with one of query"),
        ({"query": "x", "filter": {"year": "1; DROP"}}, "no range"),
        ({"query": "x", "limit": 1000}, "from 1 to 100"),
        ({"image": "/etc/passwd"}, "outside the allowed folders"),
        ({"image": "http://127.0.0.1:1/x.jpg"}, "private network"),
        ({"like": "/books/OL0M"}, "Give the key of a hit"),
    ],
)
def test_what_makes_no_sense_is_refused(production: Running, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestFailed, match=words):
        ask(production, **fields)


def test_a_misspelt_field_is_refused(production: Running) -> None:
    request = msg.SearchRequest(query="x")
    request.filters = {"year": 2015}  # type: ignore[attr-defined]
    with pytest.raises(RequestFailed, match="no filters in a SearchRequest"):
        production.send("Search", request)


def test_the_job_is_told_of_and_cancelled_while_it_runs(production: Running, root: Path) -> None:
    report = production.send("Index", msg.IndexRequest("report")).output
    assert (report["state"], report["report"]["written"]) == ("done", BOOKS)
    with pytest.raises(RequestFailed, match="nothing to cancel"):
        production.send("Index", msg.IndexRequest("cancel"))
    with pytest.raises(RequestFailed, match="Write start, report or cancel"):
        production.send("Index", msg.IndexRequest("stop"))
    answers: list[Any] = []
    for part in (root / "src" / "books" / "pictures").iterdir():
        part.unlink()
    worker = threading.Thread(target=lambda: answers.append(production.send("Index", msg.IndexRequest(), timeout=60)))
    worker.start()
    eventually(lambda: production.send("Index", msg.IndexRequest("report")).output["state"] == "running")
    production.send("Index", msg.IndexRequest("cancel"))
    worker.join(60)
    assert answers[0].output == {"cancelled": True}
    assert production.send("Index", msg.IndexRequest(), timeout=60).output["vectors"] == BOOKS
    assert any(entry.text.startswith("The index is ready") for entry in production.log)


def test_an_item_says_what_is_wrong_with_its_settings(production: Running) -> None:
    assert production.item("Typo").state == production.item("NoModel").state == "error"
    assert "min_pages is one" in production.item("Typo").reason
    assert "There is no model folder" in production.item("NoModel").reason
