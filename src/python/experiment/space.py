"""What tuning tries: the section [space], as lists and ranges of the keys of [training]."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiment.keys import BY_SECTION

_NOT_TRIED = ("CHECKPOINT_S", "PRECISION")


@dataclass(frozen=True)
class Axis:
    """One key and what it may be: `values`, or the range from `low` to `high`."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def draw(self, generator: random.Random) -> Any:
        """One value, each as likely as any other; of a log range, each order of magnitude."""
        if self.values:
            return generator.choice(self.values)
        if self.log:
            found = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        else:
            found = generator.uniform(self.low, self.high)
        return round(found) if self.whole else found

    def suggest(self, trial: Any) -> Any:
        """The value that Optuna's trial suggests."""
        if self.values:
            return trial.suggest_categorical(self.name, list(self.values))
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def distribution(self) -> Any:
        """The same as Optuna's distribution, to tell it of trials that are done."""
        from optuna import distributions

        if self.values:
            return distributions.CategoricalDistribution(list(self.values))
        if self.whole:
            return distributions.IntDistribution(int(self.low), int(self.high), log=self.log)
        return distributions.FloatDistribution(self.low, self.high, log=self.log)


def parse(name: str, text: str) -> Axis:
    """The axis of a line of [space]; `ValueError` says what is wrong."""
    key = BY_SECTION["training"].get(name)
    if key is None or name in _NOT_TRIED:
        raise ValueError(f"{name} cannot be tried: [space] takes the keys of [training] that decide over a result.")
    if ".." not in text:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words:
            raise ValueError("it is empty: write a list, as 1e-5, 3e-5.")
        return Axis(name, tuple(key.parse(word) for word in words))
    low_text, _, rest = text.partition("..")
    high_text, _, log = rest.strip().partition(" ")
    if log.strip() not in ("", "log") or key.kind not in ("number", "whole"):
        raise ValueError(f"{text!r} is no range of it: write low .. high, and log after it for a logarithmic one.")
    low, high = key.parse(low_text), key.parse(high_text)
    if not low < high:
        raise ValueError(f"{text!r} ends where it begins, or before: write the smaller number first.")
    if log and low <= 0:
        raise ValueError(f"{text!r}: a logarithmic range begins above 0.")
    return Axis(name, (), low, high, bool(log), key.kind == "whole")


def axes(section: Mapping[str, str]) -> list[Axis]:
    """All axes of [space], in order."""
    return [parse(name, text) for name, text in section.items()]


def grid(found: list[Axis]) -> Iterator[dict[str, Any]]:
    """Every combination of the lists."""
    for values in itertools.product(*(axis.values for axis in found)):
        yield dict(zip((axis.name for axis in found), values, strict=True))


def drawn(found: list[Axis], number: int, seed: int) -> dict[str, Any]:
    """Trial `number` of a random search: the same for the same seed, whatever was tried before."""
    generator = random.Random(f"{seed} {number}")  # noqa: S311 - a repeatable draw is what is wanted
    return {axis.name: axis.draw(generator) for axis in found}
