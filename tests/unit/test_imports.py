"""Heavy libraries load when first needed."""

import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src" / "python"
HEAVY = ("torch", "transformers", "PIL", "sklearn", "datasets", "nicegui", "sqlglot", "pyarrow", "lancedb", "pyspark")


@pytest.mark.parametrize(
    "module",
    ["bo", "production", "inference", "tuning", "inference.pipeline", "tuning.job", "search", "energy", "experiment"],
)
def test_an_entry_point_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES)}, check=True
    )
    assert done.stdout.strip() == "[]"


def test_import_bo_takes_under_half_a_second() -> None:
    # CPU time: what else the machine does must not matter.
    code = "import time; t = time.process_time(); import bo; print(time.process_time() - t)"
    times = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES)}, check=True
        )
        times.append(float(done.stdout))
    assert min(times) < 0.5
