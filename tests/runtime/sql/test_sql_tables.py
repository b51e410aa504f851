"""The file of the tables: values, streams, threads, transactions, other processes."""

import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest

from irislite.sql import DatabaseFailed, NoTransaction, TableBusy, Tables, WrongParameters, session


class Colour(Enum):
    RED = "red"


class NumpyLike:
    """What numpy's numbers have."""

    def item(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        ("", ""),
        ("naïve 🙂", "naïve 🙂"),
        (True, 1),
        (2**63 - 1, 2**63 - 1),
        (0.5, 0.5),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"a"), b"a"),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 11, 21, 9, 30, tzinfo=UTC), "2026-11-21 09:30:00+00:00"),
        (date(2026, 11, 21), "2026-11-21"),
        (Colour.RED, "red"),
        (NumpyLike(), 7),
    ],
)
def test_values_come_back(tables: Tables, value: object, stored: object) -> None:
    assert list(tables.execute("SELECT ?", [value])) == [(stored,)]


@pytest.mark.parametrize("value", [2**63, "\udcff", object(), [1], {"a": 1}])
def test_a_value_that_cannot_be_stored_is_refused(tables: Tables, value: object) -> None:
    with pytest.raises(WrongParameters):
        tables.execute("SELECT ?", [value])


def fill(tables: Tables, count: int) -> None:
    tables.execute("CREATE TABLE n (k INTEGER)")
    series = f"WITH s (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < {count})"
    tables.execute(f"INSERT INTO n {series} SELECT k FROM s")


def test_a_long_result_is_read_in_batches(tables: Tables) -> None:
    fill(tables, 100_000)
    result = tables.execute("SELECT k FROM n")
    assert [next(result)[0] for _ in range(3)] == [1, 2, 3]
    tables.execute("DELETE FROM n WHERE k > 99000")  # does not disturb who reads
    assert sum(1 for _ in result) >= 98_997
    with pytest.raises(StopIteration):
        next(result)


def test_an_unread_result_holds_its_table_until_it_is_closed(tables: Tables) -> None:
    fill(tables, 2_000)
    result = tables.execute("SELECT k FROM n")
    with pytest.raises(TableBusy, match="not read to its end"):
        tables.execute("DROP TABLE n")
    result.close()
    assert list(result) == []
    tables.execute("DROP TABLE n")


def test_a_short_result_holds_nothing(tables: Tables) -> None:
    fill(tables, 10)
    result = tables.execute("SELECT k FROM n")
    tables.execute("DROP TABLE n")
    assert len(list(result)) == 10


def test_transactions_nest_and_roll_back(tables: Tables) -> None:
    fill(tables, 1)
    tables.begin()
    tables.execute("INSERT INTO n VALUES (2)")
    tables.execute("START TRANSACTION")
    tables.execute("CREATE TABLE inner_one (a INTEGER)")
    assert (tables.level, tables.tables()) == (2, ["SQLUser.inner_one", "SQLUser.n"])
    tables.roll_back(to_level=1)
    assert (tables.level, tables.tables()) == (1, ["SQLUser.n"])
    tables.execute("COMMIT")
    assert (tables.level, list(tables.execute("SELECT COUNT(*) FROM n"))) == (0, [(2,)])
    with pytest.raises(NoTransaction, match="START TRANSACTION first"):
        tables.commit()
    tables.roll_back()  # nothing is open: nothing happens
    with pytest.raises(ZeroDivisionError), tables.transaction():
        tables.execute("DELETE FROM n")
        raise ZeroDivisionError
    assert list(tables.execute("SELECT COUNT(*) FROM n")) == [(2,)]
    tables.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def test_what_is_not_committed_is_seen_by_nobody_else(tables: Tables) -> None:
    fill(tables, 1)
    tables.begin()
    tables.execute("INSERT INTO n VALUES (2)")
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(tables.execute("SELECT COUNT(*) FROM n")))
    thread.start()
    thread.join()
    assert seen == [(1,)]
    tables.commit()


def test_a_writer_waits_for_another_and_then_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE_S", 0.05)
    first, second = Tables(home), Tables(home)
    fill(first, 1)
    first.begin()
    with pytest.raises(TableBusy, match="another transaction"):
        second.execute("INSERT INTO n VALUES (2)")
    first.close()  # rolls back
    assert second.execute("INSERT INTO n VALUES (2)").rowcount == 1
    second.close()


def test_threads_write_side_by_side(tables: Tables) -> None:
    fill(tables, 0)
    tables.execute("DELETE FROM n")

    def work(start: int) -> None:
        for k in range(start, start + 25):
            tables.execute("INSERT INTO n VALUES (?)", [k])

    threads = [threading.Thread(target=work, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(tables.execute("SELECT COUNT(DISTINCT k) FROM n")) == [(100,)]


def test_many_may_open_a_new_file_at_once(home: Path) -> None:
    failed: list[Exception] = []

    def open_one() -> None:
        try:
            Tables(home).execute("SELECT 1")
        except DatabaseFailed as error:
            failed.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_another_process_loads_while_this_one_runs(tables: Tables, home: Path, tmp_path: Path) -> None:
    fill(tables, 1)
    file = tmp_path / "more.csv"
    file.write_text("k,name\n1,one\n2,two\n")
    load = (
        "from irislite.sql import Tables; from pathlib import Path; import sys; home, file = map(Path, sys.argv[1:]); "
    )
    load += "print(Tables(home).load_csv('iris.More', file).rows)"
    path = str(Path(session.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", load, str(home), str(file)],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2\n"
    assert list(tables.execute("SELECT name FROM iris.More WHERE k = 2")) == [("two",)]


def test_a_closed_or_broken_file_is_explained(tables: Tables, tmp_path: Path) -> None:
    tables.close()
    with pytest.raises(DatabaseFailed, match="start the runtime again"):
        tables.execute("SELECT 1")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "tables.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DatabaseFailed, match="cannot be opened"):
        Tables(tmp_path / "broken").tables()
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseFailed, match="IRISLITE_HOME"):
        Tables(tmp_path / "file").tables()
