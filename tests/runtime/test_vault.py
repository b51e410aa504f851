"""The credentials: kept for hosts, shown to nobody."""

import stat
from pathlib import Path

import pytest

from irislite.backup import backup
from irislite.director import Director
from irislite.errors import BadRequest, StoreError
from irislite.vault import UnknownCredential, Vault

SECRET = "hf_abcdefghijk"


def test_credentials_are_kept_and_forgotten(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    assert vault.put("hub", "ada", SECRET) and not vault.put("hub", "ada", SECRET + "2")
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600
    again = Vault(tmp_path)
    assert again.names() == [("hub", "ada")]
    kept = again.get("hub")
    assert kept is not None and kept.secret == SECRET + "2"
    assert SECRET not in repr(kept)
    again.remove("hub")
    assert Vault(tmp_path).get("hub") is None
    with pytest.raises(UnknownCredential):
        again.remove("hub")


@pytest.mark.parametrize(("name", "secret"), [("", "x"), ("../x", "x"), ("<b>", "x"), ("a", ""), ("a", "x" * 10_001)])
def test_what_cannot_be_kept_is_refused(tmp_path: Path, name: str, secret: str) -> None:
    with pytest.raises(BadRequest):
        Vault(tmp_path).put(name, "", secret)


def test_a_damaged_file_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"hub": {"username": "ada", "secret": "' + SECRET)
    with pytest.raises(StoreError, match="damaged") as raised:
        Vault(tmp_path).get("hub")
    assert SECRET not in str(raised.value)


def test_a_host_finds_them_as_on_iris_and_a_backup_does_not(tmp_path: Path) -> None:
    director = Director(tmp_path / "home", synchronous="NORMAL")
    try:
        import iris

        director.vault.put("hub", "ada", SECRET)
        entry = iris.cls("Ens.Config.Credentials")._OpenId("hub")
        assert (entry.SystemName, entry.Username, entry.Password) == ("hub", "ada", SECRET)
        assert iris.cls("Ens.Config.Credentials")._OpenId("nobody") is None
        assert iris.cls("Ens.Config.Credentials")._ExistsId("hub") == 1
        report = backup(director.home, tmp_path / "copy")
        assert set(report.files) == {"messages.db", "tables.db"} or set(report.files) == {"messages.db"}
        assert all(SECRET.encode() not in path.read_bytes() for path in (tmp_path / "copy").iterdir())
    finally:
        director.close()
