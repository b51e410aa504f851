"""An experiment by the commands that its page names: its time, what is not training, and what a second run costs.

    python benchmarks/experiment.py [--quick] [--only comparison processes documents]

- `comparison`: `evergreen experiment new` and `run`, three models (MiniLM and its first three layers and first one) on
  SST-5 where ../shared/data has it, on the shipped, synthetic reviews otherwise; then the same again with nothing
  changed, and with the inference's settings changed.
- `processes`: one training in one process and, by `accelerate launch`, in two; each has one thread for itself; on short
  texts and on long ones.
- `documents`: documents of 30 and of 300 pages, made here, classified with windows and pooling; the memory of each.

Every part is processes of its own. The last line is JSON.
"""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from parts import machine, paths  # noqa: F401 - `paths` finds the sources

PROJECT = Path(__file__).resolve().parents[1]
SST5 = PROJECT.parent / "shared" / "data" / "sst5"
PARTS = ("comparison", "processes", "documents")
GOAL_NOT_TRAINING, GOAL_AGAIN_S = 0.10, 5.0
PAGE_WORDS = 500
SMALL = "all-MiniLM-L6-v2:1"
START = """import experiment
started = experiment.start(sys.argv[1])
print(started.number, *(step.key for step in started.steps))"""
STEP = """from experiment.__main__ import main
sys.exit(main(sys.argv[1:]))"""


def evergreen(*arguments: str, threads: int | None = None) -> tuple[float, str]:
    """The command line, in a process of its own: seconds, and what it said."""
    variables = {**os.environ, "PYTHONPATH": str(PROJECT / "src" / "python")}
    if threads is not None:
        variables["OMP_NUM_THREADS"] = str(threads)
    began_s = time.perf_counter()
    command = [sys.executable, "-m", "evergreen", "experiment", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr[-2000:]}")
    return time.perf_counter() - began_s, done.stdout


def set_keys(folder: Path, **keys: str) -> None:
    """Change values in settings.ini."""
    file = folder / "settings.ini"
    text = file.read_text(encoding="utf-8")
    for name, value in keys.items():
        text = re.sub(rf"(?m)^{name} =.*$", f"{name} = {value}", text, count=1)
    file.write_text(text, encoding="utf-8")


def data(options: argparse.Namespace) -> list[str]:
    """The arguments of `new` that name the data."""
    if not (SST5 / "train.csv").is_file():
        return []
    return ["--csv", str(SST5 / "train.csv"), "--test", str(SST5 / "dev.csv")]


def comparison(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """From `new` to a comparison, and twice more."""
    folder = root / "EXP-1-comparison"
    new_s, _ = evergreen("new", str(folder), *data(options))
    if options.quick:
        set_keys(folder, MAX_ROWS="400", EPOCHS="1")
    run_s, _ = evergreen("run", str(folder))
    found = json.loads((folder / "run_1" / "comparison.json").read_text(encoding="utf-8"))
    again_s, told = evergreen("run", str(folder))
    if "Nothing has changed" not in told or (folder / "run_2").exists():
        raise SystemExit(f"The second run was not a rerun:\n{told}")
    set_keys(folder, CONFIDENCE="0.9")
    inference_s, told = evergreen("run", str(folder))
    unchanged = re.findall(r"^(\S+): unchanged", told, re.MULTILINE)
    if sum(not key.startswith("inference/") for key in unchanged) != 7:
        raise SystemExit(f"More than the inference ran again:\n{told}")
    training_s = found["seconds"]["training"]
    rows = {row["model"]: {name: row[name] for name in ("accuracy", "f1_macro", "training_s", "seconds_per_row")}
            for row in found["models"]}  # fmt: skip
    return {
        "data": "sst5" if data(options) else "misc/reviews.csv",
        "test_rows": found["rows"],
        "models": rows,
        "winner": found["winner"],
        "total_s": round(new_s + run_s, 1),
        "training_s": training_s,
        "share_not_training": round(1 - training_s / (new_s + run_s), 4),
        "steps_s": found["seconds"]["steps"],
        "again_s": round(again_s, 2),
        "inference_only_s": round(inference_s, 1),
    }


def processes(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One process of one thread against two: on the reviews as they are, and on seven of a kind as one text."""
    joined = write_joined(root / "joined.csv", 7)
    figures: dict[str, Any] = {}
    most = 400 if options.quick else 3200
    for name, named, rows in (("short", data(options), most), ("long", ["--csv", str(joined)], most // 4)):
        figures[name] = {}
        for count in (1, 2):
            folder = root / f"EXP-2-{name}-{count}"
            evergreen("new", str(folder), *named, "--models", "all-MiniLM-L6-v2")
            set_keys(folder, MAX_ROWS=str(rows), EPOCHS="1", RUN_INFERENCE="false", LAUNCHER="accelerate",
                     PROCESSES=str(count))  # fmt: skip
            evergreen("run", str(folder), threads=1)
            record = json.loads((folder / "run_1/training/all-MiniLM-L6-v2/record.json").read_text(encoding="utf-8"))
            metrics = record["metrics"]
            figures[name][f"training_s_{count}"] = metrics["training_s"]
            figures[name][f"validation_{count}"] = {
                figure: round(metrics[f"validation_{figure}"], 4) for figure in ("loss", "accuracy", "f1_macro")
            }
        figures[name]["speed_up"] = round(figures[name]["training_s_1"] / figures[name]["training_s_2"], 3)
    return figures


def write_joined(file: Path, at_once: int) -> Path:
    """The reviews with so many of the same label as one longer text."""
    source = SST5 / "train.csv" if (SST5 / "train.csv").is_file() else PROJECT / "misc" / "reviews.csv"
    texts: dict[str, list[str]] = {}
    with source.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            texts.setdefault(row["ReviewLabel"], []).append(row["ReviewText"])
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["ReviewLabel", "ReviewText"])
        for label, own in texts.items():
            starts = range(0, len(own), at_once)
            writer.writerows([label, " ".join(own[start : start + at_once])] for start in starts)
    return file


def documents(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The inference of short and of long documents, and its memory; the same number of documents and of labels."""
    figures: dict[str, Any] = {}
    count = 12 if options.quick else 20
    for pages in (30, 60 if options.quick else 300):
        folder = root / f"EXP-3-pages-{pages}"
        write_documents(root / f"pages-{pages}", count, pages)
        evergreen("new", str(folder), "--csv", str(root / f"pages-{pages}" / "good" / "000.txt"), "--models", SMALL,
                  "--text-column", "text", "--label-column", "label")  # fmt: skip
        set_keys(folder, FILES=f"{root}/pages-{pages}/*/*.txt", LABELS_FILE="folders", EPOCHS="1", BATCH_ROWS="4",
                 TEST_SHARE="0.5", VALIDATION_SHARE="0.2", TRAIN_WINDOWS="4", LAUNCHER="accelerate")  # fmt: skip
        by_step = {}
        number, *steps = python(START, str(folder))[1].split()
        for step in steps:
            by_step[step.partition("/")[0]] = python(STEP, str(folder), number, step)[0]
        statistics = json.loads((folder / f"run_1/inference/{SMALL.replace(':', '-')}/statistics.json").read_text())
        figures[f"pages_{pages}"] = {
            "peak_mb": by_step, "accuracy": statistics["accuracy"]["value"], "documents": statistics["rows"],
            "windows": statistics["windows"], "longest_windows": statistics["longest_windows"],
            "seconds_per_document": round(statistics["seconds_per_row"], 3),
        }  # fmt: skip
    few, many = (one["peak_mb"] for one in figures.values())
    figures["grows_by"] = {step: round(many[step] / few[step], 3) for step in few}
    return figures


def python(code: str, *arguments: str) -> tuple[float, str]:
    """A piece of Python in a process of its own: its peak of memory in MB, and what it said."""
    peak = "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)"
    wrapped = f"import atexit, resource, sys\natexit.register(lambda: {peak})\n{code}"
    variables = {**os.environ, "PYTHONPATH": str(PROJECT / "src" / "python")}
    command = [sys.executable, "-c", wrapped, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return round(float(done.stderr.split()[-1]), 1), done.stdout


def write_documents(root: Path, count: int, pages: int) -> None:
    """Text files in a folder for each label; what says the label is in one page of ten."""
    generator = random.Random(pages)  # noqa: S311 - the same texts every time
    words = ["contract", "party", "terms", "agreed", "clause", "law", "state", "shall", "notice", "term", "date"]
    telling = {"good": "excellent wonderful delightful", "bad": "terrible awful dreadful"}
    for number in range(count):
        label = ("good", "bad")[number % 2]
        folder = root / label
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{number:03d}.txt").open("w", encoding="utf-8") as stream:
            for page in range(pages):
                text = " ".join(generator.choices(words, k=PAGE_WORDS))
                told = f" {telling[label]}" * 20 if page % 10 == number % min(10, pages) else ""
                stream.write(f"Page {page + 1} of {number}.{told} {text}\n\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows, to see that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    versions = machine.facts("torch", "transformers", "datasets", "accelerate")
    result: dict[str, Any] = {"benchmark": "experiment", **versions}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.only:
            result[name] = {"comparison": comparison, "processes": processes, "documents": documents}[name](
                Path(folder), options
            )
            print(f"{name}:")
            for key, value in result[name].items():
                print(f"  {key:20} {value}")
    if "comparison" in result:
        found = result["comparison"]
        found["goals_met"] = found["share_not_training"] < GOAL_NOT_TRAINING and found["again_s"] < GOAL_AGAIN_S
    print(json.dumps(result))


if __name__ == "__main__":
    main()
