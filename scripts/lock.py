"""Write the lock files: every package, with its version, that pip chooses for pyproject.toml now."""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Optional for whoever installs the package, not for `make run`.
FEATURES = ("media", "openvino", "lora", "data", "search", "experiment", "stream")
HEADER = "# Made by `make lock` from pyproject.toml; do not edit.\n"


def resolve(requirements: list[str], within: dict[str, str]) -> dict[str, str]:
    """The name and version of all that these requirements need, as pip resolves them; packages of `within` as there."""
    with tempfile.TemporaryDirectory() as folder:
        report, constraints = Path(folder) / "report.json", Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in within.items()), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        subprocess.run([*command, "-c", str(constraints), "--report", str(report), *requirements], check=True)  # noqa: S603
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    # A local version (+cpu) is of one machine; the lock is for all.
    return {entry["metadata"]["name"].lower(): entry["metadata"]["version"].split("+")[0] for entry in found}


def write(file: str, versions: dict[str, str]) -> None:
    """Write a lock file."""
    lines = [f"{name}=={version}\n" for name, version in sorted(versions.items())]
    (ROOT / file).write_text(HEADER + "".join(lines), encoding="utf-8")


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"]
    wanted = project["dependencies"] + [package for name in FEATURES for package in groups[name]]
    # All together first, so that what is chosen for one file suits the others; a file then names what its group adds.
    locked: dict[str, str] = {}
    together = resolve([*wanted, *groups["test"], *groups["bench"]], {})
    for file, group in (
        ("requirements.lock", wanted),
        ("requirements-test.lock", groups["test"]),
        ("requirements-bench.lock", groups["bench"]),
    ):
        found = resolve(group, together)
        write(file, {name: version for name, version in found.items() if name not in locked})
        locked |= found
    # A peer's own environment holds what it needs otherwise than ours, which it sees behind its own: the same torch.
    shared = [f"{name}=={locked[name]}" for name in ("torch", "transformers")]
    for peer in ("bentoml", "mlserver"):
        found = resolve(shared + groups[f"bench-{peer}"], {})
        write(f"requirements-{peer}.lock", {name: found[name] for name in found if found[name] != locked.get(name)})


if __name__ == "__main__":
    main()
