"""A part of a benchmark runs in a process of its own; its figures come back as a line of JSON, and are shown."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from parts.paths import SOURCES


def measured(module: str, part: str, options: Sequence[str]) -> dict[str, Any]:
    """What `python -m module part FOLDER options` says in its last line; the folder is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", module, part, folder, *options]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{module} {part} failed: its words are above.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(found: Mapping[str, Any], width: int) -> str:
    """Names, `width` characters wide, and figures, one of each a line."""
    lines = []
    for name, value in found.items():
        shown = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        lines.append(f"  {name:{width}} {shown}")
    return "\n".join(lines)
