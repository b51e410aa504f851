"""The benchmarks start as the documents say, and measure the sources, though some have the name of a package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BENCHMARKS = sorted((PROJECT / "benchmarks").glob("*.py"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


@pytest.mark.parametrize("file", BENCHMARKS, ids=lambda file: file.stem)
def test_a_benchmark_starts(file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-B", file, "--help"], env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_the_sources_come_before_the_benchmarks(tmp_path: Path) -> None:
    names = [file.stem for file in BENCHMARKS if (PROJECT / "src" / "python" / file.stem).is_dir()]
    assert "inference" in names
    shown = tmp_path / "shown.py"
    shown.write_text(
        f"import parts.paths, {', '.join(names)}\nprint({', '.join(f'{name}.__file__' for name in names)})"
    )
    code = f"import sys, runpy; sys.path[0] = {str(PROJECT / 'benchmarks')!r}; runpy.run_path({str(shown)!r})"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert all(file.startswith(str(PROJECT / "src" / "python")) for file in done.stdout.split())
