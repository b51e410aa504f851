"""Who may use the web side: the owner's account and the users that were made, and what slows guessing down."""

import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

from irislite.actor import Role
from irislite.errors import IllegalMove, StoreError
from irislite.keeping import keep, kept
from irislite.web.lockout import Lockout
from irislite.web.users import User, Users

DEFAULT_USERNAME = "SuperUser"


class Accounts:
    """The accounts of a data folder: the owner's, who is always an administrator, and those of `users`.

    `made` is the owner's password if it was made just now, to be shown once; empty otherwise. `secret`
    signs the portal's sessions; another name or password of the owner makes all of them invalid.
    """

    def __init__(self, username: str, password: str, secret: str, made: str = "", users: Users | None = None) -> None:
        self.username = username
        self.made = made
        self.users = users
        self._digest = _digest(username, password)
        self.secret = hmac.new(secret.encode(), self._digest, hashlib.sha256).hexdigest()
        self.cookie = "irislite-" + hmac.new(secret.encode(), b"cookie", hashlib.sha256).hexdigest()[:10]
        self.signed_out: Callable[[str], None] = lambda name: None  # told whose sessions have to end
        self._lockout = Lockout()
        self._one_guess = threading.Lock()

    @classmethod
    def open(cls, home: Path, username: str | None = None, password: str | None = None) -> "Accounts":
        """The accounts of a data folder.

        What is None or empty comes from `IRISUSERNAME` and `IRISPASSWORD`, then from the folder; a
        password that is nowhere is made and kept in `home/password`, which only its owner reads.
        Raises `StoreError` if the folder cannot be read or written.
        """
        username = username or os.environ.get("IRISUSERNAME") or DEFAULT_USERNAME
        password = password or os.environ.get("IRISPASSWORD")
        made = ""
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"The accounts in {home} cannot be opened: {error}. Check the folder's rights.") from error
        password = password or kept(home / "password")
        if not password:
            password = made = keep(home / "password", secrets.token_urlsafe(12))
        secret = kept(home / "secret") or keep(home / "secret", secrets.token_urlsafe(32))
        return cls(username, password, secret, made, Users(home))

    def user(self, name: str) -> User | None:
        """Who has that name and may be here now: None for one who was removed or disabled meanwhile."""
        if name.casefold() == self.username.casefold():
            return User(self.username, Role.ADMINISTRATOR, is_owner=True)
        user = self.users.get(name) if self.users is not None else None
        return user if user is not None and not user.disabled else None

    def everyone(self) -> list[User]:
        """The owner, then the users that were made, by name; the disabled ones too."""
        return [User(self.username, Role.ADMINISTRATOR, is_owner=True), *(self.users.all() if self.users else [])]

    def check(self, username: str, password: str, client: str = "") -> User | None:
        """Whose name and password this is; None for nobody's.

        `client` is who asks, as in an address: after a few wrong answers it has to wait, and until
        then every answer is None. Takes some 50 ms for what was not right before: off the event loop.
        """
        if self.wait_s(client, username) > 0:
            return None
        if (user := self.recognise(username, password)) is not None:
            self._lockout.succeeded(client, username)
            return user
        with self._one_guess:  # guesses that come together wait for each other's verdict
            if self.wait_s(client, username) > 0:
                return None
            user = self.users.check(username, password) if self.users is not None else None
            if user is None or self._is_owner(username):
                self._lockout.failed(client, username)
                return None
            self._lockout.succeeded(client, username)
            return user

    def recognise(self, username: str, password: str) -> User | None:
        """The same for what takes no time to tell: the owner, and users whose password was right before."""
        if hmac.compare_digest(_digest(username, password), self._digest):
            return self.user(self.username)
        if self.users is None or self._is_owner(username):
            return None
        return self.users.recognise(username, password)

    def wait_s(self, client: str = "", username: str = "") -> float:
        """How many seconds a client has to wait before it may try this name again; 0 for no wait."""
        return self._lockout.wait_s(client, username)

    def made_users(self) -> Users:
        """The users that can be changed. Raises `IllegalMove` where there is no data folder for them."""
        if self.users is None:
            raise IllegalMove("Users are kept in a data folder, which this server lacks: start it with `irislite run`.")
        return self.users

    def _is_owner(self, username: str) -> bool:
        return username.casefold() == self.username.casefold()


def _digest(username: str, password: str) -> bytes:
    # User names are not case-sensitive on IRIS. The digests have one length, so comparing them tells nothing.
    return hashlib.sha256(f"{username.casefold()}\0{password}".encode("utf-8", "surrogatepass")).digest()
