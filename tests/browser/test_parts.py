"""The portal's parts that need no browser."""

import asyncio
import shlex
import time
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from coroutines import run
from irislite.web import bodyview
from irislite.web.portal import commands, controls, gate, testform, widgets
from irislite.web.portal.fresh import Fresh
from irislite.web.portal.sessions import Sessions


@pytest.mark.parametrize("wanted", ["/", "/log", "/trace?session=3&message=4", "/production?name=A%2FB", "/test#x"])
def test_local_paths_are_kept(wanted: str) -> None:
    assert gate.local_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    ["", "log", "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "/\t/evil.example",
     "\\\\evil.example", "javascript:alert(1)", "http:evil.example", "/\n/evil.example", "/signin", "/signin?next=/log"],
)  # fmt: skip
def test_everything_else_leads_to_the_first_page(wanted: str) -> None:
    assert gate.local_path(wanted) == "/"


@pytest.mark.parametrize(
    ("origin", "expected"),
    [(None, True), ("http://localhost:52795", True), ("http://localhost", False), ("http://evil.example", False),
     ("null", False)],
)  # fmt: skip
def test_where_a_request_comes_from(origin: str | None, expected: bool) -> None:
    headers = {"host": "localhost:52795"} | ({"origin": origin} if origin else {})
    assert gate.from_here(Headers(headers)) is expected


def test_session_lives_until_it_is_closed(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    token, other = sessions.open("SuperUser"), sessions.open("SuperUser")
    assert (sessions.account(token), sessions.account("guess"), sessions.account("")) == ("SuperUser", "", "")
    assert Sessions(tmp_path).account(token) == "SuperUser"
    sessions.close(token)
    assert sessions.account(token) == Sessions(tmp_path).account(token) == ""
    assert sessions.account(other) == "SuperUser"
    assert token not in (tmp_path / "sessions.json").read_text()


def test_session_ends(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path, lifetime_s=0.02)
    token = sessions.open("SuperUser")
    time.sleep(0.03)
    assert sessions.account(token) == ""


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', '{"a": ["x"]}'])
def test_damaged_session_file_means_signing_in_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "sessions.json").write_text(text)
    sessions = Sessions(tmp_path)
    assert sessions.account(sessions.open("SuperUser")) == "SuperUser"


def test_pages_that_ask_at_once_share_one_answer() -> None:
    asked = []

    async def ask() -> list[int]:
        fresh = Fresh()
        answers = await asyncio.gather(*(fresh.get("q", 60, lambda: asked.append(1) or len(asked)) for _ in range(5)))
        fresh.forget()
        return [*answers, await fresh.get("q", 60, lambda: 7)]

    assert run(ask()) == [1, 1, 1, 1, 1, 7]


def test_an_answer_that_is_equal_is_the_same_object() -> None:
    async def ask() -> list[bool]:
        fresh, answers = Fresh(), iter([["a"], ["a"], ["b"]])
        first, second, third = [await fresh.get("q", -1, lambda: next(answers)) for _ in range(3)]
        return [second is first, third is first]

    assert run(ask()) == [True, False]


@pytest.mark.parametrize(
    ("typed", "value"),
    [("tea", "tea"), ("5", 5), ('"5"', "5"), ("true", True), ("[1, 2]", [1, 2]), ('{"a": null}', {"a": None}),
     ("{broken", "{broken"), ("two\nlines", "two\nlines"), ("NaN", "NaN")],
)  # fmt: skip
def test_what_is_typed_into_a_form_and_how_it_is_shown_again(typed: str, value: object) -> None:
    assert testform.as_typed(typed) == value
    assert testform.as_typed(testform.as_text(value)) == value


def test_commands_quote_what_they_are_given() -> None:
    body = '{"text": "it\'s $(rm -rf /)"}'
    for command in (commands.curl, commands.iop):
        typed = command("http://localhost:52795", "Ann O'Hara", "An Item; ls", "msg.Ask", body)
        words = shlex.split(typed.replace("\\\n", ""))
        assert any("it's $(rm -rf /)" in word for word in words) and any("An Item; ls" in word for word in words)
        assert "ls" not in words and any("Ann O'Hara" in word for word in words)
    assert "-B" not in commands.iop("http://localhost", "ann", "Item", "", "")  # an Ens.Request has no body


def test_failed_answer_is_not_kept() -> None:
    async def ask() -> int:
        fresh = Fresh()
        with pytest.raises(ZeroDivisionError):
            await fresh.get("q", 60, lambda: 1 // 0)
        return await fresh.get("q", 60, lambda: 7)

    assert run(ask()) == 7


def test_long_values_are_cut() -> None:
    value = bodyview.shortened({"data": "A" * 5_000, "words": "a word " * 100, "list": list(range(300))})
    assert value["data"] == "A" * 120 + "… (5,000 characters in all)"
    assert value["words"] == "a word " * 100
    assert value["list"][200:] == ["… and 100 more"]


@pytest.mark.parametrize(("text", "expected"), [("abc", "abc"), ("abcdef", "abc… (6 characters in all)")])
def test_cut(text: str, expected: str) -> None:
    assert bodyview.cut(text, 3) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (None, ""),
        (0.0, "0.0 ms"),
        (12.34, "12 ms"),
        (1_234.0, "1.23 s"),
        (45_600.0, "45.6 s"),
        (125_000.0, "2 min 5 s"),
    ],
)
def test_duration(milliseconds: float | None, expected: str) -> None:
    assert controls.duration(milliseconds) == expected


def test_times_travel_with_their_zone() -> None:
    assert widgets.zoned("2026-11-21 10:00:00.123456") == "2026-11-21T10:00:00.123456Z"
    assert widgets.zoned("") == ""
