"""The searches that people keep, each person their own."""

from typing import NamedTuple

from irislite.database import Database
from irislite.errors import BadRequest, UnknownSearch

MOST = 100  # of one person for one room
LONGEST_NAME = 80  # characters


class SavedSearch(NamedTuple):
    """A search under a name."""

    name: str
    query: str


class SavedSearches:
    """Those of one data folder. A `room` is `messages` or `log`; whoever calls has checked the query."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, owner: str, room: str) -> list[SavedSearch]:
        """A person's searches of a room, by name."""
        rows = self._database.reader().execute(
            "SELECT name, query FROM saved_search WHERE owner = ? AND room = ? ORDER BY name COLLATE NOCASE, name",
            (owner, room),
        )
        return [SavedSearch(*row) for row in rows]

    def save(self, owner: str, room: str, name: str, query: str) -> None:
        """Keep a search; one of the same name is replaced. Raises `BadRequest`."""
        name = name.strip()
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise BadRequest(f"The name of a search has 1 to {LONGEST_NAME} visible characters: give it another one.")
        kept = {search.name for search in self.of(owner, room)}
        if name not in kept and len(kept) >= MOST:
            raise BadRequest(f"{MOST} searches are kept for you here already: delete one first.")
        self._database.write(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO saved_search VALUES (?, ?, ?, ?)", (owner, room, name, query)
            )
        )

    def delete(self, owner: str, room: str, name: str) -> None:
        """Forget a search. Raises `UnknownSearch`."""
        found = self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM saved_search WHERE owner = ? AND room = ? AND name = ?", (owner, room, name)
                ).rowcount
            )
        )
        if not found:
            raise UnknownSearch(f"You have no search {name!r} here: reload the page to see those that you have.")
