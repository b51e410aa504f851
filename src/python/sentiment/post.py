"""An entry, as a source hands it out, and the post that it is when it was read."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sentiment.errors import Unreadable

KNOWN = frozenset({"id", "text", "full_text", "lang", "repost", "retweeted_status", "created_at"})
_LONGEST_ID = 200
_REPOST = "RT @"


@dataclass(frozen=True)
class Entry:
    """What a source hands out: bytes that should be one JSON object, and the id to acknowledge them with."""

    id: str
    body: bytes
    accepted_ms: int
    """When it was accepted, in milliseconds of the epoch."""
    deliveries: int = 1
    """The how many-th time it is handed out."""
    alone: bool = False
    """It must not share a batch: workers died with it."""
    origin: str = ""
    """The id it had when it became a dead letter, if it was put back."""
    lap: int = 0
    """How often its file was replayed before."""

    @property
    def first_id(self) -> str:
        """The same in all its lives: a duplicate has another."""
        return self.origin or self.id


@dataclass(frozen=True)
class Message:
    """What an entry says."""

    id: str
    text: str
    language: str
    repost: bool
    ignored: tuple[str, ...]
    """The fields that mean nothing here."""


@dataclass(frozen=True)
class Post:
    """An entry that is to be labelled."""

    entry: str
    id: str
    text: str
    """Cleaned: what the model reads, and what is published."""
    original: str
    keyword: str
    language: str
    accepted_ms: int
    deliveries: int = 1
    origin: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For a message."""
        return asdict(self)


def read(body: bytes, longest_text: int) -> Message:
    """What the bytes of an entry say. Raises `Unreadable`."""
    if not body.strip():
        raise Unreadable("It is empty: send a JSON object with a text.")
    try:
        found = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"It is no UTF-8 ({error}): encode it so.") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"It is no JSON ({error}): send an object with a text.") from error
    return message_of(found, longest_text)


def message_of(found: Any, longest_text: int) -> Message:
    """What a parsed entry says. Raises `Unreadable`."""
    if not isinstance(found, dict):
        raise Unreadable(f"It is a {type(found).__name__}: send a JSON object with a text.")
    text = found.get("text", found.get("full_text"))
    if not isinstance(text, str) or not text.strip():
        raise Unreadable('It has no text: write it as in {"text": "Lovely weather"}.')
    if len(text) > longest_text:
        raise Unreadable(
            f"Its text has {len(text):,} characters, and {longest_text:,} are allowed: shorten it, or raise "
            "longest_text."
        )
    post_id = found.get("id", "")
    if isinstance(post_id, bool) or not isinstance(post_id, (str, int)) or len(str(post_id)) > _LONGEST_ID:
        raise Unreadable(f"Its id is neither a number nor a text of at most {_LONGEST_ID} characters: correct it.")
    language = found.get("lang") or ""
    if not isinstance(language, str):
        raise Unreadable('Its lang is no text: write it as in "en", or leave it out.')
    if not _encodable(text, str(post_id), language):
        raise Unreadable("It has half of a surrogate pair, which is no character: send whole ones.")
    repost = found.get("repost") is True or bool(found.get("retweeted_status")) or text.startswith(_REPOST)
    return Message(str(post_id), text, language.lower(), repost, tuple(sorted(set(found) - KNOWN)))


def _encodable(*texts: str) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
