"""Who asks, and what they may: a key in the request, or whoever the server in front has signed in."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from api.errors import NotAllowed, NotIdentified, TooMany
from api.keys import ROLES, Keys

_KEYLESS = "Send a key: Authorization: Bearer egk_..., or X-API-Key. An administrator makes one: see docs/api.md."
_REMEMBERED = 10_000  # identities whose rate is counted


@dataclass(frozen=True)
class Identity:
    """Who asks. `name` is for logs and traces, `rate` in requests a second (None: the server's)."""

    id: str
    name: str
    role: str
    rate: float | None = None

    def may(self, act: str) -> bool:
        """Whether its role allows it; see `api.keys.ROLES`."""
        return act in ROLES.get(self.role, ())


def identify(request: Request, keys: Keys) -> Identity:
    """The identity of a request. Raises `NotIdentified`."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
    if given:
        key = keys.identify(given)
        return Identity(key.id, key.name, key.role, key.rate)
    # Starlette's way for a server in front to say who has signed in; no request can write it.
    user, auth = request.scope.get("user"), request.scope.get("auth")
    if user is not None and user.is_authenticated and auth is not None:
        role = next((role for role in ROLES if role in auth.scopes), "")
        if role:
            return Identity(f"user:{user.display_name}", user.display_name, role)
    raise NotIdentified(_KEYLESS)


class Rates:
    """How often each identity may ask: `rate` requests a second, and as many at once as it may in two seconds."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # id -> requests left, when that was

    def take(self, identity: Identity) -> None:
        """Count a request. Raises `TooMany` with the seconds to wait."""
        rate = identity.rate or self._rate
        if rate <= 0:
            return
        burst = max(1.0, 2 * rate)
        with self._lock:
            now = self._clock()
            left, then = self._left.pop(identity.id, (burst, now))
            left = min(burst, left + (now - then) * rate)
            self._left[identity.id] = (left - 1 if left >= 1 else left), now
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        if left < 1:
            wait_s = max(1, -int(-(1 - left) // rate))
            raise TooMany(
                f"{identity.name} may send {rate:g} requests a second: try again in {wait_s} s.", retry_after_s=wait_s
            )


def require(act: str) -> Callable[[Request], Coroutine[Any, Any, Identity]]:
    """A dependency: the identity of a request, whose role allows `act`."""

    async def required(request: Request) -> Identity:
        state = request.app.state
        identity = identify(request, state.keys)
        request.state.identity = identity
        state.rates.take(identity)
        allow(identity, act)
        return identity

    return required


def allow(identity: Identity, act: str) -> None:
    """Raise `NotAllowed` unless the role of `identity` allows `act`."""
    if not identity.may(act):
        able = " or ".join(role for role, acts in ROLES.items() if act in acts)
        raise NotAllowed(f"{identity.name} is {identity.role}, and this needs {able}: ask an administrator for a key.")
