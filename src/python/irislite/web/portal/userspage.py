"""The users, for administrators: make, change, let in and out, give another password, remove."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.web import blocking, people
from irislite.web.portal.controls import button, confirmed, told
from irislite.web.portal.forms import Field, asked
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Rows, Table
from irislite.web.users import SHORTEST_PASSWORD

ROLES = {
    "viewer": "Viewer: sees, changes nothing",
    "operator": "Operator: runs the production",
    "administrator": "Administrator: also users, credentials, audit, purge, code",
}
_COLUMNS = [
    ("name", "Name", "who"), ("role", "Role", ""), ("state", "May sign in", ""), ("sessions", "Signed in", "number"),
]  # fmt: skip
_ACTIONS = [
    ("role", "Role", "badge", ""), ("password", "Password", "key", ""), ("turn", "Disable or enable", "block", ""),
    ("remove", "Remove", "delete", "danger"),
]  # fmt: skip
_PASSWORD_NOTE = f"At least {SHORTEST_PASSWORD} characters. Tell it to its user, and nobody else."


async def show(portal: Portal) -> None:
    """Show the users here."""
    _People(portal).build()


class _People:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._accounts = portal.access.accounts

    def build(self) -> None:
        with ui.element("div").classes("row-wrap"):
            button("Add a user…", "person_add", self._add, "primary")
        actions = {"role": self._role, "password": self._password, "turn": self._turn, "remove": self._remove}

        async def act(action: str, name: str) -> None:
            await actions[action](name)

        self._table = Table("Users", _COLUMNS, self._rows(), "", _ACTIONS, act)

    def _rows(self) -> Rows:
        rows: Rows = []
        for user in self._accounts.everyone():
            state = ("disabled", "block", "no") if user.disabled else ("completed", "check_circle", "yes")
            rows.append({
                "id": user.name, "name": f"{user.name} (owner)" if user.is_owner else user.name, "role": user.role.word,
                "state": dict(zip(("state", "icon", "text"), state, strict=True)),
                "sessions": str(self._portal.access.sessions.count(user.name)), "fixed": user.is_owner,
            })  # fmt: skip
        return rows

    async def _do(self, action: str, name: str, change: Callable[[], Any], done: str) -> None:
        with told() as page, self._portal.act(action, name, Role.ADMINISTRATOR):
            await blocking.run(change)
            with page:
                ui.notify(done, type="positive", position="top")
        self._table.show(rows=self._rows())

    async def _add(self) -> None:
        fields = [
            Field("name", "User name"), Field("role", "Role", "viewer", choices=ROLES),
            Field("password", "Password", note=_PASSWORD_NOTE, is_secret=True),
        ]  # fmt: skip
        if (typed := await asked("Add a user", fields, "Add")) is not None:
            role, name = Role[typed["role"].upper()], typed["name"].strip()
            change = lambda: people.add(self._accounts, name, role, typed["password"])  # noqa: E731
            await self._do("Make a user", name, change, f"{name} may sign in as {role.word}.")

    async def _role(self, name: str) -> None:
        user = next((user for user in self._accounts.everyone() if user.name == name), None)
        now = user.role.word if user is not None else "viewer"
        if (typed := await asked(f"Role of {name}", [Field("role", "Role", now, choices=ROLES)], "Change")) is not None:
            role = Role[typed["role"].upper()]
            change = lambda: people.change(self._accounts, name, role, None)  # noqa: E731
            await self._do("Give a user another role", name, change, f"{name} is {role.word} now, and signs in anew.")

    async def _password(self, name: str) -> None:
        fields = [Field("password", "New password", note=_PASSWORD_NOTE, is_secret=True)]
        if (typed := await asked(f"New password of {name}", fields, "Change")) is not None:
            change = lambda: people.set_password(self._accounts, name, typed["password"])  # noqa: E731
            await self._do("Give a user another password", name, change, f"{name} signs in anew, with it.")

    async def _turn(self, name: str) -> None:
        disabled = any(user.name == name and user.disabled for user in self._accounts.everyone())
        word, effect = ("Enable", "may sign in again.") if disabled else ("Disable", "is signed out, and stays out.")
        if await confirmed(f"{word} {name}?", f"{name} {effect}", word):
            change = lambda: people.change(self._accounts, name, None, not disabled)  # noqa: E731
            await self._do(f"{word} a user", name, change, f"{name} {effect}")

    async def _remove(self, name: str) -> None:
        effect = "The user is signed out everywhere. What the audit says of them stays."
        if await confirmed(f"Remove {name}?", effect, "Remove", "danger"):
            await self._do("Remove a user", name, lambda: people.remove(self._accounts, name), f"{name} is removed.")
