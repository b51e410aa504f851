"""Settings files: read with their own modules, and what `iop` registers for them kept as configured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from irislite import itemsettings
from irislite.bridge import migration, projects
from irislite.config import Production
from irislite.errors import IrisliteError, ProductionError
from irislite.productions import NO_FILE, Component, Productions, Taken


@dataclass(slots=True)
class Found:
    """What a file registered, by name; `iop`'s words about it, and what its validation found."""

    file: Path | None = None
    productions: list[str] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    words: str = ""
    issues: list[str] = field(default_factory=list)
    taken: dict[str, Taken] = field(default_factory=dict)  # productions -> what the file took the place of


class Loader:
    """Takes productions and components, from files or as they are. `running()` is the production that runs."""

    def __init__(self, productions: Productions, running: Callable[[], Production | None]) -> None:
        self._productions = productions
        self._running = running
        self._found: Found | None = None  # while a file is loaded

    def load(self, settings_file: Path, strict: bool) -> Found:
        """Read a settings or production file. Raises `ProductionError` if it cannot be read, or names nothing."""
        path = settings_file.resolve()
        if not path.is_file():
            raise ProductionError(f"There is no file {settings_file}: name a settings or production file.")
        with self._gathering(path) as found, self._reading(path, found):
            with _told(f"{settings_file} cannot be loaded"):
                found.words, found.issues = migration.migrate(path, strict)
            if not found.productions and not found.classes:
                raise ProductionError(f"{settings_file} names no production: define PRODUCTIONS = [...] in it.")
        return found

    def register(self, production: Any) -> str:
        """The same for a production object of `iop`, or its dictionary, without a file. Returns its name."""
        with self._gathering() as found, _told("The production cannot be taken"):
            migration.register(production)
        return found.productions[0]

    def take(self, production: Production) -> None:
        """Keep a production: while a file is loaded, edits made since the last time stay; else it replaces what is."""
        for item in production.items:
            itemsettings.schedule_of(item)  # a wrong one is refused here, not at the next start
        if self._found is None:
            self._productions.replace(production)
        else:
            self._found.taken[production.name] = self._productions.register(
                production, str(self._found.file or NO_FILE)
            )
            self._found.productions.append(production.name)

    def bind(self, component: Component) -> None:
        """Keep a Python class."""
        self._productions.bind(component)
        if self._found is not None:
            self._found.classes.add(component.class_name)

    @contextmanager
    def _gathering(self, file: Path | None = None) -> Iterator[Found]:
        """While it is open, what `iop` registers comes from a file; the names are gathered."""
        self._found = Found(file)
        try:
            yield self._found
        finally:
            self._found = None

    @contextmanager
    def _reading(self, file: Path, found: Found) -> Iterator[None]:
        """While it is open, modules are read from the file's folder. They stay, unless something else runs."""
        running, visit = self._running(), projects.Visit([file.parent])
        try:
            yield
        except BaseException:
            visit.end()
            raise
        if (
            running is not None
            and running.name not in found.productions
            and not any(item.class_name in found.classes for item in running.items)
        ):
            visit.end()


@contextmanager
def _told(what: str) -> Iterator[None]:
    """The user's code runs in it: whatever it raises is told with its name."""
    try:
        yield
    except IrisliteError:
        raise
    except Exception as error:
        raise ProductionError(f"{what}: {type(error).__name__}: {error}.") from error
