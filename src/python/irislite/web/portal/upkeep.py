"""The upkeep of the data folder, for administrators: what fills it, backup, purge after a look at what would go."""

import math
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.size import SizeReport
from irislite.units import shown
from irislite.web import blocking
from irislite.web.portal.controls import button, confirmed, facts, notice, text, told
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Table

DEFAULT_DAYS = 30
_BACKUP = (
    "Copies messages and tables into the data folder's `backups` while everything goes on, and reads the copy back. "
    "Users, credentials, the audit and models are not in it. Copy it to another machine."
)
_PURGE = (
    "Deletes sessions that are finished and older than so many days, with their messages, and log entries as old. "
    "What waits, is suspended, or belongs to a session that is not finished, stays. The audit stays."
)


async def show(portal: Portal) -> None:
    """Show the upkeep here."""
    await _Upkeep(portal).build()


class _Upkeep:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._housekeeping = portal.director.housekeeping

    async def build(self) -> None:
        text("h2", "What fills the data folder")
        size = ui.element("div")
        text("h2", "Backup")
        text("p", _BACKUP).classes("muted")
        with ui.element("div").classes("row-wrap"):
            self._backup_button = button("Back up now", "save", self._back_up, "primary")
        columns = [("name", "Backup", "who"), ("size", "Size", "number")]
        self._backups = Table("Backups", columns, [], "There is none yet.")
        text("h2", "Purge")
        text("p", _PURGE).classes("muted")
        with ui.element("div").classes("row-wrap"):
            self._days = ui.number("Older than days", value=DEFAULT_DAYS, min=0, format="%g")
            self._days.props("outlined dense stack-label")
            self._purge_button = button("Look what would go…", "delete_sweep", self._purge)
        self._outcome = ui.element("div").props("aria-live=polite")
        self._list()
        with told():
            report = await blocking.run(self._housekeeping.size)  # counts rows, which takes its time
            if not size.is_deleted:
                with size:
                    facts(_size_facts(report))

    def _list(self) -> None:
        rows: list[dict[str, Any]] = []
        for path in self._housekeeping.backups():
            files = path.rglob("*") if path.is_dir() else [path]
            rows.append({"id": path.name, "name": path.name, "size": shown(sum(file.stat().st_size for file in files))})
        self._backups.show(rows=rows)

    async def _back_up(self) -> None:
        self._backup_button.props(add="loading")
        with told(), self._portal.act("Back up", role=Role.ADMINISTRATOR) as deed:
            report = await blocking.run(self._housekeeping.backup)
            deed.tell(str(report))
            self._tell(str(report), "note")
        self._backup_button.props(remove="loading")
        self._list()

    async def _purge(self) -> None:
        days, report = float(self._days.value) if self._days.value is not None else math.nan, None
        self._purge_button.props(add="loading")
        with told(), self._portal.act("Look what a purge would delete", f"{days:g} days", Role.ADMINISTRATOR):
            report = await blocking.run(self._housekeeping.purge, days, True)
        self._purge_button.props(remove="loading")
        question = f"Delete what is older than {days:g} days?"
        effect = f"{report} It cannot be undone, except from a backup."
        if report is not None and await confirmed(question, effect, "Delete", "danger"):
            await self._purge_really(days)

    async def _purge_really(self, days: float) -> None:
        with told(), self._portal.act("Purge", f"{days:g} days", Role.ADMINISTRATOR) as deed:
            report = await blocking.run(self._housekeeping.purge, days)
            deed.tell(str(report))
            self._tell(str(report), "note")

    def _tell(self, sentence: str, kind: str) -> None:
        self._outcome.clear()
        with self._outcome:
            notice(sentence, kind)


def _size_facts(size: SizeReport) -> dict[str, str]:
    files = {name: shown(count) for name, count in size.files.items()}
    rows = {f"Rows of {name}": f"{count:,}" for name, count in size.rows.items()}
    disk = {"Backups": shown(size.backups_bytes), "Free": shown(size.disk_free_bytes)}
    return {"Folder": size.folder, **files, **disk, **rows}
