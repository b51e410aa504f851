"""One training of the speed benchmark in a process of its own: `python -m parts.fitting JSON`.

The JSON has `root`, `subject`, `file`, `rows`, `batch`, `output_dir`. The last line of the output is its figures as
JSON. All train one epoch, from the same MiniLM, on the same first rows of the file, but for five that the product holds
out; the clock runs around transformers' training loop.
"""

import csv
import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.trainings import LABELS, MODEL, Loop, memory_mb, quieten

SUBJECTS = ("padded fp32", "trainer fp32", "trainer bf16", "full", "lora", "head")
_LONGEST = 512
HELD_OUT = 5  # the fewest that have each label
_FEATURES = "Computing what the frozen encoder makes"


def plain(asked: dict[str, Any], loop: Loop) -> int:
    """transformers' Trainer as its documentation uses it, padded to 512 or as it is written well. Rows trained on."""
    import transformers

    folder = Path(asked["root"]) / "src" / "model" / MODEL
    padded, bf16 = asked["subject"].startswith("padded"), asked["subject"].endswith("bf16")
    transformers.set_seed(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=LABELS, dtype="float32", ignore_mismatched_sizes=True
    )
    labels, texts = _read(Path(asked["file"]), asked["rows"])
    encoded = tokenizer(texts, truncation=True, max_length=_LONGEST, padding="max_length" if padded else False)
    rows = [
        {"input_ids": ids, "attention_mask": mask, "labels": label}
        for ids, mask, label in zip(encoded["input_ids"], encoded["attention_mask"], labels, strict=True)
    ]
    arguments = transformers.TrainingArguments(
        output_dir=asked["output_dir"],
        per_device_train_batch_size=asked["batch"],
        num_train_epochs=1,
        learning_rate=1e-4,
        bf16=bf16,
        train_sampling_strategy="random" if padded else "group_by_length",
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=1,
    )
    collate = None if padded else transformers.DataCollatorWithPadding(tokenizer)
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=rows, data_collator=collate, processing_class=tokenizer
    )
    with loop.watched():
        trainer.train()
    return len(rows)


def product(asked: dict[str, Any], loop: Loop) -> int:
    """`tuning.train` with the method that the subject names. Rows trained on.

    For head the clock begins where the encoder's features are computed, and its small layer is trained for as many
    epochs as the product finds right: samples are rows, each seen once by the encoder.
    """
    import tuning

    def log(line: str) -> None:
        if line.startswith(_FEATURES):
            loop.whole.start()

    method = asked["subject"]
    fields = {
        "columns": "ReviewLabel,ReviewText",
        "file": asked["file"],
        "limit": asked["rows"] + HELD_OUT,
        "p_of_train": asked["rows"] / (asked["rows"] + HELD_OUT),
        "method": method,
        "per_device_train_batch_size": asked["batch"],
        "use_cpu": True,
        "seed": 1,
    }
    if method != "head":
        fields["num_train_epochs"] = 1
    with loop.watched():
        report = tuning.train(
            sqlite3.connect(":memory:"), Path(asked["root"]) / "src" / "model", MODEL, LABELS, fields, log
        )
    return int(report["rows"]["train"])


def _read(file: Path, rows: int) -> tuple[list[int], list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))[:rows]
    return [int(row["ReviewLabel"]) - 1 for row in found], [row["ReviewText"] for row in found]


def main() -> None:
    asked = json.loads(sys.argv[1])
    quieten()
    loop = Loop()
    train: Callable[[dict[str, Any], Loop], int] = plain if " " in asked["subject"] else product
    rows = train(asked, loop)
    figures = {
        "rows": rows,
        "per_s": rows / loop.whole.wall_s,
        "per_cpu_s": rows / loop.whole.cpu_s,
        "peak_mb": memory_mb("VmHWM"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
