"""One's own cost against one's own baseline, as a bound: what can be said wherever in their ranges both truly are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Joules of one piece of work, as an answer or a training: likely, least and most; and how that is known."""

    joules: float
    low: float
    high: float
    method: str


@dataclass(frozen=True)
class Bound:
    """What the ranges allow to say. `least` and `most` are shares of the baseline, None where nothing can be said."""

    outcome: str
    """"less", "more", "not distinguishable" or "unknown"."""
    least: float | None
    most: float | None
    sentence: str


def cost_of(figures: Mapping[str, Any], pieces: int = 1) -> Cost | None:
    """The cost of one of `pieces` alike; None if it is not known."""
    joules, low, high = (figures.get(name) for name in ("joules", "low", "high"))
    if joules is None or low is None or high is None or pieces < 1:
        return None
    return Cost(joules / pieces, low / pieces, high / pieces, str(figures.get("method", "")))


def bound(cost: Cost | None, baseline: Cost | None) -> Bound:
    """`cost` against `baseline`, as if nothing tied their ranges together: the difference may be larger than said."""
    if cost is None or baseline is None:
        which = "Its cost" if cost is None else "The baseline's cost"
        return Bound("unknown", None, None, f"{which} is not known, so nothing can be said.")
    if cost.method != baseline.method:
        return Bound(
            "unknown",
            None,
            None,
            f"{cost.method} and {baseline.method} do not count the same, so nothing can be said.",
        )
    if not (baseline.low > 0 and baseline.high > 0):
        return Bound("unknown", None, None, "The baseline's range begins at nothing, so nothing can be said.")
    least, most = cost.low / baseline.high, cost.high / baseline.low
    if most < 1:
        said = f"At most {_share(most)} the baseline: at least {1 - most:.0%} less."
        return Bound("less", least, most, said)
    if least > 1:
        return Bound("more", least, most, f"At least {_share(least)} the baseline.")
    said = f"Between {least:.0%} and {_share(most)} the baseline: not distinguishable by these ranges."
    return Bound("not distinguishable", least, most, said)


def _share(ratio: float) -> str:
    return f"{ratio:.0%} of" if ratio < 2 else f"{ratio:.1f} times"
