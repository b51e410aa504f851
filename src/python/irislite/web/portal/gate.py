"""The gate before every page: who is not signed in goes to the sign-in page and comes back."""

from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irislite.web.portal.sessions import Sessions

SIGN_IN = "/signin"
ASSETS = "/portal-assets"
_OPEN = (f"{ASSETS}/", "/_nicegui/")  # style and scripts: nothing of the engine's is in them
# Vue compiles the pages' templates in the browser: 'unsafe-eval'. Nothing may come from, or go to, elsewhere.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}


class Gate:
    """ASGI middleware inside the session middleware: pages, data and live connections need a sign-in."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or send to the sign-in page."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        signed_in = bool(self._sessions.account(scope["session"].get("token", "")))
        allowed = signed_in or path == SIGN_IN or path.startswith(_OPEN)
        if scope["type"] == "websocket":
            # A page elsewhere can open a connection to here, with the cookie: only our own may.
            if allowed and from_here(Headers(scope=scope)):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008, "reason": "Sign in first."})
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if not path.startswith(_OPEN):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        handler: ASGIApp = self._app if allowed else _refusal(scope)
        await handler(scope, receive, send_hardened)


def _refusal(scope: Scope) -> Response:
    if scope["method"] not in ("GET", "HEAD") or scope["path"].startswith("/_nicegui_ws/"):
        return PlainTextResponse("Sign in first.", status_code=401)
    wanted = scope["path"]
    if scope["query_string"]:
        wanted += "?" + scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", status_code=303)


def from_here(headers: Headers) -> bool:
    """Whether a request comes from a page of this very server; requests without an origin do not come from a page."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def local_path(wanted: str) -> str:
    """Where to go after the sign-in: a path on this server, or the first page for anything else."""
    parts = urlsplit(wanted)
    # Browsers read a backslash as a slash, and drop tabs and line ends: '/\t/evil.example' leaves the server.
    is_plain = not parts.scheme and not parts.netloc and not any(mark in wanted for mark in "\\\t\r\n")
    is_path = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if is_plain and is_path and parts.path != SIGN_IN else "/"
