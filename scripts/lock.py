"""Write the lock files: every package, with its version, that pip chooses for pyproject.toml now."""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Made by `make lock` from pyproject.toml; do not edit.\n"


def resolve(requirements: list[str]) -> dict[str, str]:
    """The name and version of all that these requirements need, as pip resolves them."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "--report", str(report), *requirements], check=True)  # noqa: S603
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    # A local version (+cpu) is of one machine; the lock is for all.
    return {entry["metadata"]["name"].lower(): entry["metadata"]["version"].split("+")[0] for entry in found}


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked: dict[str, str] = {}
    # Each group is resolved on top of those before it, and its file names only what it adds.
    for file, wanted in (
        ("requirements.lock", project["dependencies"]),
        ("requirements-test.lock", project["optional-dependencies"]["test"]),
        ("requirements-bench.lock", project["optional-dependencies"]["bench"]),
    ):
        found = resolve([f"{name}=={version}" for name, version in locked.items()] + wanted)
        added = {name: version for name, version in found.items() if name not in locked}
        lines = [f"{name}=={version}\n" for name, version in sorted(added.items())]
        (ROOT / file).write_text(HEADER + "".join(lines), encoding="utf-8")
        locked |= added


if __name__ == "__main__":
    main()
