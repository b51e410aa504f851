"""A share of an item's live requests goes to the candidate too: behind the champion's answers, for the record alone.

`Shadow.offer` never waits and never fails: what the candidate cannot keep up with is left out and counted. The record
is a file of JSON lines beside the models, two parts of it at most. It has no texts, which would outlive the messages
there: `session` leads to the message with the text, for as long as that is kept.
"""

import json
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict

import settinglines
from tuning import places
from tuning.answers import Engine, agrees, said
from tuning.errors import BadRequest, NoCandidate

LARGEST_BYTES = 4_000_000
"""Of a part of the record, some 15,000 answers."""

_WAITING = 64
_SHOWN = 20
_END_S = 10.0  # how long an end waits for a candidate that is being loaded; an answer takes no such time
_recording = threading.Lock()


class ShadowReport(TypedDict):
    """How the candidate's answers compare with the champion's, as far as the record goes."""

    candidate: str
    answers: int
    agreement: float | None
    """The share of the requests that both answered with the same label."""
    errors: int
    left_out: int
    """Requests that were chosen and not answered, because too many waited."""
    since: str
    until: str
    changes: dict[str, int]
    """Where they differ: "champion's label -> candidate's label", the most frequent first."""
    latest: list[dict[str, Any]]
    """The last requests on which they differ, the newest first."""
    verdict: str


class Shadow:
    """Lets the candidate of the model `name` answer `percent` of the requests that are offered; one for each host."""

    def __init__(
        self,
        root: Path,
        name: str,
        percent: object,
        task: str,
        engine: Engine,
        warn: Callable[[str], None],
        item: str = "",
    ) -> None:
        self._percent = _share(percent)
        self._at = places.places(root, name) if self._percent else None
        self._item, self._task, self._engine, self._warn = item, task, engine, warn
        self._due = 0.0
        self._left_out = 0
        self._waiting: queue.Queue[tuple[Mapping[str, Any], Any, str] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._open: tuple[str, Any] | None = None  # the id of the candidate, and its model
        self._unsaid = ""  # by a thread of our own: the host's thread says it, whose log it is
        self._said = ""

    def offer(self, fields: Mapping[str, Any], output: Any, session: str) -> None:
        """A live request and the champion's answer to it."""
        if self._at is None:
            return
        self._say()
        self._due += self._percent
        if self._due < 100:
            return
        self._due -= 100
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"shadow of {self._at.name}", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait((fields, output, session))
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Answer what waits no more, and let go of the candidate."""
        if self._thread is None:
            return
        while True:
            try:
                self._waiting.get_nowait()
            except queue.Empty:
                break
        self._waiting.put(None)
        self._thread.join(_END_S)
        self._thread = None
        self._say()

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            self._answer(*work)
        self._let_go()

    def _answer(self, fields: Mapping[str, Any], output: Any, session: str) -> None:
        assert self._at is not None  # noqa: S101 - or nothing is offered
        candidate_id = places.noted_id(self._at.candidate)
        if not candidate_id:
            self._let_go()
            return
        began_s = time.perf_counter()
        answered = self._ask(candidate_id, fields)
        took_ms = (time.perf_counter() - began_s) * 1_000
        if places.noted_id(self._at.candidate) != candidate_id:
            return  # promoted or trained anew meanwhile: nobody knows whose answer it is
        live, shadow = said(output), said(answered)
        left_out, self._left_out = self._left_out, 0
        self._record(
            {
                "when": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "item": self._item,
                "session": session,
                "candidate_id": candidate_id,
                "champion": live,
                "candidate": shadow,
                "agree": agrees(live, shadow),
                "took_ms": round(took_ms, 1),
                "left_out": left_out,
            }
        )

    def _ask(self, candidate_id: str, fields: Mapping[str, Any]) -> Any:
        assert self._at is not None  # noqa: S101 - or nothing is offered
        if self._open is not None and self._open[0] != candidate_id:
            self._let_go()
        try:
            if self._open is None:
                self._open = candidate_id, self._engine.open(self._at.candidate, self._task)
            return self._engine.ask(self._open[1], fields)
        except self._engine.failures as error:
            return {"error": str(error)}

    def _let_go(self) -> None:
        if self._open is not None:
            self._engine.close(self._open[1])
            self._open = None

    def _record(self, line: dict[str, Any]) -> None:
        assert self._at is not None  # noqa: S101 - or nothing is offered
        file = self._at.shadow
        try:
            with _recording:
                if file.exists() and file.stat().st_size > LARGEST_BYTES:
                    file.replace(_older(file))
                with file.open("ab", buffering=0) as stream:
                    stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            self._unsaid = f"What the candidate answers cannot be recorded: {error}. See to {file}."

    def _say(self) -> None:
        if self._unsaid not in ("", self._said):  # once: the champion answers on, and this would come at every request
            self._said = self._unsaid
            self._warn(self._said)


def report(root: Path, name: str) -> ShadowReport:
    """What the record says of the candidate that waits, or of the one that answered last. Raises `NoCandidate`."""
    at = places.places(root, name)
    lines = [line for file in (_older(at.shadow), at.shadow) for line in _read(file)]
    if not lines:
        raise NoCandidate(
            f"No candidate of {name} has answered beside the champion yet. Set shadow_percent on the item that answers "
            "with it, and train a candidate."
        )
    candidate_id = places.noted_id(at.candidate) or lines[-1]["candidate_id"]
    own = [line for line in lines if line["candidate_id"] == candidate_id]
    judged = [line for line in own if line["agree"] is not None]
    differ = [line for line in judged if not line["agree"]]
    alike = len(judged) - len(differ)
    shown = ("when", "session", "champion", "candidate")
    changes = Counter(f"{line['champion']['label']} -> {line['candidate']['label']}" for line in differ)
    return ShadowReport(
        candidate=candidate_id,
        answers=len(own),
        agreement=alike / len(judged) if judged else None,
        errors=sum(bool(line["candidate"]["error"]) for line in own),
        left_out=sum(line["left_out"] for line in own),
        since=own[0]["when"] if own else "",
        until=own[-1]["when"] if own else "",
        changes=dict(changes.most_common()),
        latest=[{key: line[key] for key in shown} for line in differ[: -_SHOWN - 1 : -1]],
        verdict=f"The candidate agrees with the champion on {alike} of {len(judged)} live requests.",
    )


def _share(value: object) -> float:
    number = settinglines.typed(value) if value not in ("", None) else 0
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= 100:
        return float(number)
    raise BadRequest(f"shadow_percent cannot be {value!r}. Give a number from 0 to 100; 0 asks no candidate.")


def _older(file: Path) -> Path:
    return file.with_name(f"{file.stem}.older.jsonl")


def _read(file: Path) -> list[dict[str, Any]]:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return []
    lines = []
    for text in data.split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:  # a crash cut it short
            continue
        if isinstance(line, dict) and "candidate_id" in line:
            lines.append(line)
    return lines
