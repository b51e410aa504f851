"""The energy counters of processor packages, as Linux shows them below /sys/class/powercap."""

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")

# A package is intel-rapl:0, on AMD too; its parts are intel-rapl:0:0. intel-rapl-mmio:0 counts the same package again.
_PACKAGE = re.compile(r"intel-rapl:\d+")


@dataclass(slots=True)
class _Domain:
    file: int
    """Stays open: a read at offset 0 asks the processor anew."""
    range_uj: int
    last_uj: int


class Rapl:
    """The sum over all packages. `problem` says why nothing can be read, or is ''."""

    def __init__(self, root: Path = POWERCAP) -> None:
        self.problem = ""
        self._joules = 0.0
        self._domains: list[_Domain] = []
        folders = sorted(_packages(root))
        if not folders:
            self.problem = f"{root} has no processor package"
        try:
            for folder in folders:
                self._domains.append(_open(folder))
        except (OSError, ValueError) as error:  # one package without the others would be taken for all of them
            self._give_up(error)

    def joules(self) -> float:
        """What the packages have spent since this object was made; NaN if they cannot be read (any longer).

        To be called at least once a minute: after some minutes of full power a counter begins again at 0.
        """
        try:
            for domain in self._domains:
                now_uj = _number(domain.file)
                grown = now_uj - domain.last_uj
                domain.last_uj = now_uj
                self._joules += (grown if grown >= 0 else grown + domain.range_uj) / 1e6
        except (OSError, ValueError) as error:
            self._give_up(error)
        return math.nan if self.problem else self._joules

    def close(self) -> None:
        """Let go of the files."""
        while self._domains:
            os.close(self._domains.pop().file)

    def _give_up(self, error: Exception) -> None:
        self.problem = f"the counters cannot be read: {error}"
        self.close()


def _packages(root: Path) -> list[Path]:
    try:
        names = [entry.name for entry in os.scandir(root) if _PACKAGE.fullmatch(entry.name)]
        return [root / name for name in names if (root / name / "name").read_text("ascii").startswith("package")]
    except (OSError, ValueError):
        return []


def _open(folder: Path) -> _Domain:
    range_uj = int((folder / "max_energy_range_uj").read_text("ascii"))
    file = os.open(folder / "energy_uj", os.O_RDONLY)
    try:
        return _Domain(file, range_uj, _number(file))
    except (OSError, ValueError):
        os.close(file)
        raise


def _number(file: int) -> int:
    return int(os.pread(file, 32, 0))
