"""Files made of what is stored: exports of a search, a session as a picture or as a page. For REST and portal alike."""

from collections.abc import Iterator

from starlette.responses import Response, StreamingResponse

from irislite.director import Director
from irislite.searchclauses import LOG, MESSAGES
from irislite.web import exports, sessionview, tracefile, tracepicture
from irislite.web.exports import Format


def messages(director: Director, q: str, format: Format) -> Response:
    """Every message that fits a search, with its body. Raises `BadRequest`."""
    found = director.search.all_messages(MESSAGES.parse(q))
    return _stream(exports.messages(director, found, format), format.media_type, f"messages.{format}")


def log(director: Director, q: str, format: Format) -> Response:
    """Every log entry that fits a search. Raises `BadRequest`."""
    return _stream(exports.log(director.search.all_log(LOG.parse(q)), format), format.media_type, f"log.{format}")


def audit(director: Director, format: Format, since: str = "", until: str = "") -> Response:
    """The audit, or that of a time, newest first."""
    return _stream(exports.audit(director.audit.all(since, until), format), format.media_type, f"audit.{format}")


def picture(director: Director, session_id: int) -> Response:
    """A session as SVG. Raises `UnknownSession`."""
    view = sessionview.read(director, session_id, most=tracefile.MOST_MESSAGES)
    return Response(tracepicture.svg(view), 200, _headers(f"session-{session_id}.svg"), "image/svg+xml")


def page(director: Director, session_id: int) -> Response:
    """A session as one HTML file. Raises `UnknownSession`."""
    view = sessionview.read(director, session_id, most=tracefile.MOST_MESSAGES)
    return _stream(tracefile.html(director, view), "text/html; charset=utf-8", f"session-{session_id}.html")


def _stream(parts: Iterator[str], media_type: str, name: str) -> Response:
    return StreamingResponse(parts, 200, _headers(name), media_type)


def _headers(name: str) -> dict[str, str]:
    """To be saved, not shown: and if it is shown after all, nothing in it runs."""
    return {
        "content-disposition": f'attachment; filename="{name}"',
        "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
        "cache-control": "no-store",
    }
