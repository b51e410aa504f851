"""Numbers in Prometheus's text form."""

from collections.abc import Iterable, Mapping
from typing import Any

_PREFIX = "evergreen_sentiment"
_STATE = {
    "lag": "Posts that no worker was handed yet.",
    "pending": "Posts that a worker has in hand, or died with.",
    "length": "Entries of the stream of posts.",
    "dead": "Dead letters.",
    "rate_per_s": "Results a second, of all workers, over the last ten seconds.",
}
_NO_OUTCOMES = ("rate_per_s", "in_hand", "batches", "read", "kept")


def text(state: Mapping[str, Any] | None, workers: Iterable[Mapping[str, Any]], ready: bool) -> str:
    """The state of the stream, None if Redis does not tell it, and what the workers of this process did."""
    lines = [*_gauge("ready", "1 if Redis and the model answer.", [("", int(ready))])]
    for name, told in _STATE.items():
        lines += _gauge(name, told, [("", state[name])] if state else [])
    if state:
        lines += _gauge(
            "waiting", "lag + pending: what scaling goes by.", [("", state["lag"] + state["pending"])]
        )  # fmt: skip
        delays = {"0.5": state["delay_ms"]["p50"], "0.99": state["delay_ms"]["p99"]}
        lines += _gauge(
            "delay_seconds",
            "From a post's acceptance to its result, of the newest.",
            [(f'{{quantile="{share}"}}', delay / 1000) for share, delay in delays.items() if delay is not None],
        )
    outcomes = [
        (f'{{consumer="{_escaped(one["consumer"])}",outcome="{name}"}}', value)
        for one in workers
        for name, value in one.items()
        if isinstance(value, int) and not isinstance(value, bool) and name not in _NO_OUTCOMES
    ]
    lines += _metric("posts_total", "counter", "What became of posts in this process.", outcomes)
    return "\n".join(lines) + "\n"


def _gauge(name: str, told: str, values: Iterable[tuple[str, Any]]) -> list[str]:
    return _metric(name, "gauge", told, values)


def _metric(name: str, kind: str, told: str, values: Iterable[tuple[str, Any]]) -> list[str]:
    full = f"{_PREFIX}_{name}"
    samples = [f"{full}{labels} {value}" for labels, value in values]
    return [f"# HELP {full} {told}", f"# TYPE {full} {kind}", *samples] if samples else []


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
