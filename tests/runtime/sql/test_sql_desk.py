"""Statements that a person types: what they may do, how they are stopped, exports and imports."""

import csv
import json
import threading
import time
from pathlib import Path

import pytest

from irislite.sql import LoadFailed, NotAllowed, SqlError, SqlNotSupported, Tables
from irislite.sql.desk import Desk, Stop, Stopped

ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c"


@pytest.fixture
def desk(tables: Tables) -> Desk:
    tables.execute("CREATE TABLE Shop.Item (Name VARCHAR(20), Price NUMERIC, Count INTEGER)")
    with tables.transaction():
        for number in range(250):
            tables.execute("INSERT INTO Shop.Item VALUES (?, ?, ?)", [f"tea {number}", number / 2, number])
    return Desk(tables)


def test_kinds(desk: Desk) -> None:
    for statement, kind in (
        ("SELECT 1", "rows"), ("UPDATE Shop.Item SET Count = 1", "write"), ("DROP TABLE Shop.Item", "define"),
        ("CREATE VIEW Shop.V AS SELECT Name FROM Shop.Item", "define"), ("TRUNCATE TABLE Shop.Item", "write"),
    ):  # fmt: skip
        assert desk.kind(statement) == kind
    for refused in ("START TRANSACTION", "COMMIT", "ROLLBACK", "SET TRANSACTION READ ONLY", "PRAGMA user_version"):
        with pytest.raises(SqlNotSupported):
            desk.kind(refused)
    with pytest.raises(SqlNotSupported, match="import a file"):
        desk.kind("SELECT 1 " + " " * 100_000)


def test_rows_by_the_page(desk: Desk) -> None:
    first = desk.run("SELECT Name, Count FROM Shop.Item ORDER BY Count", 100)
    assert (first.columns, len(first.rows), first.more, first.rowcount) == (("Name", "Count"), 100, True, -1)
    last = desk.run("SELECT Name, Count FROM Shop.Item ORDER BY Count", 100, 200)
    assert (len(last.rows), last.more, last.rows[0][1]) == (50, False, 200)
    assert desk.run("DELETE FROM Shop.Item WHERE Count < 10", 1).rowcount == 10


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM Shop.Item", "INSERT INTO Shop.Item (Count) VALUES (1)", "DROP TABLE Shop.Item",
     "CREATE TABLE Shop.More (A INTEGER)", "CREATE INDEX I ON Shop.Item (Count)", "UPDATE Shop.Item SET Count = 0"],
)  # fmt: skip
def test_sqlite_itself_refuses_changes_where_only_reading_is_allowed(
    desk: Desk, tables: Tables, statement: str
) -> None:
    with tables.apart(read_only=True) as session, pytest.raises(NotAllowed):
        session.run(statement, ())
    assert desk.run("SELECT COUNT(*) FROM Shop.Item", 1).rows == [(250,)]


def test_time_is_limited_and_a_statement_can_be_cancelled(desk: Desk) -> None:
    began_s = time.monotonic()
    with pytest.raises(Stopped, match=r"longer than 0\.2 s"):
        desk.run(ENDLESS, 1, stop=Stop(0.2))
    stop = Stop(60)
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Stopped, match="was cancelled"):
        desk.run(ENDLESS, 1, stop=stop)
    assert time.monotonic() - began_s < 30


def test_a_change_that_is_ended_changes_nothing(desk: Desk) -> None:
    with pytest.raises(Stopped):
        desk.run(f"UPDATE Shop.Item SET Count = ({ENDLESS})", 1, stop=Stop(0.2))
    assert desk.run("SELECT SUM(Count) FROM Shop.Item", 1).rows == [(sum(range(250)),)]


def test_exports(desk: Desk, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    query = "SELECT Name, Price, Count, NULL AS Nothing, Count AS Count FROM Shop.Item ORDER BY Count"
    assert desk.export(query, "csv", tmp_path / "rows.csv") == 250
    rows = list(csv.reader((tmp_path / "rows.csv").open(newline="")))
    assert rows[0] == ["Name", "Price", "Count", "Nothing", "Count"] and rows[2] == ["tea 1", "0.5", "1", "", "1"]
    assert desk.export("SELECT Name, Count FROM Shop.Item", "jsonl", tmp_path / "rows.jsonl") == 250
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[3]) == {"Name": "tea 3", "Count": 3}
    assert desk.export(query, "parquet", tmp_path / "rows.parquet") == 250
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "Name": "string", "Price": "double", "Count": "int64", "Nothing": "string", "Count_2": "int64",
    }  # fmt: skip
    with pytest.raises(SqlNotSupported, match="write a SELECT"):
        desk.export("DELETE FROM Shop.Item", "csv", tmp_path / "none.csv")


def test_a_parquet_file_is_previewed_and_loaded_with_chosen_types(desk: Desk, tables: Tables, tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from datetime import UTC, datetime
    from decimal import Decimal

    from pyarrow import parquet

    file = tmp_path / "orders.parquet"
    columns = {
        "Id": [1, 2, 0], "Text": ["a", "", None], "At": [datetime(2026, 1, 2, 3, tzinfo=UTC)] * 3,
        "Ok": [True, False, None], "Sum": [Decimal("1.50"), None, Decimal("2.00")], "Tags": [["x", "y"], [], None],
        "Raw": [b"\x00\xff", None, b""],
    }  # fmt: skip
    parquet.write_table(arrow.table(columns), file)
    preview = desk.preview(file)
    assert preview.types == [
        "BIGINT", "VARCHAR(32000)", "TIMESTAMP", "BIT", "NUMERIC", "LONGVARCHAR", "LONGVARBINARY",
    ]  # fmt: skip
    assert preview.rows[0] == [1, "a", "2026-01-02 03:00:00+00:00", 1, 1.5, '["x", "y"]', b"\x00\xff"]
    report = desk.load("Shop.Orders", file, "append", {"Id": "VARCHAR(50)"})
    assert (report.table, report.rows, report.bad_rows) == ("Shop.Orders", 3, 0)
    assert [column.type for column in tables.columns("Shop.Orders")][:2] == ["VARCHAR(50)", "VARCHAR(32000)"]
    rows = desk.run("SELECT Id, Text, Ok, Raw FROM Shop.Orders", 9).rows
    assert rows == [("1", "a", 1, b"\x00\xff"), ("2", "", 0, None), ("0", None, None, b"")]


def test_a_csv_file_is_previewed_and_its_faults_are_told(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("Name,Count\ntea,1\nmilk,2,too many\n<b>sugar</b>,3\n")
    preview = desk.preview(file)
    assert (preview.columns, preview.types) == (["Name", "Count"], ["VARCHAR(32000)", "INTEGER"])
    assert preview.rows == [["tea", "1"], ["<b>sugar</b>", "3"]] and "Line 3: 3 fields" in preview.faults[0]
    report = desk.load("Shop.More", file, "append", {})
    assert (report.rows, report.bad_rows) == (2, 1)
    assert desk.load("Shop.More", file, "replace", {}).rows == 2
    assert desk.run("SELECT COUNT(*) FROM Shop.More", 1).rows == [(2,)]


@pytest.mark.parametrize(
    ("table", "types", "error"),
    [
        ("Shop.New", {"Name": "BLOB); DROP TABLE Shop.Item; --"}, LoadFailed),
        ("Shop.New", {"Name": "VARCHAR(99999999)"}, LoadFailed),
        ("Ens.MessageHeader", {}, NotAllowed),
        ('Shop.N"ew', {}, SqlError),
        ("a.b.c", {}, SqlError),
    ],
)
def test_names_and_types_of_an_import_are_checked(
    desk: Desk, tmp_path: Path, table: str, types: dict[str, str], error: type[SqlError]
) -> None:
    file = tmp_path / "new.csv"
    file.write_text("Name\ntea\n")
    with pytest.raises(error):
        desk.load(table, file, "append", types)
    assert desk.run("SELECT COUNT(*) FROM Shop.Item", 1).rows == [(250,)]


def test_what_is_no_parquet_file_is_told(desk: Desk, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    file = tmp_path / "fake.parquet"
    file.write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(LoadFailed, match="no Parquet file that can be read"):
        desk.preview(file)
