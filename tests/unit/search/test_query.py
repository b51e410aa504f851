"""What a request may ask, and what it is told otherwise."""

from typing import Any

import pytest

from search.errors import BadRequest
from search.options import Options
from search.query import Filter, Question, Span


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("year > 2010", "A filter is an object"),
        ({"title": "x"}, "There is no filter title"),
        ({"year": "2010"}, "year is no range"),
        ({"year": {"above": 3}}, "year is no range"),
        ({"pages": {"from": 1.5}}, "no whole number"),
        ({"pages": {"from": -1}}, "no whole number"),
        ({"year": {"from": True}}, "no whole number"),
        ({"subjects": 5}, "no list of texts"),
        ({"subjects": [5]}, "no list of texts"),
        ({"subjects": ["x"] * 11}, "too many"),
        ({"subjects": ["%"]}, "no letters"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(given: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Filter.parse(given)


def test_a_filter_is_typed() -> None:
    assert Filter.parse(None) == Filter()
    made = Filter.parse({"year": {"from": 2015, "to": 2020}, "pages": 300, "subjects": ["Science-Fiction"]})
    assert made == Filter(Span(2015, 2020), Span(300, 300), ("science fiction",))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "one of query"),
        ({"text": "x", "like": "/books/OL1M"}, "one of query"),
        ({"text": "x", "over": "titles"}, "cannot be searched"),
        ({"picture": b"x", "over": "texts"}, "compared with covers"),
        ({"text": "x" * 1001}, "Shorten it"),
        ({"text": "x", "limit": 0}, "from 1 to 100"),
        ({"text": "x", "limit": 101}, "from 1 to 100"),
        ({"text": "x", "limit": "5"}, "from 1 to 100"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Question(**given)


def test_settings_are_typed_and_unknown_ones_named() -> None:
    made = Options.parse({"path": "x", "min_pages": "50", "without": "poetry, plays", "allow_cut": "true",
                          "subjects": "", "spark.executor.memory": "4g"})  # fmt: skip
    assert (made.min_pages, made.without, made.allow_cut, made.subjects) == (50, ("poetry", "plays"), True, ())
    assert made.spark == {"spark.executor.memory": "4g"}
    assert made.workers_master == "local[*]"
    assert Options.parse({"path": "x", "master": "none"}).workers_master == ""
    for given, words in (
        ({"min_page": 3}, "min_pages is one"),
        ({"min_pages": "many"}, "no whole number"),
        ({"allow_cut": "perhaps"}, "neither true nor false"),
        ({"path": ""}, "path is empty"),
    ):
        with pytest.raises(BadRequest, match=words):
            Options.parse({"path": "x"} | given)
