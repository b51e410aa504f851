"""Who is signed in: tokens that end after a while without use, and after a day's work; a restart keeps them."""

import hashlib
import json
import math
import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from irislite.errors import BadRequest
from irislite.keeping import keep, kept

LIFETIME_S = 12 * 3600.0
IDLE_S = 60 * 60.0
MOST_SESSIONS = 10_000
_WRITE_EVERY_S = 60.0  # what a restart forgets of the last use


def lifetime_s() -> tuple[float, float]:
    """How long a sign-in lasts, and how long without use: `IRISLITE_SESSION_HOURS`, `IRISLITE_SESSION_IDLE_MINUTES`.

    Raises `BadRequest`.
    """
    return (
        3600 * _positive("IRISLITE_SESSION_HOURS", LIFETIME_S / 3600, "hours, as in 12"),
        60 * _positive("IRISLITE_SESSION_IDLE_MINUTES", IDLE_S / 60, "minutes, as in 60"),
    )


def _positive(name: str, default: float, unit: str) -> float:
    text = os.environ.get(name, "").strip()
    try:
        value = float(text or default)
    except ValueError:
        value = math.nan
    if not 0 < value <= 24 * 366:
        raise BadRequest(f"{name} is {text!r}: set it to {unit}, or leave it out.")
    return value


@dataclass(slots=True)
class _Session:
    account: str
    end: float  # seconds since the epoch
    used: float


class Sessions:
    """The sign-ins of one data folder. Its file holds hashes: who reads it cannot sign in with it."""

    def __init__(self, home: Path, lifetime_s: float = LIFETIME_S, idle_s: float = IDLE_S) -> None:
        self._path = home / "sessions.json"
        self.lifetime_s = lifetime_s
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._written = 0.0
        self._sessions: dict[str, _Session] = self._read()  # by the hash of their token

    def open(self, account: str) -> str:
        """Sign an account in. Returns the token that its browser keeps."""
        token = secrets.token_urlsafe(32)
        now = time.time()
        with self._lock:
            alive = {key: session for key, session in self._sessions.items() if self._is_alive(session, now)}
            for key in sorted(alive, key=lambda key: alive[key].used)[: max(0, len(alive) + 1 - MOST_SESSIONS)]:
                del alive[key]
            self._sessions = alive | {_hash(token): _Session(account, now + self.lifetime_s, now)}
            self._write(now)
        return token

    def account(self, token: str) -> str:
        """Whose token it is; empty if it is unknown, has ended or was signed out."""
        session = self._sessions.get(_hash(token))
        return session.account if session is not None and self._is_alive(session, time.time()) else ""

    def use(self, token: str) -> str:
        """The same, and the session does not end for want of use: for what a person does, not for a page's clock."""
        session, now = self._sessions.get(_hash(token)), time.time()
        if session is None or not self._is_alive(session, now):
            return ""
        session.used = now
        if now - self._written > _WRITE_EVERY_S:
            with self._lock:
                self._write(now)
        return session.account

    def close(self, token: str) -> None:
        """Sign out: the token is worth nothing from now on."""
        with self._lock:
            if self._sessions.pop(_hash(token), None) is not None:
                self._write(time.time())

    def close_all(self, account: str) -> None:
        """Sign an account out everywhere: its password or its role is another one now."""
        with self._lock:
            left = {key: each for key, each in self._sessions.items() if each.account.casefold() != account.casefold()}
            if len(left) != len(self._sessions):
                self._sessions = left
                self._write(time.time())

    def count(self, account: str) -> int:
        """How many sign-ins of an account are alive."""
        now = time.time()
        sessions = list(self._sessions.values())
        return sum(each.account.casefold() == account.casefold() and self._is_alive(each, now) for each in sessions)

    def _is_alive(self, session: _Session, now: float) -> bool:
        return session.end > now and session.used + self._idle_s > now

    def _read(self) -> dict[str, _Session]:
        try:
            rows = json.loads(kept(self._path) or "{}")
            return {key: _Session(str(name), float(end), float(used)) for key, (name, end, used) in rows.items()}
        except (ValueError, TypeError, AttributeError):
            return {}  # a damaged file means that everyone signs in again

    def _write(self, now: float) -> None:
        rows = {key: (each.account, each.end, each.used) for key, each in self._sessions.items()}
        keep(self._path, json.dumps(rows))
        self._written = now


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
