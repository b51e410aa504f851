"""What every request has to pass: known host, no foreign page, the account, JSON, a sensible size."""

import asyncio
import base64
import binascii
import math
import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.authentication import AuthCredentials, SimpleUser
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from irislite.actor import Actor, Role, acting_as
from irislite.audit import Audit, Deed, Outcome
from irislite.web.accounts import Accounts
from irislite.web.failures import answer

LARGEST_BODY = 32 * 1024 * 1024  # bytes
LARGEST_UPLOAD = 512 * 1024 * 1024  # of a file that an operator sends by a page: it goes to the disk as it comes
UPLOADS = "/_nicegui/client/"  # where pages send files to
ANYBODY = Actor("", Role.VIEWER)  # who has not signed in, or whose page knows who it is
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def allowed_hosts(bound: str) -> frozenset[str]:
    """The names under which the server may be asked for: this machine, the bound host, `IRISLITE_ALLOWED_HOSTS`.

    The address that a connection came to is always fine: only names can be rebound.
    """
    extra = os.environ.get("IRISLITE_ALLOWED_HOSTS", "").replace(",", " ").split()
    return frozenset(name.strip("[]").rstrip(".").lower() for name in ("localhost", "127.0.0.1", "::1", bound, *extra))


class Guard:
    """Middleware that lets a request through or answers it with the reason.

    Below the paths of `mounted` an application of its own answers, which knows its callers by keys: the guard
    asks nobody to sign in there, and only introduces who did.
    """

    def __init__(
        self, app: ASGIApp, accounts: Accounts, audit: Audit, hosts: frozenset[str], largest_body: int,
        mounted: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._app = app
        self._accounts = accounts
        self._audit = audit
        self._hosts = hosts
        self._mounted = tuple(mounted)
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        is_api = scope["path"].startswith("/api/") or scope["path"] in ("/api", "/openapi.json")
        is_mounted = any(scope["path"] == path or scope["path"].startswith(f"{path}/") for path in self._mounted)
        headers, actor = Headers(scope=scope), ANYBODY
        refusal = self._refusal(scope, headers)
        if refusal is None and is_mounted:
            refusal, actor = await self._introduced(headers, scope)
        elif refusal is None and is_api:
            refusal, actor = await self._signed_in(headers, scope)
            refusal = refusal or _not_json(scope, headers)
        if refusal is None:
            with acting_as(actor):
                await self._app(scope, self._counted(receive, self._largest(scope)), _hardened(send, is_api))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
        else:
            await refusal(scope, receive, _hardened(send, is_api))

    def _refusal(self, scope: Scope, headers: Headers) -> JSONResponse | None:
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
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > (largest := self._largest(scope)):
            return answer(413, _too_large(largest))
        return None

    def _is_allowed(self, host: str, scope: Scope) -> bool:
        server = scope.get("server") or ("", 0)
        return bool(host) and (host in self._hosts or host == server[0])

    async def _signed_in(self, headers: Headers, scope: Scope) -> tuple[JSONResponse | None, Actor]:
        """Why the request is refused, None if it is not; and who sent it."""
        client = (scope.get("client") or ("", 0))[0]
        given = _credentials(headers.get("authorization", ""))
        if (wait_s := math.ceil(self._accounts.wait_s(client, given[0] if given else ""))) > 0:
            text = f"Too many wrong passwords came from {client or 'you'}, or for this name: try again in {wait_s} s."
            return answer(429, text, {"Retry-After": str(wait_s)}), ANYBODY
        if given is None:
            text = "Sign in with a user's name and password (IOP_USERNAME and IOP_PASSWORD of the iop command line)."
            return _unknown(text), ANYBODY
        check = self._accounts.check
        # A password that was right before is known at once; another one takes its time, in a thread.
        known = self._accounts.recognise(*given) is not None
        user = check(*given, client) if known else await asyncio.to_thread(check, *given, client)
        if user is None:
            actor = Actor(given[0], Role.VIEWER, "REST", client)
            with acting_as(actor):
                await asyncio.to_thread(self._audit.write, Deed("Sign in", scope["path"], Outcome.REFUSED))
            return _unknown(
                "The user name or the password is wrong. A password that the runtime made is in its data folder."
            ), ANYBODY
        return None, Actor(user.name, user.role, "REST", client)

    async def _introduced(self, headers: Headers, scope: Scope) -> tuple[JSONResponse | None, Actor]:
        """Whoever brings a user's name and password to a mounted application is made known to it, with the role."""
        if not headers.get("authorization", "").lower().startswith("basic "):
            return None, ANYBODY
        refusal, actor = await self._signed_in(headers, scope)
        if refusal is None:
            scope["auth"], scope["user"] = AuthCredentials([actor.role.word]), SimpleUser(actor.name)
        return refusal, actor

    def _largest(self, scope: Scope) -> int:
        """How many bytes a body may have."""
        return LARGEST_UPLOAD if scope["path"].startswith(UPLOADS) else self._largest_body

    def _counted(self, receive: Receive, largest: int) -> Receive:
        """A body without a length is measured as it comes in."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > largest:
                    raise HTTPException(413, _too_large(largest))
            return message

        return counted


def _not_json(scope: Scope, headers: Headers) -> JSONResponse | None:
    """A form of another site can send text, but no JSON."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if scope.get("method") not in _WITH_BODY or media_type == "application/json":
        return None
    return answer(415, "The body must be JSON: send it with the header Content-Type: application/json.")


def _too_large(largest: int) -> str:
    return f"The body is larger than {largest / 1024 / 1024:g} MB: send less at a time."


def _unknown(text: str) -> JSONResponse:
    return answer(401, text, {"WWW-Authenticate": 'Basic realm="irislite", charset="UTF-8"'})


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
