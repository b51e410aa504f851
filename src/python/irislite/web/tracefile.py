"""A session as one file for a colleague: picture, times, messages with their bodies, log. It loads and runs nothing."""

import base64
import json
from collections.abc import Iterator

from irislite.director import Director
from irislite.masking import masked
from irislite.visualtrace import Arrow, ArrowKind, shares
from irislite.web.bodyview import decoded, parsed, pictures, shortened, without_pictures
from irislite.web.sessionview import SessionView, energy_note
from irislite.web.tracepicture import note, svg, text
from irislite.web.words import duration

MOST_MESSAGES = 2_000
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root{color-scheme:light dark}
body{font:14px/1.45 system-ui,'Segoe UI',Roboto,sans-serif;max-width:1100px;margin:24px auto;padding:0 16px}
h1{font-size:20px}h2{font-size:15px;margin:28px 0 8px}
.picture{overflow-x:auto;background:#fff;border-radius:8px;border:1px solid #8886}
details{border-top:1px solid #8886;padding:6px 0}summary{cursor:pointer}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:9px 11px;border-radius:6px;font-size:12px}
table{border-collapse:collapse;width:100%;font-size:13px}
td,th{text-align:left;padding:4px 8px;border-bottom:1px solid #8884;vertical-align:top}
td.x{overflow-wrap:anywhere;white-space:pre-wrap;min-width:110px}.bad{color:#d3382a;font-weight:600}.m{opacity:.75}img{max-width:100%}
.bars{display:grid;grid-template-columns:minmax(90px,220px) 1fr;gap:3px 10px;font-size:12.5px}
.track{position:relative;height:16px;background:#8881}.track i{position:absolute;top:2px;bottom:2px;min-width:1px}
.wait{background:repeating-linear-gradient(45deg,#b97a1a 0 3px,#b97a1a55 3px 6px)}.work{background:#1f6fb8}
.rest{background:#8888;top:6px!important;bottom:6px!important}
"""


def html(director: Director, view: SessionView) -> Iterator[str]:
    """The file, part by part. Bodies are cut where they are long; secrets are masked, as in the store."""
    trace = view.trace
    title = f"Session {trace.session_id}"
    yield (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="viewport" content="width=device-width"><title>{text(title)}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f"<h1>{text(title)}</h1><p>{len(trace.arrows):,} messages, {duration(trace.duration_ms)}, from "
        f'{text(view.headers[trace.arrows[0].header_id].time_created)} UTC</p><div class="picture">'
    )
    yield svg(view)
    yield "</div><h2>Where the time went</h2>"
    yield from _bars(view)
    yield from _shares(view)
    yield "<h2>Messages</h2>"
    for arrow in view.arrows:
        yield from _message(director, view, arrow)
    if len(view.arrows) < len(trace.arrows):
        yield f'<p class="m">{len(view.arrows):,} of {len(trace.arrows):,} messages are in this file.</p>'
    yield "<h2>Event log</h2>"
    yield from _log(view)
    yield "</body></html>\n"


def _bars(view: SessionView) -> Iterator[str]:
    total = max(view.trace.duration_ms, 0.001)
    yield '<div class="bars">'
    for arrow in view.arrows:
        if arrow.kind is not ArrowKind.REQUEST:
            continue
        waited, worked, at = arrow.waited_ms or 0.0, arrow.worked_ms or 0.0, arrow.offset_ms
        rest = max(0.0, (arrow.duration_ms or 0.0) - waited - worked)
        name = f"{arrow.number}. {view.trace.columns[arrow.target].name}"
        yield f'<span>{text(name)}</span><span class="track" title="{text(_bar_words(waited, worked, rest))}">'
        for kind, size in (("wait", waited), ("work", worked), ("rest", rest)):
            if size:
                yield f'<i class="{kind}" style="left:{at / total:.3%};width:{size / total:.3%}"></i>'
            at += size
        yield "</span>"
    yield '</div><p class="m">Striped: in the queue. Solid: at work. Thin: until the answer.</p>'


def _bar_words(waited: float, worked: float, rest: float) -> str:
    parts = (("in the queue", waited), ("at work", worked), ("until the answer", rest))
    return ", ".join(f"{duration(size)} {words}" for words, size in parts if size)


def _shares(view: SessionView) -> Iterator[str]:
    yield "<table><tr><th>Item<th>Requests<th>In the queue<th>At work<th>Without waiting for others</tr>"
    for share in shares(view.trace):
        times = "".join(f"<td>{duration(size)}" for size in (share.waited_ms, share.worked_ms, share.own_ms))
        yield f'<tr><td class="x">{text(share.name)}<td>{share.requests}{times}</tr>'
    yield "</table>"


def _message(director: Director, view: SessionView, arrow: Arrow) -> Iterator[str]:
    message_id, header = arrow.header_id, view.headers[arrow.header_id]
    label = f"{name}, " if (name := view.label(arrow)) else ""
    bad = ' class="bad"' if arrow.failed else ""
    yield (
        f"<details{' open' if arrow.failed else ''}><summary{bad}>{arrow.number}. {arrow.kind.title()} {message_id}: "
        f"{text(header.source_config_name)} → {text(header.target_config_name)}, {text(label)}"
        f"{arrow.status.name.title()} <span class=m>{text(note(view, arrow))}</span></summary>"
    )
    yield f'<p class="m">Created {text(header.time_created)}, processed {text(header.time_processed)} UTC</p>'
    if header.error_text:
        yield f'<pre class="bad">{text(header.error_text)}</pre>'
    glance = view.glance(message_id)
    if glance is not None and (words := energy_note(glance.energy)):
        yield f'<p class="m">Energy: {text(words)}</p>'
    body = director.store.body(header.message_body_id) if header.message_body_id else None
    if body is not None:
        content = masked(body.content)
        value = parsed(content)
        for picture in pictures(value):
            if (data := decoded(picture)) is not None:
                source = f"data:{picture.media_type};base64,{base64.b64encode(data).decode()}"
                yield f'<p><img src="{source}" alt="{text(picture.title)}"></p>'
        short = shortened(without_pictures(value) if value is not None else content)
        whole = short if isinstance(short, str) else json.dumps(short, ensure_ascii=False, indent=2)
        yield f"<pre>{text(whole)}</pre>"
    yield "</details>"


def _log(view: SessionView) -> Iterator[str]:
    if not view.log:
        yield '<p class="m">Nothing was logged for this session.</p>'
        return
    yield "<table><tr><th>Time (UTC)<th>Type<th>Item<th>Text</tr>"
    for entry in view.log:
        bad = ' class="bad"' if entry.type.name in ("ERROR", "ALERT") else ""
        stack = f"<details><summary>Traceback</summary><pre>{text(entry.stack)}</pre></details>" if entry.stack else ""
        yield (
            f"<tr><td>{text(entry.time_logged[11:23])}<td{bad}>{entry.type.name.title()}<td class=x>"
            f'{text(entry.config_name)}<td class="x">{text(entry.text)}{stack}</tr>'
        )
    yield "</table>"
