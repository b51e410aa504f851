"""Where the code that is measured lies; importing this makes it importable."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BENCHMARKS = PROJECT / "benchmarks"
NOOP_PRODUCTION = BENCHMARKS / "parts" / "noop_production.py"
# The sources first: inference.py of the benchmarks would hide the package `inference`, and others likewise.
SOURCES = (str(PROJECT / "src" / "python"), str(PROJECT / "tests"), str(BENCHMARKS))
sys.path[:] = [*SOURCES, *(path for path in sys.path if path not in SOURCES)]
