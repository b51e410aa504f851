"""The users that an administrator makes: kept over a restart, their passwords as hashes that take long."""

import json
import stat
from pathlib import Path

import pytest

from irislite.actor import Actor, Role, acting_as
from irislite.errors import BadRequest, IllegalMove, StoreError
from irislite.web import people
from irislite.web.accounts import Accounts
from irislite.web.users import UnknownUser, Users


def test_users_are_kept_without_their_passwords(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.add("vera", Role.VIEWER, "Vera's password")
    users.add("Otto", Role.OPERATOR, "Otto's password")
    users.change("otto", role=Role.ADMINISTRATOR)
    file = tmp_path / "users.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "password" not in file.read_text()
    again = Users(tmp_path)
    assert [(user.name, user.role) for user in again.all()] == [("Otto", Role.ADMINISTRATOR), ("vera", Role.VIEWER)]
    assert again.check("VERA", "Vera's password") and not again.check("vera", "Otto's password")
    again.remove("vera")
    assert Users(tmp_path).get("vera") is None


def test_two_users_with_one_password_have_two_hashes(tmp_path: Path) -> None:
    users = Users(tmp_path)
    for name in ("vera", "otto"):
        users.add(name, Role.VIEWER, "the same for both")
    one, other = json.loads((tmp_path / "users.json").read_text())
    assert one["scrypt"] != other["scrypt"] and one["salt"] != other["salt"]


@pytest.mark.parametrize("name", ["", " ", "a b", "<b>", "a/b", "x" * 65, "\ud800", "-x"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="no user name"):
        Users(tmp_path).add(name, Role.VIEWER, "long enough")


@pytest.mark.parametrize("password", ["", "short", "x" * 201, "somebody"])
def test_what_is_no_password_is_refused(tmp_path: Path, password: str) -> None:
    with pytest.raises(BadRequest, match="choose another"):
        Users(tmp_path).add("Somebody", Role.VIEWER, password)


def test_nobody_is_made_twice_or_found_where_they_are_not(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.add("vera", Role.VIEWER, "long enough")
    with pytest.raises(IllegalMove, match="already"):
        users.add("VERA", Role.OPERATOR, "long enough")
    with pytest.raises(UnknownUser, match="Did you mean 'vera'"):
        users.remove("wera")


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text('[{"name": "eve", "role": "administrator"}]')
    with pytest.raises(StoreError, match="damaged"):
        Users(tmp_path)


def test_the_last_administrator_cannot_be_removed_and_nobody_changes_themselves(tmp_path: Path) -> None:
    accounts = Accounts.open(tmp_path, "Ada", "the owner's own")
    signed_out: list[str] = []
    accounts.signed_out = signed_out.append
    with acting_as(Actor("Ada", Role.ADMINISTRATOR, "REST")):
        people.add(accounts, "grace", Role.ADMINISTRATOR, "Grace's password")
        for change in (
            lambda: people.remove(accounts, "ada"),
            lambda: people.change(accounts, "ADA", Role.VIEWER, None),
            lambda: people.change(accounts, "Ada", None, True),
            lambda: people.set_password(accounts, "Ada", "something else"),
            lambda: people.add(accounts, "ada", Role.VIEWER, "something else"),
        ):
            with pytest.raises(IllegalMove, match="owner's account"):
                change()
    with acting_as(Actor("grace", Role.ADMINISTRATOR, "REST")):
        with pytest.raises(IllegalMove, match="their own"):
            people.change(accounts, "Grace", Role.VIEWER, None)
        with pytest.raises(IllegalMove, match="their own"):
            people.remove(accounts, "grace")
        people.set_password(accounts, "grace", "her own is allowed")
    people.remove(accounts, "grace")
    assert [user.name for user in accounts.everyone()] == ["Ada"]
    assert signed_out == ["grace", "grace"]
