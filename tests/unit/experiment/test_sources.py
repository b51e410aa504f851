"""Where records come from, how they are joined with labels, and how they are split."""

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from experiment import making, reconciliation, sources
from experiment.errors import RecordsUnusable, SourceUnreadable, TableUnknown, TextUnreadable
from experiment.functions import FILE, Config, Functions
from experiment.records import Watch
from experiment.settings import Settings
from experiment.storage import Store
from unit.experiment.folders import set_keys
from unit.experiment.pdfs import pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"text {n},{n % 3}\n" for n in range(300)))
    return making.new(tmp_path / "EXP-1", making.Source(files=(str(tmp_path / "rows.csv"),)))


def records(folder: Path, connection: Any = None, **keys: str) -> list[dict[str, Any]]:
    set_keys(folder, **keys)
    return list(sources.records(Config(Settings.load(folder), connection=connection)))


def collect(folder: Path, **keys: str) -> dict[str, Any]:
    set_keys(folder, **keys)
    settings = Settings.load(folder)
    watch = Watch(Store(str(folder)), "step")
    return reconciliation.run(Functions(folder / FILE), Config(settings), folder / "out", watch)


def test_rows_of_csv_tsv_jsonl_and_parquet_are_the_same(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    (folder / "a.tsv").write_text("text\tlabel\nfine\tgood\n")
    (folder / "a.jsonl").write_text('{"text": "fine", "label": "good"}\n\n')
    parquet.write_table(pa.table({"text": ["fine"], "label": ["good"]}), folder / "a.parquet")
    (folder / "a.csv").write_text('\ufefftext,label\n"fine",good\n')
    for name in ("a.tsv", "a.jsonl", "a.parquet", "a.csv"):
        assert records(folder, FILES=name) == [{"id": "1", "text": "fine", "label": "good"}]


def test_documents_are_labelled_by_their_folders(folder: Path) -> None:
    for label in ("letter", "bill"):
        (folder / "docs" / label).mkdir(parents=True)
    (folder / "docs/letter/one.pdf").write_bytes(pdf(["Dear Sir", "Yours"]))
    (folder / "docs/bill/two.html").write_text("<p>You owe us <b>ten</b></p>")
    found = records(folder, FILES="docs/**/*.*", LABELS_FILE="folders")
    assert [(one["id"], one["label"]) for one in found] == [("bill/two.html", "bill"), ("letter/one.pdf", "letter")]
    assert "owe us ten" in found[0]["text"] and found[1]["text"].index("Dear") < found[1]["text"].index("Yours")


def test_a_damaged_document_is_named(folder: Path) -> None:
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 and no more")
    with pytest.raises(TextUnreadable, match=r"bad\.pdf"):
        records(folder, FILES="bad.pdf", LABELS_FILE="folders")


def test_labels_are_joined_by_id(folder: Path) -> None:
    (folder / "rows.csv").write_text("id,text\na,one\nb,two\nc,three\n")
    (folder / "labels.csv").write_text("label,id\ngood,b\nbad,a\n,c\n")
    found = records(folder, FILES="rows.csv", ID_COLUMN="id", LABELS_FILE="labels.csv")
    assert [(one["id"], one["text"], one["label"]) for one in found] == [("a", "one", "bad"), ("b", "two", "good")]
    (folder / "labels.csv").write_text("label,id\ngood,b\nbad,b\n")
    with pytest.raises(RecordsUnusable, match="gives b two labels"):
        records(folder)


def test_a_table_of_an_sqlite_file(folder: Path) -> None:
    base = sqlite3.connect(folder / "some.db")
    base.execute('CREATE TABLE "Many Words" (Id INTEGER, Body TEXT)')
    base.execute("CREATE TABLE Marks (Id INTEGER, Mark TEXT)")
    base.executemany('INSERT INTO "Many Words" VALUES (?, ?)', [(1, "one"), (2, "two")])
    base.executemany("INSERT INTO Marks VALUES (?, ?)", [(1, "a"), (2, "b")])
    base.commit()
    base.close()
    keys = {"FILES": "", "TABLE": "many words", "DATABASE": "some.db", "TEXT_COLUMN": "body", "ID_COLUMN": "id",
            "LABELS_TABLE": "marks", "LABEL_COLUMN": "mark"}  # fmt: skip
    assert records(folder, **keys) == [
        {"id": "1", "text": "one", "label": "a"},
        {"id": "2", "text": "two", "label": "b"},
    ]
    with pytest.raises(TableUnknown, match="Did you mean Marks"):
        records(folder, LABELS_TABLE="markss")
    with pytest.raises(TableUnknown, match="has no column 'grade'"):
        records(folder, LABELS_TABLE="marks", LABEL_COLUMN="grade")


def test_a_table_of_the_namespace(folder: Path, tmp_path: Path) -> None:
    from evergreen import NamespaceTables

    home = tmp_path / "home"
    home.mkdir()
    tables = NamespaceTables(home)
    cursor = tables.cursor()
    cursor.execute("CREATE TABLE iris.Review (ReviewLabel INTEGER, ReviewText VARCHAR(100))")
    cursor = tables.cursor()
    cursor.execute("INSERT INTO iris.Review VALUES (?, ?)", [4, "quite good"])
    keys = {"FILES": "", "TABLE": "iris.Review", "TEXT_COLUMN": "reviewtext", "LABEL_COLUMN": "REVIEWLABEL"}
    assert records(folder, tables, **keys) == [{"id": "1", "text": "quite good", "label": 4}]
    with pytest.raises(TableUnknown, match=r"Did you mean iris\.Review"):
        records(folder, tables, TABLE="iris.Reviews")
    with pytest.raises(SourceUnreadable, match="no connection"):
        records(folder, None, TABLE="iris.Review")


def test_a_fingerprint_changes_with_every_byte(folder: Path) -> None:
    config = Config(Settings.load(folder))
    first = sources.fingerprint(config)
    assert sources.fingerprint(config) == first
    file = folder.parent / "rows.csv"
    file.write_text(file.read_text().replace("text 299,2", "text 299,1"))
    assert sources.fingerprint(config) != first


def test_parts_are_stratified_and_stay(folder: Path) -> None:
    found = collect(folder, TEST_SHARE="0.2", VALIDATION_SHARE="0.1")
    assert found["rows"] == {"train": 210, "validation": 30, "test": 60}
    assert all(set(part.values()) <= {70, 10, 20} for part in found["rows_by_label"].values())
    before = {one["id"]: one["split"] for one in reconciliation.read(folder / "out")}
    file = folder.parent / "rows.csv"
    file.write_text(file.read_text() + "".join(f"more {n},{n % 3}\n" for n in range(30)))
    collect(folder)
    after = {one["id"]: one["split"] for one in reconciliation.read(folder / "out")}
    moved = Counter(before[one] != after[one] for one in before)
    assert moved[True] <= 0.05 * len(before)


def test_the_same_text_is_never_in_two_parts(folder: Path) -> None:
    rows = "".join(f"text {n % 50},{n % 50 % 2}\n" for n in range(500))
    (folder.parent / "rows.csv").write_text("text,label\n" + rows)
    collect(folder)
    parts: dict[str, set[str]] = {}
    for one in reconciliation.read(folder / "out"):
        parts.setdefault(one["text"], set()).add(one["split"])
    assert len(parts) == 50 and all(len(found) == 1 for found in parts.values())


def test_files_of_the_test_set(folder: Path) -> None:
    (folder / "test.csv").write_text("text,label\ntext 1,1\nnew one,2\n")
    found = collect(folder, TEST_FILES="test.csv", TEST_SHARE="0")
    assert [one["text"] for one in reconciliation.read(folder / "out", "test")] == ["text 1", "new one"]
    # What the test set has too is not trained on.
    assert found["left_out"] == {"the text of a test record": 1}
    assert found["rows"]["train"] + found["rows"]["validation"] == 299


def test_a_quick_look_takes_few_of_each(folder: Path) -> None:
    assert sum(collect(folder, MAX_ROWS="30")["rows"].values()) == 30
    (folder / "a.csv").write_text("text,label\n" + "".join(f"new {n},{n % 3}\n" for n in range(50)))
    found = collect(folder, TEST_FILES="a.csv", MAX_ROWS="40")
    assert found["rows"]["test"] == found["rows"]["train"] + found["rows"]["validation"] == 40


def test_what_is_left_out_is_told(folder: Path) -> None:
    (folder.parent / "rows.csv").write_text(
        "text,label\na,1\n,1\nb,\na,2\nc,2\n" + "".join(f"d{n},{n % 2}\n" for n in range(50))
    )
    found = collect(folder)
    assert found["left_out"] == {"no text": 1, "no label": 1, "the text of another record, with another label": 1}


def test_labels_are_in_order() -> None:
    assert reconciliation.in_order({"10", "9", "b", "a", "-1"}) == ["-1", "9", "10", "a", "b"]
