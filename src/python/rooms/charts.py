"""Charts, drawn in the browser by ECharts, which NiceGUI serves; each says the same as a table beside it."""

from collections.abc import Sequence
from typing import Any

from nicegui import ui

# Seen on light and on dark ground, and told apart by more than hue: each line has a mark of its own.
COLOURS = ("#1f8a78", "#c2661a", "#4a7fd0", "#a05bb5", "#8a8f2a", "#c04a6b")
MARKS = ("circle", "triangle", "rect", "diamond", "roundRect", "pin")
_GRID = {"left": 58, "right": 52, "top": 34, "bottom": 42}


Series = Sequence[tuple[str, Sequence[tuple[float, float]]]]


def lines(title: str, x: str, y: str, series: Series, right: Sequence[str] = (), x_step: float = 1) -> ui.echart:
    """Lines through points (x, y), by name; those named in `right` have an axis of their own, from 0 to 1.

    The marks of the x axis are at least `x_step` apart.
    """
    options = _lines(title, x, y, series, right)
    options["xAxis"]["minInterval"] = x_step
    return _drawn(options, title)


def redraw(chart: ui.echart, title: str, x: str, y: str, series: Series, right: Sequence[str] = ()) -> None:
    """Show other lines in a chart that `lines` made."""
    chart.options.update(_lines(title, x, y, series, right))
    chart.update()


def _lines(title: str, x: str, y: str, series: Series, right: Sequence[str]) -> dict[str, Any]:
    axis = {"type": "value", "scale": True, "nameLocation": "middle", "nameGap": 42}
    shares = {"type": "value", "min": 0, "max": 1, "name": "share", "nameLocation": "middle", "nameGap": 30}
    shares["splitLine"] = {"show": False}
    return {
        **_frame(title),
        "xAxis": {"type": "value", "name": x, "nameLocation": "middle", "nameGap": 26, "minInterval": 1},
        "yAxis": [{**axis, "name": y}, *([shares] if right else [])],
        "series": [
            {
                "name": name,
                "type": "line",
                "data": [list(point) for point in points],
                "yAxisIndex": 1 if name in right else 0,
                "color": COLOURS[place % len(COLOURS)],
                "symbol": MARKS[place % len(MARKS)],
                "symbolSize": 7,
                "showSymbol": len(points) < 60,
            }
            for place, (name, points) in enumerate(series)
        ],
    }


def days(title: str, y: str, names: Sequence[str], series: Sequence[tuple[str, Sequence[float | None]]]) -> ui.echart:
    """Bars for each day, one on top of the other; None is a gap, not a 0."""
    options = {
        **_frame(title),
        "xAxis": {"type": "category", "data": list(names)},
        "yAxis": {"type": "value", "name": y, "nameLocation": "middle", "nameGap": 44},
        "series": [
            {
                "name": name,
                "type": "bar",
                "stack": "all",
                "barMaxWidth": 42,
                "data": list(values),
                "color": COLOURS[place % len(COLOURS)],
                "itemStyle": {"decal": {"symbol": "none"} if place == 0 else _decal(place)},
            }
            for place, (name, values) in enumerate(series)
        ],
    }
    return _drawn(options, title)


def _frame(title: str) -> dict[str, Any]:
    return {
        "animation": False,
        "aria": {"enabled": True, "label": {"description": f"{title}. The table beside it has the same figures."}},
        "grid": _GRID,
        "legend": {"top": 0, "type": "scroll"},
        "tooltip": {"trigger": "axis", "confine": True, "renderMode": "richText"},  # text, never markup
    }


def _decal(place: int) -> dict[str, Any]:
    return {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [2 + place, 4], "color": "rgba(255,255,255,.35)"}


def _drawn(options: dict[str, Any], title: str) -> ui.echart:
    chart = ui.echart(options, renderer="svg").classes("chart")
    chart.props.update({"role": "img", "aria-label": title})
    return chart
