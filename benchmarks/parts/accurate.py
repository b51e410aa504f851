"""One training of the accuracy benchmark in a process of its own: train on a file, judge on another one.

`python -m parts.accurate JSON` with `root`, `file`, `dev`, `test`, `fields`. The last line of the output is its
figures as JSON.
"""

import csv
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from parts.trainings import LABELS, MODEL, memory_mb, quieten

_ROWS = 64


def main() -> None:
    asked = json.loads(sys.argv[1])
    import tuning
    from energy import Meter, grid

    quieten()
    models = Path(asked["root"]) / "src" / "model"
    fields = {"columns": "ReviewLabel,ReviewText", "file": asked["file"], **asked["fields"]}
    meter = Meter(grid.read())
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with meter.measure("auto") as spent:
        report = tuning.train(
            sqlite3.connect(":memory:"), models, MODEL, LABELS, fields, _told, spent=spent.so_far if meter.on else None
        )
    figures = {
        "train_s": time.perf_counter() - began_s,
        "train_cpu_s": time.process_time() - began_cpu_s,
        "peak_mb": memory_mb("VmHWM"),
        "steps": report["steps"],
        "rows": report["rows"]["train"],
        "held_out": report["rows"]["held_out"],
        "held_out_accuracy": report["new_metrics"]["accuracy"],
        "energy": spent.result,
        "arguments": {name: value for name, value in report["arguments"].items() if name != "output_dir"},
    }
    for name in ("dev", "test"):
        if asked[name]:
            figures[name] = accuracy(Path(report["candidate"]), Path(asked[name]))
    print(json.dumps(figures, default=str))


def accuracy(model_folder: Path, file: Path) -> float:
    """The share of the file's rows that the saved model gets right, by transformers alone and in fp32."""
    import torch
    import transformers

    model = transformers.AutoModelForSequenceClassification.from_pretrained(model_folder, dtype="float32").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    with file.open(encoding="utf-8", newline="") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: len(row["ReviewText"]))
    right = 0
    with torch.inference_mode():
        for start in range(0, len(rows), _ROWS):
            batch = rows[start : start + _ROWS]
            texts = [row["ReviewText"] for row in batch]
            best = model(**tokenizer(texts, truncation=True, padding=True, return_tensors="pt")).logits.argmax(-1)
            said: list[Any] = [model.config.id2label[label] for label in best.tolist()]
            right += sum(one == row["ReviewLabel"] for one, row in zip(said, batch, strict=True))
    return right / len(rows)


def _told(line: str) -> None:
    print(f"  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
