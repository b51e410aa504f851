"""The room SQL: tables, statements, pages of rows, exports, imports; everything is text."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.conftest import Desk

MARKUP = "<img src=x onerror=\"document.title='broken in'\">"


@pytest.fixture(autouse=True)
def rows(desk: Desk) -> Iterator[None]:
    tables = desk.director.tables
    tables.execute("CREATE TABLE Shop.Item (Name VARCHAR(80), Count INTEGER)")
    with tables.transaction():
        for number in range(230):
            tables.execute("INSERT INTO Shop.Item VALUES (?, ?)", [f"tea {number}", number])
        tables.execute("INSERT INTO Shop.Item VALUES (?, NULL)", [MARKUP])
    yield
    for name in tables.tables():
        tables.execute(f"DROP TABLE {name}")


def run(page: Page, text: str) -> Locator:
    """Type and run a statement. Returns the region of its rows."""
    page.get_by_role("textbox", name="Statement").fill(text)
    page.get_by_role("button", name="Run", exact=True).click()
    return page.get_by_role("region", name="Rows", exact=True)


def test_tables_are_found_and_their_rows_turned_by_the_page(page: Page) -> None:
    page.goto("/sql")
    expect(page.get_by_role("textbox", name="Statement")).to_have_value("SELECT TOP 100 * FROM Shop.Item")
    page.get_by_label("Find a table or field").fill("count")
    table = page.locator("details.sql-table")
    expect(table).to_have_count(1)
    expect(table).to_contain_text("Name VARCHAR(80)")
    shown = run(page, "SELECT Name, Count FROM Shop.Item ORDER BY Count")
    expect(page.get_by_text("Rows 1 to 100 of 231")).to_be_visible()
    expect(shown.locator("tbody tr").first).to_contain_text("1<img src=x")
    expect(shown.locator("td.nothing").first).to_have_text("NULL")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Rows 101 to 200 of 231")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("Rows 201 to 231 of 231")).to_be_visible()
    expect(shown.locator("tbody tr").last).to_contain_text("tea 229")
    assert page.locator("img[src=x]").count() == 0 and "broken in" not in page.title()


def test_errors_teach_and_changes_are_asked_for(page: Page, desk: Desk) -> None:
    page.goto("/sql")
    run(page, "SELECT * FROM Shop.Itm")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean Shop.Item?")
    run(page, "DELETE FROM Shop.Item WHERE Count < 5")
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    assert list(desk.director.tables.execute("SELECT COUNT(*) FROM Shop.Item")) == [(231,)]
    run(page, "DELETE FROM Shop.Item WHERE Count < 5")
    page.get_by_role("dialog").get_by_role("button", name="Run it").click()
    expect(page.get_by_text("5 rows were changed")).to_be_visible()
    entry = desk.director.audit.entries(1)[0]
    assert (entry.action, entry.detail, entry.via) == ("Run a SQL statement", "DELETE: 5 rows changed", "portal")


def test_a_long_statement_is_cancelled(page: Page) -> None:
    page.goto("/sql")
    run(page, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c")
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("was cancelled")


@pytest.mark.parametrize("form", ["JSON lines", "CSV", "Parquet"])
def test_rows_are_exported(page: Page, form: str) -> None:
    page.goto("/sql")
    page.get_by_role("textbox", name="Statement").fill("SELECT Name, Count FROM Shop.Item WHERE Count = 7")
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Export as {form}").click()
    content = Path(download.value.path()).read_bytes()
    if form == "Parquet":
        assert content.startswith(b"PAR1")
    elif form == "CSV":
        assert content.splitlines() == [b"Name,Count", b"tea 7,7"]
    else:
        assert json.loads(content) == {"Name": "tea 7", "Count": 7}


def test_a_file_is_imported_with_chosen_types(page: Page, desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "new items.csv"
    file.write_text(f'Name,Count\nmilk,1\n"{MARKUP.replace(chr(34), chr(34) * 2)}",2\nodd,1,2\n')
    page.goto("/sql")
    page.get_by_role("button", name="Import a file").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(file)
    expect(dialog.get_by_label("Table", exact=True)).to_have_value("SQLUser.new_items")
    expect(dialog.get_by_text("Line 4: 3 fields")).to_be_visible()
    dialog.get_by_label("Table", exact=True).fill("Shop.Fresh")
    dialog.get_by_role("combobox", name="Count").click()
    page.get_by_role("option", name="BIGINT").click()
    dialog.get_by_role("button", name="Load").click()
    expect(dialog.get_by_text("2 rows; 1 were left out")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    columns = {column.name: column.type for column in desk.director.tables.columns("Shop.Fresh")}
    assert columns == {"Name": "VARCHAR(32000)", "Count": "BIGINT"}
    assert page.locator("img[src=x]").count() == 0 and "broken in" not in page.title()


def test_control_enter_runs(page: Page) -> None:
    page.goto("/sql?statement=SELECT 1 %2B 1 AS Two")
    page.get_by_role("textbox", name="Statement").press("Control+Enter")
    expect(page.get_by_role("region", name="Rows", exact=True).locator("td").last).to_have_text("2")
