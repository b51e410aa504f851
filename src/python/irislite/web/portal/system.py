"""The room System: how the runtime is, what it goes by, who may use it, what was done, and its upkeep."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.environment import effective
from irislite.eventlog import LogType
from irislite.units import shown
from irislite.views import ItemState
from irislite.web import health
from irislite.web.portal import auditpage, credentialspage, upkeep, userspage
from irislite.web.portal.controls import facts, notice, text, told
from irislite.web.portal.layout import TICK_S, Portal, frame, head
from irislite.web.portal.rows import job_state, log_row
from irislite.web.portal.widgets import LogLines, Rows, Table

PATH = "/system"
MOST_ALERTS = 200
_CALM_TICKS = 5  # how many ticks the numbers of this room may be old
_ICONS = {"ok": "check_circle", "warn": "warning", "bad": "report"}
_STATES = {"ok": "completed", "warn": "suspended", "bad": "error"}  # whose colours they have
_JOBS = [
    ("item", "Item", "who"), ("job", "Job", "number"), ("state", "State", ""), ("message", "Works on", "number"),
    ("since", "Since", "when"),
]  # fmt: skip
_QUEUES = [
    ("item", "Item", "who"), ("waiting", "Waiting", "number"), ("busy", "In work", "number"),
    ("oldest", "Oldest", "when"),
]  # fmt: skip

Task = Callable[[], Awaitable[None]]


async def page(portal: Portal, tab: str = "") -> None:
    """`tab` is the one to open."""
    with frame(portal, "System", PATH):
        await _System(portal).build(tab)


class _System:
    """The tabs of the room. Only the open one is built; those that follow live ask for news."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._ticks = 0
        self._refresh: Task | None = None
        self._tabs: dict[str, Callable[[], Awaitable[Task | None]]] = {
            "Health": self._health, "Jobs": self._jobs, "Alerts": self._alerts, "Configuration": self._configuration,
        }  # fmt: skip
        if portal.may(Role.ADMINISTRATOR):
            self._tabs |= {
                "Users": lambda: userspage.show(portal), "Credentials": lambda: credentialspage.show(portal),
                "Audit": lambda: auditpage.show(portal), "Backup and purge": lambda: upkeep.show(portal),
            }  # fmt: skip

    async def build(self, tab: str) -> None:
        with head("System"):
            user = self._portal.access.user()
            if user is not None:
                text("span", f"You are {user.name}, {user.role.word}.").classes("muted")
        with ui.element("div").classes("panel"):
            tabs = ui.tabs(on_change=lambda event: self._open(str(event.value)))
            with tabs.props("dense align=left no-caps outside-arrows mobile-arrows"):
                for name in self._tabs:
                    ui.tab(name)
            self._body = ui.element("div").classes("panel-body")
        names = {name.lower(): name for name in self._tabs}
        tabs.value = names.get(tab.lower(), "Health")
        self._portal.ticks.follow(self._tick)

    async def _open(self, tab: str) -> None:
        self._refresh = None
        self._body.clear()
        ui.navigate.history.replace(f"{PATH}?tab={tab.lower()}")
        with self._body:
            place = ui.element("div").classes("stack")
        with place, told():
            refresh = await self._tabs[tab]()
            if not place.is_deleted:  # another tab was opened meanwhile
                self._refresh = refresh

    async def _tick(self) -> None:
        self._ticks += 1
        if self._refresh is not None and self._ticks % _CALM_TICKS == 0:
            with told():
                await self._refresh()

    # -- health ----------------------------------------------------------------------------------

    async def _health(self) -> Task:
        table = Table("Checks", [("state", "State", ""), ("name", "What", "who"), ("text", "Found", "text")], [], "")
        text("h2", "Process")
        process = ui.element("div")
        text("h2", "Versions")
        facts(health.versions())

        async def refresh() -> None:
            checks = await self._portal.fresh.get("health", TICK_S * _CALM_TICKS / 2, self._checks)
            table.show(rows=[_check_row(check) for check in checks])
            process.clear()
            with process:
                facts(_load_facts(health.load()))

        await refresh()
        return refresh

    def _checks(self) -> list[health.Check]:
        return health.checks(self._portal.director)

    # -- jobs and queues -------------------------------------------------------------------------

    async def _jobs(self) -> Task:
        text("h2", "Jobs")
        jobs = Table("Jobs", _JOBS, [], "Nothing runs.")
        text("h2", "Queues")
        queues = Table("Queues", _QUEUES, [], "No item has a queue.")

        async def refresh() -> None:
            job_rows, queue_rows = await self._portal.fresh.get("jobs", TICK_S, self._working)
            jobs.show(rows=job_rows)
            queues.show(rows=queue_rows)

        await refresh()
        return refresh

    def _working(self) -> tuple[Rows, Rows]:
        director = self._portal.director
        jobs, queues = [], []
        for item in director.items():
            for job in director.jobs(item.name) if item.state is not ItemState.DISABLED else []:
                trace = f"/trace?session={job.session_id}&message={job.message_id}"
                link = {"href": trace, "text": str(job.message_id)}
                jobs.append({
                    "id": f"{item.name} {job.job}", "item": item.name, "job": job.job, "state": job_state(job),
                    "message": link if job.message_id else "", "since": _moment(job.since) if job.since else "",
                })  # fmt: skip
            first = director.waiting(item.name, 1) if item.queue_count or item.in_progress else []
            oldest = {"time": f"{first[0].time_created.replace(' ', 'T')}Z"} if first else ""
            queues.append({"id": item.name, "item": item.name, "waiting": f"{item.queue_count:,}",
                           "busy": f"{item.in_progress:,}", "oldest": oldest})  # fmt: skip
        return jobs, queues

    # -- alerts, configuration -------------------------------------------------------------------

    async def _alerts(self) -> Task:
        text("p", "Failures of items that have AlertOnError, and queues above their limits.").classes("muted")
        lines = LogLines(empty="There was no alert.")

        async def refresh() -> None:
            entries = await asyncio.to_thread(self._portal.director.eventlog.newest, MOST_ALERTS, LogType.ALERT)
            lines.show(entries=[log_row(entry) for entry in entries])

        await refresh()
        return refresh

    async def _configuration(self) -> None:
        columns = [
            ("name", "Variable", ""), ("value", "Holds", "who"), ("origin", "From", ""), ("meaning", "Meaning", "text"),
        ]  # fmt: skip
        rows: Rows = [
            {"id": variable.name, "name": {"code": variable.name}, "value": value,
             "origin": "environment" if is_set else "default", "meaning": variable.meaning}
            for variable, value, is_set in effective()
        ]  # fmt: skip
        notice("These are read at the start: change them in the environment, then start anew.", "note")
        Table("Environment variables", columns, rows, "")


def _check_row(check: health.Check) -> dict[str, Any]:
    state = {"state": _STATES[check.state], "icon": _ICONS[check.state], "text": check.state}
    return {"id": check.name, "state": state, "name": check.name, "text": check.text}


def _load_facts(load: health.Load) -> dict[str, str]:
    days, rest = divmod(int(load.uptime_s), 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    return {
        "Runs for": (f"{days} d " if days else "") + f"{hours} h {minutes} min",
        "Processor": f"{load.cpu_s:,.0f} s so far, on {load.cores} cores",
        "Memory": shown(load.memory_bytes),
        "Threads": str(load.threads),
    }


def _moment(seconds: float) -> dict[str, str]:
    return {"time": datetime.fromtimestamp(seconds, UTC).isoformat()}
