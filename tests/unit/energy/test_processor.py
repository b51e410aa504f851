"""Watts of a busy thread, from published figures."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from energy import processor
from unit.energy.machines import EPYC_GUEST, EPYC_METAL, cpuinfo


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with" / "codecarbon" / "data" / "hardware"
    folder.mkdir(parents=True)
    (folder.parents[1] / "__init__.py").write_text("")
    (folder / "cpu_power.csv").write_text("Name,TDP\nAMD EPYC 7763,280.0\nIntel Xeon Gold 6248,150\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "with"), *sys.path])


def test_the_least_is_what_work_adds_and_the_most_is_a_machine_that_idles_for_it() -> None:
    power = processor.spread(1.0, 4.0, "")
    assert (power.low, power.likely, power.high) == (3, 5, 13)


def test_a_server_of_the_table(tmp_path: Path) -> None:
    power = processor.power(cpuinfo(tmp_path))
    assert power is not None
    assert (power.low, power.likely, power.high) == pytest.approx((1.5, 2.42, 6.1))
    assert "EPYC, 3rd generation" in power.source


@pytest.mark.usefixtures("table")
def test_the_design_power_of_the_very_model_on_bare_metal(tmp_path: Path) -> None:
    power = processor.power(cpuinfo(tmp_path, EPYC_METAL))
    assert power is not None
    assert power.likely == pytest.approx(1.2 * 280 / 128)
    assert "280 W for 128 threads (codecarbon)" in power.source


@pytest.mark.usefixtures("table")
def test_a_guest_does_not_take_the_whole_package_for_its_two_threads(tmp_path: Path) -> None:
    guest = EPYC_GUEST.replace("AMD EPYC\n", "AMD EPYC 7763 64-Core Processor\n")
    power = processor.power(cpuinfo(tmp_path, guest))
    assert power is not None
    assert power.likely < 3


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Intel(R) Xeon(R) Gold 6248 CPU @ 2.50GHz", "intel xeon gold 6248"),
        ("AMD EPYC 7763 64-Core Processor", "amd epyc 7763"),
        ("AMD Ryzen 7 5800U with Radeon Graphics", "amd ryzen 7 5800u"),
    ],
)
def test_names_as_lists_of_models_have_them(name: str, plain: str) -> None:
    assert processor._plain(name) == plain


@pytest.mark.parametrize("text", ["", "model name\t: A new one\n", "cpu family\t: none\n"])
def test_an_unknown_processor_has_the_range_of_all(tmp_path: Path, text: str) -> None:
    power = processor.power(cpuinfo(tmp_path, text), "x86_64")
    assert power is not None
    assert power.low < 2
    assert 3 < power.likely < 6
    assert power.high > 20
    assert "unknown processor" in power.source


def test_a_machine_of_which_nothing_is_known(tmp_path: Path) -> None:
    assert processor.power(tmp_path / "none", "sparc64") is None


@pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is an optional package")
def test_the_real_list(tmp_path: Path) -> None:
    power = processor.power(cpuinfo(tmp_path, EPYC_METAL))
    assert power is not None
    assert "(codecarbon)" in power.source
