"""What it costs to say what a request cost: processor time of one measurement, by method.

    python benchmarks/energy.py [--times 20000]

RAPL is read from files laid out as the kernel's: a real counter adds its own few microseconds for each package. The
goals are 50 µs where nothing can be measured and 200 µs with counters. The last line is JSON.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from parts import machine, paths  # noqa: F401 - `paths` finds the sources

from energy import Meter
from energy.grid import WORLD
from energy.meter import Machine
from inference import effort

GOALS_US = {"off": 50.0, "estimated": 50.0, "RAPL, 1 package": 200.0, "RAPL, 4 packages": 200.0, "a batch of 32": 200.0}


def package(root: Path, number: int) -> None:
    """One package's folder, as below /sys/class/powercap."""
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    for name, text in (
        ("name", f"package-{number}"),
        ("max_energy_range_uj", "262143328850"),
        ("energy_uj", "5000000"),
    ):
        (folder / name).write_text(f"{text}\n")


def meters(root: Path) -> dict[str, Meter]:
    """One for each method."""
    found = {"off": Meter(None), "estimated": Meter(WORLD, machine=Machine(root / "none"))}
    for packages in (1, 4):
        for number in range(packages):
            package(root / str(packages), number)
        name = f"RAPL, {packages} package{'s' if packages > 1 else ''}"
        found[name] = Meter(WORLD, machine=Machine(root / str(packages)))
    return found


def one_us(meter: Meter, times: int) -> float:
    """Microseconds of processor time for one measured request."""
    began = time.thread_time()
    for _ in range(times):
        with meter.measure() as spent, effort.borne_by(spent):
            pass
    return (time.thread_time() - began) / times * 1e6


def batch_us(meter: Meter, times: int, rows: int = 32) -> float:
    """Microseconds for a batch to begin and to end, for each of its rows."""
    spents = [meter.measure() for _ in range(rows)]
    for spent in spents:
        spent.__enter__()
    shares: list[tuple[effort.Effort | None, float]] = [(spent, 20.0) for spent in spents]
    began = time.thread_time()
    with effort.borne_by(spents[0]):
        for _ in range(times):
            with effort.batch(shares):
                pass
    return (time.thread_time() - began) / times * 1e6 / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20_000)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        known = meters(Path(folder))
        found = {name: min(one_us(meter, times // 10) for _ in range(10)) for name, meter in known.items()}
        batch = known["RAPL, 1 package"]
        found["a batch of 32"] = min(batch_us(batch, times // 200) for _ in range(10))
    for name, cost_us in found.items():
        print(f"{name:18} {cost_us:6.1f} µs   goal {GOALS_US[name]:.0f} µs")
    facts = machine.facts()
    print(json.dumps({"benchmark": "energy", **facts, "us": {name: round(us, 1) for name, us in found.items()}}))


if __name__ == "__main__":
    main()
