"""CSV files that are as they should be, and those that are not."""

import sqlite3
from pathlib import Path

import pytest

from irislite.sql import (
    BadRow,
    ConstraintFailed,
    FieldNotFound,
    LoadFailed,
    NotAllowed,
    SqlError,
    Tables,
    load,
    session,
)


@pytest.fixture
def write(tmp_path: Path):
    """Writes a CSV file and answers its path."""

    def write_file(content: str | bytes) -> Path:
        file = tmp_path / "rows.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write_file


def types(tables: Tables, table: str) -> dict[str, str]:
    return {column.name: column.type for column in tables.columns(table)}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-20", "0", "123456789012345678"], "INTEGER"),
        (["1", "2.5"], "NUMERIC"),
        ([".5", "-1e3", "0.25E-2"], "NUMERIC"),
        (["1234567890123456789"], "VARCHAR(32000)"),  # as a number it would be rounded
        (["0.12345678901234567"], "VARCHAR(32000)"),
        (["1e999"], "VARCHAR(32000)"),
        (["-"], "VARCHAR(32000)"),
        (["1", "."], "VARCHAR(32000)"),
        (["007"], "VARCHAR(32000)"),
        (["1", "two"], "VARCHAR(32000)"),
        (["1", "x" * 32_001], "LONGVARCHAR"),
        (["", ""], "VARCHAR(32000)"),
    ],
)
def test_a_type_loses_nothing(tables: Tables, write, values: list[str], kind: str) -> None:
    report = tables.load_csv("t", write("a,b\n" + "".join(f"{value},1\n" for value in values)))
    assert (report.rows, report.bad, types(tables, "t")["a"]) == (len(values), [], kind)
    found = [row[0] for row in tables.execute("SELECT a FROM t")]
    read = float if kind == "NUMERIC" else str
    assert [read(value) for value in found if value is not None] == [read(value) for value in values if value]


def test_a_new_table_gets_the_types_of_its_values(tables: Tables, write) -> None:
    file = write("id,label,price,zip,note,none\n-1,5,1,01234,a,\n2,,1.5,7,9,\n3,4,-2e3,8,,\n")
    report = tables.load_csv("Shop.Item", file)
    assert (report.table, report.rows, report.bad) == ("Shop.Item", 3, [])
    assert types(tables, "Shop.Item") == {
        "id": "INTEGER",
        "label": "INTEGER",
        "price": "NUMERIC",
        **dict.fromkeys(("zip", "note", "none"), "VARCHAR(32000)"),
    }
    found = list(tables.execute("SELECT * FROM Shop.Item"))
    assert found == [
        (-1, 5, 1, "01234", "a", None),
        (2, None, 1.5, "7", "9", None),
        (3, 4, -2000, "8", None, None),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x y\n",
        "a;b\n1;x y\n",
        "a\tb\r\n1\tx y\r\n",
        "\ufeffa,b\n1,x y",
        '"a" , b\n"1",x y\n\n\n',
        'a;"b"\n1;"x y"\n',
    ],
)
def test_the_delimiter_and_the_mark_of_utf8_are_seen(tables: Tables, write, content: str) -> None:
    assert tables.load_csv("t", write(content)).rows == 1
    assert list(tables.execute("SELECT a, b FROM t")) == [(1, "x y")]


def test_bad_rows_are_named_by_line_and_the_rest_is_loaded(tables: Tables, write) -> None:
    tables.execute("CREATE TABLE iris.Review (ReviewLabel INTEGER NOT NULL, ReviewText VARCHAR(20))")
    file = write(
        b"ReviewLabel,ReviewText\n"
        b'1,"two\nlines"\n'  # lines 2 and 3
        b"2\n"
        b"three,x\n"
        b"3,caf\xe9\n"
        b"4,a\x00b\n"
        b"5,far too long for the field\n"
        b",no label\n"
        b"\n"
        b'5,"a "quote" inside"\n'
        b"6,last\n"
    )
    report = tables.load_csv("iris.review", file)
    assert report.rows == 2
    assert report.bad_rows == 7
    expected = {
        4: "1 fields where the header has 2",
        5: "ReviewLabel must be an integer",
        6: "not UTF-8",
        7: "NUL",
        8: "at most 20 characters",
        9: "iris.Review.ReviewLabel needs a value",
        11: "quote",
    }
    assert [row.line for row in report.bad] == list(expected)
    for row in report.bad:
        assert expected[row.line] in row.reason
    assert list(tables.execute("SELECT * FROM iris.Review")) == [(1, "two\nlines"), (6, "last")]


def test_a_quote_that_is_never_closed_does_not_swallow_silently(tables: Tables, write) -> None:
    report = tables.load_csv("t", write('a,b\n1,x\n2,"open\n3,y\n4,z\n'))
    assert report.rows == 1
    assert report.bad == [BadRow(3, "unexpected end of data, up to line 5: is a quote not closed or not doubled?")]


def test_strict_loads_all_or_nothing(tables: Tables, write) -> None:
    with pytest.raises(LoadFailed, match=r"Line 3: 1 fields .* Nothing was loaded"):
        tables.load_csv("t", write("a,b\n1,2\n3\n"), strict=True)
    assert tables.tables() == []


def test_rows_are_added_or_replaced(reviews: Tables, write) -> None:
    file = write("REVIEWTEXT,reviewlabel\nnew,4\n")  # another order, another case
    assert reviews.load_csv("iris.Review", file).rows == 1
    assert list(reviews.execute("SELECT COUNT(*) FROM iris.Review")) == [(6,)]
    assert reviews.load_csv("iris.Review", file, mode="replace").rows == 1
    assert list(reviews.execute("SELECT ReviewLabel, ReviewText FROM iris.Review")) == [(4, "new")]
    assert reviews.load_csv("iris.Review", write("ReviewText\nalone\n")).rows == 1
    assert list(reviews.execute("SELECT ReviewLabel FROM iris.Review WHERE ReviewText = 'alone'")) == [(None,)]


@pytest.mark.parametrize("content", ["ReviewLabel\nx\ny\n", "ReviewLabel\n"])
def test_a_replacement_that_fails_leaves_the_old_rows(reviews: Tables, write, content: str) -> None:
    with pytest.raises(LoadFailed, match="the table is as it was"):
        reviews.load_csv("iris.Review", write(content), mode="replace")
    assert list(reviews.execute("SELECT COUNT(*) FROM iris.Review")) == [(5,)]


def test_a_load_is_part_of_the_open_transaction(reviews: Tables, write) -> None:
    reviews.begin()
    reviews.load_csv("iris.Review", write("ReviewLabel\n1\n2\n"))
    reviews.roll_back()
    assert list(reviews.execute("SELECT COUNT(*) FROM iris.Review")) == [(5,)]


def test_an_interrupted_load_leaves_nothing(tables: Tables, write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BATCH_ROWS", 2)

    def interrupt(rows_done: int, bytes_done: int, bytes_total: int) -> None:
        if rows_done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tables.load_csv("t", write("a\n" + "1\n" * 10), progress=interrupt)
    assert (tables.level, tables.tables()) == (0, [])


def test_a_load_that_breaks_inside_a_batch_leaves_nothing(
    tables: Tables, write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    file = write("a\n1\n")
    tables.load_csv("t", file)
    monkeypatch.setattr(session.Session, "many", full)
    with pytest.raises(SqlError, match="disk is full"):
        tables.load_csv("t", file)
    assert (tables.level, list(tables.execute("SELECT COUNT(*) FROM t"))) == (0, [(1,)])


def test_progress_goes_up_to_the_end(tables: Tables, write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BATCH_ROWS", 2)
    seen: list[tuple[int, int, int]] = []
    file = write("a\n1\n2\n3\n")
    tables.load_csv("t", file, progress=lambda *step: seen.append(step))
    assert seen == sorted(seen)
    assert seen[-1] == (3, 16, 16)  # read twice, for the types of the new table
    seen.clear()
    tables.load_csv("t", file, progress=lambda *step: seen.append(step))
    assert seen[-1] == (3, 8, 8)


def test_of_very_many_bad_rows_the_first_are_kept(tables: Tables, write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "KEPT_BAD_ROWS", 3)
    report = tables.load_csv("t", write("a,b\n1,2\n" + "x\n" * 10))
    assert (report.rows, report.bad_rows, [row.line for row in report.bad]) == (1, 10, [3, 4, 5])


@pytest.mark.parametrize(
    ("content", "kind", "advice"),
    [
        ("", LoadFailed, "begins with no header row"),
        ("\n1,2\n", LoadFailed, "begins with no header row"),
        (b"\xff\xfea\x00\n\x00", LoadFailed, "UTF-8"),
        ("Review Label,b\n1,2\n", LoadFailed, "write Review_Label"),
        ("1,2\n3,4\n", LoadFailed, "letters, digits and _ alone"),
        ("a,,b\n1,2,3\n", LoadFailed, "write a name"),
        ("a,A\n1,2\n", LoadFailed, "twice"),
        ("a,b\r1,2\r3,4\r", LoadFailed, "with line ends"),
        ("a" * 200_000 + "\n", LoadFailed, "header of .* cannot be read"),
        ('a"); DROP TABLE x; --\n1\n', LoadFailed, "no name of a field"),
        ("ReviewLabel,ReviewTxt\n1,x\n", FieldNotFound, "Did you mean ReviewText"),
    ],
)
def test_a_header_that_cannot_be_used_is_explained(
    reviews: Tables, write, content: str | bytes, kind: type[SqlError], advice: str
) -> None:
    with pytest.raises(kind, match=advice):
        reviews.load_csv("iris.Review", write(content))
    assert reviews.level == 0


def test_where_rows_cannot_go_is_explained(reviews: Tables, write, tmp_path: Path) -> None:
    file = write("ReviewLabel\n1\n")
    reviews.execute("CREATE VIEW v AS SELECT ReviewLabel FROM iris.Review")
    for table, kind, advice in (
        ("Ens_Util.Log", NotAllowed, "table of your own"),
        ("INFORMATION_SCHEMA.TABLES", NotAllowed, "table of your own"),
        ("Ens.Mine", NotAllowed, "table of your own"),
        ("v", LoadFailed, "the table behind it"),
        ("a.b.c", LoadFailed, "schema.table"),
        ('x" (a INTEGER); --', LoadFailed, "letters, digits"),
    ):
        with pytest.raises(kind, match=advice):
            reviews.load_csv(table, file)
    with pytest.raises(LoadFailed, match="Check its name"):
        reviews.load_csv("t", tmp_path / "nowhere.csv")
    with pytest.raises(LoadFailed, match="cannot be read"):
        reviews.load_csv("t", tmp_path)
    with pytest.raises(LoadFailed, match="'append' or 'replace'"):
        reviews.load_csv("t", file, mode="upsert")
    assert reviews.tables() == ["iris.Review", "SQLUser.v"]


def test_a_key_that_is_there_already_is_a_bad_row(tables: Tables, write) -> None:
    tables.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v VARCHAR(9))")
    report = tables.load_csv("t", write("k,v\n1,a\n2,b\n1,c\n3,d\n"))
    assert report.rows == 3
    assert [(row.line, "already there" in row.reason) for row in report.bad] == [(4, True)]
    with pytest.raises(ConstraintFailed):
        tables.execute("INSERT INTO t VALUES (3, 'x')")
