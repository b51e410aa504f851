"""Batches by size or age; labels as 0 and 1; the one post that a model fails at."""

import json
from collections.abc import Sequence
from math import inf
from typing import Any

import pytest

from sentiment.batch import Batch, Batcher, batch_of
from sentiment.errors import ModelFailed, UnknownLabel
from sentiment.labelling import Labelled, Polarity, label_batch
from sentiment.post import Post


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def post(number: int) -> Post:
    return Post(f"{number}-0", "", f"text {number}", f"Text {number}!", "None", "", number)


def test_a_batch_is_due_when_it_is_full() -> None:
    batcher = Batcher(3, 10.0, Clock())
    assert (batcher.due_s, batcher.free) == (inf, 3)
    for number in range(3):
        assert batcher.due_s > 0
        batcher.add(post(number))
    assert (batcher.due_s, batcher.free) == (0.0, 0)
    assert [one.entry for one in batcher.take().posts] == ["0-0", "1-0", "2-0"]
    assert (batcher.due_s, batcher.free) == (inf, 3)


def test_a_batch_is_due_when_its_oldest_post_is_old() -> None:
    clock = Clock()
    batcher = Batcher(3, 10.0, clock)
    batcher.add(post(1))
    clock.now_s += 6
    batcher.add(post(2))  # a later one does not make the first wait longer
    assert batcher.due_s == pytest.approx(4)
    clock.now_s += 5
    assert batcher.due_s == 0
    assert len(batcher.take().posts) == 2


def test_a_batch_travels_as_json() -> None:
    batch = Batch((post(1), post(2)))
    assert Batch.from_dict(json.loads(json.dumps(batch.as_dict()))) == batch
    labelled = label_batch(batch, lambda texts: ["positive", {"error": "too odd"}], Polarity())
    assert Labelled.from_dict(json.loads(json.dumps(labelled.as_dict()))) == labelled


def test_texts_typed_by_hand() -> None:
    batch = batch_of(["Good #tea!", "#tea"])
    assert [(one.text, one.original, one.entry) for one in batch.posts] == [("Good", "Good #tea!", "")]


@pytest.mark.parametrize(
    ("positive", "label", "sentiment"),
    [
        ([], "POSITIVE", 1),
        ([], "neg", 0),
        ([], "neutral", 0),
        ([], "4 stars", 1),
        ([], "1 star", 0),
        (["4", "5"], "5", 1),
        (["4", "5"], "1", 0),
        (["label_1"], "LABEL_1", 1),
    ],
)
def test_what_labels_mean(positive: list[str], label: str, sentiment: int) -> None:
    assert Polarity(positive).of(label) == sentiment


@pytest.mark.parametrize("label", ["LABEL_1", "1", "joy"])
def test_a_label_that_may_mean_anything_is_not_guessed(label: str) -> None:
    with pytest.raises(UnknownLabel, match="setting positive"):
        label_batch(batch_of(["a", "b"]), lambda texts: [label] * len(texts), Polarity())


@pytest.mark.parametrize(
    "answer", ["positive", {"label": "positive", "score": 0.98765}, [{"label": "positive"}, {"label": "x"}]]
)
def test_forms_of_answers(answer: Any) -> None:
    (result,) = label_batch(batch_of(["a"]), lambda texts: [answer], Polarity()).results
    assert (result.sentiment, result.label) == (1, "positive")
    assert result.score == (0.9877 if isinstance(answer, dict) else None)


def poisoned(texts: Sequence[str]) -> list[str]:
    if {"text 5", "text 40"} & set(texts):
        raise ValueError("a poison")
    return ["positive"] * len(texts)


def test_a_bad_post_does_not_poison_its_batch() -> None:
    calls: list[int] = []

    def label(texts: list[str]) -> list[str]:
        calls.append(len(texts))
        return poisoned(texts)

    labelled = label_batch(Batch(tuple(post(number) for number in range(64))), label, Polarity())
    assert [one.post.text for one in labelled.failures] == ["text 5", "text 40"]
    assert len(labelled.results) == 62
    assert all("a poison" in one.reason for one in labelled.failures)
    assert len(calls) < 30


def test_a_post_alone_can_be_at_fault() -> None:
    labelled = label_batch(Batch((post(5),)), poisoned, Polarity())
    assert (len(labelled.results), len(labelled.failures)) == (0, 1)


@pytest.mark.parametrize("answers", ["raises", "too few", "no labels", "errors"])
def test_a_model_that_fails_at_everything_blames_no_post(answers: str) -> None:
    def label(texts: list[str]) -> list[Any]:
        if answers == "raises":
            raise OSError("no memory")
        return {"too few": [], "no labels": [None] * len(texts), "errors": [{"error": "no"}] * len(texts)}[answers]

    with pytest.raises(ModelFailed, match="see to it"):
        label_batch(Batch((post(1), post(2), post(3))), label, Polarity())
