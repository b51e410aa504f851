"""The Visual Trace as a picture in a file: SVG with everything it needs inside, and text that stays text."""

import re
from collections.abc import Iterable
from html import escape

from irislite.eventlog import LogEntry, LogType
from irislite.visualtrace import UNFINISHED, Arrow, ArrowKind
from irislite.web.sessionview import SessionView, energy_words, joules
from irislite.web.words import duration

ROW, LOG_ROW = 44, 24  # pixels of height
GUTTER, STEP, HEAD = 84, 210, 86
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STYLE = (
    "svg.trace{font:12px system-ui,'Segoe UI',Roboto,sans-serif;background:#fff}"
    ".trace text{fill:#17212b}.trace .m{fill:#536170;font-size:11px}"
    ".trace .life{stroke:#aab4bf;stroke-dasharray:2 4}"
    ".trace .host{fill:#eef1f4;stroke:#d5dbe1}"
    ".trace .req{stroke:#1f5fa8}.trace .res{stroke:#177245;stroke-dasharray:6 4}"
    ".trace .bad{stroke:#b42318}.trace path{fill:none;stroke-width:1.8}.trace path.res-head{fill:#177245;stroke:none}"
    ".trace path.req-head{fill:#1f5fa8;stroke:none}.trace path.x{stroke:#b42318;stroke-width:2.6}"
    ".trace circle{fill:#fff;stroke:#aab4bf}.trace .n{font-size:11px;font-weight:600}.trace .l{font-size:11px}"
    ".trace .t{font-weight:600}.trace text.bad{fill:#b42318;stroke:none}"
)
_MARKS = {LogType.ERROR: "✖", LogType.ALERT: "✖", LogType.WARNING: "▲"}


def text(value: object) -> str:
    """A text for HTML and XML: no markup, and no characters that XML cannot hold."""
    return escape(_NO_XML.sub("�", str(value)))


def svg(view: SessionView) -> str:
    """The picture of a session: columns, numbered arrows, its log in place."""
    rows = list(view.rows(with_log=True))
    width = GUTTER + STEP * len(view.trace.columns)
    heights = [ROW if row.arrow is not None else LOG_ROW for row in rows]
    height = HEAD + sum(heights) + 34
    parts: list[str] = []
    top = HEAD
    for row, tall in zip(rows, heights, strict=True):
        if row.arrow is not None:
            parts += _arrow(view, row.arrow, top + tall / 2 + 2)
        elif row.entry is not None:
            parts += _entry(view, row.entry, top + tall / 2)
        top += tall
    title = f"Session {view.trace.session_id}, {len(view.trace.arrows)} messages, {duration(view.trace.duration_ms)}"
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="trace" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img"><title>{text(title)}</title><style>{_STYLE}</style>',
            f'<text class="t" x="10" y="20">{text(title)}</text>',
            *_columns(view, height),
            *parts,
            _key(height),
            "</svg>",
        )
    )


def _x(column: int) -> float:
    return GUTTER + (column + 0.5) * STEP


def _columns(view: SessionView, height: int) -> Iterable[str]:
    for place, column in enumerate(view.trace.columns):
        x = _x(place)
        yield f'<line class="life" x1="{x}" x2="{x}" y1="{HEAD - 8}" y2="{height - 34}"/>'
        yield f'<rect class="host" x="{x - STEP / 2 + 5}" y="34" width="{STEP - 10}" height="40" rx="6"/>'
        yield f'<text class="m" x="{x}" y="49" text-anchor="middle">{text(column.kind.name.lower())}</text>'
        yield f'<text class="t" x="{x}" y="66" text-anchor="middle">{text(_cut(column.name, 28))}</text>'


def _arrow(view: SessionView, arrow: Arrow, y: float) -> Iterable[str]:
    style = "bad" if arrow.failed else "req" if arrow.kind is ArrowKind.REQUEST else "res"
    dashes = ' stroke-dasharray="6 4"' if arrow.kind is not ArrowKind.REQUEST else ""
    begin, end = _x(arrow.source), _x(arrow.target)
    way = 1 if end > begin else -1
    if arrow.source == arrow.target:
        yield f'<path class="{style}"{dashes} d="M{begin} {y - 8} h28 v16 H{begin + 14}"/>'
        tip, y_tip, middle, anchor = begin + 10, y + 8, begin + 36, "start"
    else:
        yield f'<path class="{style}"{dashes} d="M{begin + way * 10} {y} H{end - way * 8}"/>'
        tip, y_tip, middle, anchor = end - way * 2, y, (begin + end) / 2, "middle"
    if arrow.failed:
        yield f'<path class="x" d="M{tip - way * 8 - 6} {y_tip - 6} l12 12 m0 -12 l-12 12"/>'
    else:
        yield f'<path class="{style}-head" d="M{tip} {y_tip} l{-way * 11} -6 v12 z"/>'
    label = " · ".join(part for part in ("Error" if arrow.failed else "", view.label(arrow)) if part)
    room = max(12, int((abs(end - begin) or STEP / 2) / 6.6) - 4)
    bad = " bad" if arrow.failed else ""
    yield f'<circle cx="{begin}" cy="{y}" r="10"/>'
    yield f'<text class="n" x="{begin}" y="{y + 4}" text-anchor="middle">{arrow.number}</text>'
    yield f'<text class="l{bad}" x="{middle}" y="{y - 7}" text-anchor="{anchor}">{text(_cut(label, room))}</text>'
    yield f'<text class="m" x="{middle}" y="{y + 15}" text-anchor="{anchor}">{text(note(view, arrow))}</text>'
    yield f'<text class="m" x="{GUTTER - 12}" y="{y + 4}" text-anchor="end">{arrow.offset_ms:,.1f} ms</text>'


def note(view: SessionView, arrow: Arrow) -> str:
    """What stands below an arrow: how long it took or what it waits for, what it cost, whether it has pictures."""
    words = arrow.status.name.title() if arrow.status in UNFINISHED else duration(arrow.duration_ms)
    glance = view.glance(arrow.header_id)
    parts = [words]
    if glance is not None:
        parts.append(energy_words(joules(glance.energy)))
        if glance.pictures:
            parts.append(f"{glance.pictures} picture{'s' if glance.pictures > 1 else ''}")
    return " · ".join(part for part in parts if part)


def _entry(view: SessionView, entry: LogEntry, y: float) -> Iterable[str]:
    place = view.column_of(entry)
    is_right = place is not None and len(view.trace.columns) > 1 and place >= len(view.trace.columns) / 2
    x = (_x(place) if place is not None else GUTTER) + (-8 if is_right else 8)
    mark, bad = _MARKS.get(entry.type, "•"), " bad" if entry.type in (LogType.ERROR, LogType.ALERT) else ""
    words = f"{mark} {entry.type.name.title()}: {entry.text.partition(chr(10))[0]}"
    anchor = "end" if is_right else "start"  # where there is room
    yield f'<text class="m{bad}" x="{x}" y="{y + 4}" text-anchor="{anchor}">{text(_cut(words, 60))}</text>'


def _key(height: int) -> str:
    y = height - 14
    return (
        f'<path class="req" d="M10 {y} h34"/><path class="req-head" d="M54 {y} l-11 -6 v12 z"/>'
        f'<text class="m" x="60" y="{y + 4}">Request</text>'
        f'<path class="res" d="M130 {y} h34"/><path class="res-head" d="M174 {y} l-11 -6 v12 z"/>'
        f'<text class="m" x="180" y="{y + 4}">Response</text>'
        f'<path class="bad" stroke-dasharray="6 4" d="M256 {y} h30"/>'
        f'<path class="x" d="M288 {y - 6} l12 12 m0 -12 l-12 12"/>'
        f'<text class="m" x="306" y="{y + 4}">Error</text>'
    )


def _cut(words: str, longest: int) -> str:
    return words if len(words) <= longest else words[: longest - 1] + "…"
