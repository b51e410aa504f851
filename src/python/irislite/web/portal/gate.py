"""The gate before every page: who is not signed in goes to the sign-in page and comes back."""

import re
import secrets
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irislite.actor import Role
from irislite.web.guard import UPLOADS
from irislite.web.portal.access import Access
from irislite.web.roles import READING

SIGN_IN, SIGN_OUT = "/signin", "/signout"
ASSETS = "/portal-assets"
_LIVE = "/_nicegui_ws/"
_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_SCRIPT = re.compile(rb"<script(?=[\s>])")
# What somebody did on a page, as socket.io sends it, numbered or not; its other messages are the page's own.
_EVENT = re.compile(r'42\d*\["event",')


def policy(nonce: str = "") -> str:
    """What a page may load and run: nothing from elsewhere, no script but the server's files and the page's own.

    'unsafe-eval': Vue compiles templates and NiceGUI runs handlers by `eval`. Styles are set inline by both.
    """
    scripts = f"'self' 'nonce-{nonce}' 'unsafe-eval'" if nonce else "'none'"
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; media-src 'self' data: blob:; connect-src 'self'; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class Gate:
    """ASGI middleware inside the session middleware: pages, data and live connections need a sign-in."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through, or send to the sign-in page."""
        if scope["type"] == "websocket":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope, Headers(scope=scope))
            await (refusal or self._app)(scope, receive, _Hardened(scope, send))
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        path, method = scope["path"], scope["method"]
        if method not in READING and not from_here(headers):
            return PlainTextResponse("This came from a page of another site: use this server's own.", 403)
        if _is_open(path):
            return None
        token = scope["session"].get("token", "")
        user = self._access.owner_of(token)
        if user is None:
            return _to_sign_in(scope)
        if path.startswith(UPLOADS) and user.role < Role.OPERATOR:
            return PlainTextResponse("Files are sent by operators: ask an administrator for the role.", 403)
        if not path.startswith(_LIVE):
            self._access.sessions.use(token)
        return None

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page's connection: what somebody does keeps the session alive, and is heard as long as it lasts."""
        token = scope["session"].get("token", "")

        async def watched() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                if self._access.owner_of(token) is None:
                    continue  # not heard: the session has ended, and the page's clock leads to the sign-in
                if _EVENT.match(message.get("text") or ""):
                    self._access.sessions.use(token)
                return message

        # A page elsewhere can open a connection to here, with the cookie: only our own may.
        if self._access.owner_of(token) is not None and from_here(Headers(scope=scope)):
            await self._app(scope, watched, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": "Sign in first."})


class _Hardened:
    """The way back: headers on every answer; a page's scripts get the nonce without which they do not run."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._path = scope["path"]
        self._send = send
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if not _is_open(self._path) or self._path == SIGN_IN:
                headers.setdefault("cache-control", "no-store")
            if self._is_page(headers):
                self._start = message  # a page is sent when it is whole
                return
            headers.setdefault("content-security-policy", policy())
        elif message["type"] == "http.response.body" and self._start is not None:
            self._page += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_page()
            return
        await self._send(message)

    def _is_page(self, headers: MutableHeaders) -> bool:
        """Whether scripts run in the answer: not in the sign-in page, nor in a file that has a policy of its own."""
        is_html = headers.get("content-type", "").startswith("text/html")
        return is_html and self._path != SIGN_IN and "content-security-policy" not in headers

    async def _send_page(self) -> None:
        start, self._start = self._start, None
        if start is None:
            return
        nonce = secrets.token_urlsafe(16)
        page = _SCRIPT.sub(b'<script nonce="%s"' % nonce.encode(), self._page)
        headers = MutableHeaders(scope=start)
        headers["content-security-policy"] = policy(nonce)
        headers["content-length"] = str(len(page))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": page})


def _is_open(path: str) -> bool:
    """Sign-in, style and scripts: nothing of the engine's is in them."""
    is_asset = path.startswith((f"{ASSETS}/", "/_nicegui/")) and not path.startswith(UPLOADS)
    return is_asset or path in (SIGN_IN, SIGN_OUT)


def _to_sign_in(scope: Scope) -> Response:
    if scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(_LIVE):
        return PlainTextResponse("Sign in first.", status_code=401)
    wanted = scope["path"]
    if scope["query_string"]:
        wanted += "?" + scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{SIGN_IN}?next={quote(wanted, safe='')}", status_code=303)


def from_here(headers: Headers) -> bool:
    """Whether a request comes from a page of this very server, port included, or from no page at all.

    Browsers say so in one of two headers; what has neither, as a script, brings no cookie of a victim.
    """
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host")
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def local_path(wanted: str) -> str:
    """Where to go after the sign-in: a path on this server, or the first page for anything else."""
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    # Browsers read a backslash as a slash, and drop tabs and line ends: '/\t/evil.example' leaves the server.
    is_plain = not parts.scheme and not parts.netloc and not any(mark in wanted for mark in "\\\t\r\n")
    is_path = wanted.startswith("/") and not wanted.startswith("//")
    return wanted if is_plain and is_path and parts.path not in (SIGN_IN, SIGN_OUT) else "/"
