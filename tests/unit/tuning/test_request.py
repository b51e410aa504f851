"""The fields of a TrainRequest are checked before anything else happens."""

from pathlib import Path

import pytest

import paths
from tuning import BadRequest, request

GOOD = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review"}


def test_defaults(models: Path) -> None:
    asked = request.parse({**GOOD, "limit": None, "output_dir": None}, models)
    assert (asked.table, asked.label_column, asked.text_column) == ("iris.Review", "ReviewLabel", "ReviewText")
    assert (asked.limit, asked.train_share, asked.output_dir) == (None, 0.8, models / "checkpoints")
    assert (asked.arguments, asked.notes) == ({}, ())


def test_values_may_be_text(models: Path) -> None:
    fields = {"columns": ' "Label" , Text ', "table": '"iris"."Review"', "limit": "20", "p_of_train": "0.75"}
    asked = request.parse({**fields, "learning_rate": "1e-4"}, models)
    assert (asked.table, asked.label_column, asked.text_column) == ("iris.Review", "Label", "Text")
    assert (asked.limit, asked.train_share, asked.arguments) == (20, 0.75, {"learning_rate": 1e-4})


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("columns", None, "two different columns"),
        ("columns", "ReviewLabel", "two different columns"),
        ("columns", "a,b,B", "two different columns"),
        ("columns", "a,b,", "no name of a column"),
        ("text_columns", "both", '"pair"'),
        ("text_columns", "pair", "names 1 text\\."),
        ("file", "misc/reviews.csv", "one place"),
        ("dataset", "a/b", "one place"),
        ("dataset_split", "test", "goes with dataset"),
        ("columns", "ReviewText,reviewtext", "two different columns"),
        ("columns", "ReviewLabel,ReviewText FROM iris.Review; DROP TABLE iris.Review --", "no name of a column"),
        ("columns", 'ReviewLabel,x" FROM y--', "no name of a column"),
        ("columns", "ReviewLabel,(SELECT Password)", "no name of a column"),
        ("columns", "1,2", "no name of a column"),
        ("table", None, "no name of a table"),
        ("table", "iris.Review; DROP TABLE iris.Review", "no name of a table"),
        ("table", "a.b.c", "no name of a table"),
        ("limit", 0, "at least 1"),
        ("limit", "all", "whole number"),
        ("limit", 2.5, "whole number"),
        ("limit", True, "whole number"),
        ("p_of_train", 0, "above 0 and below 1"),
        ("p_of_train", 1, "above 0 and below 1"),
        ("p_of_train", "1.0", "above 0 and below 1"),
        ("p_of_train", "most", "above 0 and below 1"),
        ("output_dir", "/irisdev/app/src/model/bert-base-cased/checkpoints", "model folder"),
        ("deepspeed", {"a": 1}, None),
    ],
)
def test_a_field_that_cannot_be_used(models: Path, field: str, value: object, words: str | None) -> None:
    if words is None:
        assert request.parse({**GOOD, field: value}, models).arguments == {field: value}
        return
    with pytest.raises(BadRequest, match=words):
        request.parse({**GOOD, field: value}, models)


@pytest.mark.parametrize("field", ["output_dir", "deepspeed", "resume_from_checkpoint"])
@pytest.mark.parametrize("path", ["/etc", "/irisdev/app/src/model/../../.."])
def test_a_path_outside_the_allowed_folders(models: Path, field: str, path: str) -> None:
    with pytest.raises(paths.PathNotAllowed, match="outside the allowed folders"):
        request.parse({**GOOD, field: path}, models)


def test_the_containers_path_means_the_project(models: Path) -> None:
    asked = request.parse({**GOOD, "output_dir": "/irisdev/app/src/model/checkpoints"}, models)
    assert asked.output_dir == models / "checkpoints"


@pytest.mark.parametrize(
    ("columns", "said", "joined", "paired"),
    [
        ("Label,Text", None, False, False),
        ("Label,Text", "joined", False, False),
        ("Label,Question,Answer", None, False, True),
        ("Label,Question,Answer", "pair", False, True),
        ("Label,Title,Text", "joined", True, False),
        ("Label,Title,Text,Author", None, True, False),
    ],
)
def test_several_texts_are_a_pair_or_joined(
    models: Path, columns: str, said: str | None, joined: bool, paired: bool
) -> None:
    asked = request.parse({**GOOD, "columns": columns, "text_columns": said}, models)
    assert (asked.columns, asked.joined, asked.paired) == (tuple(columns.split(",")), joined, paired)


def test_a_pair_is_two_texts(models: Path) -> None:
    with pytest.raises(BadRequest, match="names 3 texts"):
        request.parse({**GOOD, "columns": "a,b,c,d", "text_columns": "pair"}, models)


def test_rows_from_a_file(models: Path, tmp_path: Path) -> None:
    misc = tmp_path / "misc"
    misc.mkdir()
    (misc / "reviews.csv").write_text("label,text of it\n1,x\n")
    asked = request.parse({"file": "/irisdev/app/misc/reviews.csv", "columns": ["label", "text of it"]}, models)
    assert (asked.source, asked.file, asked.columns) == ("file", misc / "reviews.csv", ("label", "text of it"))
    assert asked.table == ""
    for file, words in (("misc/none.csv", "There is no file"), ("misc/reviews.xlsx", r"\.csv, \.parquet")):
        with pytest.raises(BadRequest, match=words):
            request.parse({"file": file, "columns": "a,b"}, models)
    for file in ("/etc/passwd", "misc/../../secret.csv", "misc/x\0.csv"):
        with pytest.raises(paths.PathNotAllowed):
            request.parse({"file": file, "columns": "a,b"}, models)


def test_rows_from_a_data_set_of_the_hub(models: Path) -> None:
    asked = request.parse({"dataset": "stanford/sst", "table": "", "columns": "label,text"}, models)
    assert (asked.source, asked.dataset, asked.dataset_split) == ("dataset", "stanford/sst", "train")
    assert (asked.dataset_subset, asked.dataset_revision) == (None, None)
    fields = {"dataset_split": "test", "dataset_subset": "sst2", "dataset_revision": "refs/pr/1"}
    asked = request.parse({"dataset": "glue", "columns": "label,text", **fields}, models)
    assert (asked.dataset_split, asked.dataset_subset, asked.dataset_revision) == ("test", "sst2", "refs/pr/1")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "../etc"),
        ("dataset", "https://example.org/a/b"),
        ("dataset", "a/b/c"),
        ("dataset", "a/..b"),
        ("dataset_split", "../train"),
        ("dataset_split", "train[:10%]"),
        ("dataset_subset", "a/b"),
        ("dataset_subset", ".."),
        ("dataset_revision", "../main"),
        ("dataset_revision", "main?x=1"),
    ],
)
def test_a_data_set_that_cannot_be_meant(models: Path, field: str, value: str) -> None:
    with pytest.raises(BadRequest, match="Give"):
        request.parse({"dataset": "a/b", "columns": "label,text", field: value}, models)


@pytest.mark.parametrize(
    "name",
    [
        *request.SOURCES,
        "columns",
        "dataset_split",
        "dataset_subset",
        "dataset_revision",
        "text_columns",
        "limit",
        "p_of_train",
    ],
)
def test_every_field_of_the_rows_is_on_the_page(name: str) -> None:
    assert name in request.OWN_FIELDS
    page = (Path(__file__).parents[3] / "docs" / "tuning-data.md").read_text()
    assert f"`{name}`" in page or f'"{name}": ' in page
