"""Books by their covers: how fast the parts of the job are, what a search takes, what is found, what a crash costs.

    python benchmarks/search.py [--quick] [--only filtering recall ...]

- filtering: MB/s of a generated dump, beside a loop that parses every line;
- embedding: covers of 400 x 600 with ViT-B/32 (random weights) on one thread: the model loaded for each row, one row at
  a time with a loaded model, ours, and the bare model on ready batches;
- workers: the same on Spark with one and with two workers;
- whole: 70,000 covers from dump and zips to the collection, and the memory meanwhile (a small model: the machinery);
- killed: the job, killed at 20 random moments, ten of them on Spark;
- recall: of the indices on 100,000 vectors of 512 numbers, against comparing all;
- asked: a search through the operation, at 70,000 and 1,000,000 vectors;
- language: precision@10 of a small CLIP trained on shapes and colours, on covers it has not seen.
Each part runs in a process of its own. The tables are for people; the last line is JSON.
"""

import argparse
import json
from typing import Any

from parts import apart, machine

PARTS = ("filtering", "embedding", "workers", "whole", "killed", "recall", "asked", "language")
PACKAGES = ("torch", "transformers", "pyspark", "lancedb", "pymilvus", "pyarrow", "orjson")


def judged(part: str, found: dict[str, Any]) -> list[str]:
    """What the figures mean against what was wanted."""
    if part == "embedding":
        return [
            _met("times one row at a time", found["times one row at a time"], 2.5),
            _met("times a model per row", found["times model per row"], 10.0),
        ]
    if part == "recall":
        return [_met(f"recall@10 of {kind}", found[kind]["recall"], 0.99) for kind in ("LanceDB", "Milvus Lite")]
    if part == "filtering":
        times = found["ours"]["mb_per_s"] / found["json.loads of every line"]["mb_per_s"]
        return [f"the filter is {times:.1f} times as fast as a loop that parses every line"]
    if part == "killed":
        kept = all(not one[name] for one in found.values() for name in ("parts done again", "missing", "doubled"))
        return [
            f"{sum(one['kills'] for one in found.values())} kills: {'nothing' if kept else 'SOMETHING'} lost or doubled"
        ]
    return []


def _met(what: str, value: float, goal: float) -> str:
    return f"{what}: {value:g} (goal {goal:g}): {'met' if value >= goal else 'not met'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little data: does it run?")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    results = {}
    for part in options.only:
        results[part] = apart.measured("parts.searched", part, ["--quick"] * options.quick)
        print("\n".join([f"\n{part}", apart.table(results[part], 28), *judged(part, results[part])]), flush=True)
    print(json.dumps({"benchmark": "search", "quick": options.quick, **machine.facts(*PACKAGES), "results": results}))


if __name__ == "__main__":
    main()
