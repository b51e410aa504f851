"""One part of the inference benchmark in a process of its own: `python -m parts.measured PART --texts FILE ...`.

The last line of the output is its figures as JSON. It is no part of benchmarks/inference.py, because a script's folder
comes first on Python's path, and that file there would hide the package `inference`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts import graphics, inside, pictures, reviews


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("reference", "convert", "inside", "pictures", "gpu"))
    parser.add_argument("--backend", default="")
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    work = reviews.prepare(options.texts, options.count)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "reference": lambda: inside.reference(work),
        "convert": lambda: inside.convert(work, options.backend),
        "inside": lambda: inside.around(work, options.backend, options.requests),
        "pictures": lambda: pictures.shares(2 if options.quick else 5, options.quick),
        "gpu": lambda: graphics.measure(work),
    }
    print(json.dumps(parts[options.part]()))


if __name__ == "__main__":
    main()
