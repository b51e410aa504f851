"""The picture of the stream: the share of positive posts by keyword above, how many there were below, on one time."""

from collections.abc import Mapping, Sequence
from typing import Any

from rooms.charts import COLOURS, MARKS

SHOWN = 5  # keywords; the rest is one line
SMOOTHED = 5  # minutes to each point: of single minutes a line would jump
POSITIVE, NEGATIVE = COLOURS[0], COLOURS[1]
_EVERYTHING = "None"  # the keyword of a post that was not filtered

Counts = Mapping[str, Sequence[int]]  # "total" and "positive", minute by minute


def options(found: Mapping[str, Any], title: str) -> dict[str, Any]:
    """ECharts' options for what `sentiment.Overview.shares` found."""
    times_ms = [minute * 60_000 for minute in found["minutes"]]
    lines = by_keyword(found["keywords"], len(times_ms))
    totals, positives = _sums(list(found["keywords"].values()), len(times_ms))
    axis = {"type": "time", "axisLabel": {"hideOverlap": True}, "splitLine": {"show": False}}
    bar = {"type": "bar", "stack": "posts", "xAxisIndex": 1, "yAxisIndex": 1, "barMaxWidth": 14}
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": f"{title}. The table behind it has the same figures."}},
        "legend": {"top": 0, "type": "scroll", "data": [name for name, _ in lines]},
        "tooltip": {"trigger": "axis", "confine": True, "renderMode": "richText"},  # text, never markup
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [
            {"left": 52, "right": 18, "top": 36, "height": "52%"},
            {"left": 52, "right": 18, "bottom": 26, "height": "17%"},
        ],
        "xAxis": [{**axis, "gridIndex": 0, "axisLabel": {"show": False}}, {**axis, "gridIndex": 1}],
        "yAxis": [
            {"type": "value", "min": 0, "max": 100, "interval": 25, "axisLabel": {"formatter": "{value} %"}},
            {"type": "value", "gridIndex": 1, "minInterval": 1, "splitNumber": 2, "name": "posts a minute",
             "nameLocation": "end", "nameTextStyle": {"align": "left"}, "nameGap": 6},
        ],
        "series": [
            *(_line(name, times_ms, shares, place) for place, (name, shares) in enumerate(lines)),
            {**bar, "name": "positive", "color": POSITIVE, "data": _points(times_ms, positives)},
            {**bar, "name": "negative", "color": NEGATIVE, "itemStyle": {"decal": {"symbol": "none"}},
             "data": _points(times_ms, [whole - part for whole, part in zip(totals, positives, strict=True)])},
        ],
    }  # fmt: skip


def by_keyword(keywords: Mapping[str, Counts], length: int) -> list[tuple[str, list[float | None]]]:
    """The share of positive posts in per cent, by keyword, the most frequent first; None where there were none."""
    ordered = sorted(keywords, key=lambda name: (-sum(keywords[name]["total"]), name))
    groups = [("all posts" if name == _EVERYTHING else name, [keywords[name]]) for name in ordered[:SHOWN]]
    if rest := [keywords[name] for name in ordered[SHOWN:]]:
        groups.append((f"{len(rest)} others", rest))
    return [(name, _shares(*_sums(counts, length))) for name, counts in groups]


def _sums(counts: Sequence[Counts], length: int) -> tuple[list[int], list[int]]:
    """All and positive posts of several keywords together, minute by minute."""
    return (
        [sum(one["total"][minute] for one in counts) for minute in range(length)],
        [sum(one["positive"][minute] for one in counts) for minute in range(length)],
    )


def _shares(totals: Sequence[int], positives: Sequence[int]) -> list[float | None]:
    found: list[float | None] = []
    for end in range(1, len(totals) + 1):
        whole = sum(totals[max(0, end - SMOOTHED) : end])
        part = sum(positives[max(0, end - SMOOTHED) : end])
        found.append(round(100 * part / whole, 1) if whole else None)
    return found


def _line(name: str, times_ms: Sequence[int], shares: Sequence[float | None], place: int) -> dict[str, Any]:
    line: dict[str, Any] = {
        "name": name,
        "type": "line",
        "smooth": 0.3,
        "data": _points(times_ms, shares),
        "color": COLOURS[place % len(COLOURS)],
        "symbol": MARKS[place % len(MARKS)],
        "symbolSize": 6,
        "showSymbol": len(times_ms) <= 30,
        "lineStyle": {"width": 2.5, "type": ("solid", "dashed", "dotted")[place // 2 % 3]},
    }
    if place == 0:
        line["areaStyle"] = {"opacity": 0.08}
        line["markLine"] = {
            "silent": True, "symbol": "none", "label": {"show": False}, "data": [{"yAxis": 50}],
            "lineStyle": {"type": "dashed", "color": "#8a97a5", "width": 1},
        }  # fmt: skip
    return line


def _points(times_ms: Sequence[int], values: Sequence[float | None]) -> list[list[float | None]]:
    return [[time_ms, value] for time_ms, value in zip(times_ms, values, strict=True)]
