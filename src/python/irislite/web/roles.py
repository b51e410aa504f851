"""Which role a route needs: declared beside the route, checked before it runs; what declares nothing is for few."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import Request

from irislite.actor import Role, acting
from irislite.audit import Deed, at_hand
from irislite.errors import Forbidden

READING = frozenset({"GET", "HEAD", "OPTIONS"})
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def needs(role: Role) -> Callable[[Endpoint], Endpoint]:
    """Declares the role that a route needs. It stands between the route's decorator and its function."""

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.needed_role = role  # type: ignore[attr-defined]
        return endpoint

    return declare


def needed(endpoint: object, method: str) -> Role:
    """The role that a route declares; else whoever signs in may read, and an administrator alone may change."""
    default = Role.VIEWER if method in READING else Role.ADMINISTRATOR
    role: Role = getattr(endpoint, "needed_role", default)
    return role


async def authorize(request: Request) -> AsyncIterator[None]:
    """A dependency of the whole app: whoever acts needs the route's role, and what changes something is in the audit.

    Raises `Forbidden`.
    """
    endpoint = request.scope.get("endpoint")
    role = needed(endpoint, request.method)
    if request.method in READING:
        check(role)
        yield
        return
    audit = request.app.state.director.audit
    deed = Deed(_action(endpoint), request.scope["path"])
    try:
        with at_hand(deed):
            check(role)
            yield
    finally:
        await asyncio.to_thread(audit.write, deed)


def check(role: Role) -> None:
    """Refuse whoever acts now without this role. Raises `Forbidden`."""
    actor = acting.get()
    if actor.role < role:
        raise Forbidden(
            f"This needs the role {role.word}, and {actor.name or 'you'} has the role {actor.role.word}: "
            "ask an administrator, who gives roles in the room System."
        )


def _action(endpoint: object) -> str:
    """What a route does, in the words of its first line."""
    return (inspect.getdoc(endpoint) or "").partition("\n")[0].rstrip(".")
