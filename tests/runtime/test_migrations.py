"""A store of an older version is brought to the present one, whole or not at all; a newer one is refused."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from irislite import database
from irislite.database import MIGRATIONS, Database
from irislite.director import Director
from irislite.errors import StoreError
from irislite.header import Draft, Status
from irislite.migrations import migrate
from irislite.store import Store
from runtime.asking import ask
from runtime.version_1 import SCHEMA, make_store
from waiting import eventually

BEFORE = ("CREATE TABLE a (x INTEGER);",)
AFTER = (*BEFORE, "ALTER TABLE a ADD COLUMN y TEXT;", "CREATE TABLE b (z INTEGER); INSERT INTO b SELECT x FROM a;")


def old_file(path: Path) -> sqlite3.Connection:
    """A store of version 1 with one row, in WAL mode."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    migrate(connection, path, BEFORE)
    connection.execute("INSERT INTO a VALUES (7)")
    return connection


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def tables(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]


def test_a_store_of_the_first_version_keeps_everything_and_works_on(
    production_file: Path, tmp_path: Path, ask_class: str, open_director: Callable[[], Director]
) -> None:
    module = ask_class.removesuffix(".Ask")
    make_store(tmp_path / "home", module)
    director = open_director()
    request, response = director.store.session(1)
    assert (request.status, response.status, request.time_created) == (
        Status.COMPLETED, Status.COMPLETED, "2026-01-02 03:04:05.000006"
    )  # fmt: skip
    assert director.store.body(response.message_body_id).content == '{"text": "Hello old!"}'
    assert director.store.response_to(1).id == 2
    assert [entry.text for entry in director.eventlog.of_session(1)] == ["asked old"]
    assert director.store.process_state(1).properties == {"seen": 41}
    assert director.default_production() == "Test.Production"

    director.load(production_file)
    director.start()
    eventually(lambda: director.store.header(3).status is Status.COMPLETED)  # what was queued is handled
    eventually(lambda: director.store.process_state(1).completed)  # and the process gets its answer
    assert director.store.process_state(1).properties == {"seen": 42}
    assert ask(director, ask_class, "new")["text"] == "Hello new!"
    assert min(header.id for header in director.store.latest(2)) > 5  # no id is given twice
    assert version(director._database.reader()) == len(MIGRATIONS)


def test_a_store_of_the_first_version_is_copied_before_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_store(tmp_path / "home", "components")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, (SCHEMA, "CREATE TABLE later (x INTEGER)"))
        assert version(connection) == 2
        # From now on it shrinks when messages are purged.
        assert connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    kept = path.with_name("messages.db.v1.bak")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with closing(sqlite3.connect(kept)) as connection:
        assert version(connection) == 1
        assert "later" not in tables(connection)
        assert connection.execute("SELECT COUNT(*) FROM message_header").fetchone()[0] == 5


def test_the_steps_between_are_made_in_order(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    with closing(old_file(path)) as connection:
        migrate(connection, path, AFTER)
        assert version(connection) == 3
        assert connection.execute("SELECT x, y FROM a").fetchall() == [(7, None)]
        assert connection.execute("SELECT z FROM b").fetchall() == [(7,)]
        (kept,) = tmp_path.glob("*.bak")
        stamp = kept.stat().st_mtime_ns
        migrate(connection, path, AFTER)  # nothing to do, nothing to copy
        assert kept.stat().st_mtime_ns == stamp


def test_a_new_store_needs_no_copy(tmp_path: Path) -> None:
    Database(tmp_path).close()
    assert not list(tmp_path.glob("*.bak"))


def test_a_migration_that_fails_in_the_middle_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "messages.db"
    with closing(old_file(path)) as connection:
        wrong = (*AFTER, "DELETE FROM a; INSERT INTO nowhere VALUES (1);")
        with pytest.raises(StoreError, match=r"from schema version 1 to 4: no such table: nowhere.*as it was"):
            migrate(connection, path, wrong)
        assert not connection.in_transaction
        assert version(connection) == 1
        assert tables(connection) == ["a"]
        assert connection.execute("SELECT * FROM a").fetchall() == [(7,)]
        migrate(connection, path, AFTER)  # and a better one can be made at once
        assert version(connection) == 3


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "messages.db"
    with closing(old_file(path)) as connection:
        (tmp_path / ".messages.db.v1.bak.new").mkdir()  # what cannot be written over
        with pytest.raises(StoreError, match="as it was"):
            migrate(connection, path, AFTER)
        assert version(connection) == 1


def test_a_newer_version_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    Database(tmp_path).close()
    path = tmp_path / "messages.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreError, match=rf"version {len(MIGRATIONS) + 1}.*knows {len(MIGRATIONS)}.*newer runtime"):
        Database(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert version(connection) == len(MIGRATIONS) + 1


def test_the_database_itself_migrates_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(tmp_path).close()
    now = (*MIGRATIONS, "CREATE TABLE later (x INTEGER);")
    monkeypatch.setattr(database, "MIGRATIONS", now)
    opened = Database(tmp_path)
    assert "later" in tables(opened.reader())
    opened.close()
    assert list(tmp_path.glob("*.bak"))


def test_the_second_version_gets_what_searching_needs_and_keeps_its_messages(tmp_path: Path) -> None:
    path = make_store(tmp_path / "home", "components")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, path, MIGRATIONS[:2])
        assert version(connection) == 2
        assert "saved_search" not in tables(connection)
    opened = Database(tmp_path / "home")
    assert {"saved_search", "event_log_trouble"} <= set(tables(opened.reader()))
    store = Store(opened)
    assert [header.time_taken for header in store.session(1)] == ["", ""]
    (entry,) = store.accept([Draft("Echo", "Echo", "Door", None)]).wait()
    assert store.header(entry.header.id) == entry.header
    opened.close()
    assert (tmp_path / "home" / "messages.db.v2.bak").is_file()
