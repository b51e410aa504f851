"""Rows of files: what is there, what is odd, what is broken."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuning import ColumnNotFound, FileUnreadable, files

try:
    import pyarrow
    from pyarrow import parquet
except ImportError:  # Parquet is an option
    pyarrow = None
with_parquet = pytest.mark.skipif(pyarrow is None, reason="pyarrow is not installed")


def rows(path: Path, *columns: str) -> list[files.Row]:
    return list(files.read(path, columns or ("label", "text")))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_as_people_save_it(tmp_path: Path, delimiter: str, encoding: str) -> None:
    lines = ["id,Label,Text", '1,5,"two,\nlines, and ""quotes"""', "", "2,1,ä", "3,4", "4,,"]
    text = "\r\n".join(lines).replace(",", delimiter)
    (tmp_path / "a.csv").write_text(text, encoding=encoding, newline="")
    odd = files.Unusable("another number of cells than the header")
    first = 'two,\nlines, and "quotes"'.replace(",", delimiter)
    assert rows(tmp_path / "a.csv") == [("5", first), ("1", "ä"), odd, ("", "")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))),
        max_size=9,
    )
)
def test_what_pythons_writer_writes_is_read(tmp_path_factory: pytest.TempPathFactory, pairs: list) -> None:
    import csv

    path = tmp_path_factory.mktemp("written") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *pairs])
    assert rows(path) == [(str(label), text) for label, text in pairs]


def test_json_lines_and_one_array(tmp_path: Path) -> None:
    objects = [{"Label": 1, "text": "a"}, {"text": "b"}, 7, {"Label": "2", "text": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, objects)) + "\n\n{broken\n")
    (tmp_path / "a.json").write_text(json.dumps(objects, indent=1))
    odd = files.Unusable("a line that is no JSON object")
    expected = [(1, "a"), (None, "b"), odd, ("2", None)]
    assert rows(tmp_path / "a.jsonl") == [*expected, odd]
    assert rows(tmp_path / "a.json") == expected


@with_parquet
def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    table = pyarrow.table(
        {"text": [f"text {n}" for n in range(2_500)] + [None], "label": [n % 5 for n in range(2_501)]}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    found = rows(tmp_path / "a.parquet", "LABEL", "Text")
    assert found[2_499:] == [(4, "text 2499"), (0, None)]
    assert len(found) == 2_501


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"label,text\n1,\xff\xfe\n", "encoding UTF-8"),
        ("a.csv", b'label,text\n1,"never ends\n2,b\n', "line 3.*quotation mark"),
        ("a.csv", b"label,text\n1," + b"x" * 200_000, "line 2.*field larger"),
        ("a.json", b'[{"label": 1', "no JSON"),
        pytest.param("a.parquet", b"PAR1 and no more", "no whole Parquet file", marks=with_parquet),
        pytest.param("a.parquet", b"", "no whole Parquet file", marks=with_parquet),
        ("a.txt", b"label,text\n", r"ends in \.csv, \.parquet"),
    ],
)
def test_a_broken_file_is_an_error_that_says_what_to_do(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileUnreadable, match=words):
        rows(tmp_path / name)


@with_parquet
def test_a_file_that_is_gone_or_cut_off(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="cannot be read"):
        rows(tmp_path / "none.csv")
    parquet.write_table(pyarrow.table({"label": [1] * 5_000, "text": ["a"] * 5_000}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileUnreadable, match="Write or copy it again"):
        rows(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", ["", "text,stars\na,1\n"])
def test_a_column_that_is_not_there(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ColumnNotFound, match=r"a\.csv has no column 'label'"):
        rows(tmp_path / "a.csv")


def test_without_pyarrow_a_parquet_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(FileUnreadable, match=r"pip install 'evergreen\[tuning\]'"):
        rows(tmp_path / "a.parquet")
