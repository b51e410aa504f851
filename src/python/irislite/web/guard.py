"""What every request has to pass: known host, no foreign page, the account, JSON, a sensible size."""

import base64
import binascii
import math
import os
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irislite.web.accounts import Accounts
from irislite.web.failures import answer

LARGEST_BODY = 32 * 1024 * 1024  # bytes
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def allowed_hosts(bound: str) -> frozenset[str]:
    """The names under which the server may be asked for: this machine, the bound host, `IRISLITE_ALLOWED_HOSTS`.

    The address that a connection came to is always fine: only names can be rebound.
    """
    extra = os.environ.get("IRISLITE_ALLOWED_HOSTS", "").replace(",", " ").split()
    return frozenset(name.strip("[]").rstrip(".").lower() for name in ("localhost", "127.0.0.1", "::1", bound, *extra))


class Guard:
    """Middleware that lets a request through or answers it with the reason."""

    def __init__(self, app: ASGIApp, accounts: Accounts, hosts: frozenset[str], largest_body: int) -> None:
        self._app = app
        self._accounts = accounts
        self._hosts = hosts
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/api/") or scope["path"] in ("/api", "/openapi.json")
        refusal = self._refusal(scope, Headers(scope=scope), is_api)
        if refusal is None:
            await self._app(scope, self._counted(receive), _hardened(send, is_api))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
        else:
            await refusal(scope, receive, _hardened(send, is_api))

    def _refusal(self, scope: Scope, headers: Headers, is_api: bool) -> JSONResponse | None:
        method = scope.get("method", "WEBSOCKET")
        host = _name("//" + headers.get("host", ""))
        if not self._is_allowed(host, scope):
            return answer(
                421,
                f"This server does not answer for the host {host or '?'!r}. Open it as localhost, "
                "or start it with the name in the environment variable IRISLITE_ALLOWED_HOSTS.",
            )
        origin = headers.get("origin")
        if origin is not None and method not in _READING and not self._is_allowed(_name(origin), scope):
            return answer(403, "This request comes from a page of another site: send it from this server's own pages.")
        if is_api and (refusal := self._signed_in(headers, scope)) is not None:
            return refusal
        if is_api and method in _WITH_BODY:
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                return answer(415, "The body must be JSON: send it with the header Content-Type: application/json.")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._largest_body:
            return answer(413, self._too_large())
        return None

    def _is_allowed(self, host: str, scope: Scope) -> bool:
        server = scope.get("server") or ("", 0)
        return bool(host) and (host in self._hosts or host == server[0])

    def _signed_in(self, headers: Headers, scope: Scope) -> JSONResponse | None:
        client = (scope.get("client") or ("", 0))[0]
        if (wait_s := math.ceil(self._accounts.wait_s(client))) > 0:
            text = f"Too many wrong passwords came from {client or 'you'}: try again in {wait_s} s."
            return answer(429, text, {"Retry-After": str(wait_s)})
        given = _credentials(headers.get("authorization", ""))
        if given is not None and self._accounts.check(*given, client):
            return None
        text = (
            "Sign in with the account's name and password (IOP_USERNAME and IOP_PASSWORD of the iop command line)."
            if given is None
            else "The user name or the password is wrong. A password that the runtime made is in its data folder."
        )
        return answer(401, text, {"WWW-Authenticate": 'Basic realm="irislite", charset="UTF-8"'})

    def _counted(self, receive: Receive) -> Receive:
        """A body without a length is measured as it comes in."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._largest_body:
                    raise HTTPException(413, self._too_large())
            return message

        return counted

    def _too_large(self) -> str:
        return f"The body is larger than {self._largest_body / 1024 / 1024:g} MB: send less at a time."


def _hardened(send: Send, is_api: bool) -> Send:
    """Answers are not framed, not guessed at, and, where they hold messages, not cached."""

    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("X-Frame-Options", "DENY")
            headers.setdefault("Referrer-Policy", "same-origin")
            if is_api:
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return hardened


def _name(address: str) -> str:
    """The host in an address, in lower case; empty if there is none."""
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _credentials(header: str) -> tuple[str, str] | None:
    """User name and password of a basic authorization, None if it is none."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")  # what Python's requests sends for a password with umlauts
    username, separator, password = decoded.partition(":")
    return (username, password) if separator else None
