"""Draw some rows out of a stream of unknown length."""

import random
from collections.abc import Iterable
from typing import Any


def draw(rows: Iterable[Any], count: int, seed: int) -> list[tuple[int, Any]]:
    """`count` of the rows with their numbers from 1, each as likely as any other, in one pass (reservoir sampling)."""
    generator = random.Random(seed)  # noqa: S311 - a repeatable draw is what is wanted
    drawn: list[tuple[int, Any]] = []
    for number, row in enumerate(rows):
        if number < count:
            drawn.append((number + 1, row))
        elif (place := generator.randrange(number + 1)) < count:
            drawn[place] = (number + 1, row)
    return drawn
