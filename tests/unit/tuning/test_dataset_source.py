"""From a request to a data set: tables and views, files, data sets of a hub."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tuning import BadRequest, BadRows, DatasetUnavailable, dataset, repository, request, source
from unit.inference.hub_server import LocalHub, hub_of
from unit.inference.local_server import Reply, Request

TABLE = {"table": "iris.Review", "columns": "ReviewLabel,ReviewText"}


def read(connection: Any, models: Path, num_labels: int = 2, **fields: object) -> dataset.Dataset:
    return source.read(connection, request.parse(fields, models), num_labels, seed=42)


def test_a_table(reviews: Callable[..., Any], models: Path) -> None:
    data = read(reviews([(n % 2, f"text {n}") for n in range(50)]), models, **TABLE)
    assert data.described() == {
        "table": "iris.Review",
        "columns": ["ReviewLabel", "ReviewText"],
        "read": 50,
        "skipped": {},
        "train": 40,
        "held_out": 10,
    }
    assert next(data.lines()).startswith("50 rows of iris.Review read: 40 to train on, 10 held out; labels 0, 1")


def test_a_view_and_a_draw_that_names_rows_by_their_place(database: Any, models: Path) -> None:
    database.add(
        "iris.Review", ("ReviewLabel", "ReviewText"), [(n % 2, f"t {n}" if n % 10 else None) for n in range(500)]
    )
    database.execute("CREATE TEMP VIEW Good AS SELECT ReviewLabel, ReviewText FROM iris.Review")
    database.execute("INSERT INTO INFORMATION_SCHEMA.TABLES VALUES ('temp', 'Good')")
    for column in ("ReviewLabel", "ReviewText"):
        database.execute("INSERT INTO INFORMATION_SCHEMA.COLUMNS VALUES ('temp', 'Good', ?)", (column,))
    data = read(database, models, table="Good", columns="reviewlabel,reviewtext", limit=100)
    assert data.rows_read == 100
    assert data.origin["drawn"] is True
    assert all(number % 10 == 1 for number in data.skipped_rows["no text"])  # the rows 1, 11, 21, ... of the view
    assert "drawn at random" in next(data.lines())


def test_a_table_that_changes_while_it_is_read(reviews: Callable[..., Any], models: Path) -> None:
    connection = reviews([(n % 2, f"text {n}") for n in range(3_000)])

    cursors: list[Any] = []

    class Watched:
        def cursor(self) -> Any:
            cursor = connection.cursor()
            cursors.append(cursor)
            if len(cursors) == 3:  # the catalogue, the rows, then the count
                connection.execute("INSERT INTO iris.Review VALUES (1, 'late')")
            return cursor

    data = read(Watched(), models, **TABLE)
    assert data.rows_read == 3_000
    assert "iris.Review changed while it was read: 3000 rows came, and it has 3001 now" in data.notes[0]
    assert data.described()["notes"] == list(data.notes)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_gives_what_a_table_gives(
    reviews: Callable[..., Any], models: Path, tmp_path: Path, ending: str
) -> None:
    pairs = [(n % 2, f"text {n}") for n in range(50)]
    file = tmp_path / "misc" / f"reviews.{ending}"
    file.parent.mkdir()
    file.write_bytes(as_file(ending, pairs))
    data = read(None, models, file=f"/irisdev/app/misc/{file.name}", columns="label,text")
    table = read(reviews(pairs), models, **TABLE)
    assert (data.train, data.held_out, data.label_names) == (table.train, table.held_out, table.label_names)
    assert data.described()["file"] == file.name
    drawn = read(None, models, file=f"misc/{file.name}", columns="label,text", limit=20)
    assert drawn.rows_read == 20


def test_a_file_that_changes_while_it_is_read(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "misc" / "reviews.csv"
    file.parent.mkdir()
    file.write_bytes(as_file("csv", [(n % 2, f"text {n}") for n in range(50)]))
    prepare = dataset.prepare

    def slowly(rows: Any, *arguments: Any, **options: Any) -> dataset.Dataset:
        found = prepare(rows, *arguments, **options)
        file.write_bytes(file.read_bytes() + b"1,late\r\n")
        return found

    monkeypatch.setattr(dataset, "prepare", slowly)
    assert (
        "reviews.csv changed while it was read"
        in read(None, models, file="misc/reviews.csv", columns="label,text").notes[0]
    )


def test_a_file_with_lines_that_are_no_rows(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "misc" / "reviews.csv"
    file.parent.mkdir()
    file.write_bytes(as_file("csv", [(n % 2, f"text {n}") for n in range(50)]) + b"1,cut,in three\r\n")
    data = read(None, models, file="misc/reviews.csv", columns="label,text")
    assert data.skipped_rows == {"another number of cells than the header": [51]}


# --- a hub on this machine -----------------------------------------------------------------------


def as_file(ending: str, pairs: list[tuple[int, str]]) -> bytes:
    if ending == "jsonl":
        return "".join(json.dumps({"label": label, "text": text}) + "\n" for label, text in pairs).encode()
    if ending == "csv":
        written = io.StringIO()
        csv.writer(written).writerows([("label", "text"), *pairs])
        return written.getvalue().encode()
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    sink = io.BytesIO()
    labels, texts = zip(*pairs, strict=True)
    parquet.write_table(pyarrow.table({"label": labels, "text": texts}), sink)
    return sink.getvalue()


PAIRS = [(n % 2, f"text {n}") for n in range(60)]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalHub]:
    """A hub with the data set acme/reviews; its paths are those of a model but for one word."""
    files = {
        "README.md": b"# a data set",
        "data/train-00000-of-00002.parquet": as_file("parquet", PAIRS[:30]),
        "data/train-00001-of-00002.parquet": as_file("parquet", PAIRS[30:]),
        "data/test-00000-of-00001.parquet": as_file("parquet", PAIRS[:9]),
        "train.csv": as_file("csv", PAIRS[:5]),
        "load.py": b"raise SystemExit('never run')",
    }
    with hub_of("acme/reviews", files) as local:
        answer = local.hub.answer

        def as_model(asked: Request) -> Reply:
            path = asked.path.replace("/api/datasets/", "/api/models/").replace("/datasets/", "/")
            return answer(Request(asked.method, path, asked.headers, asked.body))

        local.hub.answer = as_model
        monkeypatch.setenv("HF_ENDPOINT", local.hub.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield local


def test_a_data_set_of_a_hub(hub: LocalHub, models: Path) -> None:
    lines: list[str] = []
    asked = request.parse({"dataset": "acme/reviews", "columns": "label,text"}, models)
    data = source.read(None, asked, 2, seed=42, log=lines.append)
    assert data.rows_read == 60
    assert data.origin == {
        "dataset": "acme/reviews",
        "split": "train",
        "commit": hub.commit(),
        "columns": ["label", "text"],
    }
    assert lines == [f"Reading 2 files of the data set acme/reviews at {hub.commit()[:12]}."]
    asked_for = len([one for one in hub.hub.requests if one.path.endswith(".parquet")])
    assert read(None, models, dataset="acme/reviews", columns="label,text").sha256 == data.sha256
    again = [one for one in hub.hub.requests if one.path.endswith(".parquet")][asked_for:]
    assert not [one for one in again if one.method == "GET"]  # the cache has the files
    assert read(None, models, dataset="acme/reviews", dataset_split="test", columns="label,text").rows_read == 9


@pytest.mark.parametrize(
    ("fields", "change", "words"),
    [
        ({"dataset": "acme/nothing"}, {}, "no such data set, or it is private"),
        ({"dataset_revision": "v9"}, {}, "no revision 'v9'"),
        ({}, {"gated": True}, "accept terms"),
    ],
)
def test_a_hub_that_refuses(
    hub: LocalHub, models: Path, fields: dict[str, str], change: dict[str, Any], words: str
) -> None:
    for name, value in change.items():
        setattr(hub, name, value)
    with pytest.raises(DatasetUnavailable, match=words):
        read(None, models, **{"dataset": "acme/reviews", "columns": "label,text", **fields})


def test_a_hub_that_is_not_there(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetUnavailable, match="Check the network and HF_ENDPOINT"):
        read(None, models, dataset="acme/reviews", columns="label,text")


NAMES = ["README.md", "mrpc/train.parquet", "mrpc/test.parquet", "sst2/train-00.parquet", "sst2/train.jsonl"]


@pytest.mark.parametrize(
    ("names", "split", "subset", "chosen"),
    [
        (NAMES, "train", "sst2", ["sst2/train-00.parquet"]),
        (NAMES, "test", None, ["mrpc/test.parquet"]),
        (["b.csv", "a.csv"], "train", None, ["a.csv", "b.csv"]),
        (["train/b.csv", "train/a.csv", "test/a.csv"], "train", None, ["train/a.csv", "train/b.csv"]),
        (["training_notes.txt", "my_train_set.csv"], "train", None, ["my_train_set.csv"]),
        (["restrained.csv"], "train", None, ["restrained.csv"]),
    ],
)
def test_the_files_of_a_split(names: list[str], split: str, subset: str | None, chosen: list[str]) -> None:
    assert repository.choose(names, "acme/reviews", split, subset) == chosen


@pytest.mark.parametrize(
    ("names", "split", "subset", "words"),
    [
        (NAMES, "train", None, "Set dataset_subset to one of mrpc, sst2"),
        (NAMES, "train", "cola", "no subset 'cola'"),
        (NAMES, "validation", None, "Set dataset_split to one of train, test"),
        (["README.md", "load.py"], "train", None, "a script, which is not run"),
        ([".csv"], "train", None, "no Parquet, CSV or JSON file"),
    ],
)
def test_files_that_leave_a_question(names: list[str], split: str, subset: str | None, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        repository.choose(names, "acme/reviews", split, subset)


def test_reading_needs_little_memory(tmp_path: Path) -> None:
    """30,000 rows of 700 letters, 21 MB: a process that reads them grows by little more than that."""
    code = f"""
import resource, sys
sys.path[:0] = {sys.path!r}
from tuning import dataset, files
rows = ((n % 5, f"{{n}} " + "x" * 700) for n in range(100))
dataset.prepare(rows, 5, 0.8, 42)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = ((n % 5, f"{{n}} " + "x" * 700) for n in range(30_000))
data = dataset.prepare(rows, 5, 0.8, 42)
data.sha256
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    grown_kib = int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert grown_kib < 50_000


def test_rows_that_give_nothing(reviews: Callable[..., Any], models: Path) -> None:
    with pytest.raises(BadRows, match="0 usable rows"):
        read(reviews([]), models, **TABLE)
