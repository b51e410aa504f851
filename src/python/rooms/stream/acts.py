"""What is known of the stream and done with its dead letters: in Redis, as the items of the production name it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sentiment
from irislite.director import Director
from irislite.errors import BadRequest, IrisliteError
from irislite.views import ItemState
from rooms import items
from rooms.errors import NobodyCan, Refused

CLASSES = ("SentimentService", "SentimentProcess", "SentimentDelivery")
DELIVERY = CLASSES[-1]


class StreamUnreachable(IrisliteError, ConnectionError):
    """The Redis of the stream does not answer."""


@dataclass(frozen=True)
class Part:
    """An item that works on the stream, and its state; `comment` says what a disabled one lacks."""

    item: str
    state: ItemState
    comment: str


@dataclass(frozen=True)
class Pulse:
    """How the stream goes now. `state` is that of `sentiment.Overview`, None while Redis does not answer: `problem`."""

    parts: tuple[Part, ...]
    state: Mapping[str, Any] | None
    problem: str = ""


def pulse(director: Director) -> Pulse:
    """The items and the numbers; what keeps the numbers away is told, not raised. Raises `NobodyCan`."""
    found = parts(director)
    if all(part.state is ItemState.DISABLED for part in found):
        return Pulse(found, None, next(part.comment for part in found))
    try:
        with _told():
            return Pulse(found, _overview(director).state())
    except (StreamUnreachable, BadRequest) as error:
        return Pulse(found, None, str(error))


def parts(director: Director) -> tuple[Part, ...]:
    """The items that work on the stream, in the order in which a post meets them. Raises `NobodyCan`."""
    found = sorted(items.of(director, *CLASSES), key=lambda item: CLASSES.index(items.kind(item)))
    views = {view.name: view for view in director.items()}
    if not any(items.kind(item) == DELIVERY for item in found):
        raise NobodyCan("No item of the production works on a stream: add three, as production.py does.")
    return tuple(Part(item.name, views[item.name].state, views[item.name].comment) for item in found)


def newest(director: Director, count: int) -> list[dict[str, Any]]:
    """The posts that were labelled last, the newest first."""
    with _told():
        found: list[dict[str, Any]] = _overview(director).newest(count)
        return found


def shares(director: Director, minutes: int) -> dict[str, Any]:
    """Posts by keyword and minute, all and positive ones."""
    with _told():
        found: dict[str, Any] = _overview(director).shares(minutes)
        return found


def dead(director: Director, count: int, before: str = "") -> list[dict[str, Any]]:
    """Dead letters, the newest first; those before the one with the id `before`, if there is one."""
    with _told():
        found: list[dict[str, Any]] = _overview(director).dead(count, before)
        return found


def put_back(director: Director, ids: Sequence[str]) -> int:
    """Let dead letters be tried once more. Returns how many there were."""
    with _told():
        count: int = _overview(director).put_back(list(ids))
        return count


def drop(director: Director, ids: Sequence[str]) -> int:
    """Delete dead letters for good. Returns how many there were."""
    with _told():
        count: int = _overview(director).drop(list(ids))
        return count


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sentiment.RedisUnreachable as error:
        raise StreamUnreachable(str(error)) from error
    except sentiment.SentimentError as error:
        raise Refused(str(error)) from error


def _overview(director: Director) -> Any:
    """What reads the Redis that the delivery's settings name."""
    found = items.of(director, DELIVERY)
    if not found:
        raise NobodyCan("No item of the production delivers a stream: add one, as production.py does.")
    settings = items.settings(found[0])
    account = director.credential(settings["credential"]) if settings.get("credential") else None
    chosen = sentiment.Options.parse({name: settings[name] for name in sentiment.SETTINGS if name in settings})
    return _linked(chosen, account)


@lru_cache(maxsize=2)  # the connections are kept; an item that names another Redis gets others
def _linked(chosen: Any, account: tuple[str, str] | None) -> Any:
    username, password = account or ("", "")
    return sentiment.Overview(sentiment.connect(chosen, username, password), chosen)
