"""What users of IRIS SQL type, run on real tables."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from irislite.sql import SqlError, TableNotFound, Tables


def rows(tables: Tables, statement: str, *parameters: Any) -> list[Any]:
    """The rows; of a single column its values."""
    found = list(tables.execute(statement, parameters))
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        ("SELECT TOP 2 ReviewText FROM iris.Review", (), ["Great", "bad"]),
        ("SELECT TOP ? ReviewText FROM iris.Review WHERE ReviewLabel = ?", (1, 5), ["Great"]),
        ("SELECT DISTINCT TOP 2 ReviewLabel FROM iris.Review ORDER BY 1 DESC", (), [5, 3]),
        ("SELECT TOP (2) ID FROM iris.Review ORDER BY ID DESC", (), [5, 4]),
        ("SELECT TOP ALL ID FROM iris.Review WHERE ID < 3", (), [1, 2]),
        ("SELECT ReviewLabel FROM iris.Review ORDER BY ID LIMIT 1 OFFSET 1", (), [1]),
        ("select reviewtext from IRIS.REVIEW where REVIEWLABEL=1", (), ["bad"]),
        ('SELECT "ReviewText" FROM "iris"."Review" WHERE ReviewLabel = 1', (), ["bad"]),
        ("SELECT Review.ReviewText FROM iris.Review WHERE iris.Review.ReviewLabel = 2", (), ["Meh"]),
        ("SELECT r.%ID FROM iris.Review r WHERE r.ReviewText = 'bad'", (), [2]),
        ("SELECT ReviewLabel AS ID FROM iris.Review WHERE ReviewLabel < 4 ORDER BY ID", (), [1, 2, 3]),
        ("SELECT ID FROM (SELECT ReviewLabel AS ID FROM iris.Review) x WHERE ID > 4", (), [5, 5]),
        ("SELECT a.ID FROM iris.Review a JOIN iris.Review b ON a.ReviewLabel=b.ReviewLabel WHERE a.ID<b.ID", (), [1]),
        ("SELECT ReviewLabel FROM iris.Review GROUP BY ReviewLabel HAVING COUNT(*) > 1", (), [5]),
        ("SELECT ID FROM iris.Review WHERE ReviewLabel = (SELECT MIN(ReviewLabel) FROM iris.Review)", (), [2]),
        ("SELECT ID FROM iris.Review r WHERE EXISTS (SELECT 1 FROM iris.Review WHERE ID = r.ID + 4)", (), [1]),
        ("WITH x AS (SELECT TOP 3 * FROM iris.Review ORDER BY ID) SELECT COUNT(*) FROM x", (), [3]),
        ("SELECT TOP 1 ID FROM iris.Review UNION ALL SELECT TOP 1 ReviewLabel FROM iris.Review", (), [1, 5]),
        ("(SELECT TOP 1 ID FROM iris.Review ORDER BY ID DESC) UNION (SELECT 9) ORDER BY 1", (), [5, 9]),
        ("SELECT 'what?' FROM iris.Review WHERE ReviewText = ? -- really ?", ("bad",), ["what?"]),
        ("SELECT COUNT(*) FROM iris.Review;", (), [5]),
    ],
)
def test_a_query_finds_its_rows(reviews: Tables, statement: str, parameters: tuple[Any, ...], expected: list) -> None:
    assert rows(reviews, statement, *parameters) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$LENGTH('abc') + LENGTH('de') + CHAR_LENGTH('f')", 6),
        ("$LENGTH('a,b,c', ',')", 3),
        ("$PIECE('a,b,c', ',', 2)", "b"),
        ("$PIECE('a,b,c', ',', 2, 9)", "b,c"),
        ("$EXTRACT('abcd', 2, 3)", "bc"),
        ("UPPER('é') || %UPPER('a') || UCASE('b') || LOWER('C')", "ÉABc"),
        ("SUBSTRING('abcd', 2, 2) || SUBSTRING('abcd' FROM 4) || LEFT('xyz', 1) || RIGHT('xyz', 1)", "bcdxz"),
        ("CAST('12abc' AS INTEGER)", 12),
        ("CAST(12345 AS VARCHAR(3))", "123"),
        ("NVL(NULL, 1) + ISNULL(NULL, 2) + COALESCE(NULL, NULL, 3)", 6),
        ("IFNULL(NULL, 'none', 'some')", "none"),
        ("IFNULL(1, 'none', 'some')", "some"),
        ("IFNULL(1, 'none')", None),  # IRIS's own form never answers its first value
        ("{fn IFNULL(1, 'none')}", 1),
        ("5 / 2", 2.5),
        ("7 # 4", 3),
        ("DATEADD('mm', 1, '2026-01-31')", "2026-02-28 00:00:00"),
        ("DATEADD('hh', -1, '2026-01-01 00:30:00')", "2025-12-31 23:30:00"),
        ("DATEDIFF('dd', '2026-01-31 23:00:00', '2026-02-01')", 1),
        ("DATEDIFF('yyyy', '2025-12-31', '2026-01-01')", 1),
        ("YEAR('2026-11-21') * 100 + MONTH('2026-11-21')", 202611),
        ("DATEPART('dw', '2026-11-22')", 1),
        ("CASE WHEN 'Berlin' %STARTSWITH 'ber' AND 'Berlin' [ 'RL' THEN 'yes' ELSE 'no' END", "yes"),
        ("CASE WHEN 'a' %STARTSWITH 'b' OR NOT 'a' [ 'a' THEN 'yes' ELSE 'no' END", "no"),
        ("DECODE(2, 1, 'one', 2, 'two')", "two"),
        ("LENGTH(CURRENT_TIMESTAMP) + LENGTH(GETDATE()) + LENGTH(NOW())", 57),
    ],
)
def test_functions_answer_as_those_of_iris(tables: Tables, expression: str, expected: Any) -> None:
    assert rows(tables, f"SELECT {expression}") == [expected]


def test_texts_compare_without_case_unless_asked_for(reviews: Tables) -> None:
    assert rows(reviews, "SELECT ID FROM iris.Review WHERE ReviewText = 'GREAT'") == [1]
    assert rows(reviews, "SELECT ID FROM iris.Review WHERE %EXACT(ReviewText) = 'GREAT'") == []
    assert rows(reviews, "SELECT LIST(ReviewText) FROM iris.Review WHERE ReviewLabel = 5") == ["Great,great fun"]


def test_columns_are_called_as_they_were_made_or_as_iris_calls_them(reviews: Tables) -> None:
    query = "SELECT reviewtext, id, COUNT(*), 1 + 1, 'x', ?, (SELECT 1) FROM iris.Review"
    assert reviews.execute(query, ["v"]).columns == (
        *("ReviewText", "id", "Aggregate_3", "Expression_4", "Literal_5", "HostVar_6", "Subquery_7"),
    )


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """A namespace that all examples of a property share; its table n holds 1 to 4."""
    tables = Tables(tmp_path_factory.mktemp("numbers"))
    tables.execute("CREATE TABLE n (k INTEGER)")
    tables.execute("INSERT INTO n VALUES (1), (2), (3), (4)")
    yield tables
    tables.close()


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_value_reaches_its_own_question_mark(numbers: Tables, data: st.DataObject) -> None:
    """Wherever TOP ? is moved to, the n-th value belongs to the n-th question mark as typed."""
    values = data.draw(st.lists(st.integers(-9, 9), min_size=1, max_size=5))
    guards = data.draw(st.lists(st.text("?'a", max_size=3), max_size=4))
    top, inner_top = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    statement = (
        f"SELECT TOP ? {', '.join('?' * len(values))}, 'it''s ?' AS \"a?b\" /* ? */ FROM "
        f"(SELECT TOP ? k FROM n WHERE k > ? ORDER BY k) x WHERE {' AND '.join(['? = ?'] * len(guards)) or '1=1'}"
    )
    parameters = [top, *values, inner_top, 1, *(guard for guard in guards for _ in range(2))]
    assert list(numbers.execute(statement, parameters)) == [(*values, "it's ?")] * min(top, inner_top)


_WORDS = (
    "SELECT TOP ? k FROM n WHERE ( ) , = 'a' ID %ID UNION INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE VIEW DROP",
    'INDEX ; -- /* */ * || [ ] { } fn CAST AS VARCHAR(5) NULL IFNULL LIST GROUP BY ORDER JOIN ON EXISTS TRUNCATE "b"',
    "PRAGMA ATTACH IDENTITY PRIMARY KEY CASE WHEN THEN END OVER INTERVAL . : @ # \\ % $ ' \" ` \x00 é",
)


@given(statement=st.lists(st.sampled_from(" ".join(_WORDS).split(" ")), max_size=14).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_whatever_is_typed_is_answered_or_explained(numbers: Tables, statement: str) -> None:
    try:
        list(numbers.execute(statement, [1] * statement.count("?")))
    except SqlError as error:
        assert error.sqlcode < 0
        assert str(error).endswith((".", "?"))


def test_the_log_is_read_as_iop_reads_it(tables: Tables, messages: sqlite3.Connection) -> None:
    fields = (
        *("ID", "ConfigName", "Job", "MessageId", "SessionId", "SourceClass"),
        *("SourceMethod", "Stack", "Text", "TimeLogged", "TraceCat", "Type"),
    )
    result = tables.execute(f"\n SELECT top ?\n {', '.join(fields)}\n FROM Ens_Util.Log\n order by id desc\n", [2])
    assert result.columns == fields
    assert [row[0] for row in result] == [3, 2]
    since = rows(tables, "SELECT Text FROM Ens_Util.Log where TimeLogged >= ? order by id desc", "2026-11-21 09:00:02")
    assert since == ["asked 3", "asked 2"]
    messages.execute("DELETE FROM event_log WHERE id = 3")
    assert rows(tables, "SELECT MAX(ID) FROM ens_util.log") == [2]  # the server goes on writing


def test_message_headers_are_read_and_joined(tables: Tables, messages: sqlite3.Connection) -> None:
    header = tables.execute("SELECT * FROM Ens.MessageHeader WHERE ID = 7")
    found = dict(zip(header.columns, next(header), strict=True))
    assert found["SourceConfigName"] == "Door"
    assert (found["TargetQueueName"], found["Status"], found["CorrespondingMessageId"]) == ("Echo", 9, 8)
    tables.execute("CREATE TABLE Seen (SessionId INTEGER)")
    tables.begin()
    tables.execute("INSERT INTO Seen SELECT DISTINCT SessionId FROM Ens.MessageHeader")
    joined = "SELECT h.TargetConfigName, l.Text FROM Seen s JOIN Ens.MessageHeader h ON h.SessionId = s.SessionId "
    joined += "JOIN Ens_Util.Log l ON l.MessageId = h.ID WHERE l.ID = 1"
    assert rows(tables, joined) == [("Echo", "asked 1")]
    tables.commit()


def test_before_the_first_start_there_is_no_log(tables: Tables) -> None:
    with pytest.raises(TableNotFound, match="start a production first"):
        tables.execute("SELECT * FROM Ens_Util.Log")


def test_the_information_schema_tells_the_tables(reviews: Tables) -> None:
    reviews.execute("CREATE TABLE Kept (id IDENTITY, price NUMERIC(10,2) NOT NULL, body LONGVARCHAR)")
    reviews.execute("CREATE VIEW iris.Good AS SELECT ReviewText FROM iris.Review WHERE ReviewLabel > 3")
    assert rows(reviews, "SELECT * FROM INFORMATION_SCHEMA.TABLES ORDER BY TABLE_NAME") == [
        ("iris", "Good", "VIEW"),
        ("SQLUser", "Kept", "BASE TABLE"),
        ("iris", "Review", "BASE TABLE"),
    ]
    query = "SELECT COLUMN_NAME, ORDINAL_POSITION, DATA_TYPE, IS_NULLABLE FROM information_schema.columns "
    assert rows(reviews, query + "WHERE table_schema='SQLUser' AND table_name='Kept'") == [
        ("id", 1, "integer", "NO"),
        ("price", 2, "numeric", "NO"),
        ("body", 3, "longvarchar", "YES"),
    ]
    assert reviews.tables() == ["SQLUser.Kept", "iris.Review", "iris.Good"]
    assert [(column.name, column.type) for column in reviews.columns("IRIS.review")] == [
        ("ReviewLabel", "INTEGER"),
        ("ReviewText", "VARCHAR(200)"),
    ]
    with pytest.raises(TableNotFound, match=r"Did you mean iris\.Review\?"):
        reviews.columns("Reviews")
