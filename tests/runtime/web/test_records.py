"""Searching, exporting and picturing records over HTTP; whatever is in them stays text."""

import csv
import io
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from irislite.eventlog import LogType
from irislite.header import Body, BusinessType, Draft
from irislite.web.exports import Format, cell
from runtime.web.sample import Site
from waiting import eventually

BASE = "/api/irislite"
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>]]>&\x01'


@pytest.fixture(scope="module")
def session(site: Site) -> int:
    """A session whose every text is markup."""
    store = site.director.store
    picture = {"media_type": "image/png", "data": "iVBORw0KGgo=", "title": MARKUP, "width": 1, "height": 1}
    bad_picture = {"media_type": "text/html", "data": "PHNjcmlwdD4=", "title": "no picture"}
    answer = {"output": MARKUP, MARKUP: 1, "images": [picture, bad_picture], "api_key": "********",
              "energy": {"joules": 0.21, "low": 0.1, "high": 0.5, "method": MARKUP}}  # fmt: skip
    draft = Draft(
        MARKUP, "nobody", f"={MARKUP}", Body("IOP.Message", MARKUP, json.dumps({"text": MARKUP})), description=MARKUP,
        source_business_type=BusinessType.SERVICE, return_queue_name="",
    )  # fmt: skip
    (entry,) = store.accept([draft]).wait()
    back = draft._replace(
        target_config_name=draft.source_config_name, source_config_name=draft.target_config_name,
        body=Body("IOP.Message", MARKUP, json.dumps(answer)), session_id=entry.header.id, is_error=True,
        error_text=MARKUP, corresponding_message_id=entry.header.id,
    )  # fmt: skip
    store.accept([back]).wait()
    for kind in LogType:
        site.director._database.write(
            lambda connection, kind=kind: connection.execute(
                "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, "
                "text, stack, trace_cat, time_logged) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, '', ?)",
                (int(kind), MARKUP, entry.header.id, entry.header.id, MARKUP, MARKUP, f"+{MARKUP}", MARKUP,
                 entry.header.time_created),
            )
        )  # fmt: skip
    return entry.header.id


def search(site: Site, q: str, kind: str = "messages", **more: object) -> dict:
    answer = site.call("GET", f"{BASE}/search/{kind}", params={"q": q, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_messages_are_searched(site: Site) -> None:
    first = site.test("needle one").json()["session_id"]
    site.test("something else")
    page = search(site, "body~needle and target=Greeter and type=Request")
    assert [(found["id"], found["status"], found["body_class"]) for found in page["messages"]] == [
        (first, "Completed", f"{site.module}.Ask")
    ]
    assert page["messages"][0]["preview"] == '{"text": "needle one"}' and page["messages"][0]["size"] == 22
    assert (page["next_id"], page["is_full"]) == (None, True)
    newest = search(site, "", limit=1)
    assert search(site, "", limit=1, before_id=newest["next_id"])["messages"][0]["id"] < newest["messages"][0]["id"]


@pytest.mark.parametrize(
    "path", ["search/messages", "search/log", "search/log/groups", "export/messages", "export/log"]
)
def test_a_search_that_cannot_be_read_is_explained(site: Site, path: str) -> None:
    answer = site.call("GET", f"{BASE}/{path}", params={"q": "statu=Error"})
    assert answer.status_code == 400
    assert "There is no field 'statu'" in answer.json()["error"]


def test_the_fields_are_told(site: Site) -> None:
    fields = {field["name"]: field for field in site.call("GET", f"{BASE}/search/messages/fields").json()}
    assert fields["status"]["words"][1] == "Queued" and fields["body"]["signs"] == ["~", "!~"]
    assert site.call("GET", f"{BASE}/search/cups/fields").status_code == 422


def test_the_log_is_searched_and_grouped(site: Site) -> None:
    for _ in range(3):
        site.test("boom")
    eventually(lambda: len(search(site, "type=Error and item=Greeter", "log")["entries"]) >= 3)
    groups = site.call("GET", f"{BASE}/search/log/groups").json()["groups"]
    group = next(group for group in groups if group["newest"]["config_name"] == "Greeter")
    assert group["count"] >= 3 and group["first_time"] < group["last_time"]
    assert "the greeter was asked to fail" in group["newest"]["text"]


def test_messages_are_exported_as_json_lines(site: Site, session: int) -> None:
    answer = site.call("GET", f"{BASE}/export/messages", params={"q": f"session={session}", "format": "jsonl"})
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert 'filename="messages.jsonl"' in answer.headers["content-disposition"]
    back, asked = (json.loads(line) for line in answer.text.splitlines())
    assert (asked["id"], asked["target"], asked["body"]) == (session, MARKUP, {"text": MARKUP})
    assert (back["type"], back["error"]) == ("Request", MARKUP) and back["body"]["output"] == MARKUP


def test_messages_and_log_are_exported_as_csv_without_formulas(site: Site, session: int) -> None:
    for kind in ("messages", "log"):
        answer = site.call("GET", f"{BASE}/export/{kind}", params={"q": f"session={session}", "format": "csv"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
        assert len(rows) == (2 if kind == "messages" else len(LogType))
        assert rows[-1]["source" if kind == "messages" else "text"] == f"'{'=' if kind == 'messages' else '+'}{MARKUP}"
    empty = site.call("GET", f"{BASE}/export/log", params={"q": "id=999999999", "format": "csv"})
    assert empty.content.decode("utf-8-sig") == ""


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "  =1", "＝1"])
def test_what_a_spreadsheet_would_run_is_a_text(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell("a=1") == "a=1" and cell(-1) == -1 and cell(None) == ""
    assert Format.CSV.media_type.startswith("text/csv")


def test_the_picture_of_a_session_is_well_formed_and_only_text(site: Site, session: int) -> None:
    answer = site.call("GET", f"{BASE}/sessions/{session}/trace.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    picture = ElementTree.fromstring(answer.text)
    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert tags == {"svg", "title", "style", "text", "line", "rect", "path", "circle"}
    words = " ".join(text for element in picture.iter() if (text := element.text))
    assert "Error · <img src=x" in words and "210 mJ" in words and "2 pictures" in words


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_page_of_a_session_is_one_file_that_runs_and_loads_nothing(site: Site, session: int) -> None:
    answer = site.call("GET", f"{BASE}/sessions/{session}/trace.html")
    assert "attachment" in answer.headers["content-disposition"]
    page = _Page()
    page.feed(answer.text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "link", "form", "a", "base"}
    assert [fields["src"] for tag, fields in page.tags if tag == "img"] == ["data:image/png;base64,iVBORw0KGgo="]
    assert not [name for _, fields in page.tags for name in fields if name.startswith("on") or name == "href"]
    assert any(fields.get("http-equiv") == "Content-Security-Policy" for _, fields in page.tags)
    text = "".join(page.texts)
    assert "********" in text and "Where the time went" in text and "<script>alert(2)</script>" in text
    assert site.call("GET", f"{BASE}/sessions/987654/trace.html").status_code == 404


def test_where_the_time_of_a_session_went(site: Site, session: int) -> None:
    slow = site.test("sleep 0.2", target="Relay").json()["session_id"]
    times = site.call("GET", f"{BASE}/sessions/{slow}/times").json()
    shares = {share["name"]: share for share in times["shares"]}
    assert shares["Greeter"]["own_ms"] >= 200 and shares["Relay"]["worked_ms"] >= 200
    assert shares["Relay"]["own_ms"] < 150 < shares["Relay"]["worked_ms"]
    arrow = site.call("GET", f"{BASE}/sessions/{slow}").json()["trace"]["arrows"][0]
    assert arrow["worked_ms"] >= 200 and arrow["waited_ms"] + arrow["worked_ms"] <= arrow["duration_ms"] + 50
    (energy,) = site.call("GET", f"{BASE}/sessions/{session}/times").json()["energies"]
    assert energy["joules"] == 0.21 and energy["words"].startswith("210 mJ (100 mJ to 500 mJ; <img")


def test_searches_are_kept(site: Site) -> None:
    path = f"{BASE}/searches/messages/{'Errors / %3Cb%3E'.replace(' ', '%20')}"
    assert site.call("PUT", path, json={"query": "status=error"}).status_code == 204
    assert site.call("GET", f"{BASE}/searches/messages").json() == [{"name": "Errors / <b>", "query": "status=Error"}]
    assert site.call("PUT", path, json={"query": "statu=error"}).status_code == 400
    assert site.call("DELETE", path).status_code == 204
    assert site.call("DELETE", path).status_code == 404
