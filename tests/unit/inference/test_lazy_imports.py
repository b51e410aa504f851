"""`import inference` is cheap: nothing heavy loads before the first model does."""

import subprocess
import sys
from pathlib import Path

import inference

MODULES = [file.stem for file in sorted(Path(inference.__file__).parent.glob("*.py")) if file.stem != "__init__"]
HEAVY = ("torch", "transformers", "PIL", "numpy", "requests", "huggingface_hub", "safetensors")


def test_no_module_loads_a_heavy_library() -> None:
    source = "import sys, inference\n"
    source += "".join(f"import inference.{module}\n" for module in MODULES)
    source += f"print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(inference.__file__).parents[1],
    )
    assert done.stdout.strip() == "[]"
