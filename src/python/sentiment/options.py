"""Where posts come from, which of them count, and where their labels go: the settings, typed."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paths
from sentiment.errors import BadSetting
from settinglines import typed

SOURCES = ("file", "stream", "http")
DUPLICATES = ("post", "text", "none")
FILE = "misc/posts.jsonl"


@dataclass(frozen=True)
class Options:
    """The settings. Texts are split at commas where a setting is a list; a fraction of a second may be one."""

    source: str = "file"
    """What fills the stream: file (the posts of `path`), http (POST /posts), or stream (others do)."""
    path: str = FILE
    """A file with one JSON object a line."""
    rate: float = 2.0
    """Posts a second of the file; 0: as fast as they are taken."""
    repeat: bool = True
    """The file begins anew at its end, as a new day: its posts are then others."""
    host: str = "127.0.0.1"
    port: int = 8089
    """Where POST /posts is taken."""
    backlog_limit: int = 1_000_000
    """So many posts may wait in the stream; above it POST /posts answers 503."""
    redis_url: str = "redis://127.0.0.1:6379/0"
    """rediss:// for TLS. Never with a password."""
    prefix: str = "evergreen:sentiment"
    """Before the name of each key; in braces for a Redis Cluster."""
    group: str = "labellers"
    """The consumer group of the stream of posts."""
    consumer: str = ""
    """This worker's name in the group, its alone; empty: host, process and a number."""
    keywords: tuple[str, ...] = ()
    """Posts that have one of them; a phrase is found when all of its words are there. Empty: all posts."""
    languages: tuple[str, ...] = ()
    """As in en,fr; empty: all."""
    duplicates: str = "post"
    """What is skipped the second time: a post (its id; its text where it has none), a text, or none."""
    duplicate_window_s: int = 3_600
    batch_size: int = 64
    max_age_s: float = 0.2
    """A batch that is not full waits no longer than this."""
    longest_text: int = 10_000
    """In characters. The model reads what it can of it; a longer one is a dead letter."""
    positive: tuple[str, ...] = ()
    """The model's labels that mean 1; empty: guessed from their names."""
    claim_idle_s: float = 60.0
    """After so long without a sign of life the posts of a worker are another's."""
    max_deliveries: int = 3
    """A post that failed so often is a dead letter."""
    keep_results: int = 100_000
    keep_dead: int = 100_000
    model_url: str = ""
    """Of a worker without a production: a model of the Open Inference Protocol, as http://serving/v2/models/NAME."""
    model_timeout_s: float = 60.0
    health_host: str = "127.0.0.1"
    health_port: int = 8080
    """Where a worker answers probes and metrics."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "Options":
        """The options that these settings mean, texts or typed. Raises `BadSetting`."""
        known = {one.name: one for one in fields(cls)}
        found = {}
        for name, value in given.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise BadSetting(f"There is no setting {name}.{f' {near[0]} is one.' if near else ''} Correct it.")
            found[name] = _typed(name, value, getattr(cls, name))
        options = cls(**found)
        options.check()
        return options

    def check(self) -> None:
        """Raise `BadSetting` for what no single value shows."""
        _one_of("source", self.source, SOURCES)
        _one_of("duplicates", self.duplicates, DUPLICATES)
        for name in ("batch_size", "max_deliveries", "longest_text", "duplicate_window_s", "claim_idle_s"):
            if getattr(self, name) < 1:
                raise BadSetting(f"{name}={getattr(self, name)} is too small: give 1 or more.")
        if not self.prefix or not self.group:
            raise BadSetting("prefix and group name the keys in Redis: give both, or leave them out.")
        try:
            address = urlsplit(self.redis_url)
            secret = address.password or address.username
        except ValueError as error:
            raise BadSetting(f"redis_url is no address ({error}): write it as redis://host:6379/0.") from error
        if secret or "password" in address.query:  # not shown: it is a secret
            raise BadSetting("redis_url has a user or password in it: give them as REDIS_USERNAME and REDIS_PASSWORD.")
        if address.scheme not in ("redis", "rediss", "unix"):
            raise BadSetting(f"redis_url={self.redis_url!r} is no address of a Redis: write redis://host:6379/0.")

    @property
    def file(self) -> Path:
        """The path of the file of posts."""
        return paths.from_container(self.path)


SETTINGS = tuple(one.name for one in fields(Options))
"""The names of all settings."""


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadSetting(f"{name}={value!r} is none of {', '.join(known)}: choose one.")


def _typed(name: str, value: Any, default: Any) -> Any:
    """A setting's value in the type of its default."""
    if isinstance(default, tuple):
        several = value.split(",") if isinstance(value, str) else value
        return tuple(text for one in several if (text := str(one).strip()))
    if isinstance(default, str):
        return str(value).strip() or default
    found = typed(value)
    if found in ("", None):
        return default
    if isinstance(default, bool):
        if isinstance(found, bool):
            return found
        raise BadSetting(f"{name}={value!r} is neither true nor false. Correct it.")
    if not isinstance(found, bool) and isinstance(found, (int, float)) and 0 <= found < float("inf"):
        if isinstance(default, float):
            return float(found)
        if found == int(found):
            return int(found)
    kind = "number" if isinstance(default, float) else "whole number"
    raise BadSetting(f"{name}={value!r} is no {kind}. Correct it.")
