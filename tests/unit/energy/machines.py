"""Folders as /sys/class/powercap and files as /proc/cpuinfo, with the numbers that a test wants."""

from pathlib import Path

RANGE_UJ = 262_143_328_850

EPYC_GUEST = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC
siblings\t: 2
flags\t\t: fpu hypervisor avx2
"""
EPYC_METAL = EPYC_GUEST.replace("hypervisor ", "").replace("siblings\t: 2", "siblings\t: 128").replace(
    "AMD EPYC\n", "AMD EPYC 7763 64-Core Processor\n"
)  # fmt: skip


class Powercap:
    """A folder of packages whose counters can be moved on."""

    def __init__(self, root: Path, packages: int = 1, range_uj: int = RANGE_UJ) -> None:
        self.root = root
        for number in range(packages):
            self.domain(f"intel-rapl:{number}", f"package-{number}", range_uj)

    def domain(self, folder: str, name: str, range_uj: int = RANGE_UJ, energy_uj: int = 1_000_000) -> None:
        path = self.root / folder
        path.mkdir(parents=True)
        (path / "name").write_text(f"{name}\n")
        (path / "max_energy_range_uj").write_text(f"{range_uj}\n")
        (path / "energy_uj").write_text(f"{energy_uj}\n")

    def set(self, energy_uj: int, package: int = 0) -> None:
        with (self.root / f"intel-rapl:{package}" / "energy_uj").open("r+b", buffering=0) as file:
            file.write(b"%020d\n" % energy_uj)  # in one go, and never shorter: it may be read at any time

    def add(self, joules: float, package: int = 0) -> None:
        file = self.root / f"intel-rapl:{package}" / "energy_uj"
        self.set(int(file.read_text()) + round(joules * 1e6), package)


def cpuinfo(folder: Path, text: str = EPYC_GUEST) -> Path:
    file = folder / "cpuinfo"
    file.write_text(text)
    return file
