"""A way to one web server: redirects under a rule, headers that stay at home, patience while it is busy."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

CONNECT_S = 10.0
SILENCE_S = 30.0
"""How long a server may send nothing in the middle of an answer."""

PAUSES_S = (1.0, 2.0, 4.0, 8.0)
"""The waits before a request is repeated; as many repetitions in a row that bring nothing end a transfer."""

LONGEST_PAUSE_S = 60.0
"""The longest `Retry-After` that is waited for."""

_REDIRECTS = 5
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}


class Refused(Exception):
    """A server answered with an error. `code` and `reason` are what a hub says about it, or ''."""

    def __init__(self, status: int, code: str = "", reason: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(f"HTTP status {status}")
        self.status, self.code, self.reason, self.retry_after_s = status, code, reason, retry_after_s


class LedAway(Exception):
    """A server redirects to where this transfer may not follow; the argument is the host."""


class Line:
    """A way to one server. `headers` go to that server alone; `leave` allows redirects to others (a hub's CDN)."""

    def __init__(self, home: str, *, headers: Mapping[str, str] | None = None, leave: bool = False) -> None:
        import requests

        self._home, self._headers, self._leave = home, dict(headers or {}), leave
        self._session = requests.Session()

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, patiently: bool = False
    ) -> Iterator[Any]:
        """The server's answer (requests.Response, body unread) with a status below 300.

        `patiently` waits for a busy server. Raises `Refused`, `LedAway`, or what requests raises when nobody answers.
        """
        tried = 0
        while True:
            try:
                response = self._answer(method, url, headers or {})
                break
            except Refused as error:
                if not (patiently and is_busy(error.status) and patient(tried, error.retry_after_s)):
                    raise
            tried += 1
        with response:
            yield response

    def _answer(self, method: str, url: str, headers: Mapping[str, str]) -> Any:
        for _ in range(_REDIRECTS + 1):
            own = self._headers if same_host(url, self._home) else {}
            response = self._session.request(
                method,
                url,
                headers={"User-Agent": "evergreen", "Accept-Encoding": "identity", **own, **headers},
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_S, SILENCE_S),
                # requests would put the password of ~/.netrc in the place of our own header.
                auth=_as_it_is if own else None,
            )
            if response.status_code < 300:
                return response
            response.close()
            if not response.is_redirect:
                raise _refused(response)
            url = self._next(url, urljoin(url, response.headers["Location"]))
        raise LedAway(f"{urlsplit(url).hostname} (more than {_REDIRECTS} redirects)")

    def _next(self, url: str, location: str) -> str:
        parts = urlsplit(location)
        lowered = urlsplit(url).scheme == "https" and parts.scheme != "https"
        if parts.scheme not in ("http", "https") or lowered or not (self._leave or same_host(location, self._home)):
            raise LedAway(f"{parts.scheme}://{parts.hostname}")
        return location


def same_host(url: str, other: str) -> bool:
    """Whether two addresses have one host and port; http and https at their own ports count as one."""
    one, two = urlsplit(url), urlsplit(other)
    ports = [part.port or _PORTS.get(part.scheme) for part in (one, two)]
    return one.hostname == two.hostname and (ports[0] == ports[1] or not (one.port or two.port))


def patient(tried: int, retry_after_s: float | None = None) -> bool:
    """Wait before the next of several tries; False if there were enough, or the server asks for too long a wait."""
    if tried >= len(PAUSES_S) or (retry_after_s or 0.0) > LONGEST_PAUSE_S:
        return False
    time.sleep(max(PAUSES_S[tried], retry_after_s or 0.0))
    return True


def is_busy(status: int) -> bool:
    """Whether a status says: try again later."""
    return status in _BUSY


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a `Retry-After` header, None if it is missing or a date."""
    with suppress(ValueError):
        return float(headers.get("Retry-After", ""))
    return None


def _refused(response: Any) -> Refused:
    headers = response.headers
    reason = headers.get("X-Error-Message", "")[:200]
    return Refused(response.status_code, headers.get("X-Error-Code", ""), reason, retry_after(headers))


def _as_it_is(request: Any) -> Any:
    return request
