"""What the tests of trainings share: rows, fields, and one call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tuning

GOOD, BAD = (
    "This was a really good experience, the food was great.",
    "This was a really bad experience, never come back.",
)
FIELDS = {"columns": "ReviewLabel,ReviewText", "table": "iris.Review", "learning_rate": 0.01, "num_train_epochs": 3}
MODEL = "bert-base-cased"


def two_stars(rows: int) -> list[tuple[object, object]]:
    return [(number % 2, f"{GOOD if number % 2 else BAD} {number}") for number in range(rows)]


def run(
    connection: Any,
    root: Path,
    num_labels: int = 2,
    log: Callable[[str], object] | None = None,
    bear: Callable[[float], None] = lambda cpu_s: None,
    **fields: object,
) -> Any:
    """Train the tiny model; a field that is None is left out."""
    chosen = {name: value for name, value in {**FIELDS, **fields}.items() if value is not None}
    return tuning.train(connection, root, MODEL, num_labels, chosen, log or (lambda _: None), bear=bear)
