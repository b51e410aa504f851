"""Grams for a kilowatt-hour."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from energy import grid
from energy.grid import SettingRefused


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package laid out as codecarbon is, instead of it."""
    folder = tmp_path / "codecarbon" / "data" / "private_infra"
    folder.mkdir(parents=True)
    (tmp_path / "codecarbon" / "__init__.py").write_text("raise AssertionError('it need not be loaded')")
    rows = {"FRA": {"carbon_intensity": 56.039, "country_name": "France", "year": 2023},
            "TKM": {"carbon_intensity": None, "country_name": "Turkmenistan", "year": 2022}}  # fmt: skip
    (folder / "global_energy_mix.json").write_text(json.dumps(rows))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])


@pytest.fixture
def no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])


def test_nothing_set_is_the_world_with_the_range_of_its_countries() -> None:
    where = grid.read()
    assert (where.low, where.factor, where.high) == (36, 473, 750)
    assert "2024" in where.source
    assert "Ember" in where.source


@pytest.mark.parametrize("factor", ["0", "56.5", 56.5, " 300 "])
def test_a_factor_of_ones_own_wins(factor: object) -> None:
    where = grid.read("FRA", factor)
    assert where.low == where.factor == where.high == float(str(factor))
    assert "grid_gco2_per_kwh" in where.source


@pytest.mark.parametrize("factor", ["much", "-1", "nan", "inf", "5001", True])
def test_a_factor_that_is_none_is_refused(factor: object) -> None:
    with pytest.raises(SettingRefused, match=r"number from 0 to 5000. Set it to the grams"):
        grid.read("", factor)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("code", ["FRA", " fra "])
def test_a_country(code: str) -> None:
    assert grid.read(code) == grid.Grid(
        56.039, 56.039, 56.039, "France, average of 2023 (Our World in Data, with codecarbon)"
    )


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("code", ["TKM", "XXX", "France", "../../etc/passwd"])
def test_a_country_without_a_figure_is_refused(code: str) -> None:
    with pytest.raises(SettingRefused, match=r"no figure for energy_country=.* or set grid_gco2_per_kwh"):
        grid.read(code)


@pytest.mark.usefixtures("no_table")
def test_a_country_without_the_table_says_what_to_install() -> None:
    with pytest.raises(SettingRefused, match=r"pip install 'evergreen\[energy\]'\), or set grid_gco2_per_kwh"):
        grid.read("FRA")


@pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is an optional package")
def test_the_real_table() -> None:
    france, norway, poland = (grid.read(code).factor for code in ("FR", "NOR", "PL"))
    assert norway < france < 150 < 500 < poland
