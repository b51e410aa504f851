"""The production of the browser tests of the rooms Models and Energy: tiny models of the real architectures."""

from iop import Production

import bo
from settings import format_lines

house = Production("House.Production")
house.operation(
    "Labels", bo.MLOperation,
    settings={"%settings": format_lines({"name": "bert", "task": "text-classification", "backend": "torch"})},
)  # fmt: skip
house.operation(
    "Tuning", bo.TuningOperation, pool_size=2,
    settings={"%settings": format_lines({"model_name": "bert", "num_labels": "5"})},
)  # fmt: skip
PRODUCTIONS = [house]
ROOMS = ["rooms.models", "rooms.energy"]
