"""How much a busy hardware thread of this processor draws, from published figures."""

import csv
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from energy import codecarbon

CPUINFO = Path("/proc/cpuinfo")

# Watts per hardware thread of a whole server, idle and at full load: averages of SPECpower_ssj2008 results by processor
# family (Cloud Carbon Footprint, ccf-coefficients, output/coefficients-aws-use.csv of 2026-03-09, rounded), found by
# vendor, family and model as /proc/cpuinfo has them. EPYC's 5th generation has the figures of the 4th: those of the
# source are of small servers only.
_SERVERS: Mapping[tuple[str, int, int], tuple[str, float, float]] = {
    ("GenuineIntel", 6, 63): ("Haswell", 1.86, 5.60),
    ("GenuineIntel", 6, 79): ("Broadwell", 0.71, 3.69),
    ("GenuineIntel", 6, 85): ("Skylake and Cascade Lake", 0.65, 4.08),
    ("GenuineIntel", 6, 106): ("Ice Lake", 0.77, 3.76),
    ("GenuineIntel", 6, 143): ("Sapphire Rapids", 1.04, 4.16),
    ("GenuineIntel", 6, 173): ("Granite Rapids", 0.58, 2.53),
    ("GenuineIntel", 6, 207): ("Emerald Rapids", 0.81, 4.48),
    ("AuthenticAMD", 23, 1): ("EPYC, 1st generation", 0.85, 2.60),
    ("AuthenticAMD", 23, 49): ("EPYC, 2nd generation", 0.47, 1.69),
    ("AuthenticAMD", 25, 1): ("EPYC, 3rd generation", 0.46, 1.96),
    ("AuthenticAMD", 25, 17): ("EPYC, 4th generation", 0.74, 2.28),
    ("AuthenticAMD", 25, 160): ("EPYC, 4th generation", 0.74, 2.28),
    ("AuthenticAMD", 26, 2): ("EPYC, 5th generation, by the 4th", 0.74, 2.28),
    ("AuthenticAMD", 26, 17): ("EPYC, 5th generation, by the 4th", 0.74, 2.28),
}
_IDLE_OF_FULL = 0.2  # the median of the table, for processors of which only the design power is known
_ARCHITECTURES = ("x86_64", "amd64", "aarch64", "arm64")


@dataclass(frozen=True)
class Power:
    """Watts for each second of processor time: what it likely is, the least and the most; and whose figures."""

    low: float
    likely: float
    high: float
    source: str


def spread(idle_w: float, full_w: float, source: str) -> Power:
    """The power of a busy thread, from what a thread draws idle and at full load.

    Least: only what the work adds. Likely: the machine is half busy, and the work bears what idles beside it. Most:
    a tenth of the machine is busy and bears all of it.
    """
    return Power(low=full_w - idle_w, likely=full_w + idle_w, high=full_w + 9 * idle_w, source=source)


def power(cpuinfo: Path = CPUINFO, architecture: str = "") -> Power | None:
    """The power of this machine's processor; None if nothing at all is known of such machines.

    The design power of the very model if codecarbon is installed and this is no virtual machine (there nobody knows how
    many threads share the package), else the table's server, else what holds for all of the table.
    """
    fields = _fields(cpuinfo)
    name = fields.get("model name", "")
    if "hypervisor" not in fields.get("flags", "").split():
        threads, watts = _whole(fields.get("siblings")), _design_power(name)
        if threads and watts:
            full_w = watts / threads
            return spread(_IDLE_OF_FULL * full_w, full_w, f"{name}: {watts:g} W for {threads} threads (codecarbon)")
    key = (fields.get("vendor_id", ""), _whole(fields.get("cpu family")), _whole(fields.get("model")))
    if key in _SERVERS:
        kind, idle_w, full_w = _SERVERS[key]
        return spread(idle_w, full_w, f"servers with {kind} (SPECpower)")
    if (architecture or platform.machine()).lower() not in _ARCHITECTURES:
        return None
    every = [spread(idle_w, full_w, "") for _, idle_w, full_w in _SERVERS.values()]
    likely = sorted(each.likely for each in every)[len(every) // 2]
    least, most = min(each.low for each in every), max(each.high for each in every)
    return Power(least, likely, most, "an unknown processor, by servers of all kinds (SPECpower)")


def _fields(cpuinfo: Path) -> dict[str, str]:
    """Of the first processor."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:  # no Linux
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _design_power(name: str) -> float | None:
    table = codecarbon.data("hardware", "cpu_power.csv")
    if table is None or not name:
        return None
    wanted = _plain(name)
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if _plain(row["Name"]) == wanted:
                return float(row["TDP"])
    return None


def _plain(name: str) -> str:
    """`Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz` and `AMD EPYC 7763 64-Core Processor` as lists of models call them."""
    name = re.sub(r"\((r|tm)\)|\b(cpu|processor|\d+-core)\b|@.*| with .*", " ", name.lower())
    return " ".join(name.split())
