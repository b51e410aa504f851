"""SQL under /api/irislite/sql: rows, roles, limits, exports, imports."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from irislite.actor import Role
from runtime.web.sample import Site

BASE = "/api/irislite/sql"
CSV = "Name,Price\ntea,1.5\n<b>milk</b>,2\n"


@pytest.fixture(autouse=True)
def table(site: Site) -> Iterator[None]:
    site.director.tables.execute("CREATE TABLE Shop.Item (Name VARCHAR(20), Price NUMERIC, Raw LONGVARBINARY)")
    site.director.tables.execute("INSERT INTO Shop.Item VALUES ('tea', 1.5, ?)", [b"\x01\xff"])
    yield
    for name in site.director.tables.tables():
        site.director.tables.execute(f"DROP TABLE {name}")


def query(site: Site, statement: str, **more: Any) -> requests.Response:
    return site.call("POST", f"{BASE}/query", json={"statement": statement, **more})


def upload(content: str | bytes, name: str = "items.csv") -> dict[str, str]:
    data = content.encode() if isinstance(content, str) else content
    return {"name": name, "data": base64.b64encode(data).decode()}


def test_tables(site: Site) -> None:
    found = {table["name"]: table for table in site.call("GET", f"{BASE}/tables").json()}
    assert [column["name"] for column in found["Shop.Item"]["columns"]] == ["Name", "Price", "Raw"]
    assert found["Shop.Item"]["columns"][0] == {"name": "Name", "type": "VARCHAR(20)", "nullable": True}
    assert found["Ens.MessageHeader"]["of_runtime"] and not found["Shop.Item"]["of_runtime"]


def test_rows_come_as_json_can_carry_them(site: Site) -> None:
    answer = query(site, "SELECT Name, Raw, 1e999 AS Much, NULL AS Nothing FROM Shop.Item").json()
    assert answer["columns"] == ["Name", "Raw", "Much", "Nothing"]
    assert answer["rows"] == [["tea", "01ff", "inf", None]]
    assert (answer["more"], answer["rowcount"]) == (False, -1) and answer["took_ms"] >= 0
    assert query(site, "SELECT Name FROM Shop.Item", limit=1, offset=1).json()["rows"] == []
    assert query(site, "UPDATE Shop.Item SET Price = 2").json()["rowcount"] == 1


@pytest.mark.parametrize(
    ("statement", "status"),
    [("SELEC 1", 400), ("SELECT * FROM nowhere", 404), ("DELETE FROM Ens.MessageHeader", 403), ("", 422),
     ("SELECT 1; SELECT 2", 400), ("CREATE TABLE Shop.Item (A INTEGER)", 409)],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_status(site: Site, statement: str, status: int) -> None:
    answer = query(site, statement)
    assert answer.status_code == status and answer.json()["error"]


def test_a_statement_has_a_time(site: Site) -> None:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT COUNT(*) FROM c"
    answer = query(site, endless, timeout_s=0.2)
    assert answer.status_code == 504 and "longer than 0.2 s" in answer.json()["error"]


@pytest.mark.parametrize("role", list(Role))
def test_what_a_role_may(site: Site, role: Role) -> None:
    users = site.accounts.made_users()
    users.add("sql", role, "a long password")
    try:

        def status(statement: str) -> int:
            return requests.post(
                f"{site.url}{BASE}/query", json={"statement": statement}, auth=("sql", "a long password"), timeout=60
            ).status_code

        assert status("SELECT * FROM Shop.Item") == 200
        assert status("INSERT INTO Shop.Item (Name) VALUES ('x')") == (200 if role >= Role.OPERATOR else 403)
        assert status("CREATE TABLE Shop.Made (A INTEGER)") == (200 if role >= Role.ADMINISTRATOR else 403)
        for table, needed in (("Shop.Item", Role.OPERATOR), ("Shop.Fresh", Role.ADMINISTRATOR)):
            answer = requests.post(
                f"{site.url}{BASE}/import", json={"table": table, "file": upload(CSV)},
                auth=("sql", "a long password"), timeout=60,
            )  # fmt: skip
            assert answer.status_code == (200 if role >= needed else 403)
    finally:
        users.remove("sql")


def test_who_did_it_is_in_the_audit(site: Site) -> None:
    query(site, "DELETE FROM Shop.Item WHERE Name = 'a secret'")
    entry = site.director.audit.entries(1)[0]
    assert (entry.action, entry.detail) == ("Run a SQL statement", "DELETE: 0 rows changed")


@pytest.mark.parametrize(("form", "begins"), [("csv", b"Name,Price\r\n"), ("jsonl", b'{"Name"'), ("parquet", b"PAR1")])
def test_exports(site: Site, form: str, begins: bytes) -> None:
    asked = {"statement": "SELECT Name, Price FROM Shop.Item", "format": form}
    answer = site.call("POST", f"{BASE}/export", json=asked)
    assert answer.status_code == 200 and answer.content.startswith(begins)
    assert answer.headers["content-disposition"] == f'attachment; filename="rows.{form}"'
    assert site.call("POST", f"{BASE}/export", json=asked | {"statement": "DELETE FROM Shop.Item"}).status_code == 400


def test_a_file_is_previewed_then_imported(site: Site) -> None:
    preview = site.call("POST", f"{BASE}/preview", json=upload(CSV)).json()
    assert (preview["columns"], preview["types"]) == (["Name", "Price"], ["VARCHAR(32000)", "NUMERIC"])
    assert "VARCHAR(255)" in preview["choices"]
    asked = {"table": "Shop.Fresh", "file": upload(CSV), "types": {"Name": "VARCHAR(255)"}}
    assert site.call("POST", f"{BASE}/import", json=asked).json() == {
        "table": "Shop.Fresh", "rows": 2, "bad_rows": 0, "bad": [],
    }  # fmt: skip
    assert query(site, "SELECT Name FROM Shop.Fresh").json()["rows"] == [["tea"], ["<b>milk</b>"]]


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ({"name": "items.exe", "data": ""}, 422), ({"name": "../x.csv", "data": ""}, 422),
        ({"name": "items.csv", "data": "no base64!"}, 400), (upload(b"\xff\xfe"), 400),
        (upload("not parquet", "items.parquet"), 400), ({"name": "items.csv", "data": "A" * 800_000}, 400),
    ],
)  # fmt: skip
def test_uploads_are_checked(site: Site, file: dict[str, str], status: int) -> None:
    assert site.call("POST", f"{BASE}/preview", json=file).status_code == status
    for table in ("Shop.Item; DROP TABLE Shop.Item", "a.b.c", ""):
        answer = site.call("POST", f"{BASE}/import", json={"table": table, "file": upload(CSV)})
        assert answer.status_code == 422
