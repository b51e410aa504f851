"""The account: where its secrets lie, and that guessing is slowed."""

import stat
from pathlib import Path

import pytest

from irislite.errors import StoreError
from irislite.web import accounts as module
from irislite.web.accounts import Accounts


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


def test_guessing_is_slowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    time_s = 1_000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: time_s)
    accounts = Accounts.open(tmp_path, None, "right")
    for _ in range(module.FREE_FAILURES):
        assert accounts.wait_s("eve") == 0
        assert not accounts.check("SuperUser", "wrong", "eve")
    assert accounts.wait_s("eve") == 1
    assert not accounts.check("SuperUser", "right", "eve")  # not even the right one, for a second
    assert accounts.check("SuperUser", "right", "bob")
    waits = []
    for _ in range(8):
        time_s += accounts.wait_s("eve")
        accounts.check("SuperUser", "wrong", "eve")
        waits.append(accounts.wait_s("eve"))
    assert waits == [2, 4, 8, 16, 30, 30, 30, 30]
    time_s += 30
    assert accounts.check("SuperUser", "right", "eve")
    assert accounts.wait_s("eve") == 0


def test_failures_of_many_clients_do_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 3)
    accounts = Accounts.open(tmp_path, None, "right")
    for number in range(10):
        accounts.check("SuperUser", "wrong", str(number))
    assert len(accounts._failures) == 3
