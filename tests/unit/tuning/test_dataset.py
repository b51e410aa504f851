"""Rows become a data set, or an error that says what is wrong with them."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning import BadRows, dataset


def rows(*labels: object) -> list[tuple[object, object]]:
    return [(label, f"text {number}") for number, label in enumerate(labels)]


def prepare(pairs: list[tuple[object, object]], num_labels: int = 5, share: float = 0.8) -> dataset.Dataset:
    return dataset.prepare(pairs, num_labels, share, seed=42)


@pytest.mark.parametrize(
    ("labels", "names", "ids"),
    [
        ([1, 2, 3, 4, 5] * 4, "12345", {0, 1, 2, 3, 4}),
        ([0, 1, 2, 3, 4] * 4, "01234", {0, 1, 2, 3, 4}),
        ([1, 2, 3] * 5, "12345", {0, 1, 2}),
        (["1", " 2.0", 3.0, Decimal(4)] * 4, "12345", {0, 1, 2, 3}),
    ],
)
def test_labels_are_counted_from_0_or_from_1(labels: list[object], names: str, ids: set[int]) -> None:
    data = prepare(rows(*labels))
    assert data.label_names == tuple(names)
    assert {*data.train.labels, *data.held_out.labels} == ids


def test_labels_stay_with_their_texts_and_no_row_is_on_both_sides() -> None:
    data = prepare([(label, f"{label} {number}") for number in range(20) for label in (1, 2, 3, 4, 5)])
    for side in (data.train, data.held_out):
        assert all(int(text[0]) == label + 1 for text, label in zip(side.texts, side.labels, strict=True))
    assert len({*data.train.texts, *data.held_out.texts}) == 100


def test_the_split_is_stratified_shuffled_and_repeatable() -> None:
    pairs = rows(*[1] * 80, *[2] * 20)
    data = prepare(pairs, num_labels=2)
    assert data.stratified
    assert Counter(data.train.labels) == {0: 64, 1: 16}
    assert Counter(data.held_out.labels) == {0: 16, 1: 4}
    assert data.train.texts != sorted(data.train.texts)
    assert prepare(pairs, num_labels=2) == data
    assert dataset.prepare(pairs, 2, 0.8, seed=7) != data


def test_a_label_with_one_row_or_few_rows_splits_at_random() -> None:
    assert not prepare(rows(*[1] * 19, 2)).stratified
    twenty = prepare(rows(*[1, 2, 3, 4, 5] * 4))
    assert not twenty.stratified
    assert (len(twenty.train), len(twenty.held_out)) == (16, 4)


def test_rows_without_label_or_text_are_counted() -> None:
    data = prepare([*rows(1, 2, 1, 2, 1), (1, None), (2, "  "), (None, "x"), ("", "x"), (1, "")])
    assert data.skipped == {"no text": 3, "no label": 2}
    assert data.rows_read == 10
    assert len(data.train) + len(data.held_out) == 5


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (rows(1, 2), "2 usable rows are too few.*Give at least 5"),
        ([], "0 usable rows"),
        ([(1, "")] * 9, "9 skipped with no text"),
        (rows(3, 3, 3, 3, 3, 3), "All 6 rows have the label 3"),
        (rows("good", "bad", 1, 2, 3, 4, 5), "2 of 7 labels are no whole numbers, such as 'good'"),
        (rows(1.5, 1, 2, 3, 4, 5), "1 of 6 labels are no whole numbers, such as '1.5'"),
        (rows("nan", float("inf"), 2, 3, 4, 5), "2 of 6 labels are no whole numbers"),
        (rows(1, 2, 3, 4, 6), "run from 1 to 6, which num_labels=5"),
        (rows(0, 2, 3, 4, 5), "run from 0 to 5, which num_labels=5"),
        (rows(-1, 2, 3, 4, 1), "run from -1 to 4, which num_labels=5"),
    ],
)
def test_rows_that_cannot_be_trained_on(pairs: list[tuple[object, object]], words: str) -> None:
    with pytest.raises(BadRows, match=words):
        prepare(pairs)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=5, max_size=60).filter(lambda labels: len(set(labels)) > 1),
    st.floats(0.001, 0.999),
)
def test_any_split_has_rows_on_both_sides(labels: list[int], share: float) -> None:
    data = prepare(rows(*labels), num_labels=4, share=share)
    assert len(data.train) >= 1
    assert len(data.held_out) >= 1
    assert len(data.train) + len(data.held_out) == len(labels)
