"""Under which conditions a candidate is promoted: the fields of an OverrideRequest, and whether they are met."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import settinglines
from tuning.errors import BadRequest, CandidateChanged, NotBetter

DEFAULT_METRIC = "accuracy"
LOWER_IS_BETTER = frozenset({"loss", "mse", "mae", "rmse", "ece", "brier"})
_FIELDS = ("min_improvement", "metric", "expect")
_SHORTEST_ID = 8  # letters of a hash that stand for all of them


@dataclass(frozen=True)
class Conditions:
    """What must hold of the candidate; None asks for nothing."""

    min_improvement: float | None = None
    """By how much the candidate must be better than the model its training began from."""
    metric: str = DEFAULT_METRIC
    expect: str | None = None
    """The hash in the candidate's id, or how it begins."""


def parse(fields: Mapping[str, object]) -> Conditions:
    """The conditions that an OverrideRequest's fields mean; a metric alone asks for one that is not worse.

    Raises `BadRequest` for an unknown field or a value that means nothing.
    """
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    for name in given:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, n=1)
            raise BadRequest(
                f"An OverrideRequest has no field {name!r}. "
                + (f"Did you mean {near[0]}?" if near else f"It takes {', '.join(_FIELDS)}.")
            )
    minimum = settinglines.typed(given.get("min_improvement", 0.0 if "metric" in given else None))
    if minimum is not None and (isinstance(minimum, bool) or not isinstance(minimum, int | float)):
        raise BadRequest(f"min_improvement cannot be {minimum!r}. Give a number such as 0.01, or leave it out.")
    if minimum is not None and not math.isfinite(minimum):
        raise BadRequest(f"min_improvement cannot be {minimum}. Give a number such as 0.01, or leave it out.")
    metric = str(given.get("metric", DEFAULT_METRIC)).strip()
    return Conditions(minimum, metric, _hash(given["expect"]) if "expect" in given else None)


def check(asked: Conditions, candidate_id: str, champion_id: str, report: Mapping[str, Any]) -> list[str]:
    """Raise `CandidateChanged` or `NotBetter` if the candidate does not meet the conditions.

    A sentence on what should be known although it hinders nothing.
    """
    if asked.expect is not None and not candidate_id.removeprefix("sha256:").startswith(asked.expect):
        raise CandidateChanged(
            f"The candidate is {candidate_id}, not the expected {asked.expect}: another training has replaced it, or "
            "somebody changed its files. Nothing was promoted: look at its report, and expect the one you mean."
        )
    base = str(report.get("base") or champion_id)
    other = champion_id and base != champion_id
    moved = f"The candidate was trained from {base}, and the champion is {champion_id} now" if other else ""
    if asked.min_improvement is None:
        return [f"{moved}: its old metrics are another model's."] if moved else []
    if moved:
        raise NotBetter(
            f"{moved}, so nobody knows which of them is better. Nothing was promoted: train anew, compare them with a "
            "CompareRequest, or leave out min_improvement and metric."
        )
    old, new = (_metric(asked.metric, report.get(side)) for side in ("old_metrics", "new_metrics"))
    gained = old - new if asked.metric in LOWER_IS_BETTER else new - old
    # Differences of decimal fractions are a hair off: 0.85 - 0.80 is less than 0.05.
    if gained < asked.min_improvement - 1e-9:
        change = "is better" if gained > 0 else "is worse" if gained < 0 else "has not changed"
        by = f" by {abs(gained):.4g}" if gained else ""
        raise NotBetter(
            f"{asked.metric} {change}{by}, from {old:.4g} to {new:.4g}, and min_improvement asks for "
            f"{asked.min_improvement:g}. Nothing was promoted: train a better candidate, or ask for less."
        )
    return []


def numbers(metrics: object) -> dict[str, float]:
    """The metrics that are one number each."""
    if not isinstance(metrics, Mapping):
        return {}
    return {
        str(name): value
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def _hash(value: object) -> str:
    text = str(value).strip().lower().removeprefix("sha256:")
    if len(text) < _SHORTEST_ID or set(text) - set("0123456789abcdef"):
        raise BadRequest(
            f"expect cannot be {value!r}. Give the candidate_id of the training's report, or at least the first "
            f"{_SHORTEST_ID} letters after sha256:."
        )
    return text


def _metric(name: str, metrics: object) -> float:
    known = numbers(metrics)
    if name not in known:
        have = f"It has {', '.join(sorted(known))}" if known else "It has none: run the training again"
        raise BadRequest(f"The report of the candidate has no metric {name!r} for both models. {have}.")
    return known[name]
