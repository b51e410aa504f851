"""The files that the portal's pages offer: exports of a search, a session as a picture or a page."""

from collections.abc import Callable
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException
from fastapi.responses import Response

from irislite.director import Director
from irislite.errors import IrisliteError
from irislite.web import recordfiles
from irislite.web.exports import Format
from irislite.web.failures import status_of

MESSAGES, LOG = "/files/messages", "/files/log"
PICTURE, PAGE = "/files/session-{session_id}.svg", "/files/session-{session_id}.html"


def address(path: str, q: str, format: Format) -> str:
    """Where the export of a search is."""
    return f"{path}?{urlencode({'q': q, 'format': str(format)})}"


def register(app: FastAPI, director: Director) -> None:
    """Add the addresses; the gate asks for the sign-in."""

    @app.get(MESSAGES)
    def messages(q: str = "", format: Format = Format.JSONL) -> Response:
        return _told(lambda: recordfiles.messages(director, q, format))

    @app.get(LOG)
    def log(q: str = "", format: Format = Format.JSONL) -> Response:
        return _told(lambda: recordfiles.log(director, q, format))

    @app.get(PICTURE)
    def picture(session_id: int) -> Response:
        return _told(lambda: recordfiles.picture(director, session_id))

    @app.get(PAGE)
    def page(session_id: int) -> Response:
        return _told(lambda: recordfiles.page(director, session_id))


def _told(make: Callable[[], Response]) -> Response:
    try:
        return make()
    except IrisliteError as error:
        raise HTTPException(status_of(error), str(error)) from error
