"""Tables and columns are found in the catalogue, and only its spelling reaches the SQL."""

from typing import Any

import pytest

from tuning import ColumnNotFound, TableNotFound, table

COLUMNS = ("ReviewLabel", "ReviewText")


@pytest.fixture
def connection(database: Any) -> Any:
    rows = [(number % 5 + 1, f"text {number}") for number in range(2_500)]
    return database.add("iris.Review", COLUMNS, rows).add("shop.Order", ("Id", 'odd "name"'), [(1, "x")])


@pytest.mark.parametrize("name", ["iris.Review", "IRIS.REVIEW", "review"])
def test_names_are_found_whatever_their_case(connection: Any, name: str) -> None:
    found = table.find_table(connection, name)
    assert str(found) == "iris.Review"
    assert found.columns == COLUMNS
    assert found.column("REVIEWTEXT") == "ReviewText"


def test_every_row_is_read_in_order_without_a_limit(connection: Any) -> None:
    found = table.find_table(connection, "iris.Review")
    rows = table.read_rows(connection, found, COLUMNS, None, seed=42)
    assert rows == [(number % 5 + 1, f"text {number}") for number in range(2_500)]


def test_a_limit_draws_from_the_whole_table_and_repeats_itself(connection: Any) -> None:
    found = table.find_table(connection, "iris.Review")
    texts = [text for (text,) in table.read_rows(connection, found, ["reviewtext"], 200, seed=42)]
    numbers = [int(text.split()[1]) for text in texts]
    assert len(set(numbers)) == 200
    assert all(30 < sum(low <= number < low + 625 for number in numbers) < 70 for low in range(0, 2_500, 625))
    assert table.read_rows(connection, found, ["reviewtext"], 200, seed=42) == [(text,) for text in texts]
    assert table.read_rows(connection, found, ["reviewtext"], 200, seed=7) != [(text,) for text in texts]
    assert len(table.read_rows(connection, found, ["reviewtext"], 9_999, seed=42)) == 2_500


def test_odd_names_of_the_catalogue_are_quoted(connection: Any) -> None:
    found = table.find_table(connection, "shop.Order")
    assert table.read_rows(connection, found, ['odd "name"'], 1, seed=42) == [("x",)]


def test_an_unknown_table_names_its_neighbours(connection: Any) -> None:
    with pytest.raises(TableNotFound, match=r"Did you mean iris\.Review"):
        table.find_table(connection, "iris.Reviews")
    with pytest.raises(TableNotFound, match=r"Name one of iris\.Review, shop\.Order"):
        table.find_table(connection, "sales.Cars")


def test_a_database_without_tables_says_so(database: Any) -> None:
    with pytest.raises(TableNotFound, match="nor any other"):
        table.find_table(database, "iris.Review")


def test_an_unknown_column_names_the_columns(connection: Any) -> None:
    with pytest.raises(ColumnNotFound, match="Its columns are ReviewLabel, ReviewText"):
        table.find_table(connection, "iris.Review").column("Stars")


def test_a_name_of_several_tables_wants_a_schema_unless_one_is_in_the_default(connection: Any) -> None:
    connection.add("archive.Review", COLUMNS, [])
    with pytest.raises(TableNotFound, match=r"several tables: iris\.Review, archive\.Review"):
        table.find_table(connection, "Review")
    connection.add("SQLUser.Review", COLUMNS, [])
    assert str(table.find_table(connection, "Review")) == "SQLUser.Review"


def test_rows_come_in_batches_and_can_be_counted(connection: Any) -> None:
    found = table.find_table(connection, "iris.Review")
    rows = table.stream(connection, found, COLUMNS)
    assert next(rows) == (1, "text 0")
    assert table.count_rows(connection, found) == 2_500
    assert sum(1 for _ in rows) == 2_499
    assert len(list(table.stream(connection, found, COLUMNS, at_most=7))) == 7


def test_a_name_of_two_columns_must_be_spelled_exactly() -> None:
    assert table.spelled("text", ["Text", "text"], "a.csv") == "text"
    with pytest.raises(ColumnNotFound, match="2 columns called 'TEXT'"):
        table.spelled("TEXT", ["Text", "text"], "a.csv")
