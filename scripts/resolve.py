"""Whether every package of requirements.lock can be installed in the images: `python scripts/resolve.py`.

pip looks for a wheel of each for the images' Python and platforms. That nothing is missing beside them is held by
tests/deploy/test_packages.py. It needs the package index, so it is no test itself.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The Python of IRIS's community images (Ubuntu 24.04) and of Dockerfile.irislite; what else pyproject.toml allows.
PYTHONS = ("3.12.3", "3.11.9", "3.13.0")
MACHINES = {"x86-64": "x86_64", "arm64": "aarch64"}
GLIBC = range(39, 4, -1)  # 2.39 is Ubuntu 24.04's; Debian's is newer


def resolve(python: str, machine: str) -> tuple[int, str]:
    """How many packages pip would install, and what it objected to ("" for nothing)."""
    platforms = [*(f"manylinux_2_{minor}_{machine}" for minor in GLIBC), f"manylinux2014_{machine}"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--target", folder, "--only-binary=:all:", "--python-version", python, "--report", str(report)]
        command += [part for platform in platforms for part in ("--platform", platform)]
        command += ["-r", str(ROOT / "requirements.txt")]
        done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            return 0, "\n".join(line for line in done.stderr.splitlines() if line.startswith("ERROR")) or done.stderr
        return len(json.loads(report.read_text(encoding="utf-8"))["install"]), ""


def main() -> int:
    """Resolve for each Python and machine; 1 if one of the first Python, which the images have, cannot be resolved."""
    parser = argparse.ArgumentParser(description="Resolve the packages of the images with pip, from wheels alone.")
    parser.add_argument("--python", action="append", help="a version, as in 3.12.3; may be repeated")
    parser.add_argument("--machine", action="append", choices=MACHINES, help="may be repeated")
    options = parser.parse_args()
    image = (ROOT / "Dockerfile.irislite").read_text(encoding="utf-8")
    found = re.search(r"python:(\d+\.\d+)-", image)
    if not found or not PYTHONS[0].startswith(found[1]):
        sys.exit("Dockerfile.irislite has another Python than PYTHONS says: change one of them.")
    failed = False
    for python in options.python or PYTHONS:
        for machine in options.machine or MACHINES:
            number, objection = resolve(python, MACHINES[machine])
            failed |= bool(objection) and python == PYTHONS[0]
            print(f"Python {python}, {machine}: {objection or f'{number} packages'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
