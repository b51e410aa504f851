"""Samples per second of a training, beside the recipes people write; the time to its first step; many rows.

    python benchmarks/tuning.py [--quick] [--rounds 3] [--rows 400] [--only full "trainer bf16"] [--curve [ROWS ...]]

The same MiniLM with a five-label head, the same reviews of people's lengths, the same batch for all, one epoch, one
torch thread:
- `padded fp32`: the reference recipe: transformers' Trainer, every row padded to 512;
- `trainer fp32`, `trainer bf16`: a Trainer written well: padded by batch, grouped by length, fused AdamW;
- `full`, `lora`, `head`: `tuning.train` with this method.
Each runs in a process of its own, in rotation over the rounds; figures are medians. Then: seconds from a TrainRequest
to a running production until the first step, twice. `--curve` measures that and the memory beside the model for 1,000
to 650,000 rows instead. The tables are for people; the last line is JSON.
"""

import argparse
import csv
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parts import lengths, machine, paths, trainings  # noqa: F401 - `paths` finds the sources
from parts.fitting import HELD_OUT, SUBJECTS

REFERENCE, FAIR = "padded fp32", ("trainer fp32", "trainer bf16")
OURS = ("full", "lora", "head")
GOAL_REFERENCE, GOAL_FAIR = 8.0, 1.3
GOAL_FIRST_S, GOAL_SECOND_S = 3.0, 1.0
GOAL_MEMORY_MB = 4 * 1024
CURVE = (1_000, 10_000, 100_000, 650_000)
REFERENCE_SHARE = 0.15  # of the rows: the reference is slow, and each of its steps is like the other
STARTING_ROWS = 10_000
_FEW_ROWS = 50
_JUDGED_ROWS = 500


# -- samples a second ------------------------------------------------------------------------------


def fit(subject: str, file: Path, root: Path, options: argparse.Namespace) -> dict[str, float]:
    """One training of one subject; ours has a project of its own, so that no cache helps."""
    rows = options.rows
    if subject == REFERENCE:
        rows = max(options.batch, int(rows * REFERENCE_SHARE) // options.batch * options.batch)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        own = Path(folder)
        trainings.make_root(own)
        copy = own / "misc" / "reviews.csv"
        _first_rows(file, copy, options.rows)
        asked = {
            "root": str(own), "subject": subject, "file": str(copy), "rows": rows, "batch": options.batch,
            "output_dir": str(own / "out"),
        }  # fmt: skip
        figures: dict[str, float] = trainings.in_process("fitting", asked, own, options.threads)
        return figures


def _first_rows(source: Path, copy: Path, rows: int) -> None:
    """As many as are trained on, and a few more that the product holds out."""
    with source.open(encoding="utf-8", newline="") as stream, copy.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows(row for number, row in enumerate(csv.reader(stream)) if number <= rows + HELD_OUT)


def ratios(results: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """For each method: times each other recipe, per second of CPU time and of the clock, and whether it is the goal."""
    found: dict[str, dict[str, Any]] = {}
    for method in OURS:
        for other, goal in ((REFERENCE, GOAL_REFERENCE), *((name, GOAL_FAIR) for name in FAIR)):
            if method in results and other in results:
                ratio = {key: round(results[method][key] / results[other][key], 2) for key in ("per_cpu_s", "per_s")}
                found.setdefault(method, {})[other] = {**ratio, "goal": goal, "met": ratio["per_cpu_s"] >= goal}
    return found


def speed_table(results: Mapping[str, Mapping[str, float]], compared: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [f"{'recipe':14} {'rows':>5} {'/cpu-s':>8} {'/s':>8} {'peak MB':>8}"]
    for name, one in results.items():
        lines.append(f"{name:14} {one['rows']:5.0f} {one['per_cpu_s']:8.2f} {one['per_s']:8.2f} {one['peak_mb']:8.0f}")
    for method, others in compared.items():
        for other, one in others.items():
            lines.append(
                f"{method} against {other}: {one['per_cpu_s']:.2f} times per cpu-s, {one['per_s']:.2f} per s "
                f"(goal {one['goal']:g}): {'met' if one['met'] else 'not met'}"
            )
    return "\n".join(lines)


# -- to the first step, and many rows -----------------------------------------------------------------


def ask(rows: Sequence[int], root: Path, options: argparse.Namespace) -> list[dict[str, float]]:
    """A TrainRequest for each number of rows, to one production; equal numbers mean the same table."""
    from irislite.sql import Tables

    with tempfile.TemporaryDirectory(dir=root) as folder:
        own = Path(folder)
        models = trainings.make_root(own)
        home = own / "home"
        home.mkdir()
        tables = Tables(home)
        for count in set(rows):
            file = own / "misc" / "reviews.csv"
            lengths.write(file, count, models / trainings.MODEL)
            tables.load_csv(f"iris.Review{count}", file)
            file.unlink()
        tables.close()
        asked = {"root": str(own), "home": str(home), "requests": [_request(count) for count in rows]}
        figures: list[dict[str, float]] = trainings.in_process("asked", asked, own, options.threads)
        return figures


def _request(rows: int) -> dict[str, object]:
    """One step, and not many rows to judge it by: what comes before it is what is measured."""
    return {
        "columns": "ReviewLabel,ReviewText",
        "table": f"iris.Review{rows}",
        "p_of_train": max(0.8, 1 - _JUDGED_ROWS / rows),
        "max_steps": 1,
        "per_device_train_batch_size": 8,
        "eval_strategy": "no",
    }


def start_lines(rounds: Sequence[Sequence[Mapping[str, float]]]) -> tuple[list[str], dict[str, Any]]:
    """What to say of the first and the second request, and the medians."""
    lines, found = [], {}
    for place, (name, goal_s) in enumerate((("first", GOAL_FIRST_S), ("second", GOAL_SECOND_S))):
        one = middle([both[place] for both in rounds])
        found[name] = {**one, "goal_s": goal_s, "met": one["first_step_s"] < goal_s}
        lines.append(
            f"{name} TrainRequest on {one['rows']:,.0f} rows: {one['first_step_s']:.2f} s until its first step begins "
            f"(goal {goal_s:g} s): {'met' if found[name]['met'] else 'not met'}; "
            f"{one['first_step_cpu_s']:.2f} CPU s; the step is done at {one['first_step_done_s']:.2f} s"
        )
    return lines, found


def curve(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Time and memory until the first step for each number of rows."""
    found: dict[str, Any] = {}
    titles = f"{'to first step s':>16} {'CPU s':>7} {'rows/s':>8} {'beside model MB':>16} {'whole peak MB':>14}"
    print(f"{'rows':>8} {titles}")
    for rows in options.curve:
        _, one = ask([_FEW_ROWS, rows], root, options)  # the first leaves model and libraries in memory
        beside_mb = one["peak_until_first_step_mb"] - one["before_mb"]
        found[str(rows)] = {**one, "beside_model_mb": beside_mb, "met": beside_mb < GOAL_MEMORY_MB}
        took_s = one["first_step_s"]
        print(
            f"{rows:8,} {took_s:16.1f} {one['first_step_cpu_s']:7.1f} {rows / took_s:8,.0f} {beside_mb:16,.0f} "
            f"{one['peak_mb']:14,.0f}",
            flush=True,
        )
    last = found[str(max(options.curve))]
    print(
        f"goal: below {GOAL_MEMORY_MB / 1024:g} GiB beside the model at {max(options.curve):,} rows: "
        f"{last['beside_model_mb'] / 1024:.2f} GiB: {'met' if last['met'] else 'not met'}"
    )
    return found


# -- all of it -------------------------------------------------------------------------------------------


def middle(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    return {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}


def speed(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    models = trainings.make_root(root / "lengths")
    file = root / "reviews.csv"
    lengths.write(file, max(2_000, options.rows + HELD_OUT), models / trainings.MODEL)
    with file.open(encoding="utf-8", newline="") as stream:
        texts = [row["ReviewText"] for row in csv.DictReader(stream)]
    tokens = lengths.measured(texts, models / trainings.MODEL)
    print(
        f"{len(texts)} reviews: median {tokens['median']:.0f} tokens, {tokens['below_p95']:.1%} below {lengths.P95}, "
        f"longest {tokens['longest']}"
    )
    names = [name for name in SUBJECTS if not options.only or name in options.only]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    starts = []
    for number in range(options.rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            print(f"round {number + 1}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(fit(name, file, root, options))
        if not options.only:
            print(f"round {number + 1}: to the first step", file=sys.stderr, flush=True)
            starts.append(ask([options.starting_rows] * 2, root, options))
    results = {name: middle(found) for name, found in rounds.items()}
    compared = ratios(results)
    print(speed_table(results, compared))
    lines, started = start_lines(starts) if starts else ([], {})
    print("\n".join(lines))
    return {"tokens": tokens, "results": results, "ratios": compared, "to_first_step": started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400, help="to train on")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=[])
    parser.add_argument("--curve", type=int, nargs="*", metavar="ROWS", help="memory and time by rows, alone")
    parser.add_argument("--quick", action="store_true", help="one small round: does everything work?")
    options = parser.parse_args()
    options.starting_rows = STARTING_ROWS
    if options.quick:
        options.rows, options.batch, options.rounds, options.starting_rows = 16, 8, 1, 500
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        if options.curve is None:
            figures = speed(options, root)
        else:
            options.curve = sorted(options.curve or ((200, 1_000) if options.quick else CURVE))
            figures = {"curve": curve(options, root)}
    facts = {"benchmark": "tuning", **machine.facts(*trainings.PACKAGES)}
    chosen = {name: getattr(options, name) for name in ("rows", "batch", "threads", "rounds")}
    print(json.dumps({**facts, **chosen, **figures}))


if __name__ == "__main__":
    main()
