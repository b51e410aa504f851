"""Changes of users, by an administrator: rules that hold whichever way they come, and who is signed out by them."""

from irislite import audit
from irislite.actor import Role, acting
from irislite.errors import IllegalMove
from irislite.web.accounts import Accounts
from irislite.web.users import User


def add(accounts: Accounts, name: str, role: Role, password: str) -> User:
    """Make a user. Raises `BadRequest`, `IllegalMove`."""
    _refuse_owner(accounts, name, "is there already")
    user = accounts.made_users().add(name, role, password)
    audit.tell(f"Role {role.word}.", user.name)
    return user


def change(accounts: Accounts, name: str, role: Role | None, disabled: bool | None) -> User:
    """Give another role, or let somebody in or out. Raises `UnknownUser`, `IllegalMove`."""
    _refuse_owner(accounts, name, "keeps its role and cannot be disabled here")
    _refuse_self(name, "role")
    user = accounts.made_users().change(name, role, disabled)
    audit.tell(f"Role {user.role.word}, {'disabled' if user.disabled else 'enabled'}.", user.name)
    accounts.signed_out(user.name)
    return user


def set_password(accounts: Accounts, name: str, password: str) -> User:
    """Give another password. Raises `UnknownUser`, `BadRequest`, `IllegalMove`."""
    _refuse_owner(accounts, name, "has the password of IRISPASSWORD, or of the data folder")
    user = accounts.made_users().set_password(name, password)
    audit.tell("", user.name)
    accounts.signed_out(user.name)
    return user


def remove(accounts: Accounts, name: str) -> None:
    """Forget a user. Raises `UnknownUser`, `IllegalMove`."""
    _refuse_owner(accounts, name, "is the last administrator and cannot be removed")
    _refuse_self(name, "account")
    accounts.made_users().remove(name)
    audit.tell("", name)
    accounts.signed_out(name)


def _refuse_owner(accounts: Accounts, name: str, why: str) -> None:
    if name.casefold() == accounts.username.casefold():
        raise IllegalMove(f"{accounts.username} {why}: it is the owner's account, named by IRISUSERNAME at the start.")


def _refuse_self(name: str, what: str) -> None:
    if name.casefold() == acting.get().name.casefold():
        raise IllegalMove(f"Nobody changes their own {what}: ask another administrator.")
