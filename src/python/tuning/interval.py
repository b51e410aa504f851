"""How far a measured difference of two models on the same rows may be from the true one."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 2_000
_Z = 1.959963984540054  # of the normal distribution, 95 %, two-sided
_DRAWN_NUMBERS = 4_000_000  # at a time, to bound the memory

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A difference, new minus old, and what it lies between with 95 % confidence."""

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def as_dict(self) -> dict[str, Any]:
        return {"difference": self.difference, "low": self.low, "high": self.high, "confidence": CONFIDENCE}


def paired_proportions(both: int, gained: int, lost: int, neither: int) -> Interval:
    """The difference of two shares of right answers to the same questions: (gained - lost) / rows.

    Newcombe's square-and-add interval from Wilson scores with the correlation of the pairs, his method 10:
    R. G. Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired
    data", Statistics in Medicine 17 (1998) 2635-2650. It keeps its 95 % in small samples and near 0 and 1.
    """
    rows = both + gained + lost + neither
    new, old = (both + gained) / rows, (both + lost) / rows
    new_low, new_high = _wilson(both + gained, rows)
    old_low, old_high = _wilson(both + lost, rows)
    margins = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    together = float(both * neither - gained * lost)
    if together > 0:
        together = max(together - rows / 2, 0.0)  # his correction for continuity
    phi = together / math.sqrt(margins) if margins else 0.0
    below, above = new - new_low, old_high - old
    low = new - old - math.sqrt(max(below**2 - 2 * phi * below * above + above**2, 0))
    below, above = old - old_low, new_high - new
    high = new - old + math.sqrt(max(below**2 - 2 * phi * below * above + above**2, 0))
    return Interval(new - old, low, high)


def sign_test(gained: int, lost: int) -> float:
    """McNemar's exact test: how probable a fair coin is at least as uneven as `gained` against `lost`.

    Q. McNemar, "Note on the sampling error of the difference between correlated proportions", Psychometrika 12 (1947).
    """
    trials = gained + lost
    if gained == lost:
        return 1.0
    # In logarithms: 2 ** trials overflows a float at about 1,000 rows.
    terms = (_log_binomial(trials, count) - trials * math.log(2) for count in range(min(gained, lost) + 1))
    return min(1.0, 2 * math.fsum(math.exp(term) for term in terms))


def resampled(
    weights: npt.NDArray[np.int64], score: Callable[[Counts], npt.NDArray[np.float64]], seed: int
) -> Interval:
    """The interval of a difference between the 2.5th and 97.5th percentile of a paired bootstrap.

    `weights` (cases) say how many rows are alike; `score` takes counts of them (resamples, cases) and gives the
    difference for each resample. Rows are drawn with both models' answers, which keeps the pairs: B. Efron and
    R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    generator = np.random.default_rng(seed)
    rows = int(weights.sum())
    at_once = max(1, min(RESAMPLES, _DRAWN_NUMBERS // len(weights)))
    scores = []
    for first in range(0, RESAMPLES, at_once):
        scores.append(score(_drawn(weights, rows, min(at_once, RESAMPLES - first), generator)))
    low, high = np.quantile(np.concatenate(scores), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    measured = score(weights[np.newaxis].astype(np.float64))[0]
    return Interval(float(measured), float(low), float(high))


def _drawn(weights: npt.NDArray[np.int64], rows: int, times: int, generator: np.random.Generator) -> Counts:
    """How often each case comes when `rows` of them are drawn with replacement; (times, cases)."""
    if len(weights) < rows:
        return generator.multinomial(rows, weights / rows, size=times).astype(np.float64)
    # Every row is a case of its own: drawing numbers is many times faster than a multinomial of that width.
    numbers = (generator.integers(0, rows, size=rows) for _ in range(times))
    return np.stack([np.bincount(drawn, minlength=rows) for drawn in numbers]).astype(np.float64)


def _wilson(right: int, rows: int) -> tuple[float, float]:
    """E. B. Wilson's score interval of a share (1927)."""
    share, unit = right / rows, _Z**2 / rows
    centre = share + unit / 2
    half = math.sqrt(unit * (share * (1 - share) + unit / 4))
    return max((centre - half) / (1 + unit), 0.0), min((centre + half) / (1 + unit), 1.0)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
