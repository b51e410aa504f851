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
    run = resolve(project["dependencies"])
    everything = resolve(
        [f"{name}=={version}" for name, version in run.items()] + project["optional-dependencies"]["test"]
    )
    only_tests = {name: version for name, version in everything.items() if name not in run}
    for file, packages in (("requirements.lock", run), ("requirements-test.lock", only_tests)):
        lines = [f"{name}=={version}\n" for name, version in sorted(packages.items())]
        (ROOT / file).write_text(HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
