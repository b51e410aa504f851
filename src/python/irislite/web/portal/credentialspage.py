"""The credentials, for administrators: they can be set and forgotten, never read."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from irislite.actor import Role
from irislite.web import blocking
from irislite.web.portal.controls import button, confirmed, notice, told
from irislite.web.portal.forms import Field, asked
from irislite.web.portal.layout import Portal
from irislite.web.portal.widgets import Table

_COLUMNS = [("name", "Name", "who"), ("username", "User name", "who"), ("secret", "Secret", "")]
_ACTIONS = [("replace", "Replace", "key", ""), ("forget", "Forget", "delete", "danger")]
_ABOUT = (
    "Hosts name a credential in a setting, and get its secret when they need it. What you type here is never shown "
    "again. It lies in credentials.json of the data folder, which only its owner reads, and is in no backup."
)


async def show(portal: Portal) -> None:
    """Show the names of the credentials here."""
    await _Credentials(portal).build()


class _Credentials:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._vault = portal.director.vault

    async def build(self) -> None:
        notice(_ABOUT, "note")
        with ui.element("div").classes("row-wrap"):
            button("Add a credential…", "add", self._ask, "primary")
        actions = {"replace": self._ask, "forget": self._forget}

        async def act(action: str, name: str) -> None:
            await actions[action](name)

        self._table = Table("Credentials", _COLUMNS, self._rows(), "There is none yet.", _ACTIONS, act)

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {"id": name, "name": name, "username": username, "secret": "set, not shown"}
            for name, username in self._vault.names()
        ]

    async def _do(self, action: str, name: str, change: Callable[[], Any], done: str) -> None:
        with told() as page, self._portal.act(action, name, Role.ADMINISTRATOR):
            await blocking.run(change)
            with page:
                ui.notify(done, type="positive", position="top")
        self._table.show(rows=self._rows())

    async def _ask(self, name: str = "") -> None:
        username = dict(self._vault.names()).get(name, "")
        fields = [
            *([] if name else [Field("name", "Name", note="As hosts name it in their settings.")]),
            Field("username", "User name", username, note="Empty where a key is all."),
            Field("secret", "Password or key", is_secret=True),
        ]
        question = f"Replace what {name} holds" if name else "Add a credential"
        if (typed := await asked(question, fields, "Keep")) is not None:
            name = name or typed["name"].strip()
            change = lambda: self._vault.put(name, typed["username"], typed["secret"])  # noqa: E731
            await self._do("Keep a credential", name, change, f"{name} is kept. Hosts use it from now on.")

    async def _forget(self, name: str) -> None:
        if await confirmed(f"Forget {name}?", "Hosts that name it fail from now on.", "Forget", "danger"):
            await self._do("Forget a credential", name, lambda: self._vault.remove(name), f"{name} is forgotten.")
