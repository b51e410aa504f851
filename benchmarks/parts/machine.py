"""What a benchmark's JSON line says of where and what was measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from parts.paths import PROJECT


def commit() -> str:
    """The commit that is measured, marked if there are changes beside it."""
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True).stdout.strip()  # noqa: S603


def facts(*packages: str) -> dict[str, Any]:
    """Commit, date, machine, Python, and the versions of packages that take part."""
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # of a peer that was not asked for
        return "not installed"
