"""API keys: made and shown once, kept as hashes, looked up at every request, revoked at once.

The store is one SQLite file, so that a server's processes and the command line may use it at the same time.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import paths
from api.errors import BadRequest, NotFound, NotIdentified

ROLES = {
    "predictor": frozenset({"predict"}),
    "viewer": frozenset({"read"}),
    "operator": frozenset({"predict", "read", "operate"}),
    "administrator": frozenset({"predict", "read", "operate", "administer"}),
}
"""What a key of each role may do: predict and search; read items and sessions; train and promote; make keys."""

PREFIX = "egk_"
FORM = re.compile(rf"{PREFIX}([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_USED_EVERY = timedelta(minutes=1)  # how exactly it is told when a key was used last
_SCHEMA = """
CREATE TABLE IF NOT EXISTS api_key (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL,
    rate REAL,
    created TEXT NOT NULL,
    expires TEXT,
    revoked TEXT,
    used TEXT
) STRICT
"""


@dataclass(frozen=True)
class Key:
    """What is known of a key; the key itself is not. `rate` is in requests a second, None for the server's own.

    Times are ISO 8601 in UTC; None where it never happens or has not happened.
    """

    id: str
    name: str
    role: str
    rate: float | None
    created: str
    expires: str | None
    revoked: str | None
    used: str | None

    @property
    def is_valid(self) -> bool:
        """Whether it opens anything now."""
        return self.revoked is None and (self.expires is None or self.expires > _now())


class Keys:
    """The keys in a file. Any number of threads and processes may use it."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))  # before SQLite would make it readable for others
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
        with self._lock:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute(_SCHEMA)

    @classmethod
    def open(cls) -> "Keys":
        """The keys of this installation, below `paths.data_root()`."""
        return cls(paths.data_root() / "api" / "keys.db")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def create(self, name: str, role: str, days: float | None = None, rate: float | None = None) -> tuple[Key, str]:
        """Make a key for `name`; it expires after so many days (None: never). Returns what is kept, and the key.

        The key is not kept and cannot be shown again. Raises `BadRequest`.
        """
        if not name.strip() or len(name) > 100 or not name.isprintable():
            raise BadRequest("A key needs a name of 1 to 100 printable characters: say who it is for.")
        if role not in ROLES:
            raise BadRequest(f"There is no role {role!r}: use {', '.join(ROLES)}.")
        if days is not None and not 0 < days <= 36_500:
            raise BadRequest(f"A key cannot expire after {days:g} days: say a number above 0, or leave it out.")
        if rate is not None and not 0 < rate <= 1_000_000:
            raise BadRequest(f"The rate cannot be {rate:g} requests a second: say a number above 0, or leave it out.")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        expires = None if days is None else _text(datetime.now(UTC) + timedelta(days=days))
        key = Key(key_id, name.strip(), role, rate, _now(), expires, None, None)
        with self._lock:
            self._database.execute(
                "INSERT INTO api_key (id, name, role, hash, rate, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key.id, key.name, key.role, _hash(secret), rate, key.created, expires),
            )
        return key, f"{PREFIX}{key_id}_{secret}"

    def identify(self, text: str) -> Key:
        """The key that `text` is. Raises `NotIdentified` with what to do, the same for all that is no valid key."""
        form = FORM.fullmatch(text)
        row = None
        if form:
            with self._lock:
                row = self._database.execute(f"{_SELECT}, hash FROM api_key WHERE id = ?", [form[1]]).fetchone()
        # The comparison takes its time whether there is such a key or not.
        matches = hmac.compare_digest(_hash(form[2] if form else ""), row[-1] if row else bytes(32))
        if row is None or not matches or not (key := Key(*row[:-1])).is_valid:
            raise NotIdentified("This key is not valid, or not any more: an administrator can make one for you.")
        self._touch(key)
        return key

    def all(self) -> list[Key]:
        """Every key that was ever made, the newest first."""
        with self._lock:
            rows = self._database.execute(f"{_SELECT} FROM api_key ORDER BY created DESC, id").fetchall()
        return [Key(*row) for row in rows]

    def revoke(self, key_id: str) -> Key:
        """Make a key worthless, at once and for good; one that is revoked stays as it is. Raises `NotFound`."""
        with self._lock:
            self._database.execute("UPDATE api_key SET revoked = ? WHERE id = ? AND revoked IS NULL", [_now(), key_id])
            row = self._database.execute(f"{_SELECT} FROM api_key WHERE id = ?", [key_id]).fetchone()
        if row is None:
            raise NotFound(f"There is no key {key_id!r}: list the keys, and name one by its id.")
        return Key(*row)

    def exported(self) -> str:
        """The keys that are valid, as JSON lines for other servers: hashes, from which no key can be made."""
        with self._lock:
            rows = self._database.execute(f"{_SELECT}, hash FROM api_key ORDER BY id").fetchall()
        found = [(Key(*row[:-1]), row[-1]) for row in rows]
        lines = [
            {"id": key.id, "name": key.name, "role": key.role, "hash": told.hex(), "rate": key.rate,
             "created": key.created, "expires": key.expires}
            for key, told in found if key.is_valid
        ]  # fmt: skip
        return "".join(json.dumps(line) + "\n" for line in lines)

    def take(self, lines: str) -> int:
        """Let keys in that another server exported; what is known of them here is replaced. Raises `BadRequest`.

        Returns how many there are.
        """
        rows = [_taken(line) for line in lines.splitlines() if line.strip()]
        with self._lock:
            self._database.executemany(
                "INSERT OR REPLACE INTO api_key (id, name, role, hash, rate, created, expires) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
        return len(rows)

    def _touch(self, key: Key) -> None:
        """Note that it was used, now and then: a write for every request would cost more than the request."""
        now = datetime.now(UTC)
        if key.used is None or datetime.fromisoformat(key.used) < now - _USED_EVERY:
            with self._lock:
                self._database.execute("UPDATE api_key SET used = ? WHERE id = ?", [_text(now), key.id])


_SELECT = "SELECT id, name, role, rate, created, expires, revoked, used"


def _taken(line: str) -> tuple[str, str, str, bytes, float | None, str, str | None]:
    """The row of an exported key. Raises `BadRequest`."""
    try:
        found = json.loads(line)
        key_id, name, role, told = found["id"], found["name"], found["role"], bytes.fromhex(found["hash"])
        rate, created, expires = found.get("rate"), found["created"], found.get("expires")
        sound = role in ROLES and len(told) == 32 and FORM.fullmatch(f"{PREFIX}{key_id}_{'x' * 43}") is not None
        sound = sound and all(isinstance(one, str) for one in (name, created, expires or ""))
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise BadRequest("A line is no key that was exported: take what `evergreen keys export` wrote, as it is.")
    return key_id, name, role, told, rate, created, expires


def _hash(secret: str) -> bytes:
    # A key is 256 random bits: no list of guesses reaches it, so it needs no slow hash.
    return hashlib.sha256(secret.encode()).digest()


def _now() -> str:
    return _text(datetime.now(UTC))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
