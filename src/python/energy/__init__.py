"""What a message or a training cost: energy in joules and carbon in grams, each with its method and its range.

    meter = Meter(grid.read(country="FRA"), log=print)
    with meter.measure() as spent:
        work()
    spent.result      # {"joules": 1.9, "low": 1.2, "high": 5.0, "method": "estimated-tdp", ...}

Nothing heavy is loaded here. See docs/energy.md.
"""

from energy import book
from energy.grid import Grid, SettingRefused
from energy.meter import Measurement, Meter, unavailable

__all__ = ["Grid", "Measurement", "Meter", "SettingRefused", "book", "unavailable"]
