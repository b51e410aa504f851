"""What is old and finished goes, whole sessions at a time; everything else stays."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from irislite import cli
from irislite import purge as purging
from irislite.backup import backup
from irislite.beside import Beside
from irislite.database import MIGRATIONS, Database
from irislite.director import Director
from irislite.errors import BadRequest, StoreError
from irislite.header import Body, Draft, Status
from irislite.housekeeping import purge_days
from irislite.migrations import rebuild
from irislite.purge import purge
from irislite.size import measure
from irislite.store import Store
from runtime.asking import ask
from waiting import eventually

FINISHED = (Status.DISCARDED, Status.ABORTED, Status.ERROR, Status.COMPLETED)


class Messages:
    """Rows as the runtime writes them, so many days old."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, days: float, status: Status = Status.COMPLETED, session: int = 0, body: int | None = None,
            content: str = "{}", processed_days: float | None = None) -> int:  # fmt: skip
        """One message; its id. `body` None makes one of its own, 0 is none."""

        def apply(connection: sqlite3.Connection) -> int:
            id_ = self.highest(connection) + 1
            own = id_ if body is None else body
            if body is None:
                connection.execute("INSERT INTO message_body VALUES (?, 'IOP.Message', 'm.Ask', ?)", (id_, content))
            connection.execute(
                "INSERT INTO message_header (id, session_id, type, invocation, status, priority, source_config_name, "
                "target_config_name, source_business_type, target_business_type, target_queue_name, return_queue_name, "
                "business_process_id, message_body_class_name, message_body_id, description, time_created, "
                "time_processed, is_error, error_text, corresponding_message_id) "
                "VALUES (?, ?, 1, 1, ?, 6, 'A', 'B', 1, 3, 'B', '', 0, 'IOP.Message', ?, '', ?, ?, 0, '', 0)",
                (id_, session or id_, int(status), own, ago(days),
                 ago(days if processed_days is None else processed_days)),
            )  # fmt: skip
            return id_

        return self.database.write(apply)

    def highest(self, connection: sqlite3.Connection) -> int:
        """The highest id that was ever given, which SQLite remembers for itself (AUTOINCREMENT)."""
        names = "('message_header', 'message_body')"
        return connection.execute(f"SELECT max(seq) FROM sqlite_sequence WHERE name IN {names}").fetchone()[0] or 0

    def log(self, days: float) -> None:
        self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, "
                "text, stack, trace_cat, time_logged) VALUES (4, '', 0, 0, 0, '', '', 'abc', 'de', '', ?)",
                (ago(days),),
            )
        )

    def process(self, request: int, completed: bool) -> None:
        self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO business_process (config_name, primary_request_id, response, replied, pending, "
                "properties, completed) VALUES ('Chain', ?, NULL, 0, '{}', '{}', ?)",
                (request, completed),
            )
        )

    def ids(self, table: str = "message_header", column: str = "id") -> list[int]:
        rows = self.database.reader().execute(f"SELECT {column} FROM {table} ORDER BY id")
        return [row[0] for row in rows]


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")


@pytest.fixture
def messages(tmp_path: Path) -> Iterator[Messages]:
    database = Database(tmp_path / "home", "NORMAL")
    yield Messages(database)
    database.close()


def test_what_is_old_and_finished_goes_with_its_body_and_nothing_else(messages: Messages) -> None:
    old = [messages.add(31, status) for status in FINISHED]
    young = messages.add(29)
    counted = purge(messages.database, 30, dry_run=True)
    assert messages.ids() == [*old, young]  # a dry run only counts
    report = purge(messages.database, 30)
    assert (report.sessions, report.messages, report.bodies, report.bytes) == (4, 4, 4, 8)
    assert messages.ids() == messages.ids("message_body") == [young]
    assert (counted.sessions, counted.messages, counted.bodies, counted.bytes) == (4, 4, 4, 8)
    assert counted.dry_run and str(counted).startswith("Would purge 4 messages of 4 sessions")
    assert purge(messages.database, 30).messages == 0


@pytest.mark.parametrize("status", sorted(set(Status) - set(FINISHED)))
def test_an_unfinished_message_keeps_its_whole_session(messages: Messages, status: Status) -> None:
    first = messages.add(90)
    kept = [first, messages.add(80, status, session=first), messages.add(70, session=first)]
    messages.add(60)
    assert purge(messages.database, 1).messages == 1
    assert messages.ids() == messages.ids("message_body") == kept


def test_a_young_message_keeps_its_whole_session(messages: Messages) -> None:
    first = messages.add(90)
    messages.add(80)
    second = messages.add(3, session=first)
    waited_long = messages.add(3, processed_days=0.5)
    assert purge(messages.database, 4).messages == 1
    assert messages.ids() == [first, second, waited_long]
    purge(messages.database, 1)  # finished half a day ago: it is as young as that
    assert messages.ids() == [waited_long]


def test_a_process_that_waits_keeps_its_session_and_a_completed_one_goes_with_it(messages: Messages) -> None:
    waiting, done, young = messages.add(90), messages.add(90), messages.add(1)
    messages.process(waiting, completed=False)
    messages.process(done, completed=True)
    messages.process(young, completed=True)
    messages.process(young, completed=True)  # the newest one, which always stays
    assert purge(messages.database, 30, dry_run=True).processes == 1
    assert purge(messages.database, 30).processes == 1
    assert messages.ids() == [waiting, young]
    assert messages.ids("business_process", "primary_request_id") == [waiting, young, young]


def test_a_body_that_was_sent_again_goes_with_its_last_message(messages: Messages) -> None:
    first = messages.add(90, content="12345")
    messages.add(90, body=0)
    again = messages.add(60, body=first)
    assert purge(messages.database, 70).bodies == 0
    assert messages.ids("message_body") == [first]
    assert messages.ids() == [again]
    report = purge(messages.database, 50)
    assert (report.messages, report.bodies, report.bytes) == (1, 1, 5)
    assert messages.ids("message_body") == []


def test_messages_that_share_a_body_and_go_together_count_it_once(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_ROWS", 1)  # a transaction each
    first = messages.add(90, content="12345")
    messages.add(80, body=first)
    for report in (purge(messages.database, 70, dry_run=True), purge(messages.database, 70)):
        assert (report.messages, report.bodies, report.bytes) == (2, 1, 5)
    assert messages.ids("message_body") == []


def test_a_message_that_is_sent_again_in_the_middle_of_a_purge_keeps_its_body(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_ROWS", 1)
    first, second = messages.add(90), messages.add(89)
    added: list[int] = []

    def send_again(_report: object) -> None:
        if not added:
            added.append(messages.add(0, Status.QUEUED, body=second))

    purge(messages.database, 30, progress=send_again)
    assert messages.ids() == added
    assert messages.ids("message_body") == [second]
    assert first not in messages.ids("message_body")


def test_a_session_that_goes_on_in_the_middle_of_a_purge_stays(
    messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "BATCH_ROWS", 3)
    sessions = [messages.add(90 - n) for n in range(3)]
    answered = messages.add(80)
    monkeypatch.setattr(purging, "BATCH_BYTES", 2)  # one message a transaction, though they were chosen together
    seen: list[int] = []

    def go_on(_report: object) -> None:
        if not seen:
            seen.append(messages.add(0, Status.QUEUED, session=sessions[2]))

    purge(messages.database, 30, progress=go_on)
    assert messages.ids() == [sessions[2], *seen]
    assert answered not in messages.ids()


def test_an_id_is_never_given_twice(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    messages = Messages(database)
    messages.add(9)
    newest = messages.add(8)
    purge(database, 1)
    assert messages.ids() == messages.ids("message_body") == []
    assert messages.highest(database.reader()) == newest
    messages.add(7, body=0)
    database.write(lambda c: c.execute("UPDATE message_header SET id = 1, session_id = 1"))
    assert purge(database, 1).messages == 1
    assert messages.highest(database.reader()) == newest + 1  # it is never lowered
    database.close()
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        rebuild(connection)  # as `irislite compact` does
    backup(tmp_path / "home", tmp_path / "kept")
    for home in (tmp_path / "home", tmp_path / "kept"):
        database = Database(home, "NORMAL")
        (entry,) = Store(database).accept([Draft("B", "B", "A", Body("IOP.Message", "m.Ask", "{}"))]).wait()
        assert (entry.header.id, entry.header.message_body_id) == (newest + 2, newest + 2)
        database.close()


def test_old_log_entries_go_but_for_the_newest(messages: Messages) -> None:
    for days in (90, 80, 1, 70):
        messages.log(days)
    report = purge(messages.database, 30, dry_run=True)
    assert (report.log_entries, report.bytes) == (2, 10)
    assert purge(messages.database, 30).log_entries == 2
    assert messages.ids("event_log") == [3, 4]


def test_many_batches_leave_what_one_would(messages: Messages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purging, "BATCH_ROWS", 7)
    monkeypatch.setattr(purging, "BATCH_BYTES", 60)
    kept = []
    for number in range(40):
        first = messages.add(90 - number, content="x" * (number % 9 * 10))
        size = 20 if number == 5 else number % 4  # one session is larger than a batch
        for _ in range(size):
            messages.add(90 - number, session=first)
        if number % 3 == 0:
            kept += [id_ for id_ in messages.ids() if id_ >= first] + [
                messages.add(90 - number, Status.QUEUED, session=first)
            ]
        messages.log(90 - number)
    seen: list[int] = []
    counted = purge(messages.database, 1, dry_run=True)
    report = purge(messages.database, 1, progress=lambda report: seen.append(report.messages))
    assert messages.ids() == messages.ids("message_body") == kept
    assert len(set(seen)) > 10 and seen == sorted(seen)
    for field in ("sessions", "messages", "bodies", "bytes", "log_entries"):
        assert getattr(counted, field) == getattr(report, field), field


def test_a_clock_that_was_wrong_deletes_nothing_young_and_hides_nothing_for_good(messages: Messages) -> None:
    before = [messages.add(90) for _ in range(5)]
    wrong = [messages.add(-3650) for _ in range(5)]  # ten years ahead
    after = [messages.add(80) for _ in range(5)]
    young = [messages.add(1) for _ in range(5)]
    assert before and after
    purge(messages.database, 30)
    purge(messages.database, 30)
    assert messages.ids() == [*wrong, *young]


@pytest.mark.parametrize("days", [-1, float("nan"), float("inf"), 1e9])
def test_an_age_that_is_none_is_refused(messages: Messages, days: float) -> None:
    with pytest.raises(BadRequest, match="from 0 to"):
        purge(messages.database, days)


def make_anew(database: Database, auto_vacuum: str) -> None:
    """Write the file as one that gives free pages back, or keeps them."""
    with closing(sqlite3.connect(database.path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
        connection.execute("VACUUM")


def test_a_purge_gives_its_space_back_where_the_file_was_made_for_it(messages: Messages) -> None:
    make_anew(messages.database, "INCREMENTAL")
    for _ in range(30):
        messages.add(60, content="x" * 50_000)
    newest = messages.add(1)
    before = measure(messages.database)
    report = purge(messages.database, 30)
    after = measure(messages.database)
    assert report.freed_bytes > 1_000_000
    assert before.shrinks and after.free_bytes == 0
    assert after.files["messages.db"] < 200_000
    assert after.files.get("messages.db-wal", 0) == 0  # what was written is in the file, the log is empty
    assert messages.ids() == [newest]


def test_space_that_stays_in_the_file_is_told_and_filled_again(messages: Messages) -> None:
    make_anew(messages.database, "NONE")
    for _ in range(10):
        messages.add(60, content="x" * 50_000)
    assert purge(messages.database, 30).freed_bytes == 0
    size = measure(messages.database)
    assert not size.shrinks and size.free_bytes > 400_000
    assert "irislite compact" in str(size)
    assert (size.rows["message_header"], size.oldest_message) == (0, "")
    for _ in range(5):
        messages.add(1, content="x" * 50_000)
    assert measure(messages.database).files["messages.db"] == size.files["messages.db"]


# -- beside and inside a running production -----------------------------------------------------


def command(*arguments: str) -> subprocess.CompletedProcess:
    """The real command line, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IRISLITE_")}
    return subprocess.run(
        [sys.executable, "-m", "irislite.cli", *arguments],
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_purge_beside_a_running_server_under_load_takes_finished_sessions_alone(
    director: Director, ask_class: str
) -> None:
    first = director.test("Echo", ask_class, '{"text": "old"}').session_id
    held = director.test_async("Echo", ask_class, '{"text": "sleep 1.5"}')
    stop, answers = threading.Event(), []

    def send() -> None:
        while not stop.is_set():
            answers.append(ask(director, ask_class, "fan a,b", "Chain", timeout_s=60)["text"])
            answers.append(ask(director, ask_class, "x", "Other", timeout_s=60)["text"])

    sender = threading.Thread(target=send)
    sender.start()
    try:
        done = command("purge", "--days", "0", "--home", str(director.home))
    finally:
        stop.set()
        sender.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Purged ")
    assert len(answers) % 2 == 0 and set(answers) <= {"a=Hello a!|b=Hello b!", "Hello x"}
    eventually(lambda: director.store.header(held.id).status is Status.COMPLETED)
    assert director.store.latest(10_000)[-1].session_id > first  # the old session has gone
    reader = director._database.reader()
    assert reader.execute(
        "SELECT COUNT(*) FROM message_header h LEFT JOIN message_body b ON b.id = h.message_body_id "
        "WHERE h.message_body_id > 0 AND b.id IS NULL"
    ).fetchone()[0] == 0  # fmt: skip
    assert ask(director, ask_class, "after")["text"] == "Hello after!"


def test_a_purge_that_takes_everything_repeats_no_id_after_a_restart(
    production_file: Path, open_director: Callable[[], Director], ask_class: str
) -> None:
    director = open_director()
    director.load(production_file)
    director.start()
    highest = max(header.id for header in director.store.session(
        director.test("Echo", ask_class, '{"text": "old"}').session_id))  # fmt: skip
    assert director.housekeeping.purge(0).messages == 2
    assert director.store.latest(1) == []
    director.close()
    again = open_director()
    again.load(production_file)
    again.start()
    assert again.test("Echo", ask_class, '{"text": "new"}').session_id > highest
    purged = [entry.text for entry in again.eventlog.newest(100, text="Purged 2 messages")]
    assert len(purged) == 1


def test_the_daily_purge_runs_by_itself_and_ends_with_the_runtime(director: Director, ask_class: str) -> None:
    director.test("Echo", ask_class, '{"text": "old"}')
    director.housekeeping.purge_daily(1e-9, first_after_s=0, every_s=0.01)
    eventually(lambda: not director.store.latest(1))
    eventually(lambda: director.eventlog.newest(1, text="Purged 2 messages"))
    director.close()
    assert not any(thread.name == "irislite-housekeeping" for thread in threading.enumerate())


@pytest.mark.parametrize(("text", "days"), [("", None), ("0", None), ("30", 30.0), (" 0.5 ", 0.5)])
def test_nothing_is_purged_by_itself_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, text: str, days: float | None
) -> None:
    monkeypatch.setenv("IRISLITE_PURGE_DAYS", text)
    assert purge_days() == days
    monkeypatch.delenv("IRISLITE_PURGE_DAYS")
    assert purge_days() is None


def test_a_server_does_not_start_with_a_wrong_age(
    production_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("PORT", str(listening.getsockname()[1]))
    monkeypatch.setenv("IRISLITE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IRISLITE_PURGE_DAYS", "month")
    assert cli.main(["run", str(production_file)]) == 1
    assert "IRISLITE_PURGE_DAYS is 'month'" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("text", ["month", "-1", "nan", "inf", "1e9"])
def test_a_wrong_age_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("IRISLITE_PURGE_DAYS", text)
    with pytest.raises(BadRequest, match="IRISLITE_PURGE_DAYS"):
        purge_days()


def test_the_commands_say_what_they_did_and_what_is_wrong(
    messages: Messages, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = str(messages.database.path.parent)
    for _ in range(3):
        messages.add(60)
    assert cli.main(["purge", "--days", "30", "--dry-run", "--home", home]) == 0
    assert capsys.readouterr().out.startswith("Would purge 3 messages of 3 sessions")
    assert cli.main(["purge", "--days", "30", "--home", home]) == 0
    assert capsys.readouterr().out.startswith("Purged 3 messages of 3 sessions")
    assert cli.main(["size", "--home", home]) == 0
    told = capsys.readouterr().out
    assert f"{home}  (schema version {len(MIGRATIONS)}" in told and "message_header" in told
    assert cli.main(["compact", "--home", home]) == 1
    assert f"used by the running process {os.getpid()}" in capsys.readouterr().err
    messages.database.close()
    assert cli.main(["compact", "--home", home]) == 0
    assert "messages.db took" in capsys.readouterr().out
    for arguments in (["purge", "--days", "-1", "--home", home], ["size", "--home", str(tmp_path / "nowhere")],
                      ["compact", "--home", str(tmp_path / "nowhere")]):  # fmt: skip
        assert cli.main(arguments) == 1
        assert capsys.readouterr().err.startswith("irislite: ")
    assert not (tmp_path / "nowhere").exists()


def test_a_store_of_another_version_is_left_alone(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "messages.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="99"):
        Beside(tmp_path)
    (tmp_path / "messages.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot be used"):
        Beside(tmp_path)
