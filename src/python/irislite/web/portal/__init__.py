"""The portal: what an operator sees of a production, in a browser."""

from functools import partial

from fastapi import FastAPI
from nicegui import app as portal_app
from nicegui import ui
from starlette.routing import BaseRoute

from irislite.director import Director
from irislite.web.accounts import Accounts
from irislite.web.portal import bodies, signin
from irislite.web.portal.gate import ASSETS, Gate
from irislite.web.portal.layout import ASSETS_FOLDER, Portal
from irislite.web.portal.rooms import ROOMS
from irislite.web.portal.sessions import LIFETIME_S, Sessions

_own_routes: list[BaseRoute] = []


def mount(app: FastAPI, director: Director, accounts: Accounts) -> None:
    """Add the portal to an app, behind the app's own routes.

    NiceGUI has one portal per process: mounted again, as tests do, it serves the newest director.
    """
    sessions = Sessions(director.home)
    portal = Portal(director, sessions, ROOMS)
    _reset()
    before = list(portal_app.router.routes)
    portal_app.add_static_files(ASSETS, ASSETS_FOLDER, max_cache_age=86400)
    signin.register(portal_app, accounts, sessions)
    bodies.register(portal_app, director)
    for room in ROOMS:
        ui.page(room.path, title=f"{room.title} · irislite", response_timeout=15.0)(partial(room.page, portal))
    _own_routes.extend(route for route in portal_app.router.routes if route not in before)
    portal_app.add_middleware(Gate, sessions=sessions)
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
        session_middleware_kwargs={"session_cookie": "irislite", "max_age": int(LIFETIME_S), "same_site": "lax"},
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
