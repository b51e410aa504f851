"""The rooms are there with the portal, before any model is: they load nothing that is heavy."""

import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "src" / "python"
HEAVY = ("torch", "transformers", "sklearn", "PIL", "datasets", "pyarrow")


def test_rooms_load_no_model_library() -> None:
    code = (
        "import importlib, sys, production; [importlib.import_module(name) for name in production.ROOMS]; "
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCES)}, check=True
    )
    assert done.stdout.strip() == "[]"
