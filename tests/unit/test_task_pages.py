"""Every task has its page, and the page says what docs/tasks.md says; that the answers are so is tested with the rows."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("taskpages", ROOT / "scripts" / "taskpages.py")
taskpages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(taskpages)

ROWS = taskpages.rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names[0])
def test_a_page_says_what_its_row_says(row: taskpages.Row) -> None:
    page = row.file.read_text(encoding="utf-8")
    assert page == taskpages.render(row, taskpages.example_of(page)), "run: python scripts/taskpages.py"


def test_every_row_has_a_page_and_every_page_a_link() -> None:
    pages = sorted(file.name for file in taskpages.FOLDER.iterdir())
    assert pages == sorted(row.file.name for row in ROWS)
    links = re.findall(r"\]\(tasks/([^)]+)\)", taskpages.PAGE.read_text(encoding="utf-8"))
    assert sorted(links) == pages


def test_shapes_are_compared_and_not_numbers() -> None:
    shape = taskpages.shape
    assert shape({"a": [1, 2], "b": "x"}) == shape({"a": [3.5], "b": "y"})
    assert shape({"a": 1}) != shape({"a": "1"})
    assert shape({"a": 1}) != shape({"b": 1})
