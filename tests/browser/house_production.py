"""The production of the browser tests of the application's rooms: tiny models of the real architectures."""

from iop import Production

import bo
import production
from settinglines import format_lines

house = Production("House.Production")
house.operation(
    "Labels", bo.MLOperation,
    settings={"%settings": format_lines({"name": "bert", "task": "text-classification", "backend": "torch"})},
)  # fmt: skip
house.operation(
    "Tuning", bo.TuningOperation, pool_size=2,
    settings={"%settings": format_lines({"model_name": "bert", "num_labels": "5"})},
)  # fmt: skip
for name, kind in (("Search", bo.SearchOperation), ("Index", bo.IndexOperation)):
    house.operation(name, kind, enabled=False, settings={"%settings": format_lines({"path": "/irisdev/app/src/books"})})
PRODUCTIONS = [house]
ROOMS = production.ROOMS
