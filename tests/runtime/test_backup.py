"""A backup that is made while messages flow, put back into another folder, and what is refused."""

import json
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from irislite import cli
from irislite.backup import backup
from irislite.database import MIGRATIONS, Database
from irislite.director import Director
from irislite.errors import DataFolderInUse, StoreError
from irislite.header import Status
from irislite.restore import restore
from runtime.asking import ask
from runtime.test_purge import command
from waiting import eventually


def keep(home: Path, value: str) -> None:
    """Make a store with one value in it."""
    database = Database(home, "NORMAL")
    database.write(lambda connection: connection.execute("INSERT OR REPLACE INTO keep VALUES ('a', ?)", (value,)))
    database.close()


def kept(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "messages.db")) as connection:
        return connection.execute("SELECT value FROM keep WHERE name = 'a'").fetchone()[0]


def make_tables(home: Path) -> None:
    with closing(sqlite3.connect(home / "tables.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE review (text TEXT)")
        connection.execute("INSERT INTO review VALUES ('good')")


def reviews(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "tables.db")) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM review")]


@pytest.mark.parametrize("name", ["kept", "kept.zip"])
def test_what_was_accepted_before_a_backup_is_in_it_and_works_on(
    director: Director, production_file: Path, ask_class: str, tmp_path: Path, name: str
) -> None:
    director.tables.execute("CREATE TABLE iris.Mine (a INT)")
    director.tables.execute("INSERT INTO iris.Mine VALUES (7)")
    accepted: list[tuple[int, str]] = []
    stop, flowing = threading.Event(), threading.Event()

    def send() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            header = director.test_async("Chain", ask_class, json.dumps({"text": f"fan {number},x"}))
            accepted.append((header.id, f"fan {number},x"))
            flowing.set()

    sender = threading.Thread(target=send)
    sender.start()
    flowing.wait()
    before = list(accepted)
    try:
        done = command("backup", str(tmp_path / name), "--home", str(director.home))
    finally:
        stop.set()
        sender.join()
    assert done.returncode == 0, done.stderr
    assert "It was read back and is whole" in done.stdout
    director.close()

    restored = restore(tmp_path / name, tmp_path / "elsewhere")
    assert (restored.files, restored.aside) == (("messages.db", "tables.db"), "")
    again = Director(tmp_path / "elsewhere", "NORMAL")
    try:
        for id_, text in before:
            assert json.loads(again.store.body(again.store.header(id_).message_body_id).content)["text"] == text
        again.load(production_file)
        again.start()
        last = before[-1][0]
        eventually(lambda: again.store.header(last).status is Status.COMPLETED)
        eventually(lambda: not again.store.has_open_processes("Chain"))
        assert ask(again, ask_class, "after")["text"] == "Hello after!"
        assert [row[0] for row in again.tables.execute("SELECT a FROM iris.Mine")] == [7]
    finally:
        again.close()


def test_a_backup_is_one_file_each_for_its_owner_alone(tmp_path: Path) -> None:
    keep(tmp_path / "home", "x")
    make_tables(tmp_path / "home")
    report = backup(tmp_path / "home", tmp_path / "to" / "day")
    assert sorted(path.name for path in (tmp_path / "to" / "day").iterdir()) == ["messages.db", "tables.db"]
    assert list(report.files) == ["messages.db", "tables.db"]
    for path in (tmp_path / "to" / "day").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept(tmp_path / "to" / "day") == "x"
    backup(tmp_path / "home", tmp_path / "day.zip")
    assert stat.S_IMODE((tmp_path / "day.zip").stat().st_mode) == 0o600
    assert zipfile.ZipFile(tmp_path / "day.zip").namelist() == ["messages.db", "tables.db"]
    assert not [path for path in (*tmp_path.iterdir(), *(tmp_path / "to").iterdir()) if path.name.startswith(".")]


@pytest.mark.parametrize("name", ["kept", "kept.zip"])
def test_a_backup_is_replaced_only_when_it_is_asked_for(tmp_path: Path, name: str) -> None:
    home, target = tmp_path / "home", tmp_path / name
    keep(home, "one")
    backup(home, target)
    keep(home, "two")
    with pytest.raises(StoreError, match="--force"):
        backup(home, target)
    restore(target, tmp_path / "a")
    assert kept(tmp_path / "a") == "one"
    backup(home, target, force=True)
    restore(target, tmp_path / "b")
    assert kept(tmp_path / "b") == "two"


def test_nothing_but_a_backup_is_ever_replaced(tmp_path: Path) -> None:
    keep(tmp_path / "home", "x")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.txt").write_text("dear")
    (tmp_path / "photo.zip").write_text("no zip at all")
    for name in ("papers", "home", "photo.zip", "papers/letter.txt"):
        for force in (False, True):
            with pytest.raises(StoreError, match=r"other things in it|no backup"):
                backup(tmp_path / "home", tmp_path / name, force)
    assert (tmp_path / "papers" / "letter.txt").read_text() == "dear"
    (tmp_path / "empty").mkdir()
    backup(tmp_path / "home", tmp_path / "empty")
    assert kept(tmp_path / "empty") == "x"


def test_a_damaged_store_makes_no_backup(tmp_path: Path) -> None:
    home = tmp_path / "home"
    database = Database(home, "NORMAL")
    for number in range(200):
        database.write(lambda c, n=number: c.execute("INSERT INTO keep VALUES (?, ?)", (str(n), "x" * 500)))
    database.close()
    with closing(sqlite3.connect(home / "messages.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with (home / "messages.db").open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(size - 3 * 4096)
        file.write(os.urandom(2 * 4096))
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        backup(home, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".kept")]


def test_what_was_there_is_kept_aside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keep(home, "old")
    backup(home, tmp_path / "kept")
    make_tables(home)
    keep(home, "new")
    report = restore(tmp_path / "kept", home)
    assert kept(home) == "old"
    assert kept(Path(report.aside)) == "new"
    # The backup holds no tables: there were none. What was there is not lost.
    assert not (home / "tables.db").exists()
    assert reviews(Path(report.aside)) == ["good"]
    assert sorted(path.name for path in home.iterdir()) == ["lock", "messages.db", Path(report.aside).name]


def test_the_copy_that_a_migration_made_is_restored_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keep(home, "old")
    make_tables(home)
    (home / "messages.db").rename(tmp_path / "messages.db.v1.bak")
    keep(home, "new")
    report = restore(tmp_path / "messages.db.v1.bak", home)
    assert report.files == ("messages.db",)
    assert kept(home) == "old" and reviews(home) == ["good"]


def test_a_restore_waits_for_nobody_and_changes_nothing_while_the_folder_is_used(
    director: Director, tmp_path: Path
) -> None:
    report = director.housekeeping.backup()
    with pytest.raises(DataFolderInUse, match=f"process {os.getpid()}"):
        restore(Path(report.path), director.home)
    done = command("restore", report.path, "--home", str(director.home))
    assert done.returncode == 1
    assert f"used by the running process {os.getpid()}" in done.stderr
    assert not list(director.home.glob("replaced-*"))
    assert Path(report.path).parent == director.home / "backups"
    assert director.eventlog.newest(1, text="Backed up to")
    assert director.housekeeping.backup().path != report.path


def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    keep(home, "mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.db").write_text("no database at all" * 1000)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("../messages.db", "x")
    keep(tmp_path / "newer", "x")
    with closing(sqlite3.connect(tmp_path / "newer" / "messages.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for name, words in (
        ("nowhere", "There is no backup"), ("empty", "holds no messages.db"), ("text.db", "not a database"),
        ("other.zip", "holds no messages.db"), ("newer", f"version {len(MIGRATIONS) + 1}"),
    ):  # fmt: skip
        with pytest.raises(StoreError, match=words):
            restore(tmp_path / name, home)
    assert kept(home) == "mine"
    assert sorted(path.name for path in home.iterdir()) == ["lock", "messages.db"]


def test_the_commands_say_what_they_did_and_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    home = tmp_path / "home"
    keep(home, "x")
    assert cli.main(["backup", str(tmp_path / "kept"), "--home", str(home)]) == 0
    assert f"Backed up to {tmp_path / 'kept'}: messages.db" in capsys.readouterr().out
    assert cli.main(["backup", str(tmp_path / "kept"), "--home", str(home)]) == 1
    assert "--force" in capsys.readouterr().err
    assert cli.main(["backup", str(tmp_path / "kept"), "--force", "--home", str(home)]) == 0
    assert cli.main(["restore", str(tmp_path / "kept"), "--home", str(home)]) == 0
    assert "What was there lies in" in capsys.readouterr().out
    assert cli.main(["size", "--home", str(home)]) == 0
    assert "backups, replaced" in capsys.readouterr().out  # it can be deleted, so it must be seen
    assert cli.main(["backup", str(tmp_path / "b"), "--home", str(tmp_path / "nowhere")]) == 1
    assert "There is no data" in capsys.readouterr().err


def test_a_second_server_on_the_folder_is_refused_with_the_process_of_the_first(
    director: Director, production_file: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path), "IRISLITE_HOME": str(director.home), "PORT": port
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "irislite.cli", "run", str(production_file)],
        env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"used by the running process {os.getpid()}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backup_from_inside_while_others_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    stop, flowing = threading.Event(), threading.Event()
    written: list[str] = []

    def write() -> None:
        while not stop.is_set():
            name = f"n{len(written)}"
            database.write(lambda c, name=name: c.execute("INSERT INTO keep VALUES (?, 'x')", (name,)))
            written.append(name)
            flowing.set()

    writer = threading.Thread(target=write)
    writer.start()
    flowing.wait()
    try:
        for number in range(5):
            before = len(written)
            backup(tmp_path / "home", tmp_path / f"kept{number}")
            with closing(sqlite3.connect(tmp_path / f"kept{number}" / "messages.db")) as connection:
                names = {row[0] for row in connection.execute("SELECT name FROM keep")}
            assert set(written[:before]) <= names
    finally:
        stop.set()
        writer.join()
        database.close()
