"""Productions and components on disk: what is configured, what runs by default. The only SQL about them."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from irislite import config
from irislite.config import Production
from irislite.database import Database
from irislite.errors import UnknownProduction, near

NO_FILE = "(no file)"  # where a production came from that was given by itself, as through the API


@dataclass(frozen=True, slots=True)
class Component:
    """A Python class under the name IRIS knows it by. `classpaths` are folders, separated by '|'."""

    class_name: str
    module: str
    classname: str
    classpaths: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file took the place of.

    `other` is the file that said something else the last time, or `NO_FILE`; `overruled` are items whose edits the
    file took back.
    """

    other: str = ""
    overruled: tuple[str, ...] = ()

    def told(self, name: str, file: Path) -> str:
        """A sentence for the log about a production that was read from `file`; empty if nothing was lost."""
        if self.other == NO_FILE:
            return (
                f"{name} was replaced through the API since its file was read the last time; it is now as {file} says. "
                "To keep what it was, export it before the file is run, or run the file that it came from."
            )
        if self.other:
            text = f"{name} was read from {self.other} the last time; it is now as {file} says."
            return f"{text} To keep the other, run that file."
        if self.overruled:
            return (
                f"{file} has changed: where it changed the same, edits to {', '.join(self.overruled)} that were made "
                "in the portal are gone. Look at these items, and edit them again if needed."
            )
        return ""


class Productions:
    """What is configured in one data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, source: Production, file: str = "") -> Taken:
        """Take a production from its file; edits made since the last time stay, but where the file changed too."""
        row = self._row(source.name)
        current, taken = source, Taken()
        if row is not None:
            before = config.from_dict(source.name, json.loads(row["source"]))
            edited = config.from_dict(source.name, json.loads(row["current"]))
            current = config.merge(edited, before, source)
            last = self.kept(f"file {source.name}")
            if last != file and before != source:
                taken = Taken(last)
            else:
                taken = Taken(overruled=tuple(config.overruled(edited, before, current)))
        self._put(source, current)
        self.keep(f"file {source.name}", file)
        return taken

    def replace(self, production: Production) -> None:
        """Take a production as it is, whatever was there before."""
        self._put(production, production)
        self.keep(f"file {production.name}", NO_FILE)

    def save(self, production: Production) -> None:
        """Keep an edit."""
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE production SET current = ? WHERE name = ?",
                (json.dumps(config.to_dict(production)), production.name),
            )
        )

    def production(self, name: str) -> Production:
        """A production as it should run. Raises `UnknownProduction`."""
        row = self._row(name)
        if row is None:
            raise UnknownProduction(f"There is no production {name!r}.{near(name, self.names())}")
        return config.from_dict(name, json.loads(row["current"]))

    def names(self) -> list[str]:
        """The names of all productions."""
        return [row["name"] for row in self._database.reader().execute("SELECT name FROM production ORDER BY name")]

    def times(self, name: str) -> tuple[str, str]:
        """When a production was last started and last stopped; empty for never."""
        row = self._row(name)
        return (row["last_start_time"], row["last_stop_time"]) if row is not None else ("", "")

    def stamp(self, name: str, started: bool, time: str) -> None:
        """Note that a production was started or stopped."""
        column = "last_start_time" if started else "last_stop_time"
        self._database.write(
            lambda connection: connection.execute(f"UPDATE production SET {column} = ? WHERE name = ?", (time, name))
        )

    def bind(self, component: Component) -> None:
        """Register a Python class."""
        self._database.write(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO component (class_name, module, classname, classpaths) VALUES (?, ?, ?, ?)",
                (component.class_name, component.module, component.classname, component.classpaths),
            )
        )

    def unbind(self, class_name: str) -> bool:
        """Forget a Python class; False if there was none of that name."""
        return bool(
            self._database.write(
                lambda connection: (
                    connection.execute("DELETE FROM component WHERE class_name = ?", (class_name,)).rowcount
                )
            )
        )

    def components(self) -> dict[str, Component]:
        """All registered Python classes, by the name IRIS knows them by."""
        rows = self._database.reader().execute("SELECT class_name, module, classname, classpaths FROM component")
        return {row["class_name"]: Component(*row) for row in rows}

    def classpaths(self, production: Production) -> str:
        """The class path that all of a production's components are read from."""
        registered = self.components()
        texts = [item.setting("%classpaths") or "" for item in production.items]
        texts += [registered[item.class_name].classpaths for item in production.items if item.class_name in registered]
        return "|".join(texts)

    def kept(self, name: str) -> str:
        """A single value; empty if it was never kept."""
        row = self._database.reader().execute("SELECT value FROM keep WHERE name = ?", (name,)).fetchone()
        return row["value"] if row is not None else ""

    def keep(self, name: str, value: str) -> None:
        """Keep a single value."""
        self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO keep VALUES (?, ?)", (name, value))
        )

    def _put(self, source: Production, current: Production) -> None:
        self._database.write(
            lambda connection: connection.execute(
                "INSERT INTO production (name, source, current) VALUES (?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET source = excluded.source, current = excluded.current",
                (source.name, json.dumps(config.to_dict(source)), json.dumps(config.to_dict(current))),
            )
        )

    def _row(self, name: str) -> sqlite3.Row | None:
        row: sqlite3.Row | None = (
            self._database.reader().execute("SELECT * FROM production WHERE name = ?", (name,)).fetchone()
        )
        return row
