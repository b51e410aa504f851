"""A model's card is somebody's text: whatever it holds, the page gets no markup of theirs."""

from html.parser import HTMLParser

import pytest

from rooms import markdown

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![x](https://elsewhere.example/x.png)",
    "[x](javascript:alert(1))", "[x](data:text/html,<script>alert(1)</script>)", "<a href='javascript:alert(1)'>x</a>",
    '[x](https://a.example/" onmouseover="alert(1))', "<https://a.example/><script>", "`<b>`", "[x]: javascript:alert(1)\n[x]",
    "# <svg onload=alert(1)>", "| <b> | ![y](x) |\n|---|---|\n| <i> | [z](vbscript:x) |", "&lt;script&gt;", "[x](//elsewhere)",
    "```html\n<script>\n```",
]  # fmt: skip


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.setdefault(name, set()).add(value or "")


@pytest.mark.parametrize("text", [*HOSTILE, "\n\n".join(HOSTILE)])
def test_nothing_of_theirs_is_markup(text: str) -> None:
    seen = Seen()
    seen.feed(markdown.html(text))
    assert not seen.tags & {"script", "img", "svg", "b", "i", "iframe", "object", "style", "link", "meta", "form"}
    assert set(seen.attributes) <= {"href", "rel", "target", "title", "class", "style"}
    assert all(url.startswith(("https://", "http://")) for url in seen.attributes.get("href", ()))
    assert seen.attributes.get("style", set()) <= {"text-align:left", "text-align:right", "text-align:center"}


def test_what_a_card_is_made_of_is_shown() -> None:
    html = markdown.html(
        "# Name\n\n- one\n- **two**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[hub](https://huggingface.co/gpt2)\n"
    )
    assert "<h3>Name</h3>" in html and "<strong>two</strong>" in html and "<td>2</td>" in html
    assert 'rel="noopener noreferrer nofollow"' in html and 'target="_blank"' in html


def test_a_very_long_card_is_cut() -> None:
    assert len(markdown.html("x" * 1_000_000)) < markdown.LONGEST + 100
