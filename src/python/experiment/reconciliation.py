"""The step reconciliation: raw records and their labels, collected, checked, and split into three parts.

Which part a record falls into is decided by a hash of its text and the seed, label by label: the same text is never in
two parts, and a record stays where it is when others come or go.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiment.errors import RecordsUnusable
from experiment.functions import Config, Functions
from experiment.records import Watch
from experiment.settings import Settings

FILE, SUMMARY = "records.jsonl", "summary.json"
TRAIN, VALIDATION, TEST = "train", "validation", "test"
PARTS = (TRAIN, VALIDATION, TEST)

_MOST_LABELS = 1_000
_TOLD = 5


class Gathering:
    """Records on their way into the file, and what is known of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seed = settings.get("experiment.SEED")
        self.seen: set[str] = set()
        self.texts: dict[bytes, str] = {}
        """The label of each text, by its hash."""
        self.given: dict[bytes, str] = {}
        """The part that a record names for its text."""
        self.left_out = Counter[str]()
        self.notes: list[str] = []

    def take(self, record: Any, number: int) -> dict[str, Any] | None:
        """The record as it is kept; None if it is left out. Raises `RecordsUnusable`."""
        if not isinstance(record, Mapping) or "text" not in record or "label" not in record:
            had = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
            raise RecordsUnusable(
                f'Record {number} of reconcile has {had}: give each {{"id": ..., "text": ..., "label": ...}}.'
            )
        identity = str(record.get("id", number))
        text, label = record["text"], record["label"]
        if not isinstance(text, str) or not text.strip():
            self.left_out["no text"] += 1
            return None
        if label is None or not str(label).strip():
            self.left_out["no label"] += 1
            return None
        if identity in self.seen:
            raise RecordsUnusable(f"Two records have the id {identity!r}: set ID_COLUMN to one without repetition.")
        self.seen.add(identity)
        key = hashlib.sha256(f"{self.seed}\n{text}".encode()).digest()[:16]
        kept = str(label).strip()
        if self.texts.setdefault(key, kept) != kept:
            self.left_out["the text of another record, with another label"] += 1
            return None
        if part := record.get("split"):
            if part not in PARTS:
                raise RecordsUnusable(f"Record {identity!r} has the split {part!r}: write {', '.join(PARTS)}, or none.")
            if self.given.setdefault(key, part) != part:
                self.left_out[f"the text of a {self.given[key]} record"] += 1
                return None
        return {**record, "id": identity, "text": text, "label": kept, "key": key.hex()}

    def parts(self) -> dict[bytes, str]:
        """The part of each text that is taken."""
        test = 0.0 if self.settings.get("data.TEST_FILES") else float(self.settings.get("data.TEST_SHARE"))
        validation = float(self.settings.get("data.VALIDATION_SHARE"))
        by_label: dict[str, list[bytes]] = {}
        found = {key: self.given[key] for key in self._drawn(list(self.given))}
        for key in self._drawn([key for key in self.texts if key not in self.given]):
            by_label.setdefault(self.texts[key], []).append(key)
        for keys in by_label.values():
            tests, validations = round(test * len(keys)), round(validation * len(keys))
            for place, key in enumerate(keys):
                found[key] = TEST if place < tests else VALIDATION if place < tests + validations else TRAIN
        return found

    def _drawn(self, keys: list[bytes]) -> list[bytes]:
        """In the order of their hashes all, or the first MAX_ROWS: the beginning of sorted data would say little."""
        most = int(self.settings.get("data.MAX_ROWS"))
        return sorted(keys)[: most or None]


def run(functions: Functions, config: Config, folder: Path, watch: Watch) -> dict[str, Any]:
    """Write the records into `folder`; what there is, as the metrics of the step. Raises `RecordsUnusable`."""
    settings = config.settings
    gathering = Gathering(settings)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".records"
    with draft.open("w", encoding="utf-8") as stream:
        for number, record in enumerate(functions.reconcile(config.of(check=watch.check)), start=1):
            if kept := gathering.take(record, number):
                stream.write(json.dumps(kept, ensure_ascii=False) + "\n")
            if number % 100 == 0:
                watch.progress(min(0.9, number / 100_000), f"{number:,} records")
    parts = gathering.parts()
    counts: dict[str, Counter[str]] = {part: Counter() for part in PARTS}
    digest = {part: hashlib.sha256() for part in PARTS}
    with (folder / f".{FILE}").open("w", encoding="utf-8") as stream:
        for line in draft.open(encoding="utf-8"):
            record = json.loads(line)
            key = bytes.fromhex(record.pop("key"))
            part = parts.get(key)
            if part is None:
                continue
            if record.get("split") != gathering.given.get(key):
                gathering.left_out[f"the text of a {part} record"] += 1
                continue
            record["split"] = part
            counts[record["split"]][record["label"]] += 1
            digest[record["split"]].update(f"{record['id']}\0{record['text']}\0{record['label']}\n".encode())
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    (folder / f".{FILE}").replace(folder / FILE)
    draft.unlink()
    labels: list[str] = in_order({label for part in counts.values() for label in part})
    summary: dict[str, Any] = {
        "labels": labels,
        "rows": {part: sum(counts[part].values()) for part in PARTS},
        "rows_by_label": {part: {label: counts[part][label] for label in labels} for part in PARTS},
        "sha256": {part: digest[part].hexdigest() for part in PARTS},
        "left_out": dict(gathering.left_out),
    }
    _check(summary, settings)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = summary["rows"]
    watch.told(f"{rows[TRAIN]:,} records to train on, {rows[VALIDATION]:,} to choose by, {rows[TEST]:,} to judge by; "
               f"labels {', '.join(labels[:_TOLD])}{' …' if len(labels) > _TOLD else ''}.")  # fmt: skip
    for why, count in gathering.left_out.items():
        watch.told(f"{count:,} records were left out: {why}.")
    return summary


def read(folder: Path, part: str | None = None) -> Iterator[dict[str, Any]]:
    """The records, or those of one part, in their order; each with `row`, its number in its part."""
    rows = Counter[str]()
    with (folder / FILE).open(encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            record["row"] = rows[record["split"]]
            rows[record["split"]] += 1
            if part is None or record["split"] == part:
                yield record


def summary_of(folder: Path) -> dict[str, Any]:
    """What the step found: labels, rows of each part, hashes."""
    found: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return found


def in_order(labels: set[str]) -> list[str]:
    """Labels as people sort them: numbers by size, words by letter."""

    def place(label: str) -> tuple[int, float, str]:
        try:
            return 0, float(label), label
        except ValueError:
            return 1, 0.0, label

    return sorted(labels, key=place)


def _check(summary: Mapping[str, Any], settings: Settings) -> None:
    rows, labels = summary["rows"], summary["labels"]
    left_out = "; ".join(f"{count:,} left out: {why}" for why, count in summary["left_out"].items())
    if not sum(rows.values()):
        raise RecordsUnusable(f"There is no record that can be used ({left_out or 'none came'}). See to [data].")
    if len(labels) < 2:
        raise RecordsUnusable(f"All records have the label {labels[0]!r}: there is nothing to tell apart. See to "
                              "LABEL_COLUMN.")  # fmt: skip
    if len(labels) > _MOST_LABELS:
        raise RecordsUnusable(f"There are {len(labels):,} labels, as {labels[0]!r}: is LABEL_COLUMN the right column? "
                              f"{_MOST_LABELS:,} are the most.")  # fmt: skip
    learns = settings.get("steps.RUN_TRAINING") or settings.get("steps.RUN_TUNING")
    for part, needed in ((TRAIN, learns), (VALIDATION, learns), (TEST, settings.get("steps.RUN_INFERENCE"))):
        if needed and not rows[part]:
            raise RecordsUnusable(f"No record fell to {part}: there are {sum(rows.values())} in all. Give more, or "
                                  "change TEST_SHARE and VALIDATION_SHARE.")  # fmt: skip
