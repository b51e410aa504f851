"""How much carbon a kilowatt-hour stands for, where the work runs."""

import json
import math
from dataclasses import dataclass
from typing import Any

from energy import codecarbon

JOULES_PER_KWH = 3_600_000


class SettingRefused(ValueError):
    """A setting of energy that cannot be used, such as a country that the table does not have."""


@dataclass(frozen=True)
class Grid:
    """Grams of CO2 equivalent per kWh of electricity; `low` and `high` are what it may be, `source` is whose figure."""

    factor: float
    low: float
    high: float
    source: str


# Ember, Yearly Electricity Data, world in 2024: 472.94. Nothing says where this machine stands, so the range is that of
# the countries: the 5th and the 95th percentile of the 209 in the same data.
WORLD = Grid(473.0, 36.0, 750.0, "world average of 2024 (Ember); set energy_country or grid_gco2_per_kwh")


def read(country: str = "", factor: Any = None) -> Grid:
    """The grid that the settings `energy_country` (ISO 3166, as FR or FRA) and `grid_gco2_per_kwh` mean.

    Neither given: the world's average. Raises `SettingRefused`.
    """
    if factor is not None and str(factor).strip():
        return _given(factor)
    return _of_country(country.strip().upper()) if country.strip() else WORLD


def _given(factor: Any) -> Grid:
    try:
        number = float(str(factor))
    except ValueError:
        number = math.nan
    if not 0 <= number <= 5_000:
        raise SettingRefused(
            f"grid_gco2_per_kwh={str(factor)[:40]} is no number from 0 to 5000. Set it to the grams of CO2 equivalent "
            "per kWh of your electricity, or remove it."
        )
    return Grid(number, number, number, "the setting grid_gco2_per_kwh")


def _of_country(code: str) -> Grid:
    table = codecarbon.data("private_infra", "global_energy_mix.json")
    if table is None:
        raise SettingRefused(
            f"energy_country={code[:40]} needs the table of countries that comes with codecarbon. Install it "
            "(pip install 'evergreen[energy]'), or set grid_gco2_per_kwh instead."
        )
    countries = json.loads(table.read_text(encoding="utf-8"))
    row = countries.get(_three_letters(code))
    factor = row.get("carbon_intensity") if row else None
    if factor is None:
        raise SettingRefused(
            f"There is no figure for energy_country={code[:40]}. Set it to the ISO code of a country, such as FR or "
            "FRA, or set grid_gco2_per_kwh instead."
        )
    source = f"{row['country_name']}, average of {row['year']} (Our World in Data, with codecarbon)"
    return Grid(float(factor), float(factor), float(factor), source)


def _three_letters(code: str) -> str:
    if len(code) != 2:
        return code
    import pycountry  # codecarbon brings it

    found = pycountry.countries.get(alpha_2=code)
    return str(found.alpha_3) if found else code
