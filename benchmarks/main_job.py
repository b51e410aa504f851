"""The main job on real rows: load, train, compare, promote, ask; times and accuracy.

    python benchmarks/main_job.py ../shared/data/sst5/train.csv --rows 2000 --epochs 3

Starts a production of its own in a temporary folder. Without a file it takes the shipped,
synthetic reviews. The table is for people; the last line is JSON.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from parts import machine
from parts.paths import PROJECT

from acceptance.running import Server


def timed(server: Server, target: str, classname: str, body: dict[str, object]) -> tuple[float, dict[str, object]]:
    """Send a request; its wall time in seconds and its answer."""
    began = time.monotonic()
    fields = {"target": target, "classname": classname, "body": body, "restart": False}
    answer = requests.post(f"{server.url}/api/iop/test", json=fields, auth=server.auth, timeout=3_600)
    answer.raise_for_status()
    return time.monotonic() - began, json.loads(answer.json()["body"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=PROJECT / "misc" / "reviews.csv")
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(PROJECT / "misc", root / "misc")
        server = Server(root, demo=False).start()
        try:
            began = time.monotonic()
            loaded = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "irislite.cli", "load", "iris.Review", str(options.file.resolve()), "--replace"],
                env=server.environment, capture_output=True, text=True, check=True,
            )  # fmt: skip
            load_s = time.monotonic() - began
            train_s, trained = timed(server, "Python.TuningOperation", "msg.TrainRequest", {
                "columns": "ReviewLabel,ReviewText", "table": "iris.Review", "limit": options.rows, "p_of_train": 0.8,
                "output_dir": "/irisdev/app/src/model/checkpoints", "evaluation_strategy": "epoch",
                "learning_rate": options.learning_rate, "num_train_epochs": options.epochs,
            })  # fmt: skip
            promote_s, _ = timed(server, "Python.TuningOperation", "msg.OverrideRequest", {})
            question = {"inputs": "This was a really bad experience"}
            ask_s, answer = timed(server, "Python.MLOperation", "msg.MLRequest", question)
        finally:
            server.stop()

    report = trained["output"]
    old, new = report["old_metrics"], report["new_metrics"]  # type: ignore[index]
    result = {
        "benchmark": "main_job", **machine.facts("transformers", "torch"), "file": options.file.name,
        "rows": options.rows, "epochs": options.epochs, "learning_rate": options.learning_rate,
        "start_s": round(server.started_s, 2), "load_s": round(load_s, 2), "train_s": round(train_s, 1),
        "promote_s": round(promote_s, 3), "ask_s": round(ask_s, 3), "held_out_rows": report["rows"]["held_out"],
        "old_accuracy": round(old["accuracy"], 4), "new_accuracy": round(new["accuracy"], 4),
        "old_f1_macro": round(old["f1_macro"], 4), "new_f1_macro": round(new["f1_macro"], 4),
        "answer": answer["output"],
    }  # fmt: skip
    print(loaded.stdout.strip())
    print(report["verdict"])  # type: ignore[index]
    for name, value in result.items():
        print(f"  {name:14} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
