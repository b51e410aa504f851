"""What axe-core finds on a page: its rules of WCAG 2.2, A and AA, and its best practices."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

SIZES = {"desk": (1280, 800), "tablet": (768, 1024), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SEVERE = ("serious", "critical")
OF_COLOURS = ["color-contrast", "link-in-text-block"]
_AXE = AXE_FILE_PATH.read_text(encoding="utf-8")
_RUN = "(only) => axe.run(document, {resultTypes: ['violations'], ...(only.length ? {runOnly: only} : {})})"
# What makes a page wider than its window, if it is.
_STICKS_OUT = """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
  [...document.querySelectorAll('body *:not(.rail *)')].filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .map(element => element.outerHTML.slice(0, 160)).slice(0, 5).concat('the page is wider than its window')"""


def findings_at_each_size(page: Page, shots: Path, name: str) -> list[str]:
    """Severe findings, and what is wider than the window, on a desk, a tablet and a phone, light and dark."""
    keeps, found = bool(os.environ.get("EVERGREEN_SCREENSHOTS")), []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            # Between light and dark only colours change, and they are the same at every size.
            is_checked = scheme == "light" or size == "desk"
            if not is_checked and not keeps:
                continue
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(60)  # Quasar hears of it, and paints
            if keeps:
                page.screenshot(path=shots / f"room-{name}-{size}-{scheme}.png")
            if is_checked:
                rules = [] if scheme == "light" else OF_COLOURS
                found += [f"{size} {scheme}: {finding}" for finding in severe_findings(page, rules)]
        found += [f"{size}: sticks out: {element}" for element in page.evaluate(_STICKS_OUT)]
    return found


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
