"""The credentials of a data folder: named user names and secrets that hosts use and nobody is shown again.

They lie in `credentials.json`, readable for the folder's owner alone and not encrypted: a key beside them would
protect nothing. They are in no backup, no page, no answer and no log.
"""

import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from irislite.errors import BadRequest, IrisliteError, StoreError, near
from irislite.keeping import keep, kept

FILE = "credentials.json"
MOST_CREDENTIALS = 1_000
LONGEST = 10_000  # characters of a secret
_NAME = re.compile(r"\w[\w .@/-]{0,99}", re.ASCII)


class UnknownCredential(IrisliteError, LookupError):
    """No credential has that name."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A named credential. Its secret is not shown by `repr`, as in a traceback."""

    name: str
    username: str
    secret: str = field(repr=False)


class Vault:
    """The credentials of one data folder. Every change is on disk first."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._lock = threading.Lock()
        self._kept: dict[str, Credential] | None = None

    def names(self) -> list[tuple[str, str]]:
        """Names and user names, by name: what may be shown. Raises `StoreError`."""
        return sorted((each.name, each.username) for each in self._all().values())

    def get(self, name: str) -> Credential | None:
        """The credential, for a host that uses it. Raises `StoreError`."""
        return self._all().get(name)

    def put(self, name: str, username: str, secret: str) -> bool:
        """Keep a credential, in place of one that was there. Returns whether it is new. Raises `BadRequest`."""
        if not _NAME.fullmatch(name):
            raise BadRequest(f"{name!r} is no name of a credential: use letters, digits, spaces and . _ @ / -.")
        if not 0 < len(secret) <= LONGEST or len(username) > LONGEST:
            raise BadRequest(f"A secret has 1 to {LONGEST:,} characters, a user name no more: correct it.")
        with self._lock:
            kept = self._read()
            if name not in kept and len(kept) >= MOST_CREDENTIALS:
                raise BadRequest(f"There are {MOST_CREDENTIALS} credentials already: remove one first.")
            self._keep({**kept, name: Credential(name, username, secret)})
            return name not in kept

    def remove(self, name: str) -> None:
        """Forget a credential. Raises `UnknownCredential`."""
        with self._lock:
            kept = self._read()
            if name not in kept:
                raise UnknownCredential(f"There is no credential {name!r}.{near(name, kept)}")
            self._keep({key: each for key, each in kept.items() if key != name})

    def _all(self) -> dict[str, Credential]:
        with self._lock:
            return self._read()

    def _read(self) -> dict[str, Credential]:
        if self._kept is None:
            try:
                rows = json.loads(kept(self._path) or "{}")
                self._kept = {name: Credential(name, row["username"], row["secret"]) for name, row in rows.items()}
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise StoreError(
                    f"{self._path} is damaged ({type(error).__name__}): delete it and enter the credentials anew."
                ) from None  # the error's text may hold a secret
        return self._kept

    def _keep(self, credentials: dict[str, Credential]) -> None:
        rows = {each.name: {"username": each.username, "secret": each.secret} for each in credentials.values()}
        keep(self._path, json.dumps(rows, indent=1))
        self._kept = credentials
