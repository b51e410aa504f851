"""kill -9 at random moments while messages flow: nothing accepted is lost, order is kept."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from irislite.header import Status
from irislite.pool import AHEAD

KILLS = 30
TOTAL = 2_000
SCRIPT = Path(__file__).parent / "crashing_sender.py"
SOURCES = Path(__file__).parents[2] / "src" / "python"


def start(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "CRASH_FOLDER": str(folder), "PYTHONPATH": str(SOURCES)}
    process = subprocess.Popen([sys.executable, SCRIPT, str(TOTAL)], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def read_numbers(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()]


def test_nothing_accepted_is_lost_and_order_is_kept(tmp_path: Path) -> None:
    moments = random.Random(20261121)
    for _ in range(KILLS):
        process = start(tmp_path)
        time.sleep(moments.uniform(0.0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert max(read_numbers(tmp_path / "accepted")) < TOTAL, "the kills came too late: messages must be flowing"
    process = start(tmp_path)
    assert process.communicate(timeout=60)[0] == "done\n"

    accepted, handled = read_numbers(tmp_path / "accepted"), read_numbers(tmp_path / "handled")
    connection = sqlite3.connect(tmp_path / "home" / "messages.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = connection.execute(
        "SELECT CAST(json_extract(b.content, '$.value') AS INTEGER), h.status FROM message_header h "
        "JOIN message_body b ON b.id = h.message_body_id WHERE h.type = 1 ORDER BY h.id"
    ).fetchall()
    assert {status for _, status in rows} == {Status.COMPLETED}
    assert set(accepted) <= {number for number, _ in rows}
    assert [number for number, _ in rows] == list(range(1, TOTAL + 1))

    # First in, first out within a priority: every tenth message was sent synchronously, which goes first.
    first_times = list(dict.fromkeys(handled))
    assert [number for number in first_times if number % 10] == [n for n in range(1, TOTAL + 1) if n % 10]
    assert [number for number in first_times if number % 10 == 0] == list(range(10, TOTAL + 1, 10))
    # At least once, and we say so: after a crash at most the answers that were ahead of the disk come again.
    assert len(handled) - TOTAL <= KILLS * (AHEAD + 1)
