"""The users that an administrator made: their roles and hashes of their passwords, in a file of the data folder."""

import dataclasses
import hashlib
import hmac
import json
import re
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from irislite.actor import Role
from irislite.errors import BadRequest, IllegalMove, IrisliteError, StoreError, near
from irislite.keeping import keep, kept

FILE = "users.json"
MOST_USERS = 1_000
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 200  # characters
# scrypt takes 16 MiB and some 50 ms: who steals the file guesses slowly.
_COST = {"n": 2**14, "r": 8, "p": 1}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class UnknownUser(IrisliteError, LookupError):
    """No user has that name."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in. `is_owner`: the one account that the environment or the data folder names."""

    name: str
    role: Role
    disabled: bool = False
    is_owner: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    user: User
    salt: bytes
    hash: bytes


class Users:
    """The made users of a data folder. Names are not case-sensitive, as on IRIS. Every change is on disk first."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE
        self._lock = threading.RLock()
        self._kept = self._read()
        self._nobody = _Kept(User("", Role.VIEWER), secrets.token_bytes(16), b"")
        self._key = secrets.token_bytes(32)  # of this process alone
        self._right: dict[str, bytes] = {}  # name -> keyed digest of the password that was right: hashing takes long

    def all(self) -> list[User]:
        """Everyone, by name."""
        return sorted((kept.user for kept in self._kept.values()), key=lambda user: user.name.casefold())

    def get(self, name: str) -> User | None:
        """The user of that name, disabled ones too."""
        kept = self._kept.get(name.casefold())
        return kept.user if kept is not None else None

    def check(self, name: str, password: str) -> User | None:
        """The user, if the password is theirs and they are not disabled; as slow for a name that nobody has."""
        kept = self._kept.get(name.casefold(), self._nobody)
        if not hmac.compare_digest(_hash(password, kept.salt), kept.hash) or kept.user.disabled:
            return None
        with self._lock:
            if self._kept.get(name.casefold()) is kept:  # not changed meanwhile
                self._right[name.casefold()] = self._digest(password)
        return kept.user

    def recognise(self, name: str, password: str) -> User | None:
        """The same in no time, for a password that was right before; None does not mean that it is wrong."""
        right = self._right.get(name.casefold())
        return self.get(name) if right is not None and hmac.compare_digest(right, self._digest(password)) else None

    def add(self, name: str, role: Role, password: str) -> User:
        """Make a user. Raises `BadRequest` for a name or password that cannot be, `IllegalMove` for one who is."""
        if not _NAME.fullmatch(name):
            raise BadRequest(f"{name!r} is no user name: use up to 64 letters, digits and . _ @ -, a letter first.")
        with self._lock:
            if name.casefold() in self._kept:
                raise IllegalMove(f"There is a user {name} already: choose another name, or change that user.")
            if len(self._kept) >= MOST_USERS:
                raise IllegalMove(f"There are {MOST_USERS} users already: remove one first.")
            return self._put(User(name, role), password)

    def change(self, name: str, role: Role | None = None, disabled: bool | None = None) -> User:
        """Give another role, or let somebody in or out. Raises `UnknownUser`."""
        with self._lock:
            kept = self._one(name)
            user = dataclasses.replace(
                kept.user,
                role=kept.user.role if role is None else role,
                disabled=kept.user.disabled if disabled is None else disabled,
            )
            self._keep({**self._kept, name.casefold(): dataclasses.replace(kept, user=user)})
            return user

    def set_password(self, name: str, password: str) -> User:
        """Give another password. Raises `UnknownUser`, `BadRequest`."""
        with self._lock:
            return self._put(self._one(name).user, password)

    def remove(self, name: str) -> None:
        """Forget a user. Raises `UnknownUser`."""
        with self._lock:
            self._one(name)
            self._keep({key: kept for key, kept in self._kept.items() if key != name.casefold()})

    def _one(self, name: str) -> _Kept:
        kept = self._kept.get(name.casefold())
        if kept is None:
            raise UnknownUser(f"There is no user {name!r}.{near(name, [user.name for user in self.all()])}")
        return kept

    def _put(self, user: User, password: str) -> User:
        _check_password(user.name, password)
        salt = secrets.token_bytes(16)
        self._keep({**self._kept, user.name.casefold(): _Kept(user, salt, _hash(password, salt))})
        return user

    def _read(self) -> dict[str, _Kept]:
        text = kept(self._path)
        try:
            rows = json.loads(text or "[]")
            return {row["name"].casefold(): _from_row(row) for row in rows}
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise StoreError(f"{self._path} is damaged ({error}): put a copy back, or delete it: users are then "
                             "made anew by the administrator of IRISUSERNAME.") from error  # fmt: skip

    def _keep(self, kept: dict[str, _Kept]) -> None:
        keep(self._path, json.dumps([_to_row(each) for each in kept.values()], indent=1))
        self._kept = kept
        self._right.clear()

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), "sha256")


def _check_password(name: str, password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequest(f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters: choose another.")
    if password.casefold() == name.casefold():
        raise BadRequest("A password is not the user's name: choose another.")


def _hash(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, maxmem=64 * 1024 * 1024, **_COST)


def _to_row(kept: _Kept) -> dict[str, object]:
    user = kept.user
    return {
        "name": user.name, "role": user.role.word, "disabled": user.disabled,
        "salt": kept.salt.hex(), "scrypt": kept.hash.hex(),
    }  # fmt: skip


def _from_row(row: dict[str, object]) -> _Kept:
    role = Role[str(row["role"]).upper()]
    user = User(str(row["name"]), role, bool(row["disabled"]))
    return _Kept(user, bytes.fromhex(str(row["salt"])), bytes.fromhex(str(row["scrypt"])))
