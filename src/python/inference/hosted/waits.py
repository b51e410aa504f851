"""Calls again what a busy or loading model refused, when it asks for it and no longer than the failure timeout."""

import math
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from inference.answer import Log
from inference.hosted.refusal import Refusal

RETRIED = frozenset({429, 502, 503, 504})
LEAST_S, LONGEST_S = 0.5, 30.0  # of the waits that no server asks for: each twice the one before
_MONTHS_AGO_S = 1e9  # a reset above this is a time, not a number of seconds
_PARAMETER = re.compile(r"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")

Result = TypeVar("Result")


class GivenUp(Exception):
    """The last refusal of a call that was tried `tries` times; `asked_s` is the wait it asked for, if too long."""

    def __init__(self, refusal: Refusal, tries: int, asked_s: float | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal, self.tries, self.asked_s = refusal, tries, asked_s


def patiently(
    attempt: Callable[[], Result], failure_timeout_s: float, log: Log, pause: Callable[[float], object] = time.sleep
) -> Result:
    """What `attempt` returns, called again after 429, 502, 503 and 504 until `failure_timeout_s` have passed.

    Raises `GivenUp` when it refuses for good, when time is up, or when a longer wait is asked for than is left.
    """
    deadline_s, tries = time.monotonic() + failure_timeout_s, 0
    while True:
        try:
            return attempt()
        except Refusal as error:
            refusal = error
        tries += 1
        if refusal.status not in RETRIED:
            raise GivenUp(refusal, tries)
        asked_s = asked_wait_s(refusal)
        wait_s = max(asked_s, LEAST_S) if asked_s is not None else min(LONGEST_S, LEAST_S * 2 ** (tries - 1))
        if wait_s > (left_s := deadline_s - time.monotonic()):
            raise GivenUp(refusal, tries, asked_s)
        why = "as it asks" if asked_s is not None else "by our own count"
        log(f"{refusal.heading} Try {tries}; waiting {wait_s:.3g} s {why}, {left_s:.0f} s are left for more tries.")
        pause(wait_s)


def asked_wait_s(refusal: Refusal) -> float | None:
    """The seconds that an answer asks to wait: Retry-After, else a rate limit's reset, else its estimated_time."""
    headers = refusal.headers
    body = refusal.body
    estimate = body.get("estimated_time") if isinstance(body, dict) else None
    for seconds in (_retry_after_s(headers), _rate_limit_s(headers), estimate):
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and math.isfinite(seconds):
            return max(0.0, float(seconds))
    return None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    when_s = _date_s(text)
    if when_s is None:
        return None
    server_s = _date_s(headers.get("date", ""))  # the server's own clock, so that ours may be wrong
    return when_s - (server_s if server_s is not None else time.time())


def _rate_limit_s(headers: Mapping[str, str]) -> float | None:
    """The longest reset of the limits that are used up; all count where the answer does not say which.

    `"api";r=0;t=55` and `limit=10, remaining=0, reset=50` (the drafts' forms), and the headers of a number each.
    """
    resets: list[float] = []
    for text in re.split(r',\s*"', headers.get("ratelimit", "")):
        values = {name.lower()[:3]: float(number) for name, number in _PARAMETER.findall(text)}
        reset_s = values.get("t", values.get("res"))
        if reset_s is not None and values.get("r", values.get("rem", 0)) <= 0:
            resets.append(reset_s)
    if not resets:
        for name in _RESETS:
            left = headers.get(name.replace("reset", "remaining"), "0").strip()
            seconds = _seconds(headers.get(name, "").strip())
            if seconds is not None and left in ("", "0"):
                resets.append(seconds)
    return max(resets, default=None)


def _seconds(text: str) -> float | None:
    """A header's number of seconds: `50`, `2m59.5s`, or a time since 1970."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        number = float(text)
        return number - time.time() if number > _MONTHS_AGO_S else number
    match = _DURATION.fullmatch(text) if text else None
    if not match or not any(match.groups()):
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def _date_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None
