"""The environment variables that the runtime goes by: what each is for, and what holds now."""

import os
from dataclasses import dataclass

HIDDEN = "(set, not shown)"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; what it means is one sentence. A secret's value is never shown."""

    name: str
    default: str
    meaning: str
    is_secret: bool = False


VARIABLES = (
    Variable("HOST", "127.0.0.1", "The address to listen on; 0.0.0.0 is every address of this machine."),
    Variable("PORT", "52795", "The port to listen on."),
    Variable("IRISUSERNAME", "SuperUser", "The owner's account, which is always an administrator."),
    Variable("IRISPASSWORD", "", "The owner's password; without it one is made and kept in the data folder.", True),
    Variable("IRISNAMESPACE", "IRISAPP", "The namespace's name, as the iop command line calls it."),
    Variable("IRISLITE_HOME", ".irislite beside the file", "The data folder: messages, tables, users, credentials."),
    Variable("IRISLITE_SYNCHRONOUS", "FULL", "FULL: what is accepted survives a power cut; NORMAL: the process's end."),
    Variable("IRISLITE_PURGE_DAYS", "0", "Finished messages older than so many days go, daily or oftener; 0: never."),
    Variable("IRISLITE_ALLOW_MIGRATE", "1", "0 refuses `iop --migrate`, which runs code that is uploaded."),
    Variable("IRISLITE_ALLOWED_HOSTS", "", "Further host names that the server answers to."),
    Variable("IRISLITE_HTTPS", "0", "1 where a proxy before the server speaks TLS: the cookie goes over TLS alone."),
    Variable("IRISLITE_SESSION_HOURS", "12", "How long a sign-in to the portal lasts."),
    Variable("IRISLITE_SESSION_IDLE_MINUTES", "60", "How long it lasts while nobody does anything."),
)


def effective() -> list[tuple[Variable, str, bool]]:
    """Each variable, the text that holds, and whether it was set; secrets are hidden."""
    found = []
    for variable in VARIABLES:
        text = os.environ.get(variable.name, "")
        shown = HIDDEN if text and variable.is_secret else text or variable.default
        found.append((variable, shown, bool(text)))
    return found
