"""What the tests of `tuning` share: a database that looks like IRIS from outside, and folders with tiny models."""

import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import tiny_models

Rows = Iterable[tuple[object, object]]


class IrisCursor(sqlite3.Cursor):
    """SQLite that understands `SELECT TOP n`."""

    def execute(self, sql: str, parameters: Any = ()) -> "IrisCursor":
        top = re.match(r"SELECT TOP (\d+) ", sql)
        super().execute(f"SELECT {sql[top.end() :]} LIMIT {top[1]}" if top else sql, parameters)
        return self


class IrisConnection(sqlite3.Connection):
    """A database with the schemas of `tables` and a catalogue of them."""

    def __init__(self) -> None:
        super().__init__(":memory:", check_same_thread=False)
        self.execute("ATTACH ':memory:' AS INFORMATION_SCHEMA")
        self.execute("CREATE TABLE INFORMATION_SCHEMA.TABLES (TABLE_SCHEMA, TABLE_NAME)")
        self.execute("CREATE TABLE INFORMATION_SCHEMA.COLUMNS (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME)")
        self._schemas: set[str] = set()

    def cursor(self, factory: Any = IrisCursor) -> Any:
        return super().cursor(factory)

    def add(self, table: str, columns: tuple[str, str], rows: Rows) -> "IrisConnection":
        schema, name = table.split(".")
        if schema not in self._schemas:
            self.execute(f"ATTACH ':memory:' AS \"{schema}\"")
            self._schemas.add(schema)
        names = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        self.execute(f'CREATE TABLE "{schema}"."{name}" ({names})')
        self.executemany(f'INSERT INTO "{schema}"."{name}" VALUES (?, ?)', rows)
        self.execute("INSERT INTO INFORMATION_SCHEMA.TABLES VALUES (?, ?)", (schema, name))
        for column in columns:
            self.execute("INSERT INTO INFORMATION_SCHEMA.COLUMNS VALUES (?, ?, ?)", (schema, name, column))
        return self


@pytest.fixture
def database() -> IrisConnection:
    """An empty database; `add` puts tables into it."""
    return IrisConnection()


@pytest.fixture
def reviews() -> Callable[[Rows], IrisConnection]:
    """Makes a database whose `iris.Review` holds the given rows of ReviewLabel and ReviewText."""
    return lambda rows: IrisConnection().add("iris.Review", ("ReviewLabel", "ReviewText"), rows)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model, built once; not to be changed."""
    built: dict[str, Path] = {}

    def build(kind: str) -> Path:
        if kind not in built:
            built[kind] = tiny_models.build(kind, tmp_path_factory.mktemp(kind) / kind)
        return built[kind]

    return build


@pytest.fixture
def models(tmp_path: Path, tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models' folder of a project of its own, with the champion `bert-base-cased`."""
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    monkeypatch.delenv("EVERGREEN_ALLOWED_PATHS", raising=False)
    root = tmp_path / "src" / "model"
    shutil.copytree(tiny("bert-base-cased"), root / "bert-base-cased")
    return root
