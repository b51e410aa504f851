"""Sign in and out: a plain form that needs no script."""

import asyncio
import math
from html import escape
from urllib.parse import parse_qs

import nicegui
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from irislite.actor import Actor, Role, acting_as
from irislite.audit import Audit, Deed, Outcome
from irislite.web.portal.access import Access
from irislite.web.portal.gate import ASSETS, SIGN_IN, SIGN_OUT, local_path

LONGEST_FORM = 10_000  # bytes
_WRONG = "The user name or the password is wrong. A password that the runtime made is in its data folder."
_WAIT = "Too many wrong passwords came from your address, or for this name: try again in {wait_s} s."

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in · irislite</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="{assets}/leaf.svg"><link rel="stylesheet" href="{fonts}">
<link rel="stylesheet" href="{assets}/portal.css"></head>
<body class="{body_class}"><main class="signin"><form method="post" action="{action}">
<h1><img src="{assets}/leaf.svg" width="28" height="28" alt=""> Sign in to irislite</h1>
{problem}
<label>User name <input name="username" value="{username}" autocomplete="username" {focus_name} required></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" {focus_password} required></label>
<input type="hidden" name="next" value="{wanted}">
<button>Sign in</button>
</form></main></body></html>
"""


def register(app: FastAPI, access: Access, audit: Audit) -> None:
    """Add the sign-in page, and the two requests that sign in and out. The gate has looked where they come from."""
    accounts, sessions = access.accounts, access.sessions

    @app.get(SIGN_IN)
    def show(request: Request, next: str = "/") -> Response:
        if access.owner_of(request.session.get("token", "")) is not None:
            return RedirectResponse(local_path(next), status_code=303)
        return _page(request, local_path(next))

    @app.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        form = await _form(request)
        wanted = local_path(form.get("next", "/"))
        username, password = form.get("username", ""), form.get("password", "")
        client = request.client.host if request.client else ""
        if (wait_s := accounts.wait_s(client, username)) > 0:
            return _page(request, wanted, 429, _WAIT.format(wait_s=math.ceil(wait_s)), username)
        user = await asyncio.to_thread(accounts.check, username, password, client)
        name, role = (user.name, user.role) if user else (username, Role.VIEWER)
        with acting_as(Actor(name, role, "portal", client)):
            outcome = Outcome.DONE if user else Outcome.REFUSED
            await asyncio.to_thread(audit.write, Deed("Sign in", "portal", outcome))
        if user is None:
            return _page(request, wanted, 401, _WRONG, username)
        sessions.close(request.session.get("token", ""))
        request.session.clear()  # a session that somebody else began is not carried over
        request.session["token"] = sessions.open(user.name)
        return RedirectResponse(wanted, status_code=303)

    @app.post(SIGN_OUT)
    def sign_out(request: Request) -> Response:
        sessions.close(request.session.get("token", ""))
        request.session.clear()
        return RedirectResponse(SIGN_IN, status_code=303)


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            return {}
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def _page(request: Request, wanted: str, status: int = 200, problem: str = "", username: str = "") -> Response:
    look = request.cookies.get("look", "")
    page = _PAGE.format(
        assets=ASSETS,
        fonts=f"/_nicegui/{nicegui.__version__}/static/fonts.css",
        action=SIGN_IN,
        body_class={"dark": "body--dark", "light": "body--light"}.get(look, ""),
        problem=f'<p class="notice bad" role="alert">{escape(problem)}</p>' if problem else "",
        wanted=escape(wanted, quote=True),
        username=escape(username, quote=True),
        focus_name="" if username else "autofocus",
        focus_password="autofocus" if username else "",
    )
    return HTMLResponse(page, status)
