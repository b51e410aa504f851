"""What a candidate answers beside the champion: chosen evenly, recorded within bounds, and never in the way."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tuning import BadRequest, NoCandidate, compare, places, promote, registry, shadow
from tuning.answers import Engine, agrees, said
from tuning.shadow import Shadow
from waiting import eventually

NAME = "bert"
FIELDS = {"inputs": "text"}
GOOD, BAD = [{"label": "good", "score": 0.9}], [{"label": "bad", "score": 0.8}]


class Models:
    """Models that answer what is said here, by the content of their folders."""

    def __init__(self, answers: Mapping[str, Any], delay: Callable[[], object] = lambda: None) -> None:
        self.open: list[str] = []
        self.asked: list[Mapping[str, Any]] = []
        self._answers, self._delay = answers, delay

    def opened(self, folder: Path, task: str) -> str:
        model = str(json.loads((folder / "config.json").read_text())["of"])
        self.open.append(model)
        return model

    def ask(self, model: str, fields: Mapping[str, Any]) -> Any:
        self._delay()
        self.asked.append(fields)
        answer = self._answers[model]
        if isinstance(answer, Exception):
            raise answer
        return [answer for _ in fields["inputs"]] if isinstance(fields["inputs"], list) else answer

    def engine(self) -> Engine:
        return Engine(open=self.opened, ask=self.ask, close=self.open.remove, failures=(ValueError,))


def put(folder: Path, of: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"of": of}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / NAME, "old")
    registry.save_candidate(tmp_path, NAME, lambda folder: put(folder, "new"), {})
    return tmp_path


def lines(root: Path) -> list[dict[str, Any]]:
    file = places.places(root, NAME).shadow
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def drained(shade: Shadow, root: Path, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(lines(root)) >= count, told=lambda: lines(root))
    return lines(root)


@pytest.mark.parametrize(("percent", "expected"), [("100", 40), ("25", 10), (2.5, 1), ("0", 0), ("", 0), (None, 0)])
def test_the_share_is_even(root: Path, percent: object, expected: int) -> None:
    models = Models({"new": GOOD})
    shade = Shadow(root, NAME, percent, "text-classification", models.engine(), print, item="Labels")
    for number in range(40):
        shade.offer(FIELDS, GOOD, str(number))
        if number % 20 == 0:
            time.sleep(0.01)
    found = drained(shade, root, expected)
    shade.close()
    assert len(found) == expected
    assert models.open == []
    if percent == "25":
        assert [line["session"] for line in found] == ["3", "7", "11", "15", "19", "23", "27", "31", "35", "39"]


@pytest.mark.parametrize("percent", ["half", -1, 101, True, "[5]"])
def test_a_share_that_means_nothing(root: Path, percent: object) -> None:
    with pytest.raises(BadRequest, match=r"shadow_percent.*from 0 to 100"):
        Shadow(root, NAME, percent, "text-classification", Models({}).engine(), print)


def test_the_report_counts_and_shows_where_they_differ(root: Path) -> None:
    shade = Shadow(root, NAME, 100, "text-classification", Models({"new": GOOD}).engine(), print, item="Labels")
    for number, live in enumerate([GOOD, BAD, BAD, GOOD]):
        shade.offer(FIELDS, live, str(number))
    drained(shade, root, 4)
    shade.close()
    report = shadow.report(root, NAME)
    assert report["candidate"] == places.noted_id(root / f"temp-{NAME}")
    assert (report["answers"], report["agreement"], report["errors"], report["left_out"]) == (4, 0.5, 0, 0)
    assert report["changes"] == {"bad -> good": 2}
    assert [row["session"] for row in report["latest"]] == ["2", "1"]
    assert report["verdict"] == "The candidate agrees with the champion on 2 of 4 live requests."
    assert compare(root, NAME, {"shadow": "true"}, Models({}).engine(), connection=None) == report  # type: ignore[arg-type]


def test_a_candidate_that_fails_is_recorded_and_disturbs_nobody(root: Path) -> None:
    shade = Shadow(root, NAME, 100, "text-classification", Models({"new": ValueError("too long")}).engine(), print)
    shade.offer(FIELDS, GOOD, "1")
    (line,) = drained(shade, root, 1)
    shade.close()
    assert line["candidate"] == {"label": None, "score": None, "error": "too long"}
    assert line["agree"] is None
    report = shadow.report(root, NAME)
    assert (report["answers"], report["agreement"], report["errors"]) == (1, None, 1)


def test_a_slow_candidate_holds_nobody_up(root: Path) -> None:
    go_on = threading.Event()
    shade = Shadow(root, NAME, 100, "text-classification", Models({"new": GOOD}, go_on.wait).engine(), print)
    for number in range(500):  # all of them before the first is answered, else this would wait for ever
        shade.offer(FIELDS, GOOD, str(number))
    assert lines(root) == []
    go_on.set()
    found = drained(shade, root, 64)
    shade.offer(FIELDS, GOOD, "last")
    found = drained(shade, root, len(found) + 1)
    shade.close()
    assert 64 <= len(found) <= 67
    assert len(found) + sum(line["left_out"] for line in found) == 501
    assert shadow.report(root, NAME)["left_out"] == 501 - len(found)


def test_the_candidate_that_waits_is_asked_and_no_other(root: Path) -> None:
    models = Models({"new": GOOD, "newer": BAD})
    shade = Shadow(root, NAME, 100, "text-classification", models.engine(), print)
    shade.offer(FIELDS, GOOD, "1")
    drained(shade, root, 1)
    registry.save_candidate(root, NAME, lambda folder: put(folder, "newer"), {})
    shade.offer(FIELDS, GOOD, "2")
    first, second = drained(shade, root, 2)
    assert first["candidate_id"] != second["candidate_id"]
    assert models.open == ["newer"]
    promote(root, NAME)
    shade.offer(FIELDS, GOOD, "3")
    shade.close()
    assert len(lines(root)) == 2
    assert models.open == []
    assert shadow.report(root, NAME)["candidate"] == second["candidate_id"]


def test_the_record_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "LARGEST_BYTES", 2_000)
    shade = Shadow(root, NAME, 100, "text-classification", Models({"new": GOOD}).engine(), print)
    for number in range(60):
        shade.offer(FIELDS, GOOD, str(number))
    eventually(lambda: lines(root) and lines(root)[-1]["session"] == "59")
    shade.close()
    record = sorted(root.glob("shadow-*"))
    assert len(record) == 2
    assert all(file.stat().st_size < 3_000 for file in record)
    assert 5 < shadow.report(root, NAME)["answers"] < 20


def test_a_record_that_cannot_be_written_is_told_once(root: Path) -> None:
    places.places(root, NAME).shadow.mkdir()
    told: list[str] = []
    shade = Shadow(root, NAME, 100, "text-classification", Models({"new": GOOD}).engine(), told.append)
    eventually(lambda: shade.offer(FIELDS, GOOD, "1") or told)
    for _ in range(3):
        shade.offer(FIELDS, GOOD, "2")
    shade.close()
    assert len(told) == 1
    assert "cannot be recorded" in told[0]


def test_without_a_record_there_is_no_report(root: Path) -> None:
    with pytest.raises(NoCandidate, match="Set shadow_percent"):
        shadow.report(root, NAME)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (GOOD, [{"label": "bad", "score": 0.1}, {"label": "good", "score": 0.5}], True),
        (GOOD, BAD, False),
        ({"label": "good", "score": 0.9}, GOOD, True),
        ([GOOD, BAD], [GOOD, BAD], True),
        ([GOOD, BAD], [GOOD, GOOD], False),
        (
            [{"entity_group": "PER", "word": "Ann", "score": 0.9}],
            [{"entity_group": "PER", "word": "Ann", "score": 0.1}],
            True,
        ),
        ([{"entity": "B-PER", "word": "Ann", "score": 0.9}], [{"entity": "B-LOC", "word": "Ann", "score": 0.9}], False),
        ([], [{"entity": "B-LOC", "word": "Ann", "score": 0.9}], False),
        ([{"generated_text": "a", "score": 0.4}], [{"generated_text": "a", "score": 0.5}], True),
        (GOOD, {"error": "too long"}, None),
    ],
)
def test_what_counts_as_agreement(one: Any, other: Any, expected: bool | None) -> None:
    assert agrees(said(one), said(other)) is expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Give either texts"),
        ({"texts": ["a"], "table": "iris.Review"}, "Give either texts"),
        ({"texts": ["a", 5]}, "list of texts"),
        ({"texts": [" "]}, "list of texts"),
        ({"text": ["a"]}, "Did you mean texts"),
        ({"table": "iris.Review"}, "Name the column of the texts"),
        ({"table": "iris.Review", "columns": "a,b,c"}, "Name the column of the texts"),
        ({"table": "iris.Review", "columns": "a", "limit": 0}, "limit"),
        ({"table": "iris.Review", "columns": "a", "limit": 100_000}, "at most 1,000"),
        ({"texts": ["a"] * 1_001}, "at most 1,000"),
    ],
)
def test_a_comparison_that_means_nothing(root: Path, fields: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        compare(root, NAME, fields, Models({}).engine(), connection=None)  # type: ignore[arg-type]


def test_a_comparison_side_by_side(root: Path, reviews: Callable[..., Any]) -> None:
    models = Models({"old": BAD, "new": GOOD})
    rows = [("good", f"text {number}") for number in range(100)]
    table = {"table": "iris.review", "columns": "ReviewLabel,ReviewText", "limit": 100}
    found = compare(root, NAME, table, models.engine(), reviews(rows))
    assert (found["texts"], found["agreement"]) == (100, 0.0)
    assert found["champion"] == {"id": places.read(root / NAME).id, "errors": 0, "accuracy": 0.0}
    assert found["candidate"]["accuracy"] == 1.0
    assert [len(fields["inputs"]) for fields in models.asked] == [64, 36, 64, 36]
    assert models.open == []
    found = compare(root, NAME, {"texts": "one text"}, models.engine(), reviews(rows))
    assert found["rows"] == [
        {
            "text": "one text",
            "champion": {"label": "bad", "score": 0.8, "error": ""},
            "candidate": {"label": "good", "score": 0.9, "error": ""},
            "agree": False,
        }
    ]


def test_numbers_are_apart_and_do_not_agree_or_differ(root: Path, reviews: Callable[..., Any]) -> None:
    registry.save_candidate(root, NAME, lambda folder: put(folder, "new"), {"task": "regression"})
    models = Models({"old": [{"label": "LABEL_0", "score": 1.5}], "new": [{"label": "LABEL_0", "score": 2.0}]})
    found = compare(root, NAME, {"texts": ["a", "b"]}, models.engine(), reviews([]))
    assert found["agreement"] is None
    assert found["verdict"] == "Their numbers are 0.5 apart on average, over 2 texts."
