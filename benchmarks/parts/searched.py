"""One part of the benchmark of search in a process of its own: `python -m parts.searched PART FOLDER [--quick]`.

The last line of the output is its figures as JSON. It is no part of benchmarks/search.py, because a script's folder
comes first on Python's path, and that file there would hide the package `search`.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts import asking, indexing

PARTS: dict[str, Callable[[Path, bool], dict[str, Any]]] = {
    "filtering": indexing.filtering,
    "embedding": indexing.embedding,
    "workers": indexing.workers,
    "whole": indexing.whole,
    "killed": indexing.killed,
    "recall": asking.recall,
    "asked": asking.asked,
    "language": asking.language,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=sorted(PARTS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    print(json.dumps(PARTS[options.part](options.folder, options.quick)))


if __name__ == "__main__":
    main()
