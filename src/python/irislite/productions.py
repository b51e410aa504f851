"""Productions and components on disk: what is configured, what runs by default. The only SQL about them."""

import json
import sqlite3
from dataclasses import dataclass

from irislite import config
from irislite.config import Production
from irislite.database import Database
from irislite.errors import UnknownProduction, near


@dataclass(frozen=True, slots=True)
class Component:
    """A Python class under the name IRIS knows it by. `classpaths` are folders, separated by '|'."""

    class_name: str
    module: str
    classname: str
    classpaths: str


class Productions:
    """What is configured in one data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, source: Production, file: str = "") -> str:
        """Take a production from its file; edits made since the last time stay.

        Returns the other file that it was read from last, if that said something else; else nothing.
        """
        row = self._row(source.name)
        current, other = source, ""
        if row is not None:
            before = config.from_dict(source.name, json.loads(row["source"]))
            current = config.merge(config.from_dict(source.name, json.loads(row["current"])), before, source)
            last = self.kept(f"file {source.name}")
            other = last if last != file and before != source else ""
        self._put(source, current)
        self.keep(f"file {source.name}", file)
        return other

    def replace(self, production: Production) -> None:
        """Take a production as it is, whatever was there before."""
        self._put(production, production)

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
