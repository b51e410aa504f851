"""Tables made, changed and dropped; what is refused, and in which words."""

import sqlite3

import pytest

from irislite.sql import (
    AlreadyExists,
    AmbiguousField,
    ConstraintFailed,
    FieldNotFound,
    FunctionNotFound,
    InUse,
    InvalidSql,
    NotAllowed,
    SqlError,
    SqlNotSupported,
    TableNotFound,
    Tables,
    WrongParameters,
)


def test_rows_are_inserted_changed_and_deleted(reviews: Tables) -> None:
    inserted = reviews.execute("INSERT INTO iris.Review (ReviewLabel, ReviewText) VALUES (?, ?), (4, 'b')", [4, "a"])
    assert (inserted.rowcount, inserted.lastrowid, list(inserted)) == (2, 7, [])
    assert reviews.execute("UPDATE iris.Review SET ReviewLabel = ReviewLabel - ? WHERE ID >= ?", [1, 6]).rowcount == 2
    assert list(reviews.execute("SELECT ReviewLabel FROM iris.Review WHERE ID > 5")) == [(3,), (3,)]
    assert reviews.execute("DELETE iris.Review WHERE %ID = 7").rowcount == 1
    assert reviews.execute("DELETE FROM iris.Review WHERE ID = 6").rowcount == 1
    copied = reviews.execute("INSERT INTO iris.Review SELECT TOP 2 ReviewLabel, ReviewText FROM iris.Review")
    assert copied.rowcount == 2
    assert reviews.execute("TRUNCATE TABLE iris.Review").rowcount == 7
    assert list(reviews.execute("SELECT * FROM iris.Review")) == []


def test_a_table_keeps_to_its_types(tables: Tables) -> None:
    tables.execute(
        "CREATE TABLE Shop.Item (Name VARCHAR(5) NOT NULL, Id IDENTITY, Price NUMERIC(10,2) DEFAULT 1.5, Sold BIT, "
        "Stock SMALLINT, Text LONGVARCHAR, Made TIMESTAMP DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (name), "
        "UNIQUE (Stock))"
    )
    tables.execute("INSERT INTO Shop.Item (Name, Sold, Stock) VALUES ('Cup', 1, '12')")
    assert list(tables.execute("SELECT Id, Price, Stock, LENGTH(Made) FROM Shop.Item")) == [(1, 1.5, 12, 19)]
    for values, sqlcode, advice in (
        ("'Teapot', 0, 1", -104, "Name must be at most 5 characters"),
        ("'Pot', 2, 1", -104, "Sold must be 0 or 1"),
        ("'Pot', 0, 'many'", -104, "Stock must be an integer"),
        ("'Pot', 0, 1.5", -104, "Stock must be an integer"),
        ("NULL, 0, 1", -108, "Shop.Item.Name needs a value"),
        ("'CUP', 0, 1", -119, "Shop.Item.Name is already there"),
        ("'Pot', 0, 12", -119, "Shop.Item.Stock is already there"),
    ):
        with pytest.raises(ConstraintFailed, match=advice) as raised:
            tables.execute(f"INSERT INTO Shop.Item (Name, Sold, Stock) VALUES ({values})")
        assert raised.value.sqlcode == sqlcode
    assert tables.execute("ALTER TABLE Shop.Item ADD COLUMN Size INTEGER").rowcount == 0
    with pytest.raises(ConstraintFailed, match="Size must be an integer"):
        tables.execute("UPDATE Shop.Item SET Size = 'big'")


def test_a_reference_needs_its_row(tables: Tables) -> None:
    tables.execute("CREATE TABLE Box (No INTEGER PRIMARY KEY, Inside INTEGER REFERENCES Box (No))")
    tables.execute("INSERT INTO Box VALUES (1, NULL), (2, 1)")
    with pytest.raises(ConstraintFailed, match="insert the row it refers to first") as raised:
        tables.execute("INSERT INTO Box VALUES (3, 9)")
    assert raised.value.sqlcode == -121


def test_indexes_belong_to_their_table(reviews: Tables) -> None:
    reviews.execute("CREATE TABLE iris.Other (ReviewLabel INTEGER)")
    reviews.execute("CREATE INDEX Label ON TABLE iris.Review (ReviewLabel DESC, ReviewText)")
    reviews.execute("CREATE INDEX Label ON iris.Other (ReviewLabel)")
    with pytest.raises(AlreadyExists):
        reviews.execute("CREATE INDEX label ON iris.review (ReviewText)")
    reviews.execute("DROP INDEX Label ON TABLE iris.Review")
    reviews.execute("DROP INDEX iris.Other.Label")
    with pytest.raises(TableNotFound, match=r"Index 'iris.Other.Label' not found"):
        reviews.execute("DROP INDEX Label ON iris.Other")
    with pytest.raises(InvalidSql, match="Whose index"):
        reviews.execute("DROP INDEX Label")


def test_a_view_keeps_its_table(reviews: Tables) -> None:
    reviews.execute("CREATE VIEW Good (Line) AS SELECT ReviewText FROM iris.Review WHERE ReviewLabel > 3")
    assert list(reviews.execute("SELECT line FROM Good")) == [("Great",), ("great fun",)]
    with pytest.raises(InUse, match=r"used by SQLUser.Good: DROP VIEW"):
        reviews.execute("DROP TABLE iris.Review")
    with pytest.raises(FieldNotFound, match="ReviewLabel"):
        reviews.execute("CREATE VIEW Bad AS SELECT ReviewLable FROM iris.Review")
    reviews.execute("DROP VIEW Good")
    reviews.execute("DROP TABLE iris.Review CASCADE")
    reviews.execute("DROP TABLE IF EXISTS iris.Review")
    assert reviews.tables() == []


@pytest.mark.parametrize(
    ("statement", "kind", "sqlcode", "advice"),
    [
        ("SELECT * FROM iris.Reviews", TableNotFound, -30, "Did you mean iris.Review?"),
        ("SELECT * FROM Review", TableNotFound, -30, "Did you mean iris.Review?"),
        ("SELECT * FROM Ens.Util.Log", InvalidSql, -1, "three parts"),
        ("INSERT INTO nowhere VALUES (1)", TableNotFound, -30, "CREATE TABLE or `irislite load`"),
        ("SELECT ReviewLable FROM iris.Review", FieldNotFound, -29, "Did you mean ReviewLabel"),
        ('SELECT "no such" FROM iris.Review', FieldNotFound, -29, "There is: ReviewLabel, ReviewText"),
        ("INSERT INTO iris.Review (Label) VALUES (1)", FieldNotFound, -29, "iris.Review"),
        ("SELECT ReviewText FROM iris.Review a, iris.Review b", AmbiguousField, -27, "write its table's name"),
        ("SELECT SQRRT(2)", FunctionNotFound, -359, "SQRRT"),
        ("SELECT * FORM iris.Review", InvalidSql, -1, "line 1, column"),
        ("SELECT 'abc", InvalidSql, -1, "quotes and brackets"),
        ("SELECT (1", InvalidSql, -1, "Correct it"),
        ("", InvalidSql, -1, "is empty"),
        (" ; ", InvalidSql, -1, "is empty"),
        ("SELECT " + "(" * 900 + "1" + ")" * 900, InvalidSql, -1, "nested too deeply"),
        ("SELECT 1; DROP TABLE iris.Review", SqlNotSupported, -51, "one by one"),
        ("SELECT ?", WrongParameters, -400, "has 1 question marks and got 0"),
        ("SELECT DATEADD('fortnight', 1, '2026-01-01')", WrongParameters, -400, "'year', 'quarter'"),
        ("SELECT YEAR('soon')", WrongParameters, -400, "write it as '2026-11-21 09:30:00'"),
        ("CREATE TABLE iris.Review (a INTEGER)", AlreadyExists, -201, "drop it first"),
        ("CREATE TABLE x (a VECTOR(DOUBLE, 3))", SqlNotSupported, -51, "write one of BIGINT, BIT"),
        ("CREATE TABLE x (a)", SqlNotSupported, -51, "field 'a' is nothing"),
        ('CREATE TABLE "iris.Copy" (a INTEGER)', InvalidSql, -1, "schema.table"),
        ("CREATE VIEW v AS SELECT * FROM iris.Review WHERE ID = ?", SqlNotSupported, -51, "no parameters"),
        ("CREATE VIEW v AS SELECT * FROM Ens_Util.Log", SqlNotSupported, -51, "SELECT from it directly"),
        ("CREATE TRIGGER t AFTER INSERT ON iris.Review BEGIN SELECT 1; END", InvalidSql, -1, "not known here"),
        ("ALTER TABLE iris.Review DROP COLUMN ReviewText", SqlNotSupported, -51, "CREATE a new table"),
        ("MERGE INTO iris.Review USING x ON 1=1 WHEN MATCHED THEN DELETE", SqlNotSupported, -51, "'MERGE' begins no"),
        ("VACUUM", InvalidSql, -1, "not known here"),
        ("SET x = 1", SqlNotSupported, -51, "SET takes TRANSACTION"),
    ],
)
def test_what_cannot_run_is_explained(
    reviews: Tables, statement: str, kind: type[SqlError], sqlcode: int, advice: str
) -> None:
    with pytest.raises(kind) as raised:
        reviews.execute(statement)
    assert raised.value.sqlcode == sqlcode
    assert advice in str(raised.value)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO Ens_Util.Log (Text) VALUES ('forged')",
        "UPDATE Ens.MessageHeader SET Status = 9",
        "DELETE FROM ens.messageheader",
        "TRUNCATE TABLE Ens_Util.Log",
        "DROP TABLE Ens.MessageHeader",
        "DROP VIEW Ens_Util.Log",
        "CREATE TABLE Ens.Mine (a INTEGER)",
        "CREATE TABLE INFORMATION_SCHEMA.Mine (a INTEGER)",
        "DELETE FROM INFORMATION_SCHEMA.TABLES",
        "ALTER TABLE Ens_Util.Log ADD x INTEGER",
        "CREATE INDEX i ON Ens_Util.Log (Text)",
        "UPDATE messages.event_log SET text = ''",
        "DELETE FROM sqlite_master",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM main.sqlite_master",
        "SELECT * FROM temp.sqlite_temp_master",
        "SELECT * FROM messages.keep",
        "SELECT * FROM pragma_table_info('iris.Review')",
        "SELECT load_extension('/tmp/x.so')",
        "PRAGMA writable_schema = 1",
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "DETACH DATABASE messages",
        "SELECT 1 INTO x",
        "CREATE TEMPORARY TABLE x (a INTEGER)",
        "EXPLAIN SELECT 1",
        "INSERT INTO iris.Review VALUES (1, 'x') RETURNING ReviewText",
    ],
)
def test_the_runtime_and_sqlite_are_out_of_reach(reviews: Tables, messages: sqlite3.Connection, statement: str) -> None:
    reviews.execute("SELECT * FROM Ens_Util.Log").close()  # the runtime's file is attached
    with pytest.raises(SqlError) as raised:
        list(reviews.execute(statement))
    assert isinstance(raised.value, NotAllowed | TableNotFound | SqlNotSupported | InvalidSql)
    assert messages.execute("SELECT COUNT(*), MIN(text) FROM event_log").fetchone() == (3, "asked 1")
    assert list(reviews.execute("SELECT COUNT(*) FROM iris.Review")) == [(5,)]


@pytest.mark.parametrize("text", ["'; DROP TABLE iris.Review; --", '"', "`", "x' OR '1'='1", "?1", "\\'", "a\nb"])
def test_a_value_stays_a_value(reviews: Tables, text: str) -> None:
    written = text.replace("'", "''")
    reviews.execute("INSERT INTO iris.Review (ReviewText) VALUES (?)", [text])
    reviews.execute(f"INSERT INTO iris.Review (ReviewText) VALUES ('{written}')")
    assert list(reviews.execute("SELECT COUNT(*) FROM iris.Review WHERE ReviewText = ?", [text])) == [(2,)]


@pytest.mark.parametrize("name", ["a`; DROP TABLE x; --", 'say ""hi""', "?1", "SELECT", "[x]"])
def test_a_strange_name_stays_a_name(tables: Tables, name: str) -> None:
    tables.execute(f'CREATE TABLE odd ("{name}" VARCHAR(9))')
    tables.execute(f'INSERT INTO odd ("{name}") VALUES (?)', ["kept"])
    assert list(tables.execute(f'SELECT "{name}" FROM odd WHERE "{name}" %STARTSWITH ?', ["k"])) == [("kept",)]
    assert tables.columns("odd")[0].name == name.replace('""', '"')
