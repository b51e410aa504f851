"""kill -9 at random moments while messages flow, and the verdict on what came of it."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from irislite.header import MessageType, Priority, Status
from irislite.pool import AHEAD

SCRIPT = Path(__file__).parent / "crashing_sender.py"
SOURCES = Path(__file__).parents[2] / "src" / "python"
MEMBERS = {"One": 1, "Four": 4}
PARTS = 3  # as crashing_sender.PARTS
EARLY = 0.2  # the share of kills that come while the runtime starts and recovers
START_S = 60.0
LONGEST_LIST = 5  # of examples in a problem's text


@dataclass
class Verdict:
    """What a series of kills did. `problems` is empty if every promise was kept."""

    kills: int = 0
    early_kills: int = 0
    accepted: int = 0  # the send had returned
    unnoted: int = 0  # on disk, but killed before the sender could note it
    handled: int = 0
    duplicates: int = 0
    most_duplicates: int = 0  # of one item after one kill
    processes: int = 0
    timers: int = 0
    problems: list[str] = field(default_factory=list)

    def expect(self, held: bool, problem: str) -> None:
        """Note a problem unless the promise held."""
        if not held:
            self.problems.append(problem)


def run(
    folder: Path,
    kills: int,
    timers: bool = False,
    longest_s: float = 0.4,
    seed: int = 20261121,
    told: Callable[[int], None] = lambda kill: None,
) -> Verdict:
    """Kill the production in `folder` so often, let it finish, and judge. `told` is called after each kill."""
    moments, verdict = random.Random(seed), Verdict()
    for kill in range(1, kills + 1):
        process = _start(folder, kill, timers)
        if kill > 1 and moments.random() < EARLY:
            verdict.early_kills += 1
            time.sleep(moments.uniform(0.1, 1.5))
        else:
            _wait_ready(process)
            time.sleep(moments.uniform(0.0, longest_s))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        verdict.kills += 1
        state = _integrity(folder)
        verdict.expect(state == "ok", f"After kill {kill} the store is damaged: {state}.")
        told(kill)
    process = _start(folder, 0, timers)
    output = process.communicate(timeout=300)[0]
    verdict.expect(output == "ready\ndone\n", f"The last run did not end well: it said {output!r}.")
    verdict.expect(_integrity(folder) == "ok", "The store is damaged at the end.")
    _judge(folder, verdict)
    return verdict


def _start(folder: Path, epoch: int, timers: bool) -> subprocess.Popen:
    environment = {**os.environ, "CRASH_FOLDER": str(folder), "CRASH_EPOCH": str(epoch), "PYTHONPATH": str(SOURCES)}
    command = [sys.executable, str(SCRIPT), *(["timers"] if timers else [])]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _wait_ready(process: subprocess.Popen) -> None:
    line = process.stdout.readline()
    if line != "ready\n":
        process.wait(START_S)
        raise AssertionError(f"The production did not start: it said {line!r} and ended with {process.returncode}.")


def _integrity(folder: Path) -> str:
    connection = sqlite3.connect(folder / "home" / "messages.db")
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


# -- the verdict ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Request:
    id: int
    target: str
    priority: int
    status: int
    value: int
    answers: tuple[dict, ...]  # the bodies of its responses
    source: str


def _judge(folder: Path, verdict: Verdict) -> None:
    accepted = _notes(folder / "accepted")
    handled = _notes(folder / "handled")
    requests = _requests(folder)
    by_value = {(request.target, request.value): request for request in requests if request.source == "Sender"}
    sync = {int(value) for _, kind, value, _ in accepted if kind == "sync"}
    verdict.accepted, verdict.handled = len(accepted), len(handled)
    verdict.unnoted = len(by_value) - len(accepted)

    stored = Counter((request.target, request.value) for request in requests if request.source == "Sender")
    verdict.expect(
        max(stored.values(), default=1) == 1, f"Stored twice: {_some(key for key in stored if stored[key] > 1)}."
    )
    lost = [(target, value) for target, _, value, _ in accepted if (target, int(value)) not in by_value]
    verdict.expect(not lost, f"Accepted, but not stored: {_some(lost)}.")

    # Completed, each and every one; a synchronous request whose caller died may be laid aside.
    laid_aside = {Status.SUSPENDED, Status.DISCARDED}
    for request in requests:
        may_lie = request.priority != Priority.ASYNC and request.value not in sync
        done = request.status == Status.COMPLETED or (may_lie and request.status in laid_aside)
        verdict.expect(done, f"Request {request.id} to {request.target} is {Status(request.status).name}.")

    _judge_handling(handled, requests, verdict)
    for target in ("Fan", "Wait"):
        _judge_processes(target, [request for request in requests if request.target == target], verdict)
    verdict.problems[20:] = [f"... and {len(verdict.problems) - 20} more."] if len(verdict.problems) > 20 else []


def _judge_handling(handled: list[list[str]], requests: list[_Request], verdict: Verdict) -> None:
    """At least once, in order where one member works, and no more often than the kills explain."""
    values: dict[str, list[int]] = defaultdict(list)
    epochs: dict[tuple[str, int], list[int]] = defaultdict(list)
    for item, value, epoch in handled:
        values[item].append(int(value))
        epochs[item, int(value)].append(int(epoch))
    for request in requests:
        if request.target in MEMBERS and request.status == Status.COMPLETED:
            verdict.expect((request.target, request.value) in epochs,
                           f"{request.target} has never handled {request.value}.")  # fmt: skip

    # A value is handled again only in a later life: each death is answerable for what it had begun.
    again: Counter[tuple[str, int]] = Counter()
    for (item, value), lives in epochs.items():
        verdict.expect(len(set(lives)) == len(lives), f"{item} has handled {value} twice in one life.")
        for life in lives[:-1]:
            again[item, life] += 1
    verdict.duplicates = sum(again.values())
    verdict.most_duplicates = max(again.values(), default=0)
    for (item, life), count in again.items():
        allowed = (AHEAD + 1) * MEMBERS[item]
        verdict.expect(count <= allowed, f"{item} has repeated {count} messages after kill {life}: at most {allowed}.")

    for priority in Priority:
        order = {request.value: request.id for request in requests
                 if request.target == "One" and request.priority == priority}  # fmt: skip
        first = [order[value] for value in dict.fromkeys(values["One"]) if value in order]
        turned = [pair for pair in pairwise(first) if pair[0] > pair[1]]
        verdict.expect(not turned, f"One did not keep the order of {priority.name}: {_some(turned)}.")


def _judge_processes(target: str, requests: list[_Request], verdict: Verdict) -> None:
    """One right answer each: its number comes from what the process kept between its messages."""
    for request in requests:
        if request.status != Status.COMPLETED:
            continue
        verdict.processes += 1
        verdict.timers += target == "Wait"
        right = {"value": PARTS * request.value + sum(range(PARTS)), "parts": PARTS, "timers": int(target == "Wait")}
        verdict.expect(
            request.answers == (right,), f"{target} has answered {request.value} with {request.answers}, not {right}."
        )


def _notes(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def _requests(folder: Path) -> list[_Request]:
    """Every request for our items, with its answers, in the order of the ids."""
    connection = sqlite3.connect(folder / "home" / "messages.db")
    answers: dict[int, list[dict]] = defaultdict(list)
    for request_id, content in connection.execute(
        "SELECT h.corresponding_message_id, b.content FROM message_header h "
        "LEFT JOIN message_body b ON b.id = h.message_body_id WHERE h.type = ? ORDER BY h.id", (MessageType.RESPONSE,)
    ):  # fmt: skip
        answers[request_id].append(json.loads(content) if content else {})
    rows = connection.execute(
        "SELECT h.id, h.target_config_name, h.priority, h.status, "
        "CAST(json_extract(b.content, '$.value') AS INTEGER), h.source_config_name FROM message_header h "
        "JOIN message_body b ON b.id = h.message_body_id "
        "WHERE h.type = ? AND h.target_config_name IN ('One', 'Four', 'Fan', 'Wait') ORDER BY h.id",
        (MessageType.REQUEST,),
    ).fetchall()
    connection.close()
    return [_Request(*row[:5], tuple(answers[row[0]]), row[5]) for row in rows]


def _some(things: Iterable[object]) -> str:
    texts = [str(thing) for thing in things]
    more = f" and {len(texts) - LONGEST_LIST} more" if len(texts) > LONGEST_LIST else ""
    return ", ".join(texts[:LONGEST_LIST]) + more
