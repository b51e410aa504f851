"""kill -9 at random moments under load: is anything that was accepted lost, torn or out of order?

    python benchmarks/durability.py [--kills 300] [--no-timers] [--seed 1]

A production with pools of one and four, processes that wait for several answers, and timers is
killed again and again while five senders send at full speed; a fifth of the kills come while it
starts and recovers. After each kill the store's integrity is checked; after the last one the
production finishes what is left, and every note of what was accepted and handled is held against
the store. Everything runs with the default, synced commits. The last line is JSON.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
import time
from pathlib import Path

from parts import machine, paths  # noqa: F401 - paths makes the next one importable

from runtime import crashing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--longest", type=float, default=0.4, help="seconds under load before a kill, at most")
    parser.add_argument("--no-timers", action="store_true", help="without processes that set a timer")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--quick", action="store_true", help="ten kills")
    options = parser.parse_args()
    kills = 10 if options.quick else options.kills

    def told(kill: int) -> None:
        if kill % 10 == 0 or kill == kills:
            print(f"{kill} kills after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        verdict = crashing.run(Path(folder), kills, not options.no_timers, options.longest, options.seed, told)
    figures = dataclasses.asdict(verdict)
    for name, value in figures.items():
        if name != "problems":
            print(f"  {name:16} {value:,}")
    allowed = (crashing.AHEAD + 1) * max(crashing.MEMBERS.values())
    print(f"  Duplicates are what a member had handled, but not yet committed: at most {crashing.AHEAD} answers ahead")
    print(f"  of the disk, and one in hand; {allowed} for an item of four members, after each kill.")
    print("\n".join(["PROBLEMS:", *verdict.problems]) if verdict.problems else "  Every promise was kept.")
    seconds = round(time.monotonic() - began, 1)
    print(
        json.dumps({"benchmark": "durability", **machine.facts(), "seed": options.seed, "seconds": seconds, **figures})
    )
    sys.exit(1 if verdict.problems else 0)


if __name__ == "__main__":
    main()
