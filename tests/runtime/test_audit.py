"""The audit: what is written of a deed, what never is, and how it is read."""

import getpass
import stat
import threading
from pathlib import Path

import pytest

from irislite import audit, cli
from irislite.actor import Actor, Role, acting_as
from irislite.audit import Audit
from irislite.director import Director
from irislite.errors import Forbidden, IrisliteError

ADA = Actor("Ada", Role.OPERATOR, "portal", "127.0.0.1")


@pytest.fixture
def book(tmp_path: Path) -> Audit:
    return Audit(tmp_path)


def test_a_deed_is_written_with_who_what_and_how_it_ended(book: Audit, tmp_path: Path) -> None:
    with acting_as(ADA):
        with book.deed("Restart an item", "Greeter") as deed:
            deed.tell("It runs.")
        with pytest.raises(IrisliteError), book.deed("Restart an item", "Broken"):
            audit.tell("Twice.")
            raise IrisliteError("It does not come up.")
        with pytest.raises(Forbidden), book.deed("Purge", "30 days"):
            raise Forbidden("This needs the role administrator.")
    refused, failed, done = book.entries(10)
    assert (done.user, done.role, done.via, done.client) == ("Ada", "operator", "portal", "127.0.0.1")
    assert (done.action, done.target, done.outcome, done.detail) == ("Restart an item", "Greeter", "done", "It runs.")
    assert (failed.outcome, failed.detail) == ("failed", "Twice. It does not come up.")
    assert refused.outcome == "refused"
    assert stat.S_IMODE((tmp_path / "audit.db").stat().st_mode) == 0o600


def test_the_words_of_an_unexpected_error_are_not_written(book: Audit) -> None:
    with pytest.raises(ValueError), book.deed("Keep a credential", "hub"):
        raise ValueError("could not parse 'hf_secret'")
    assert book.entries(1)[0].detail == "ValueError"


def test_telling_without_a_deed_is_nothing() -> None:
    audit.tell("nobody listens")


def test_entries_are_filtered_and_paged(book: Audit) -> None:
    for number in range(6):
        with (
            acting_as(Actor("Ada" if number % 2 else "Otto", Role.OPERATOR, "REST")),
            book.deed("Test", f"item {number}"),
        ):
            pass
    with book.deed("Purge", "100 % of it_"):
        pass
    assert [entry.target for entry in book.entries(2, user="ada")] == ["item 5", "item 3"]
    page = book.entries(3)
    assert [entry.target for entry in book.entries(3, before_id=page[-1].id)] == ["item 3", "item 2", "item 1"]
    assert [entry.target for entry in book.entries(9, text="ITEM 4")] == ["item 4"]
    assert [entry.target for entry in book.entries(9, text="% of it_")] == ["100 % of it_"]
    assert book.entries(9, outcome="failed") == []
    assert book.entries(9, until="2000-01-01") == [] and len(book.entries(9, since="2000-01-01")) == 7


def test_two_processes_may_write_and_none_is_lost(tmp_path: Path) -> None:
    """The server and a command beside it have a connection each."""

    def write(book: Audit) -> None:
        for _ in range(20):
            with book.deed("Test"):
                pass

    threads = [threading.Thread(target=write, args=(Audit(tmp_path),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Audit(tmp_path).entries(100)) == 60


def test_long_and_broken_texts_are_stored(book: Audit) -> None:
    with book.deed("Test", "half a letter \ud800") as deed:
        deed.tell("x" * 10_000)
    entry = book.entries(1)[0]
    assert entry.target == "half a letter ?" and len(entry.detail) == audit.LONGEST_TEXT


def test_commands_are_in_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    Director(home, synchronous="NORMAL").close()
    assert cli.main(["purge", "--days", "30", "--home", str(home)]) == 0
    assert cli.main(["backup", str(tmp_path / "copy"), "--home", str(home)]) == 0
    assert cli.main(["backup", str(tmp_path / "copy"), "--home", str(home)]) == 1  # it is there already
    assert cli.main(["size", "--home", str(home)]) == 0
    failed, made, purged = Audit(home).entries(10)
    assert (purged.action, purged.target, purged.via, purged.user) == (
        "Purge", "30 days", "command line", getpass.getuser()
    )  # fmt: skip
    assert made.outcome == "done" and made.detail.endswith("It was read back and is whole.")
    assert failed.outcome == "failed" and "--force" in failed.detail
    capsys.readouterr()
