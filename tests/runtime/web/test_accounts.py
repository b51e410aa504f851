"""The accounts: where their secrets lie, who is let in, and that guessing is slowed."""

import stat
from pathlib import Path

import pytest

from irislite.actor import Role
from irislite.errors import StoreError
from irislite.web import lockout
from irislite.web.accounts import Accounts
from irislite.web.users import User


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRISUSERNAME", raising=False)
    monkeypatch.delenv("IRISPASSWORD", raising=False)


def test_a_password_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = Accounts.open(tmp_path / "home")
    assert first.made and first.username == "SuperUser"
    second = Accounts.open(tmp_path / "home")
    assert second.made == ""
    assert second.check("SuperUser", first.made)
    assert second.secret == first.secret
    for name in ("password", "secret"):
        assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o600
    assert first.made not in repr(first) and first.made not in str(vars(second))


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("once upon\n")
    (tmp_path / "password").chmod(0o644)
    assert Accounts.open(tmp_path).check("SuperUser", "once upon")
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_a_file_that_a_crash_left_empty_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "password").touch()
    assert Accounts.open(tmp_path).made


def test_the_environment_gives_name_and_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRISUSERNAME", "Ada")
    monkeypatch.setenv("IRISPASSWORD", "Löwe:1")
    accounts = Accounts.open(tmp_path)
    assert accounts.made == "" and not (tmp_path / "password").exists()
    assert accounts.check("ada", "Löwe:1")
    assert not accounts.check("SuperUser", "Löwe:1")
    assert not accounts.check("Ada", "löwe:1")


def test_another_password_ends_the_sessions(tmp_path: Path) -> None:
    assert Accounts.open(tmp_path, None, "a").secret != Accounts.open(tmp_path, None, "b").secret


def test_a_folder_that_cannot_be_used_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Check the folder's rights"):
        Accounts.open(tmp_path / "file")


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time_s = 1_000.0
        monkeypatch.setattr(lockout.time, "monotonic", lambda: self.time_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_guessing_is_slowed(tmp_path: Path, clock: Clock) -> None:
    accounts = Accounts.open(tmp_path, None, "right")
    for _ in range(lockout.FREE_FAILURES):
        assert accounts.wait_s("eve") == 0
        assert not accounts.check("SuperUser", "wrong", "eve")
    assert accounts.wait_s("eve") == 1
    assert not accounts.check("SuperUser", "right", "eve")  # not even the right one, for a second
    assert accounts.check("SuperUser", "right", "bob")
    waits = []
    for _ in range(8):
        clock.time_s += accounts.wait_s("eve")
        accounts.check("SuperUser", "wrong", "eve")
        waits.append(accounts.wait_s("eve"))
    assert waits == [2, 4, 8, 16, 30, 30, 30, 30]
    clock.time_s += 30
    assert accounts.check("SuperUser", "right", "eve")
    assert accounts.wait_s("eve") == 0


def test_guessing_at_many_names_is_slowed_too(tmp_path: Path, clock: Clock) -> None:
    accounts = Accounts.open(tmp_path, None, "right")
    for number in range(lockout.FREE_FAILURES):
        assert not accounts.check(f"user{number}", "Spring2026!", "eve")
    assert accounts.wait_s("eve", "another") > 0


def test_a_name_that_many_guess_at_is_closed_but_not_to_who_came_in_from_there_before(
    tmp_path: Path, clock: Clock
) -> None:
    accounts = Accounts.open(tmp_path, None, "right")
    assert accounts.check("SuperUser", "right", "10.0.0.1")
    for number in range(lockout.FREE_FAILURES_OF_NAME):
        assert not accounts.check("superuser", "wrong", f"192.0.2.{number}")
    assert accounts.wait_s("192.0.2.99", "SuperUser") > 0
    assert not accounts.check("SuperUser", "right", "192.0.2.99")
    assert accounts.check("SuperUser", "right", "10.0.0.1")
    assert accounts.wait_s("192.0.2.99", "SuperUser") == 0


def test_failures_of_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "MOST_REMEMBERED", 3)
    guard = lockout.Lockout()
    for number in range(10):
        guard.failed(str(number), f"name {number}")
        guard.succeeded(f"10.0.0.{number}", "SuperUser")
    assert len(guard._clients._known) == len(guard._names._known) == len(guard._at_home) == 3


def test_who_signs_in_is_told_with_the_role(tmp_path: Path) -> None:
    accounts = Accounts.open(tmp_path, "Ada", "the owner's own")
    accounts.made_users().add("vera", Role.VIEWER, "Vera's password")
    assert accounts.check("ADA", "the owner's own") == User("Ada", Role.ADMINISTRATOR, is_owner=True)
    assert accounts.recognise("vera", "Vera's password") is None  # not yet: hashing takes its time
    assert accounts.check("Vera", "Vera's password") == User("vera", Role.VIEWER)
    assert accounts.recognise("vera", "Vera's password") == User("vera", Role.VIEWER)
    assert accounts.recognise("vera", "vera's password") is None
    assert [user.name for user in accounts.everyone()] == ["Ada", "vera"]


def test_whoever_is_disabled_or_gets_another_password_is_out_at_once(tmp_path: Path) -> None:
    accounts = Accounts.open(tmp_path, "Ada", "the owner's own")
    users = accounts.made_users()
    users.add("vera", Role.VIEWER, "Vera's password")
    assert accounts.check("vera", "Vera's password")
    users.change("vera", disabled=True)
    assert accounts.user("vera") is None
    assert not accounts.check("vera", "Vera's password")
    users.change("vera", disabled=False)
    users.set_password("vera", "quite another")
    assert not accounts.check("vera", "Vera's password")
    assert accounts.check("vera", "quite another")


def test_a_made_user_cannot_take_the_owners_place(tmp_path: Path) -> None:
    Accounts.open(tmp_path, "Ada", "the owner's own").made_users().add("grace", Role.VIEWER, "Grace's password")
    renamed = Accounts.open(tmp_path, "Grace", "the owner's own")
    assert not renamed.check("grace", "Grace's password")
    assert renamed.check("grace", "the owner's own")


def test_two_folders_have_cookies_of_their_own(tmp_path: Path) -> None:
    one, other = Accounts.open(tmp_path / "one", None, "same"), Accounts.open(tmp_path / "other", None, "same")
    assert one.cookie != other.cookie
    assert Accounts.open(tmp_path / "one", None, "changed").cookie == one.cookie
