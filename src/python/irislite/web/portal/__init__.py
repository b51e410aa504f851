"""The portal: what an operator sees of a production, in a browser."""

import os
from collections.abc import Iterable
from functools import partial

from fastapi import FastAPI
from nicegui import app as portal_app
from nicegui import ui
from starlette.routing import BaseRoute

from irislite.config import flag
from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.portal import auditpage, bodies, files, signin
from irislite.web.portal.access import Access
from irislite.web.portal.gate import ASSETS, Gate
from irislite.web.portal.layout import ASSETS_FOLDER, Portal, Room
from irislite.web.portal.rooms import ROOMS
from irislite.web.portal.sessions import Sessions, lifetime_s

_own_routes: list[BaseRoute] = []


def mount(app: FastAPI, director: Director, accounts: Accounts, added: Iterable[Room] = ()) -> None:
    """Add the portal to an app, behind the app's own routes; `added` are the rooms of the production.

    NiceGUI has one portal per process: mounted again, as tests do, it serves the newest director.
    """
    sessions = Sessions(director.home, *lifetime_s())
    accounts.signed_out = sessions.close_all
    access = Access(accounts, sessions, director.audit)
    portal = Portal(director, access, (*ROOMS, *added))
    _reset()
    before = list(portal_app.router.routes)
    portal_app.add_static_files(ASSETS, ASSETS_FOLDER, max_cache_age=86400)
    signin.register(portal_app, access, director.audit)
    bodies.register(portal_app, director)
    files.register(portal_app, director)
    auditpage.register(portal_app, access, director)
    for room in portal.rooms:
        ui.page(room.path, title=f"{room.title} · irislite", response_timeout=15.0)(partial(room.page, portal))
    _own_routes.extend(route for route in portal_app.router.routes if route not in before)
    portal_app.add_middleware(Gate, access=access)
    ui.run_with(
        app,
        title="irislite",
        favicon=ASSETS_FOLDER / "leaf.svg",
        language="en-US",
        dark=None,
        tailwind=False,
        reconnect_timeout=10.0,
        binding_refresh_interval=None,
        storage_secret=accounts.secret,
        session_middleware_kwargs={
            "session_cookie": accounts.cookie,
            "max_age": int(sessions.lifetime_s),
            "same_site": "lax",
            "https_only": flag(os.environ.get("IRISLITE_HTTPS", ""), False),
        },
        show_welcome_message=False,
    )


def _reset() -> None:
    """Take away what an earlier `mount` added."""
    for route in _own_routes:
        if route in portal_app.router.routes:
            portal_app.router.routes.remove(route)
    _own_routes.clear()
    portal_app.user_middleware.clear()
    portal_app.middleware_stack = None
