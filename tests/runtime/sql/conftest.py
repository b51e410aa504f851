"""Tables in a temporary folder, and a messages.db beside them as the running server has it open."""

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from irislite.sql import Tables


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder."""
    return tmp_path / "home"


@pytest.fixture
def tables(home: Path) -> Iterator[Tables]:
    """An empty namespace."""
    tables = Tables(home)
    yield tables
    tables.close()


@pytest.fixture
def reviews(tables: Tables) -> Tables:
    """A namespace with iris.Review: five rows, one of them without a text."""
    tables.execute("CREATE TABLE iris.Review (ReviewLabel INTEGER, ReviewText VARCHAR(200))")
    tables.execute(
        "INSERT INTO iris.Review (ReviewLabel, ReviewText) "
        "VALUES (5, 'Great'), (1, 'bad'), (3, NULL), (5, 'great fun'), (2, 'Meh')"
    )
    return tables


@pytest.fixture
def messages(home: Path) -> Iterator[sqlite3.Connection]:
    """The runtime's own file, with two messages and three log entries, kept open by its writer."""
    home.mkdir(exist_ok=True)
    connection = sqlite3.connect(home / "messages.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(files("irislite").joinpath("schema.sql").read_text(encoding="utf-8"))
    for header in (
        (
            7,
            7,
            1,
            1,
            9,
            2,
            "Door",
            "Echo",
            1,
            3,
            "Echo",
            "_SyncCall",
            0,
            "IOP.Message",
            4,
            "",
            "08:00",
            "08:01",
            0,
            "",
            8,
        ),
        (8, 7, 2, 1, 9, 2, "Echo", "Door", 3, 1, "_SyncCall", "", 0, "IOP.Message", 5, "", "08:01", "08:01", 0, "", 7),
    ):
        connection.execute(f"INSERT INTO message_header VALUES ({', '.join('?' * len(header))})", header)
    for number in (1, 2, 3):
        entry = (
            number,
            4,
            "Echo",
            77,
            7,
            7,
            "bo.Echo",
            "ask",
            f"asked {number}",
            "",
            "",
            f"2026-11-21 09:00:0{number}",
        )
        connection.execute(f"INSERT INTO event_log VALUES ({', '.join('?' * len(entry))})", entry)
    yield connection
    connection.close()
