"""Who may use the web side: one account, where its secrets lie, and what slows guessing down."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from pathlib import Path

from irislite.errors import StoreError

DEFAULT_USERNAME = "SuperUser"
FREE_FAILURES = 5  # wrong passwords in a row before a client has to wait
LONGEST_WAIT_S = 30.0
FORGET_AFTER_S = 900.0
MOST_CLIENTS = 1_000  # whose failures are remembered


class Accounts:
    """The one account of a data folder.

    `made` is the password if it was made just now, to be shown once; empty otherwise. `secret`
    signs the portal's sessions; another user name or password makes all of them invalid.
    """

    def __init__(self, username: str, password: str, secret: str, made: str = "") -> None:
        self.username = username
        self.made = made
        self._digest = _digest(username, password)
        self.secret = hmac.new(secret.encode(), self._digest, hashlib.sha256).hexdigest()
        self._failures: dict[str, tuple[int, float]] = {}  # client -> failures in a row, time of the last one
        self._lock = threading.Lock()

    @classmethod
    def open(cls, home: Path, username: str | None = None, password: str | None = None) -> "Accounts":
        """The account of a data folder.

        What is None or empty comes from `IRISUSERNAME` and `IRISPASSWORD`, then from the folder; a
        password that is nowhere is made and kept in `home/password`, which only its owner reads.
        Raises `StoreError` if the folder cannot be read or written.
        """
        username = username or os.environ.get("IRISUSERNAME") or DEFAULT_USERNAME
        password = password or os.environ.get("IRISPASSWORD")
        made = ""
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            password = password or _kept(home / "password")
            if not password:
                password = made = _keep(home / "password", secrets.token_urlsafe(12))
            secret = _kept(home / "secret") or _keep(home / "secret", secrets.token_urlsafe(32))
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"The account in {home} cannot be opened: {error}. Check the folder's rights.") from error
        return cls(username, password, secret, made)

    def check(self, username: str, password: str, client: str = "") -> bool:
        """Whether this is the account's name and password.

        `client` is who asks, as in an address: after a few wrong answers it has to wait, and
        until then every answer is False. The comparison takes the same time for all texts.
        """
        with self._lock:
            if self._wait_s(client) > 0:
                return False
            if hmac.compare_digest(_digest(username, password), self._digest):
                self._failures.pop(client, None)
                return True
            count, _ = self._failures.pop(client, (0, 0.0))
            while len(self._failures) >= MOST_CLIENTS:
                del self._failures[next(iter(self._failures))]
            self._failures[client] = (count + 1, time.monotonic())
            return False

    def wait_s(self, client: str = "") -> float:
        """How many seconds a client has to wait before it may try again; 0 for no wait."""
        with self._lock:
            return self._wait_s(client)

    def _wait_s(self, client: str) -> float:
        count, last = self._failures.get(client, (0, 0.0))
        passed_s = time.monotonic() - last
        if count < FREE_FAILURES:
            return 0.0
        if passed_s > FORGET_AFTER_S:
            del self._failures[client]
            return 0.0
        return max(0.0, min(2.0 ** min(count - FREE_FAILURES, 10), LONGEST_WAIT_S) - passed_s)


def _digest(username: str, password: str) -> bytes:
    # User names are not case-sensitive on IRIS. The digests have one length, so comparing them tells nothing.
    return hashlib.sha256(f"{username.casefold()}\0{password}".encode("utf-8", "surrogatepass")).digest()


def _kept(path: Path) -> str:
    """The text of a secret's file, empty if there is none; others lose the right to read it."""
    if not path.exists():
        return ""
    path.chmod(0o600)
    return path.read_text(encoding="utf-8").strip()


def _keep(path: Path, text: str) -> str:
    """Write a secret's file, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    return text
