"""The step inference: a trained model on the test set, with everything that can be said of its answers.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

import json
import time
from pathlib import Path
from typing import Any

from calibration import shares_of
from experiment import reading, reconciliation, scores
from experiment.preparation import Rows
from experiment.reading import Logits, Reader
from experiment.reconciliation import TEST
from experiment.records import Watch
from experiment.settings import Settings

STATISTICS, PREDICTIONS = "statistics.json", "predictions.jsonl"


def run(reader: Reader, rows: Rows, collected: Path, folder: Path, settings: Settings, watch: Watch) -> dict[str, Any]:
    """Judge the model on `rows`; the first process writes into `folder`. The statistics."""
    at_once = int(settings.get("inference.WINDOWS_AT_ONCE"))
    began_s = time.monotonic()
    logits = reading.predict(reader, rows, at_once, lambda share: watch.progress(0.95 * share))
    took_s = time.monotonic() - began_s
    summary = reconciliation.summary_of(collected)
    if not reader.world.first:
        return {}
    found = scores.full(
        rows.labels, logits, summary["labels"], settings.get("inference.CONFIDENCE"),
        int(settings.get("inference.RESAMPLES")), settings.get("experiment.SEED"),
    )  # fmt: skip
    found |= {
        "seconds": round(took_s, 3),
        "seconds_per_row": took_s / len(rows),
        "windows": int((rows.ends - rows.starts).sum()),
        "longest_windows": int((rows.ends - rows.starts).max()),
        "parameters": sum(weight.numel() for weight in reader.model.parameters()),
        "test_sha256": summary["sha256"][TEST],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STATISTICS).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if settings.get("inference.PREDICTIONS"):
        _write_predictions(folder / PREDICTIONS, logits, collected, summary["labels"])
    accuracy, f1 = found["accuracy"], found["f1_macro"]
    watch.told(f"accuracy {accuracy['value']:.4f} ({accuracy['low']:.4f} to {accuracy['high']:.4f}), F1 macro "
               f"{f1['value']:.4f}, {1000 * took_s / len(rows):.2f} ms a record, on {len(rows):,} records")  # fmt: skip
    return found


def _write_predictions(file: Path, logits: Logits, collected: Path, labels: list[str]) -> None:
    shares = shares_of(logits)
    with file.open("w", encoding="utf-8") as stream:
        for record, row in zip(reconciliation.read(collected, TEST), shares, strict=True):
            best = int(row.argmax())
            line = {
                "id": record["id"], "label": record["label"], "predicted": labels[best],
                "confidence": round(float(row[best]), 6), "shares": [round(float(share), 6) for share in row],
            }  # fmt: skip
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
