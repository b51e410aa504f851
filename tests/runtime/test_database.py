"""The writer that groups commits, and the folder that belongs to one process."""

import sqlite3
import threading
from pathlib import Path

import pytest

from irislite.database import Database
from irislite.errors import DataFolderInUse, StoreError


def keep(name: str, value: str):
    return lambda connection: connection.execute("INSERT INTO keep VALUES (?, ?)", (name, value))


def test_what_was_written_is_there_after_a_reopen(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.write(keep("a", "1"))
    database.close()
    again = Database(tmp_path)
    assert again.reader().execute("SELECT value FROM keep").fetchone()[0] == "1"
    again.close()


def test_a_write_that_fails_fails_alone(tmp_path: Path) -> None:
    database = Database(tmp_path)
    gate = threading.Event()
    first = database.submit(lambda connection: gate.wait(60))  # holds the writer, so that the next ones form a group
    writes = [database.submit(keep(name, "x")) for name in ("a", "b", "a", "c")]
    gate.set()
    first.wait()
    with pytest.raises(sqlite3.IntegrityError):
        writes[2].wait()
    for index in (0, 1, 3):
        writes[index].wait()
    names = [row[0] for row in database.reader().execute("SELECT name FROM keep ORDER BY name")]
    assert names == ["a", "b", "c"]
    database.close()


def test_follow_ups_run_in_the_order_of_the_writes(tmp_path: Path) -> None:
    database = Database(tmp_path)
    seen: list[int] = []
    for number in range(200):
        last = database.submit(lambda connection, number=number: number, seen.append)
    last.wait()
    assert seen == list(range(200))
    database.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.reader().execute("DELETE FROM keep")
    database.close()


def test_a_folder_that_is_in_use_is_refused_with_its_owner(tmp_path: Path) -> None:
    database = Database(tmp_path)
    with pytest.raises(DataFolderInUse, match="IRISLITE_HOME"):
        Database(tmp_path)
    database.close()
    Database(tmp_path).close()


def test_a_store_of_a_newer_runtime_is_refused(tmp_path: Path) -> None:
    Database(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "messages.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="99"):
        Database(tmp_path)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "messages.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        Database(tmp_path)


def test_nothing_is_taken_after_the_close(tmp_path: Path) -> None:
    database = Database(tmp_path)
    database.close()
    with pytest.raises(StoreError, match="closed"):
        database.write(keep("a", "1"))


def test_many_threads_begin_to_read_while_others_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    failed: list[str] = []

    def work(number: int) -> None:
        try:
            database.reader().execute("SELECT COUNT(*) FROM keep").fetchone()
            database.write(lambda connection: connection.execute("INSERT INTO keep VALUES (?, '')", (str(number),)))
        except sqlite3.OperationalError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and database.reader().execute("SELECT COUNT(*) FROM keep").fetchone()[0] == 200
    database.close()
