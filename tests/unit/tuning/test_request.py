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
        ("columns", "a,b,c", "two different columns"),
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
