"""Searching messages and log: what fits, in pages, in a bounded time, by the indexes that are there."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from irislite import search as searching
from irislite.database import Database
from irislite.errors import BadRequest, UnknownSearch
from irislite.eventlog import EventLog, LogType
from irislite.header import Body, BusinessType, Draft, Status
from irislite.loggroups import LogGroups, pattern
from irislite.savedsearches import MOST, SavedSearch, SavedSearches
from irislite.search import Search
from irislite.searchclauses import LOG, MESSAGES
from irislite.store import Store

CLAIMED: set[int] = set()
ROWS = 400


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """400 messages, each a session: to A, B or C in turn, from X or Y; every tenth an error, every fiftieth suspended."""
    database = Database(tmp_path_factory.mktemp("search") / "home", "NORMAL")
    store = Store(database)
    store.accept(_draft(number) for number in range(1, ROWS + 1)).wait()

    def end(connection: sqlite3.Connection) -> None:
        at = "printf('2026-01-01 00:%02d:%02d.{}', id / 60, id % 60)"
        times = f"time_created = {at.format('000000')}, time_processed = {at.format('100000')}"
        connection.execute(f"UPDATE message_header SET status = 9, {times}")
        connection.execute(
            "UPDATE message_header SET status = 8, is_error = 1, error_text = 'no tea' WHERE id % 10 = 0"
        )
        connection.execute("UPDATE message_header SET status = 5 WHERE id % 50 = 1")
        connection.execute("UPDATE message_header SET status = 2 WHERE id IN (3, 200, 390)")
        connection.execute(f"UPDATE message_header SET time_processed = {at.format('250000')} WHERE id = 77")

    database.write(end)
    yield database
    database.close()


def _draft(number: int) -> Draft:
    texts = {5: "50 % off", 6: "50 x off", 7: 'say "hi"', 8: "Grüße aus Köln", 9: "a_b", 12: "axb"}
    body = Body(
        "IOP.Message", f"shop.{'Order' if number % 2 else 'Offer'}", f'{{"text": "{texts.get(number, "tea")}"}}'
    )
    if number == 7:
        body = body._replace(content='{"text": "say \\"hi\\""}')
    if number == 8:
        body = body._replace(content='{"text": "Gr\\u00fc\\u00dfe aus K\\u00f6ln"}')
    return Draft(
        "ABC"[number % 3], "ABC"[number % 3], "XY"[number % 2], body if number != 300 else None,
        source_business_type=BusinessType.SERVICE, description="first" if number == 1 else "",
    )  # fmt: skip


@pytest.fixture
def search(database: Database) -> Search:
    CLAIMED.clear()
    return Search(database, lambda: frozenset(CLAIMED))


def ids(search: Search, text: str, limit: int = 1_000) -> list[int]:
    return [found.header.id for found in search.messages(MESSAGES.parse(text), limit).records]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", lambda n: True),
        ("status=Error", lambda n: n % 10 == 0 and n not in (200, 390)),
        ("status!=Error", lambda n: n % 10 or n in (200, 390)),
        ("status=Suspended or status=Error", lambda n: n % 50 == 1 or (n % 10 == 0 and n not in (200, 390))),
        ("status=Queued", lambda n: n in (3, 200, 390)),
        ("status=Completed and target=A and source=Y", lambda n: n % 3 == 0 and n % 2 and n % 50 != 1 and n != 3),
        ("item=X and item=A", lambda n: n % 2 == 0 and n % 3 == 0),
        ("item!=X and item!=A", lambda n: n % 2 and n % 3),
        ("target~a", lambda n: n % 3 == 0),
        ("class=shop.Order", lambda n: n % 2),
        ("class!=shop.Order", lambda n: n % 2 == 0),
        ("class!~ord and target=C", lambda n: n % 2 == 0 and n % 3 == 2),
        ("type=Response", lambda n: False),
        ("body~tea and body!~tea", lambda n: False),
        ('body~"50 %"', lambda n: n == 5),
        ("body~a_b", lambda n: n == 9),
        ('body~"say \\"hi\\""', lambda n: n == 7),
        ("body~Grüße", lambda n: n == 8),
        ("body~TEA and id<=20", lambda n: n <= 20 and n not in (5, 6, 7, 8, 9, 12)),
        ('error~"no tea" and id>380', lambda n: n in (400, 390)),
        ("session=42", lambda n: n == 42),
        ("id>=10 and id<13 or id=400", lambda n: 10 <= n < 13 or n == 400),
        ("created>=2026-01-01T00:05:00 and created<2026-01-01T00:05:10", lambda n: 300 <= n < 310),
        ("created<=2026-01-01T00:00:02", lambda n: n <= 2),
        ("created>2026-01-01T01:01+01:00 and id<63", lambda n: 61 <= n < 63),
        ("took>200", lambda n: n == 77),
        ("description~first", lambda n: n == 1),
        ("first or description~first", lambda n: n == 1),
    ],
)  # fmt: skip
def test_what_fits(search: Search, text: str, fits: object) -> None:
    expected = [n for n in range(ROWS, 0, -1) if fits(n)]  # type: ignore[operator]
    assert ids(search, text) == expected


def test_what_is_worked_on_is_delivered(search: Search) -> None:
    CLAIMED.update({200, 5})
    assert ids(search, "status=Delivered") == [200]
    assert ids(search, "status=Queued") == [390, 3]
    assert ids(search, "status!=Queued and id>=385") == [n for n in range(400, 384, -1) if n != 390]
    assert ids(search, "status=Delivered and target=B or status=Queued") == [390, 3]


@pytest.mark.parametrize("text", ["", "status=Error", "item=A", "body~tea", "status=Error and source=X or target=B"])
def test_pages_hold_everything_once(search: Search, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "FIRST_WINDOW", 7)
    monkeypatch.setattr(searching, "FIRST_WINDOW_OF_BODIES", 5)
    whole, pages, before = ids(search, text), [], None
    while True:
        page = search.messages(MESSAGES.parse(text), 13, before)
        pages += [found.header.id for found in page.records]
        assert page.is_full and len(page.records) <= 13
        if page.next_id is None:
            break
        before = page.next_id
    assert pages == whole
    assert [found.header.id for found in search.all_messages(MESSAGES.parse(text))] == whole


def test_when_the_time_is_over_a_page_says_how_far_it_came(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "FIRST_WINDOW_OF_BODIES", 10)
    query = MESSAGES.parse('body~"50 %"')
    page = search.messages(query, 5, budget_s=0.0)
    assert (page.records, page.next_id, page.is_full) == ([], 391, False)
    while page.next_id is not None and not page.records:
        page = search.messages(query, 5, page.next_id, budget_s=0.0)
    assert [found.header.id for found in page.records] == [5]


def test_a_range_that_takes_too_long_is_given_up(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "FIRST_WINDOW", 10)
    monkeypatch.setattr(searching, "INSTRUCTIONS", 1)
    monkeypatch.setattr(searching, "PATIENCE", 0)
    assert search.messages(MESSAGES.parse("error~nothing"), 5, budget_s=10.0) == ([], 391, False)
    monkeypatch.undo()
    assert ids(search, "error~nothing") == []  # the connection is as it was


def test_a_page_has_the_beginnings_of_bodies(search: Search) -> None:
    page = search.messages(MESSAGES.parse("id=8 or id=300"), 5)
    without, with_one = page.records
    assert (without.class_name, without.preview, without.size) == ("", "", 0)
    assert (with_one.class_name, with_one.size) == ("shop.Offer", len('{"text": "Gr\\u00fc\\u00dfe aus K\\u00f6ln"}'))
    assert with_one.preview.startswith('{"text": "Gr')


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("target=A", "message_header_target"), ("source=X", "message_header_source"),
        ("session=7", "message_header_session"), ("status=Error", "message_header_status"),
        ("status=Queued", "message_header_queue"), ("status=Error or target=A", "message_header_target"),
    ],
)  # fmt: skip
def test_indexes_are_used(search: Search, database: Database, text: str, index: str) -> None:
    asked: list[str] = []
    connection = database.reader()
    connection.set_trace_callback(asked.append)
    ids(search, text)
    connection.set_trace_callback(None)
    (sql,) = [sql for sql in asked if "h.id BETWEEN" in sql]
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert index in plan and "SCAN h" not in plan


def test_an_empty_store_is_searched_as_well(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    search = Search(database, frozenset)
    for text in ("", "status=Error", "created>=-1h", "body~tea", "id=5"):
        assert search.messages(MESSAGES.parse(text), 10) == ([], None, True)
        assert search.log(LOG.parse("type=Error"), 10) == ([], None, True)
    database.close()


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[tuple[Search, EventLog]]:
    database = Database(tmp_path / "home", "NORMAL")
    yield Search(database, frozenset), EventLog(database)
    database.close()


def test_the_log_is_searched(logged: tuple[Search, EventLog]) -> None:
    search, log = logged
    for number in range(50):
        kind = LogType.ERROR if number % 5 == 0 else LogType.INFO
        write = log.add(kind, f"entry {number}", "Shop", "sell", "Traceback: tea" if number == 10 else "")
    write.wait()

    def texts(text: str) -> list[str]:
        return [entry.text for entry in search.log(LOG.parse(text), 100).records]

    assert texts("type=Error") == [f"entry {number}" for number in range(45, -1, -5)]
    assert texts("trace~TEA") == ["entry 10"]
    assert texts("type=Info and text~4 and id<10 or id=1") == ["entry 4", "entry 0"]
    assert texts("class=Shop and method!=sell") == []
    assert len(list(search.all_log(LOG.parse("logged>=-1h")))) == 50
    assert texts("logged<-1h") == []


def test_entries_that_say_the_same_are_one_group(logged: tuple[Search, EventLog]) -> None:
    search, log = logged
    for number in range(6):
        log.add(LogType.ERROR, f"Order {number} at 0x{number:x}f is not there: 'tea {number}'\nmore {number}", "Shop")
    log.add(LogType.WARNING, "Order 7 at 0xf is not there: 'tea'", "Shop")
    log.add(LogType.ERROR, "Something else", "Shop").wait()
    groups = LogGroups()
    for entry in search.all_log(LOG.parse("")):
        groups.add(entry)
    found = groups.newest_first()
    assert [(group.type.name, group.count, group.newest.id) for group in found] == [
        ("ERROR", 1, 8), ("WARNING", 1, 7), ("ERROR", 6, 6),
    ]  # fmt: skip
    assert found[2].first_time <= found[2].last_time == found[2].newest.time_logged
    assert pattern("a 1,234.5 b\nc") == "a … b"


def test_saved_searches_are_each_persons_own(tmp_path: Path) -> None:
    database = Database(tmp_path / "home", "NORMAL")
    saved = SavedSearches(database)
    saved.save("ada", "messages", " Errors <b> ", "status=Error")
    saved.save("ada", "messages", "all", "")
    saved.save("ada", "messages", "Errors <b>", "status=Error and item=A")
    assert saved.of("ada", "messages") == [SavedSearch("all", ""), SavedSearch("Errors <b>", "status=Error and item=A")]
    assert saved.of("bob", "messages") == saved.of("ada", "log") == []
    for name in ("", "  ", "x" * 81, "a\nb"):
        with pytest.raises(BadRequest, match="visible characters"):
            saved.save("ada", "messages", name, "")
    with pytest.raises(UnknownSearch, match="no search 'all'"):
        saved.delete("bob", "messages", "all")
    saved.delete("ada", "messages", "all")
    for number in range(MOST - 1):
        saved.save("ada", "messages", f"n{number}", "")
    with pytest.raises(BadRequest, match="delete one first"):
        saved.save("ada", "messages", "one more", "")
    database.close()
    again = Database(tmp_path / "home", "NORMAL")
    assert len(SavedSearches(again).of("ada", "messages")) == MOST
    again.close()


def test_a_status_word_exists_for_every_status() -> None:
    assert {word.upper() for word in MESSAGES.fields["status"].words} == {status.name for status in Status}
