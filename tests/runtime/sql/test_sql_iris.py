"""`iris.sql` and the wrapper's own, unmodified `iris.dbapi`, over the bridge."""

import importlib.util
import threading
from types import SimpleNamespace

import iris
import pytest

from irislite.bridge import sql as bridge
from irislite.errors import IrisliteError, NotSupported
from irislite.sql import Tables


@pytest.fixture
def bound(reviews: Tables, monkeypatch: pytest.MonkeyPatch):
    """The genuine `iris` over a backend that knows SQL alone; iris.Review holds five rows."""
    before = iris.runtime.peek()
    previous = before.embedded_module, before.embedded_cls
    backend = SimpleNamespace(cls=bridge.CLASSES.__getitem__)
    iris.runtime.bind_backends(embedded_module=backend, embedded_cls=backend.cls)
    for name, value in bridge.FUNCTIONS.items():
        monkeypatch.setattr(iris, name, value, raising=False)
    system = SimpleNamespace(Process=bridge.Process)
    monkeypatch.setattr(iris, "system", system, raising=False)
    monkeypatch.setattr(bridge, "_bound_tables", [])
    monkeypatch.setattr(bridge, "_namespace", "")
    bridge.bind(reviews)
    yield reviews
    iris.runtime.bind_backends(embedded_module=previous[0], embedded_cls=previous[1])


def test_exec_answers_rows_by_number(bound: Tables) -> None:
    result = iris.sql.exec("SELECT TOP ? ReviewLabel, ReviewText FROM iris.Review ORDER BY ID", 3)
    assert [(row[0], row[1]) for row in result] == [(5, "Great"), (1, "bad"), (3, None)]
    assert list(result) == []
    assert list(iris.sql.exec("DELETE FROM iris.Review WHERE ReviewLabel = ?", 5)) == []
    assert [list(row) for row in iris.sql.exec("SELECT COUNT(*) FROM iris.Review")] == [[3]]


def test_prepare_checks_once_and_executes_often(bound: Tables) -> None:
    statement = iris.sql.prepare("SELECT ReviewText FROM iris.Review WHERE ReviewLabel = ? ORDER BY ID")
    assert [[row[0] for row in statement.execute(label)] for label in (5, 2, 9)] == [
        ["Great", "great fun"],
        ["Meh"],
        [],
    ]
    with pytest.raises(iris.sql.SQLError, match="Did you mean ReviewLabel") as raised:
        iris.sql.prepare("SELECT ReviewLable FROM iris.Review")
    assert raised.value.sqlcode == -29
    assert "ReviewLabel" in raised.value.message
    with pytest.raises(iris.sql.SQLError):
        iris.sql.prepare("SELECT 1; SELECT 2")


def test_a_dataframe_needs_pandas(bound: Tables) -> None:
    result = iris.sql.exec("SELECT ReviewLabel AS label FROM iris.Review WHERE ID < 3")
    if importlib.util.find_spec("pandas") is None:
        with pytest.raises(ImportError, match="pip install pandas"):
            result.dataframe()
    else:
        frame = result.dataframe()
        assert (list(frame.columns), frame["label"].tolist()) == (["label"], [5, 1])


def test_what_iop_may_touch_answers_as_an_iris_object(bound: Tables) -> None:
    statement = iris.cls("%SQL.Statement")._New()
    statement._Prepare("SELECT 1")
    for thing in (iris.sql.exec("SELECT 1"), iris.sql.prepare("SELECT 1"), statement, statement._Execute()):
        assert type(thing).__module__.startswith("iris")
        assert thing._IsA(thing._ClassName(1))
        assert thing._IsA("%RegisteredObject")
        assert thing._Id() == ""


def test_a_statement_tells_codes_instead_of_raising(bound: Tables) -> None:
    statement = iris.cls("%SQL.Statement")._New()
    assert statement._Prepare(["SELECT ReviewLabel, ReviewText", "FROM iris.Review WHERE ID > ? ORDER BY ID"]) == 1
    result = statement._Execute(2)
    metadata = result._GetMetadata()
    assert [metadata.columns.GetAt(n).colName for n in range(1, metadata.columnCount + 1)] == [
        "ReviewLabel",
        "ReviewText",
    ]
    assert (result._Next(), result._GetData(1), result._Get("reviewtext")) == (1, 3, "")  # NULL is ''
    assert (result._SQLCODE, result._Next(), result._Next(), result._Next()) == (0, 1, 1, 0)
    assert (result._SQLCODE, result._ROWCOUNT) == (100, 3)
    with pytest.raises(NotSupported, match="ReviewLabel"):
        result._Get("Label")
    status = statement._Prepare("SELECT * FROM iris.Nothing")
    assert status != 1
    assert "SQLCODE -30: Table or view 'iris.Nothing' not found" in status
    reference = SimpleNamespace(value=None)
    direct = iris.cls("%SQL.Statement")._ExecDirect(
        reference, "UPDATE iris.Review SET ReviewText = ? WHERE ID = 1", "\0"
    )
    assert (direct._SQLCODE, direct._ROWCOUNT, direct._Message) == (0, 1, "")
    assert list(bound.execute("SELECT ReviewText FROM iris.Review WHERE ID = 1")) == [("",)]
    assert isinstance(reference.value, bridge.Statement)
    failed = iris.cls("%SQL.Statement")._ExecDirect(None, "INSERT INTO iris.Review (ReviewLabel) VALUES ('x')")
    assert failed._SQLCODE == -104
    assert failed._Next() == 0
    missed = iris.cls("%SQL.Statement")._ExecDirect(None, "DELETE FROM iris.Review WHERE ID = 99")
    assert (missed._SQLCODE, missed._ROWCOUNT) == (100, 0)


def test_dbapi_reads(bound: Tables) -> None:
    with iris.dbapi.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT TOP ? ReviewText, ReviewLabel AS Label FROM iris.Review WHERE ID <> ? ORDER BY ID", (3, 2)
        )
        assert [column[0] for column in cursor.description] == ["ReviewText", "Label"]
        assert cursor.fetchone() == ("Great", 5)
        assert cursor.fetchmany(1) == [(None, 3)]
        assert cursor.fetchall() == [("great fun", 5)]
        assert cursor.fetchone() is None
        cursor.execute("SELECT COUNT(*) FROM iris.Review WHERE ReviewLabel = :label", {"label": 5})
        assert list(cursor) == [(2,)]
        cursor.execute("WITH x AS (SELECT 1 AS one) SELECT one FROM x")
        assert cursor.fetchall() == [(1,)]


def test_dbapi_commits_and_rolls_back(bound: Tables) -> None:
    count = "SELECT COUNT(*) FROM iris.Review"
    connection = iris.dbapi.connect()
    cursor = connection.cursor()
    cursor.execute("INSERT INTO iris.Review (ReviewLabel, ReviewText) VALUES (?, ?)", (4, ""))
    assert (cursor.rowcount, cursor.lastrowid, bound.level) == (1, 6, 1)
    others: list[object] = []
    thread = threading.Thread(target=lambda: others.extend(bound.execute(count)))
    thread.start()
    thread.join()
    assert others == [(5,)]
    connection.rollback()
    assert (list(bound.execute(count)), bound.level) == ([(5,)], 0)
    cursor.executemany(
        "INSERT INTO iris.Review (ReviewLabel, ReviewText) VALUES (?, ?)", [(1, None), (2, ""), (3, True)]
    )
    assert cursor.rowcount == 3
    connection.commit()
    cursor.execute("SELECT ReviewText FROM iris.Review WHERE ID > 5 ORDER BY ID")
    assert cursor.fetchall() == [(None,), ("",), ("1",)]
    with pytest.raises(iris.dbapi.DatabaseError), iris.dbapi.connect() as failing:
        failing.cursor().execute("DELETE FROM iris.Review")
        failing.cursor().execute("DELETE FROM iris.Nothing")
    cursor.execute("UPDATE iris.Review SET ReviewLabel = 0 WHERE ID = 1")
    connection.close()  # not committed
    assert list(bound.execute("SELECT COUNT(*), MIN(ReviewLabel) FROM iris.Review")) == [(8, 1)]
    with iris.dbapi.connect(isolation_level=None) as autocommit:
        autocommit.cursor().execute("DELETE FROM iris.Review")
        assert bound.level == 0
    assert list(bound.execute(count)) == [(0,)]


def test_dbapi_defines_tables(bound: Tables) -> None:
    with iris.dbapi.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE Made (id IDENTITY, price NUMERIC(10,2))")
        assert cursor.description is None
        cursor.execute("INSERT INTO Made (price) VALUES (2.5)")
        cursor.execute("SELECT * FROM Made")
        assert cursor.fetchall() == [(1, 2.5)]
        cursor.execute("DROP TABLE Made")
    assert bound.tables() == ["iris.Review"]


@pytest.mark.parametrize(
    ("statement", "parameters", "kind", "message"),
    [
        ("SELECT * FROM iris.Reviews", (), "DatabaseError", "SQLCODE -30: .*Did you mean iris.Review"),
        ("SELECT nothing FROM iris.Review", (), "DatabaseError", "SQLCODE -29"),
        ("SELEC 1", (), "DatabaseError", "SQLCODE -"),
        ("SELECT 1; DROP TABLE iris.Review", (), "DatabaseError", "one by one"),
        ("SELECT ?", (), "DatabaseError", "1 question marks and got 0"),
        ("INSERT INTO iris.Review (ReviewLabel) VALUES (?)", ("x",), "IntegrityError", "must be an integer"),
        ("INSERT INTO keyed VALUES (1)", (), "IntegrityError", "SQLCODE -119"),
        ("DROP TABLE Ens_Util.Log", (), "DatabaseError", "SQLCODE -99"),
    ],
)
def test_dbapi_raises_its_own_errors(bound: Tables, statement: str, parameters: tuple, kind: str, message: str) -> None:
    bound.execute("CREATE TABLE keyed (k INTEGER PRIMARY KEY)")
    bound.execute("INSERT INTO keyed VALUES (1)")
    connection = iris.dbapi.connect()
    with pytest.raises(getattr(iris.dbapi, kind), match=message):
        connection.cursor().execute(statement, parameters)
    connection.close()
    assert bound.level == 0


def test_there_is_one_namespace(bound: Tables) -> None:
    with iris.dbapi.connect(mode="embedded", namespace="IRISAPP") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
    connection = iris.dbapi.connect(mode="embedded", namespace="OTHER")
    with pytest.raises(iris.dbapi.Error, match="only namespace here is IRISAPP"):
        connection.cursor().execute("SELECT 1")
    assert iris.system.Process.NameSpace() == "IRISAPP"


def test_transactions_of_iris(bound: Tables) -> None:
    iris.tstart()
    iris.sql.exec("DELETE FROM iris.Review WHERE ID = 1")
    iris.tstart()
    iris.sql.exec("DELETE FROM iris.Review")
    assert iris.tlevel() == 2
    iris.trollbackone()
    iris.tcommit()
    assert (iris.tlevel(), list(bound.execute("SELECT COUNT(*) FROM iris.Review"))) == (0, [(4,)])
    iris.tstart()
    iris.sql.exec("DROP TABLE iris.Review")
    iris.trollback()
    assert bound.tables() == ["iris.Review"]


def test_without_tables_it_says_what_to_start(bound: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_bound_tables", [])
    with pytest.raises(IrisliteError, match="irislite run"):
        iris.sql.exec("SELECT 1")
