"""The book of what was spent: sums that outlive the process, and never a 0 for what nobody knows."""

import threading
from pathlib import Path

from energy import unavailable
from energy.book import ANSWER, ASIDE, TRAINING, Book
from energy.bound import bound, cost_of

COST = {
    "joules": 2.0, "low": 1.0, "high": 4.0, "carbon_g": 0.2, "carbon_low_g": 0.1, "carbon_high_g": 0.4,
    "method": "estimated-tdp", "cpu_s": 0.5, "duration_s": 1.0,
}  # fmt: skip
HOSTED = unavailable("its provider knows")


def test_answers_are_added_up_by_day_item_model_and_method(tmp_path: Path) -> None:
    book = Book(tmp_path / "model" / "book.db")
    for _ in range(3):
        book.add("Labels", "bert", ANSWER, COST)
    book.add("Labels", "bert", ASIDE, COST)
    book.write()
    book.add("Labels", "bert", ANSWER, COST)
    assert {row.pieces for row in Book(book.file).spent()} == {3, 1}, "another process sees what was written"
    rows = {row.kind: row for row in book.spent()}
    assert (rows[ANSWER].pieces, rows[ANSWER].joules, rows[ANSWER].low, rows[ANSWER].high) == (4, 8.0, 4.0, 16.0)
    assert (rows[ANSWER].item, rows[ANSWER].model, rows[ANSWER].method) == ("Labels", "bert", "estimated-tdp")
    assert rows[ASIDE].pieces == 1 and rows[ASIDE].cpu_s == 0.5
    assert {row.pieces for row in Book(book.file).spent()} == {4, 1}
    assert book.spent("2999-01-01") == []


def test_what_nobody_knows_is_counted_and_has_no_amount(tmp_path: Path) -> None:
    book = Book(tmp_path / "book.db")
    book.add("Hosted", "gpt", ANSWER, HOSTED)
    book.add("Hosted", "gpt", ANSWER, HOSTED)
    book.add("Hosted", "gpt", ANSWER, COST)
    unknown, known = sorted(book.spent(), key=lambda row: row.method != "unavailable")
    assert (unknown.pieces, unknown.joules, unknown.low, unknown.carbon_g) == (2, None, None, None)
    assert (known.pieces, known.joules) == (1, 2.0)


def test_many_threads_and_many_books(tmp_path: Path) -> None:
    books = [Book(tmp_path / "book.db") for _ in range(2)]  # as two processes of an item

    def work(book: Book) -> None:
        for _ in range(200):
            book.add("Labels", "bert", ANSWER, COST)
        book.write()

    threads = [threading.Thread(target=work, args=(book,)) for book in books for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for book in books:
        book.write()
    (row,) = books[0].spent()
    assert (row.pieces, row.joules) == (800, 1600.0)


def test_a_book_that_cannot_be_written_keeps_what_was_added(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file where the folder should be")
    book = Book(tmp_path / "model" / "book.db")
    book.add("Labels", "bert", ANSWER, COST)
    book.write()
    assert "cannot be written" in book.problem and "rights" in book.problem
    book.add("Labels", "bert", ANSWER, COST)
    (tmp_path / "model").unlink()
    (row,) = book.spent()
    assert (row.pieces, book.problem) == (2, "")


def test_trainings_stand_by_themselves(tmp_path: Path) -> None:
    book = Book(tmp_path / "book.db")
    assert book.trainings() == []
    book.add_training("Tuning", "bert", COST, {"method": "full"})
    book.add_training("Tuning", "bert", COST | {"joules": 1.0}, {"method": "head"})
    newest, first = book.trainings()
    assert (first.about, newest.about["method"], newest.cost["joules"]) == ({"method": "full"}, "head", 1.0)
    assert len(book.trainings(limit=1)) == 1
    assert TRAINING not in {row.kind for row in book.spent()}  # its measurement adds that


def test_a_bound_is_what_both_ranges_allow() -> None:
    full = cost_of({**COST, "joules": 100.0, "low": 50.0, "high": 200.0})
    less = bound(cost_of({**COST, "joules": 10.0, "low": 5.0, "high": 20.0}), full)
    assert (less.outcome, less.sentence) == ("less", "At most 40% of the baseline: at least 60% less.")
    more = bound(cost_of({**COST, "joules": 900.0, "low": 500.0, "high": 1000.0}), full)
    assert (more.outcome, more.sentence) == ("more", "At least 2.5 times the baseline.")
    same = bound(full, full)
    assert same.outcome == "not distinguishable" and "Between 25% and 4.0 times" in same.sentence


def test_no_bound_without_two_known_costs_of_one_method() -> None:
    known = cost_of(COST)
    assert cost_of(HOSTED) is None and cost_of(COST, 0) is None
    for one, other, words in (
        (None, known, "Its cost is not known"),
        (known, None, "The baseline's cost is not known"),
        (known, cost_of({**COST, "method": "measured-rapl"}), "do not count the same"),
        (known, cost_of({**COST, "low": 0.0}), "begins at nothing"),
    ):
        found = bound(one, other)
        assert (found.outcome, found.least, found.most) == ("unknown", None, None) and words in found.sentence
    assert cost_of(COST, 4) == cost_of({**COST, "joules": 0.5, "low": 0.25, "high": 1.0})
