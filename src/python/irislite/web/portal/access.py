"""Who sits before a page: asked at the server before anything is changed, and written into the audit afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui

from irislite.actor import Actor, Role, acting_as
from irislite.audit import Audit, Deed
from irislite.errors import Forbidden
from irislite.web import roles
from irislite.web.accounts import Accounts
from irislite.web.portal.sessions import Sessions
from irislite.web.users import User


class Access:
    """What the user of the page at hand may do. For page functions and event handlers: they know their page."""

    def __init__(self, accounts: Accounts, sessions: Sessions, audit: Audit) -> None:
        self.accounts = accounts
        self.sessions = sessions
        self._audit = audit

    def owner_of(self, token: str) -> User | None:
        """Whose session it is; None as soon as it has ended, or the user is disabled or removed."""
        return self.accounts.user(self.sessions.account(token))

    def user(self) -> User | None:
        """Who is signed in at this page; None as soon as that is over."""
        return self.owner_of(ui.context.client.request.session.get("token", ""))

    def may(self, role: Role) -> bool:
        """Whether the page's user has this role: what is not allowed is shown as such."""
        user = self.user()
        return user is not None and user.role >= role

    def actor(self) -> Actor:
        """The page's user at work. Raises `Forbidden` if the session has ended."""
        user = self.user()
        if user is None:
            raise Forbidden("Your session has ended: sign in again.")
        client = ui.context.client.request.client
        return Actor(user.name, user.role, "portal", client.host if client else "")

    @contextmanager
    def act(self, action: str, target: str = "", role: Role = Role.OPERATOR) -> Iterator[Deed]:
        """Do something for the page's user, if the role allows; whatever comes of it is in the audit.

        `action` is a sentence as in `Restart an item`, `target` what it is done to. Raises `Forbidden`.
        """
        with acting_as(self.actor()), self._audit.deed(action, target) as deed:
            roles.check(role)
            yield deed
