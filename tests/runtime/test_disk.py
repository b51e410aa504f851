"""A full disk and a folder that cannot be written: clear errors, nothing accepted lost, nothing damaged."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from irislite.database import Database
from irislite.director import Director
from irislite.errors import StoreError
from irislite.header import Status
from irislite.purge import purge
from runtime.asking import ask
from waiting import eventually

NOBODY = 65534
SOURCES = Path(__file__).parents[2] / "src" / "python"


def check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_store_that_may_not_grow_refuses_and_goes_on_when_it_may_again(director: Director, ask_class: str) -> None:
    write = director._database.write
    pages = write(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    write(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 20}").fetchone())
    accepted, refused = [], []
    for number in range(200):
        body = json.dumps({"text": f"{number} {'x' * 2_000}"})
        try:
            accepted.append(director.test_async("Echo", ask_class, body).id)
        except StoreError as error:
            refused.append(str(error))
    assert refused and accepted
    assert all("disk is full" in text and "free space" in text for text in refused)
    write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    for id_ in accepted:
        eventually(lambda id_=id_: director.store.header(id_).status is Status.COMPLETED)
    assert ask(director, ask_class, "after")["text"] == "Hello after!"
    requests = [header for header in director.store.latest(10_000) if header.type == 1]
    assert {header.id for header in requests} >= set(accepted)
    assert len(requests) == len(accepted) + 1  # what was refused is not there
    check(director.home / "messages.db")


def test_files_that_may_not_grow_lose_nothing_that_was_accepted(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "full_disk.py", tmp_path],
        env=os.environ | {"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["refused"]) == 20
    assert all("cannot be written" in text and "free space" in text for text in told["refused"])
    assert "The backup to" in told["backup"] and "free space" in told["backup"]
    assert told["left"] == []  # of a backup that failed nothing is left
    check(tmp_path / "home" / "messages.db")
    with closing(sqlite3.connect(tmp_path / "home" / "messages.db")) as connection:
        rows = connection.execute("SELECT id, status FROM message_header WHERE type = 1").fetchall()
    assert {status for _, status in rows} == {Status.COMPLETED}
    assert {id_ for id_, _ in rows} == set(told["accepted"])  # all that was accepted, nothing that was refused


def test_a_full_disk_can_be_purged(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    fill = "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, text, "
    fill += "stack, trace_cat, time_logged) VALUES (4, '', 0, 0, 0, '', '', ?, '', '', '2026-01-01 00:00:00.000000')"
    for _ in range(50):
        database.write(lambda connection: connection.execute(fill, ("x" * 2_000,)))
    database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())  # means: as it is
    with pytest.raises(StoreError, match="full"):
        database.write(lambda connection: connection.execute(fill, ("x" * 200_000,)))
    assert purge(database, 1).log_entries == 49
    database.write(lambda connection: connection.execute(fill, ("x" * 20_000,)))
    database.close()
    check(tmp_path / "home" / "messages.db")


# -- rights ------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user can reach; pytest's own are closed to others."""
    place = Path(tempfile.mkdtemp(prefix="irislite-rights-"))
    place.chmod(0o755)
    yield place
    for path in (place, *place.rglob("*")):
        path.chmod(0o700)
    shutil.rmtree(place)


AS_NOBODY = f"""
import locale, os, random, sys
from pathlib import Path
from irislite import cli
from irislite.database import Database
from irislite.errors import StoreError
if os.geteuid() == 0:  # rights are nothing to root
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
"""


def as_nobody(code: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run a script as a user whom the rights of files bind."""
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY + code, *arguments], cwd="/",
        env=os.environ | {"PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


OPEN = """
try:
    database = Database(Path(sys.argv[1]))
    database.write(lambda connection: connection.execute("INSERT INTO keep VALUES ('a', 'b')"))
    print("written")
except StoreError as error:
    print(error)
"""


def own(folder: Path) -> None:
    """Give what is there to the user of the script."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    own(folder)
    folder.chmod(0o500)
    done = as_nobody(OPEN, str(folder))
    assert "Permission denied" in done.stdout and "IRISLITE_HOME" in done.stdout, done.stderr
    assert list(folder.iterdir()) == []


def test_a_place_where_no_folder_can_be_made_is_told(folder: Path) -> None:
    own(folder)
    folder.chmod(0o500)
    done = as_nobody(OPEN, str(folder / "home"))
    assert "cannot be used" in done.stdout and "IRISLITE_HOME" in done.stdout, done.stderr


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_store_that_became_read_only_is_told_and_stays_whole(folder: Path, what: str) -> None:
    Database(folder, "NORMAL").close()
    for log in folder.glob("messages.db-*"):
        log.unlink()
    own(folder)
    (folder if what == "folder" else folder / "messages.db").chmod(0o500 if what == "folder" else 0o400)
    done = as_nobody(OPEN, str(folder))
    assert "cannot be" in done.stdout and "rights" in done.stdout, done.stdout + done.stderr
    for command in (
        ["purge", "--days", "1"],
        ["backup", str(folder / "kept")],
        ["restore", str(folder / "messages.db")],
    ):
        done = as_nobody("sys.exit(cli.main(sys.argv[1:]))", *command, "--home", str(folder))
        assert "Traceback" not in done.stderr
    folder.chmod(0o700)
    (folder / "messages.db").chmod(0o600)
    check(folder / "messages.db")
    done = as_nobody(OPEN, str(folder))
    assert done.stdout == "written\n", done.stdout + done.stderr
