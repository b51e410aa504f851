"""Posts labelled a second and how long each takes, beside the original's way and the bare model; and is any lost?

    python benchmarks/stream.py [--quick] [--only full delay ...]
    python benchmarks/stream.py --durability
    python benchmarks/stream.py --soak 600

- full: posts a second from a full stream to the channel, one worker with one thread; beside the original's way
  (batches of exactly 20, padded to 128 tokens, one call at a time), and models called directly with ready batches of
  64: the bare one (tokenizer and model), and that of an item (which sorts by length); in one run;
- workers: the same with one worker and with two;
- delay: from a post's acceptance to the channel, at 10 and 100 posts a second and all at once;
- slow: a slow day, one post a minute;
- durability: 100,000 posts at full speed while workers are killed, Redis is killed and started again, and the network
  is cut (a model that costs nothing: it is the machinery that is tried);
- soak: a worker at full speed for so many seconds: memory, threads, files.
A real Redis, the bundled MiniLM with an untrained head. Each part runs in a process of its own. The tables are for
people; the last line is JSON.
"""

import argparse
import json
import sys
from typing import Any

from parts import apart, machine

PARTS = ("full", "workers", "delay", "slow", "durability", "soak")
USUAL = PARTS[:5]
PACKAGES = ("redis", "torch", "transformers")


def judged(part: str, found: dict[str, Any]) -> str:
    """What the figures mean against what was wanted."""
    if part == "durability":
        problems = " ".join(found["problems"]) or "every accepted post was labelled, none lost"
        return f"{found['kills']} kills, {found['restarts']} restarts, {found['cuts']} cuts: {problems}"
    if part == "soak":
        grown = [name for name, one in found.items() if isinstance(one, dict) and one["growth"] > one["allowed"]]
        return f"{', '.join(grown)} grew" if grown else "nothing grew"
    if part == "slow":
        waited = found["ours"].get("p99", float("inf"))
        return f"heard {waited} ms after acceptance; the age setting is {found['max_age_ms']:.0f} ms"
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="little data: does it run?")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=USUAL)
    parser.add_argument("--durability", action="store_true", help="that part alone")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="that part alone")
    options = parser.parse_args()
    parts = ("durability",) if options.durability else ("soak",) if options.soak else options.only
    seconds = str(options.soak or (20 if options.quick else 600))
    results = {}
    for part in parts:
        results[part] = apart.measured("parts.streamed", part, [*["--quick"] * options.quick, "--seconds", seconds])
        shown = [f"\n{part}", apart.table(results[part], 40), judged(part, results[part])]
        print("\n".join(filter(None, shown)), flush=True)
    print(json.dumps({"benchmark": "stream", "quick": options.quick, **machine.facts(*PACKAGES), "results": results}))
    if results.get("durability", {}).get("problems"):
        sys.exit(1)


if __name__ == "__main__":
    main()
