"""Where the code that is measured lies; importing this makes it importable."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BENCHMARKS = PROJECT / "benchmarks"
NOOP_PRODUCTION = BENCHMARKS / "parts" / "noop_production.py"
SOURCES = (str(BENCHMARKS), str(PROJECT / "src" / "python"), str(PROJECT / "tests"))
sys.path[:0] = [path for path in SOURCES if path not in sys.path]
