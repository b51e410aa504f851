"""Accuracy on real data, by method: mean and spread over seeds, with time, memory and energy.

    python benchmarks/accuracy.py --train ../shared/data/sst5/train.csv --dev ../shared/data/sst5/dev.csv --above 0.481

Both files have the columns ReviewLabel and ReviewText; without them it is the shipped, synthetic reviews, of which
every fifth row judges. Each training is the product's own, from a fresh MiniLM, in a process of its own, in rotation
over the seeds; its candidate is judged on the rows of the other file, which the training does not see, by transformers
alone and in fp32. `--set learning_rate=5e-5` changes all recipes, and `--share 0.9` holds a part of the first file out,
to look for a recipe without the rows that judge it. The table is for people; the last line is JSON.
"""

import argparse
import csv
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from parts import machine, paths, trainings  # noqa: F401 - `paths` finds the sources
from parts.lengths import REVIEWS

PLAIN = "plain"
RECIPES: dict[str, dict[str, object]] = {
    "plain": {"num_train_epochs": 3, "learning_rate": 1e-4, "per_device_train_batch_size": 32, "warmup_steps": 0},
    "full": {"num_train_epochs": 2, "per_device_train_batch_size": 32},
    "lora": {"method": "lora", "num_train_epochs": 3, "learning_rate": 1e-3, "per_device_train_batch_size": 32},
    "head": {"method": "head"},
}


def train(fields: Mapping[str, object], seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training in a project root of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        trainings.make_root(root)
        file = root / "misc" / "train.csv"
        shutil.copyfile(options.train, file)
        given = {"p_of_train": options.share, "eval_strategy": "no", "seed": seed, **fields, **dict(options.set)}
        if options.quick:
            given |= {"limit": 200, "num_train_epochs": 1}
        asked = {
            "root": str(root),
            "file": str(file),
            "dev": str(options.dev.resolve()),
            "test": str(options.test.resolve()) if options.test else None,
            "fields": given,
        }
        figures: dict[str, Any] = trainings.in_process("accurate", asked, root, options.threads)
        return figures


def run(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """All trainings, in rotation."""
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in options.only}
    for number, seed in enumerate(options.seeds):
        for name in options.only[number % len(options.only) :] + options.only[: number % len(options.only)]:
            print(f"seed {seed}: {name}", file=sys.stderr, flush=True)
            rounds[name].append(train(RECIPES[name], seed, options))
    return rounds


def shipped(folder: Path) -> tuple[Path, Path]:
    """The shipped reviews as two files, one to train on and one to judge on."""
    with REVIEWS.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    parts = {
        "train.csv": [row for number, row in enumerate(rows) if number % 5],
        "dev.csv": [row for number, row in enumerate(rows) if not number % 5],
    }
    for name, some in parts.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([header, *some])
    return folder / "train.csv", folder / "dev.csv"


def summary(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and spread of accuracy over the seeds; medians of the others."""
    found: dict[str, Any] = {}
    for name in ("dev", "test", "held_out_accuracy"):
        if name in rounds[0]:
            values = [one[name] for one in rounds]
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            found[name] = {"mean": statistics.mean(values), "deviation": deviation, "each": values}
    for name in ("train_s", "train_cpu_s", "peak_mb", "steps", "rows"):
        found[name] = statistics.median(one[name] for one in rounds)
    energies = [one["energy"] for one in rounds if one["energy"] and one["energy"]["joules"] is not None]
    if energies:
        found["joules"] = statistics.median(one["joules"] for one in energies)
        found["energy_method"] = energies[0]["method"]
    return found


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """All of it for people."""
    lines = [f"{'recipe':8} {'dev':>7} {'spread':>15} {'train s':>8} {'CPU s':>7} {'peak MB':>8} {'energy kJ':>10}"]
    for name, one in results.items():
        dev = one["dev"]
        joules = f"{one['joules'] / 1000:10.2f}" if "joules" in one else f"{'unknown':>10}"
        lines.append(
            f"{name:8} {dev['mean']:7.3f} {min(dev['each']):7.3f}-{max(dev['each']):.3f}  {one['train_s']:8.1f} "
            f"{one['train_cpu_s']:7.1f} {one['peak_mb']:8.0f} {joules}"
        )
        if "test" in one:
            lines.append(f"{'':8} test {one['test']['mean']:.3f}")
    return "\n".join(lines)


def judge(results: Mapping[str, Mapping[str, Any]], above: float | None) -> dict[str, Any]:
    """The best recipe but the plain one, and whether it is above an accuracy that is given and above the plain one."""
    ours = [name for name in results if name != PLAIN]
    if not ours:
        return {}
    best = max(ours, key=lambda name: results[name]["dev"]["mean"])
    found: dict[str, Any] = {"best": best, "accuracy": round(results[best]["dev"]["mean"], 4)}
    bars = {"given": above, "plain": results[PLAIN]["dev"]["mean"] if PLAIN in results else None}
    return found | {
        f"above_{name}": {"than": round(bar, 4), "met": found["accuracy"] > round(bar, 4)}
        for name, bar in bars.items()
        if bar is not None
    }


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no name=value.")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, help="CSV file to train on")
    parser.add_argument("--dev", type=Path, help="CSV file to judge on")
    parser.add_argument("--test", type=Path, help="another one, for a recipe that was chosen on --dev")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--set", type=_setting, nargs="+", default=[], metavar="NAME=VALUE", help="in each recipe")
    parser.add_argument("--share", type=float, default=0.999, help="of the first file to train on (p_of_train)")
    parser.add_argument("--above", type=float, help="the accuracy to be above")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="200 rows, one epoch, one seed: does everything work?")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.share = options.seeds[:1], 0.9
    if (options.train is None) != (options.dev is None):
        parser.error("--train and --dev go together.")
    with tempfile.TemporaryDirectory() as folder:
        if options.train is None:
            options.train, options.dev = shipped(Path(folder))
        rounds = run(options)
    results = {name: summary(found) for name, found in rounds.items()}
    print(table(results))
    verdict = judge(results, options.above)
    for name in ("given", "plain"):
        if bar := verdict.get(f"above_{name}"):
            met = "met" if bar["met"] else "not met"
            print(f"goal: above {bar['than']:.3f} ({name}): {verdict['best']} {verdict['accuracy']:.3f}: {met}")
    facts = {"benchmark": "accuracy", **machine.facts(*trainings.PACKAGES)}
    facts |= {"files": [file.name for file in (options.train, options.dev, options.test) if file]}
    chosen = {"seeds": options.seeds, "set": dict(options.set), "share": options.share}
    recipes = {name: RECIPES[name] for name in options.only}
    print(json.dumps({**facts, **chosen, "recipes": recipes, "results": results, "verdict": verdict}))


if __name__ == "__main__":
    main()
