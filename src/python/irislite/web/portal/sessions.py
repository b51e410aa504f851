"""Who is signed in: tokens that end, kept over a restart, revoked by signing out."""

import hashlib
import json
import secrets
import threading
import time
from pathlib import Path

from irislite.errors import StoreError

LIFETIME_S = 12 * 3600.0


class Sessions:
    """The sign-ins of one data folder. Its file holds hashes: who reads it cannot sign in with it."""

    def __init__(self, home: Path, lifetime_s: float = LIFETIME_S) -> None:
        self._path = home / "sessions.json"
        self._lifetime_s = lifetime_s
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[str, float]] = self._read()  # hash of the token: account, end

    def open(self, account: str) -> str:
        """Sign an account in. Returns the token that its browser keeps."""
        token = secrets.token_urlsafe(32)
        now = time.time()
        with self._lock:
            self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}
            self._entries[_hash(token)] = (account, now + self._lifetime_s)
            self._write()
        return token

    def account(self, token: str) -> str:
        """Whose token it is; empty if it is unknown, has ended or was signed out."""
        account, end = self._entries.get(_hash(token), ("", 0.0))
        return account if end > time.time() else ""

    def close(self, token: str) -> None:
        """Sign out: the token is worth nothing from now on."""
        with self._lock:
            if self._entries.pop(_hash(token), None) is not None:
                self._write()

    def _read(self) -> dict[str, tuple[str, float]]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return {key: (str(account), float(end)) for key, (account, end) in kept.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            return {}  # a damaged file means that everyone signs in again
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error}. Correct its rights or delete it.") from error

    def _write(self) -> None:
        new = self._path.with_suffix(".new")
        try:
            new.touch(mode=0o600)
            new.write_text(json.dumps(self._entries), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error}. Check the folder's rights.") from error


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
