"""The book of energy as people read it: sums that keep what is unknown apart, and bounds against baselines."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from energy import book, unavailable
from irislite.errors import BadRequest, StoreError
from rooms import figures
from rooms.energy import report
from rooms.spending import spending

COST = {
    "joules": 2.0, "low": 1.0, "high": 4.0, "carbon_g": 0.2, "carbon_low_g": 0.1, "carbon_high_g": 0.4,
    "method": "estimated-tdp", "cpu_s": 0.5, "duration_s": 1.0,
}  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> book.Book:
    monkeypatch.setenv("EVERGREEN_ENERGY_BOOK", str(tmp_path / "book.db"))
    return book.of()


def add(kept: book.Book, days_ago: int, factor: float = 1.0, item: str = "Labels", times: int = 2) -> str:
    """Answers of an earlier day; that day."""
    day = (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d")
    cost = {name: value * factor if isinstance(value, float) else value for name, value in COST.items()}
    for _ in range(times):
        kept.add(item, "bert", book.ANSWER, cost)
    kept.write()
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    with sqlite3.connect(kept.file) as connection:
        connection.execute("UPDATE OR REPLACE spent SET day = ? WHERE day = ? AND item = ?", (day, today, item))
    connection.close()
    return day


def test_what_is_unknown_is_apart_from_what_is_known(kept: book.Book) -> None:
    kept.add("Labels", "bert", book.ANSWER, COST)
    kept.add("Hosted", "gpt", book.ANSWER, unavailable("its provider knows"))
    found = spending(7, "item")
    assert (found.total.pieces, found.total.unknown, found.total.joules) == (2, 1, 2.0)
    labels, hosted = found.sums
    assert (labels.name, labels.joules_each, hosted.joules, hosted.joules_each) == ("Labels", 2.0, None, None)
    assert figures.energy(hosted.joules) == "unknown" and figures.span(hosted.low, hosted.high) == "unknown"
    assert [each.name for each in spending(7, "method").sums] == ["estimated-tdp", "unavailable"]


def test_a_period_leaves_out_what_was_before(kept: book.Book) -> None:
    add(kept, 40)
    assert spending(30, "day").total.pieces == 0
    day = add(kept, 3)
    found = spending(30, "day")
    assert [(each.name, each.pieces) for each in found.sums] == [(day, 2)]
    assert found.by_day[0][1][0].name == "Labels"


def test_answers_against_their_first_day_or_another(kept: book.Book) -> None:
    first, middle = add(kept, 20, 10.0), add(kept, 10, 1.0)
    last = add(kept, 0, 1.0)
    (compared,) = spending(30, "item").answers
    assert (compared.baseline_day, compared.day, compared.baseline_pieces) == (first, last, 2)
    assert compared.bound.sentence == "At most 40% of the baseline: at least 60% less."
    (compared,) = spending(30, "item", baseline_day=middle).answers
    assert compared.bound.outcome == "not distinguishable"
    with pytest.raises(BadRequest, match="2026-11-21"):
        spending(30, "item", baseline_day="yesterday")


def test_trainings_against_the_first_full_one(kept: book.Book) -> None:
    kept.add_training(
        "Tuning", "bert", {**COST, "joules": 1.0, "low": 0.5, "high": 2.0}, {"method": "head", "data": "a"}
    )
    kept.add_training(
        "Tuning", "bert", {**COST, "joules": 100.0, "low": 50.0, "high": 200.0}, {"method": "full", "data": "a"}
    )
    kept.add_training(
        "Tuning", "bert", {**COST, "joules": 1.0, "low": 0.5, "high": 2.0}, {"method": "head", "data": "b"}
    )
    by_rows = {
        (each.training.about["method"], each.training.about["data"]): each for each in spending(7, "item").trainings
    }
    assert by_rows["full", "a"].bound is None
    head = by_rows["head", "a"]
    assert head.bound is not None and head.bound.outcome == "less" and head.same_rows
    assert not by_rows["head", "b"].same_rows
    chosen = spending(7, "item", baseline_training=head.training.id).trainings
    assert next(each for each in chosen if each.bound is None).training.id == head.training.id
    with pytest.raises(BadRequest, match="no training"):
        spending(7, "item", baseline_training="nothing")


def test_the_json_twin_says_the_same(kept: book.Book) -> None:
    kept.add("Labels", "bert", book.ANSWER, COST)
    kept.add_training("Tuning", "bert", COST, {"method": "full"})
    found = report(days=7, by="model")
    assert (found.total.joules, found.sums[0].name, found.sums[0].methods) == (2.0, "bert", ["estimated-tdp"])
    assert found.trainings[0].bound is None and found.trainings[0].cost["joules"] == 2.0


def test_a_file_that_is_no_book_is_told(kept: book.Book) -> None:
    kept.file.write_text("not a database, and long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="cannot be read"):
        spending(7, "item")


@pytest.mark.parametrize(
    ("joules", "said"), [(None, "unknown"), (0.0123, "0.0123 J"), (1234.0, "1.23 kJ"), (7.2e6, "2 kWh")]
)
def test_energies_have_units(joules: float | None, said: str) -> None:
    assert figures.energy(joules) == said
