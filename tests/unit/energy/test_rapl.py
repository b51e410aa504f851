"""The counters of processor packages."""

import math
import os
from pathlib import Path

import pytest

from energy.rapl import Rapl
from unit.energy.machines import Powercap


def test_packages_are_summed_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    powercap = Powercap(tmp_path, packages=2)
    powercap.domain("intel-rapl:0:0", "core", energy_uj=5)
    powercap.domain("intel-rapl-mmio:0", "package-0", energy_uj=5)
    powercap.domain("intel-rapl:2", "psys", energy_uj=5)
    (tmp_path / "intel-rapl").mkdir()
    rapl = Rapl(tmp_path)
    assert rapl.joules() == 0
    powercap.add(1.5, package=0)
    powercap.add(0.25, package=1)
    powercap.add(100, package=2)
    assert rapl.joules() == pytest.approx(1.75)
    assert rapl.joules() == pytest.approx(1.75)
    rapl.close()


def test_a_counter_that_begins_again_at_zero(tmp_path: Path) -> None:
    powercap = Powercap(tmp_path, range_uj=10_000_000)
    rapl = Rapl(tmp_path)
    powercap.set(9_000_000)
    assert rapl.joules() == pytest.approx(8)
    powercap.set(500_000)  # 1 J to the end of the range, then half of one
    assert rapl.joules() == pytest.approx(9.5)
    powercap.set(400_000)  # nearly a whole round
    assert rapl.joules() == pytest.approx(19.4)
    rapl.close()


@pytest.mark.parametrize("text", ["", "no number\n", "-\n"])
def test_what_is_no_number_is_not_read_as_one(tmp_path: Path, text: str) -> None:
    Powercap(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text(text)
    rapl = Rapl(tmp_path)
    assert "cannot be read" in rapl.problem
    assert math.isnan(rapl.joules())


def test_no_folder_is_no_counter(tmp_path: Path) -> None:
    rapl = Rapl(tmp_path / "none")
    assert "no processor package" in rapl.problem
    assert math.isnan(rapl.joules())


def test_one_package_of_two_is_none(tmp_path: Path) -> None:
    Powercap(tmp_path, packages=2)
    (tmp_path / "intel-rapl:1" / "max_energy_range_uj").unlink()
    before = len(os.listdir("/proc/self/fd"))
    rapl = Rapl(tmp_path)
    assert math.isnan(rapl.joules())
    assert len(os.listdir("/proc/self/fd")) == before, "a file was left open"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_that_only_root_may_read(tmp_path: Path) -> None:
    Powercap(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").chmod(0)
    assert "Permission denied" in Rapl(tmp_path).problem


def test_a_counter_that_goes_away_is_unknown_from_then_on(tmp_path: Path) -> None:
    powercap = Powercap(tmp_path)
    rapl = Rapl(tmp_path)
    powercap.add(1)
    assert rapl.joules() == pytest.approx(1)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("")
    assert math.isnan(rapl.joules())
    powercap.set(3_000_000)
    assert math.isnan(rapl.joules()), "what was missed is not known"
