"""Markdown as HTML that holds nothing but text: no tags of the writer's, no pictures, links to the web alone."""

from typing import Any

LONGEST = 100_000  # characters


def html(markdown: str) -> str:
    """Headings, lists, tables, code and links of a text. HTML in it is shown as typed, pictures as their names."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")
    parser.validateLink = lambda url: url.startswith(("https://", "http://"))  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _link)
    for name in ("heading_open", "heading_close"):
        parser.add_render_rule(name, _heading)
    rendered: str = parser.render(markdown[:LONGEST])
    return rendered


def _link(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """A link opens a page of its own, which learns nothing of ours."""
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    return str(self.renderToken(tokens, index, options, env))


def _heading(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """The card is a part of our page: its headings are below ours."""
    tokens[index].tag = f"h{min(6, int(tokens[index].tag[1]) + 2)}"
    return str(self.renderToken(tokens, index, options, env))
