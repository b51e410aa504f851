"""What axe-core finds on a page: its rules of WCAG 2.2, A and AA, and its best practices."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

SEVERE = ("serious", "critical")
_AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
_RUN = "(only) => axe.run(document, {resultTypes: ['violations'], ...(only.length ? {runOnly: only} : {})})"


def severe_findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """The serious and critical findings on a page as it is now, each with its rule and the elements.

    `rules` are those to go by; all of them if it is empty.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)  # through the browser's own tools: the page's policy would refuse a script
    found: dict[str, Any] = page.evaluate(_RUN, list(rules))
    return [
        f"{finding['impact']} {finding['id']}: {finding['help']}: {node['html'][:160]} ({_why(node)})"
        for finding in found["violations"]
        if finding["impact"] in SEVERE
        for node in finding["nodes"][:3]
    ]


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))[:200]
