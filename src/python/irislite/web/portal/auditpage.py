"""The audit, for administrators: who did what, filtered, page by page, and as a file."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request, Response
from nicegui import ui

from irislite.actor import Role
from irislite.audit import Entry
from irislite.director import Director
from irislite.web import recordfiles
from irislite.web.exports import Format
from irislite.web.portal.access import Access
from irislite.web.portal.controls import button, text
from irislite.web.portal.layout import Portal
from irislite.web.portal.rows import cut
from irislite.web.portal.widgets import Table, zoned

PAGE = 100
LONGEST_DETAIL = 600
EXPORT = "/system/audit/export"
_COLUMNS = [
    ("time", "Time", "when"), ("user", "User", "who"), ("via", "By", ""), ("action", "Action", "who"),
    ("target", "On", "who"), ("outcome", "Outcome", ""), ("detail", "Detail", "class"),
]  # fmt: skip
_OUTCOMES = {"": "All outcomes", "done": "Done", "refused": "Refused", "failed": "Failed"}
_STATES = {"done": ("completed", "check_circle"), "refused": ("suspended", "block"), "failed": ("error", "report")}


async def show(portal: Portal) -> None:
    """Show the audit here."""
    await _Audit(portal).build()


def register(app: FastAPI, access: Access, director: Director) -> None:
    """Add the address of the file; the gate asks for the sign-in, and this for the role."""

    @app.get(EXPORT)
    def export(request: Request, format: Format = Format.JSONL) -> Response:
        user = access.owner_of(request.session.get("token", ""))
        if user is None or user.role < Role.ADMINISTRATOR:
            raise HTTPException(403, "The audit is for administrators: ask one.")
        return recordfiles.audit(director, format)


class _Audit:
    def __init__(self, portal: Portal) -> None:
        self._audit = portal.director.audit
        self._users = ["", *(user.name for user in portal.access.accounts.everyone())]
        self._before: list[int | None] = [None]  # where each page begins

    async def build(self) -> None:
        with ui.element("div").classes("filters"):
            self._user = ui.select({name: name or "All users" for name in self._users}, label="User", value="")
            self._outcome = ui.select(_OUTCOMES, label="Outcome", value="")
            self._text = ui.input("Text").props("debounce=300 clearable")
            for each in (self._user, self._outcome, self._text):
                each.props("outlined dense stack-label")
                each.on_value_change(self._first)
        with ui.element("div").classes("row-wrap"):
            self._newer = button("Newer", "chevron_left", lambda: self._turn(-1))
            self._older = button("Older", "chevron_right", lambda: self._turn(1))
            ui.element("div").classes("grow")
            for name, label in ((Format.JSONL, "All as JSON lines"), (Format.CSV, "All as CSV")):
                link = ui.link(label, f"{EXPORT}?{urlencode({'format': name.value})}")
                link.props("download")
        self._table = Table("Audit", _COLUMNS, [], "Nothing was done yet that fits.")
        self._state = text("span", "").classes("unseen").props("role=status")
        await self._show()

    async def _first(self) -> None:
        self._before = [None]
        await self._show()

    async def _turn(self, step: int) -> None:
        if step < 0 and len(self._before) > 1:
            self._before.pop()
        elif step > 0 and self._last:
            self._before.append(self._last)
        await self._show()

    async def _show(self) -> None:
        entries = await asyncio.to_thread(
            self._audit.entries, PAGE, self._before[-1], str(self._user.value or ""), str(self._outcome.value or ""),
            str(self._text.value or ""),
        )  # fmt: skip
        self._last = entries[-1].id if len(entries) == PAGE else 0
        self._newer.set_enabled(len(self._before) > 1)
        self._older.set_enabled(bool(self._last))
        self._state.text = f"{len(entries)} entries"
        self._table.show(rows=[_row(entry) for entry in entries])


def _row(entry: Entry) -> dict[str, Any]:
    state, icon = _STATES.get(entry.outcome, ("created", "help"))
    by = ", ".join(filter(None, (entry.via, entry.role, entry.client)))
    return {
        "id": entry.id, "time": {"time": zoned(entry.time)}, "user": entry.user or "irislite", "via": by,
        "action": entry.action, "target": entry.target, "detail": cut(entry.detail, LONGEST_DETAIL),
        "outcome": {"state": state, "icon": icon, "text": entry.outcome},
    }  # fmt: skip
