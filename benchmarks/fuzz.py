"""Requests that nobody would send, thousands of them: is every one answered, and does every pool live on?

    python benchmarks/fuzz.py [--examples 20000] [--random]

The strategies of tests/runtime/fuzzing.py at length: REST bodies and parameters of every endpoint,
settings, message JSON for real message classes. Prints how each endpoint answered, and every
finding: no answer, no JSON, an error without words or one that the runtime did not expect, a good
message that is not answered any more. The last line is JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from parts import machine, paths  # noqa: F401 - paths makes the next one importable

from runtime import fuzzing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--random", action="store_true", help="other ones each time; else always the same")
    parser.add_argument("--quick", action="store_true", help="500 examples")
    options = parser.parse_args()
    examples, began = 500 if options.quick else options.examples, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, fuzzing.target_in(Path(folder)) as target:
        report = fuzzing.run(
            target, examples, not options.random, lambda text: print(text, file=sys.stderr, flush=True)
        )
    seconds = time.monotonic() - began
    by_operation: dict[str, dict[int, int]] = defaultdict(dict)
    for (operation, status), count in sorted(report.answers.items()):
        by_operation[operation][status] = count
    for operation, counts in by_operation.items():
        print(f"  {operation:48} {'  '.join(f'{status}: {count}' for status, count in counts.items())}")
    print(f"{report.examples:,} requests in {seconds:.0f} s; {report.checks:,} good messages in between")
    for finding in report.findings:
        print(f"FINDING {finding}")
    print(
        json.dumps(
            {
                "benchmark": "fuzz", **machine.facts("hypothesis"), "examples": report.examples,
                "seconds": round(seconds, 1), "checks": report.checks, "findings": len(report.findings),
                "answers": by_operation,
            }
        )
    )  # fmt: skip
    sys.exit(1 if report.findings else 0)


if __name__ == "__main__":
    main()
