"""Rows become a data set, or an error that says what is wrong with them."""

import json
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning import BadRows, dataset, texts


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
    assert data.train.texts[:] != sorted(data.train.texts)
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
    assert data.skipped_rows == {"no text": [6, 7, 10], "no label": [8, 9]}
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
    try:
        data = prepare(rows(*labels), num_labels=4, share=share)
    except BadRows as error:
        assert "cannot hold every label" in str(error)
        assert round(len(labels) * share) < len(set(labels))
        return
    assert set(data.train.labels) >= set(data.held_out.labels)
    assert len(data.train) >= 1
    assert len(data.held_out) >= 1
    assert len(data.train) + len(data.held_out) == len(labels)


def words_of(count: int, *names: str) -> list[tuple[object, object]]:
    return [(names[number % len(names)], f"text {number}") for number in range(count)]


def test_labels_may_be_words() -> None:
    data = prepare([*words_of(40, "good", "bad ", "fair"), (None, "x")], num_labels=3)
    assert data.label_names == ("bad", "fair", "good")
    for side in (data.train, data.held_out):
        for text, label in zip(side.texts, side.labels, strict=True):
            assert data.label_names[label] == ("good", "bad", "fair")[int(text.split()[1]) % 3]
    assert prepare(words_of(40, "good", "bad"), num_labels=5).label_names == ("bad", "good")
    assert "the model gets 2" in prepare(words_of(40, "good", "bad"), num_labels=5).notes[0]


def test_the_models_own_names_decide_where_the_rows_leave_a_choice() -> None:
    known = ("neutral", "good", "bad")
    data = dataset.prepare(words_of(40, "good", "bad"), 3, 0.8, 42, known=known)
    assert data.label_names == known
    assert set(data.train.labels) == {1, 2}
    assert "No row has the label neutral" in data.notes[0]
    assert dataset.prepare(words_of(40, "good", "awful"), 3, 0.8, 42, known=known).label_names == ("awful", "good")
    assert prepare(rows(*[1, 2, 3] * 9), num_labels=4).label_names == ("1", "2", "3", "4")
    counted_from_0 = dataset.prepare(rows(*[1, 2, 3] * 9), 4, 0.8, 42, known=("0", "1", "2", "3"))
    assert set(counted_from_0.train.labels) == {1, 2, 3}


def test_a_few_stray_labels_are_skipped_and_named() -> None:
    data = prepare([*rows(*[1, 2] * 30), ("n/a", "x"), (1.5, "y")], num_labels=2)
    assert data.skipped == {"a label that is no number": 2}
    assert data.skipped_rows == {"a label that is no number": [61, 62]}
    assert len(data.train) + len(data.held_out) == 60
    assert not {"x", "y"} & {*data.train.texts, *data.held_out.texts}


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (words_of(40, "a", "b", "c"), "no whole numbers but 3 different texts.*set num_labels to 3"),
        ([(f"a long review {n}", n % 5) for n in range(40)], "name the column of the labels first"),
        (words_of(40, "only"), "All 40 rows have the label only"),
        ([(f"text {n}", n) for n in range(10_002)], "more than 10000 different labels"),
    ],
)
def test_words_that_cannot_be_labels(pairs: list[tuple[object, object]], words: str) -> None:
    with pytest.raises(BadRows, match=words):
        prepare(pairs, num_labels=2)


def test_a_label_with_one_row_is_trained_on() -> None:
    data = prepare(rows(*[1] * 40, *[2] * 40, 3), num_labels=3, share=0.1)
    assert 2 in data.train.labels
    assert 2 not in data.held_out.labels
    assert "not every label is on both sides" in data.notes[0]


def test_a_label_never_seen_in_training_is_an_error() -> None:
    with pytest.raises(BadRows, match=r"2 rows to train on cannot hold every label.*raise p_of_train"):
        prepare(rows(*[1, 2, 3, 4, 5] * 4), share=0.1)


def test_texts_that_are_on_both_sides_are_told() -> None:
    data = prepare([(number % 2, f"text {number % 10}") for number in range(100)], num_labels=2)
    assert any(note.startswith("20 of 20 held-out rows have a text") for note in data.notes)
    assert not prepare(rows(*[0, 1] * 50), num_labels=2).notes


def test_several_texts_are_joined_or_a_pair() -> None:
    triples = [(number % 2, f"title {number}", f"text {number}") for number in range(20)]
    joined = dataset.prepare(triples, 2, 0.8, 42)
    assert all(text.split()[1] == text.split()[3] for text in joined.train.texts)
    assert joined.train.pairs is None
    data = dataset.prepare([*triples, (1, "title", None), (1, "", "text")], 2, 0.8, 42, paired=True)
    assert data.skipped == {"no second text": 1, "no text": 1}
    assert data.train.pairs is not None
    assert [text.split()[1] for text in data.train.texts] == [text.split()[1] for text in data.train.pairs]


def test_regression_takes_quantities() -> None:
    quantities = [(number / 7, f"text {number}") for number in range(50)]
    data = dataset.prepare([*quantities, ("n/a", "x")], 1, 0.8, 42, task="regression")
    assert data.label_names == ()
    assert data.skipped == {"a label that is no number": 1}
    assert all(
        label == pytest.approx(int(t.split()[1]) / 7)
        for t, label in zip(data.train.texts, data.train.labels, strict=True)
    )
    with pytest.raises(BadRows, match="50 of 50 labels are no numbers, such as 'good'"):
        dataset.prepare(words_of(50, "good"), 1, 0.8, 42, task="regression")
    with pytest.raises(BadRows, match=r"All 10 rows have the label 2\.0"):
        dataset.prepare(rows(*[2] * 10), 1, 0.8, 42, task="regression")


def test_token_classification_takes_a_label_for_each_word() -> None:
    tagged: list[tuple[object, object]] = [("O B-PER", f"I {number}") for number in range(10)]
    tagged += [('["B-PER", "O"]', ["New York", "is"]), (["O"], '["one word"]'), ("O O", "three words here"), ("", "x")]
    data = dataset.prepare(tagged, 5, 0.8, 42, task="token-classification")
    assert data.label_names == ("O", "B-PER")
    assert data.skipped == {"another number of labels than of words": 1, "no label": 1}
    pairs = [
        *zip(data.train.texts, data.train.labels, strict=True),
        *zip(data.held_out.texts, data.held_out.labels, strict=True),
    ]
    assert (["New York", "is"], [1, 0]) in pairs
    assert (["one word"], [0]) in pairs
    assert data.train.texts[0:2] == [data.train.texts[0], data.train.texts[1]]


def test_the_hash_is_that_of_rows_and_order() -> None:
    pairs = rows(*[0, 1] * 20)
    data = prepare(pairs, num_labels=2)
    assert data.sha256 == prepare(pairs, num_labels=2).sha256
    assert data.sha256.startswith("sha256:")
    assert dataset.prepare(pairs, 2, 0.8, 7).sha256 != data.sha256
    changed = prepare([(1 - int(str(label)), text) for label, text in pairs], num_labels=2)
    assert changed.train.sha256 != data.train.sha256
    ab = dataset.Examples(texts.Texts(["ab", "c"]), [0, 1])
    assert ab.texts_sha256 != dataset.Examples(texts.Texts(["a", "bc"]), [0, 1]).texts_sha256
    assert ab.texts_sha256 == dataset.Examples(texts.Texts(["ab", "c"]), [1, 0]).texts_sha256


def test_what_is_told_names_rows_and_never_their_text() -> None:
    data = prepare([*rows(*[0, 1] * 20), *[(1, " ")] * 7, (None, "a secret")], num_labels=2)
    told = "\n".join(data.lines())
    assert "48 rows of the source read, 7 skipped (no text), 1 skipped (no label): 32 to train on, 8 held out" in told
    assert "Skipped for no text: rows 41, 42, 43, 44, 45, ..." in told
    assert "Skipped for no label: row 48." in told
    assert "secret" not in told + json.dumps(data.described())


odd_labels = st.one_of(
    st.none(), st.integers(-2, 9), st.floats(), st.text(max_size=3), st.booleans(), st.decimals(), st.binary(max_size=3)
)
odd_texts = st.one_of(st.none(), st.text(), st.floats(), st.binary(max_size=9), st.just("\ud800"), st.just("a\0b"))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(odd_labels, odd_texts), max_size=40),
    st.sampled_from(["text-classification", "token-classification", "regression"]),
)
def test_odd_rows_make_a_data_set_or_an_error_that_says_what_to_do(
    pairs: list[tuple[object, object]], task: str
) -> None:
    try:
        data = dataset.prepare(pairs, 5, 0.5, 1, task=task)
    except BadRows as error:
        assert "Give" in str(error) or "name" in str(error) or "num_labels" in str(error)
        return
    assert len(data.train) + len(data.held_out) + sum(data.skipped.values()) == len(pairs) == data.rows_read
    assert all(side.texts[row] for side in (data.train, data.held_out) for row in range(len(side)))


def test_texts_are_kept_compactly() -> None:
    block = texts.Texts(["a", "", "ä€𐍈", "b"])
    assert (len(block), block[2], block[-1], block[1:3]) == (4, "ä€𐍈", "b", ["", "ä€𐍈"])
    assert block.lengths().tolist() == [1, 0, 9, 1]
    view = block.choose([3, 2]).choose([1])
    assert (list(view), view.lengths().tolist()) == (["ä€𐍈"], [9])
    with pytest.raises(IndexError):
        block[4]
    assert block == texts.Texts(["a", "", "ä€𐍈", "b"]) != texts.Texts(["a"])
