"""A production in a test: started in a temporary folder, spoken to, looked at, gone afterwards.

with running("settings.py") as production:
    assert production.send("Echo", Ask("you")) == Answer("Hello you")
"""

import inspect
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the runtime is imported when a production is started: this module costs nothing before
    from irislite.bridge.projects import Visit
    from irislite.director import Director
    from irislite.eventlog import LogEntry
    from irislite.header import Header
    from irislite.sql import Tables
    from irislite.views import ItemView

DEFAULT_NAME = "Test.Production"
PATIENCE_S = 10.0  # how long an answer, or the end of all work, is waited for if nothing else is said
START_PATIENCE_S = 60.0  # how long an item's on_init may take
_LOOK_S = 0.002
_numbers = itertools.count(1)
_running: list["Running"] = []

Source = Any  # a settings file, an iop Production, a dictionary, component classes: see `running`


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message of the trace. `body` is a Python object, `classname` its class as it is stored.

    `kind` is request or response; `status` as operators say it, as in Completed; `error` empty or what went wrong.
    """

    id: int
    session: int
    kind: str
    source: str
    target: str
    classname: str
    body: Any
    status: str
    error: str
    description: str

    def __str__(self) -> str:
        sign = "→" if self.kind == "request" else "⇢"
        return f"[{self.id}] {self.source} {sign} {self.target}  {self.body!r}  {self.status}  {self.error}".rstrip()


class Running:
    """A production that runs. `running`, or the fixture `production`, makes one."""

    def __init__(self, source: Source, home: Path, name: str, settings: "Settings", check: bool) -> None:
        self.home = home
        self.name = name
        self._source = source
        self._settings = dict(settings)
        self._check = check
        self._director: Director | None = None
        self._visit: Visit | None = None
        self._module = ModuleType(f"irislite_testing_{next(_numbers)}")

    # -- messages --------------------------------------------------------------------------

    def send(self, target: str, message: Any = None, timeout: float | None = PATIENCE_S) -> Any:
        """Send a message to an item as the test page does; the answer as a Python object, None if it has no body.

        `message` is a message object of `iop`; a text goes as an `Ens.StringRequest`, None as an `Ens.Request`.
        Raises `RequestFailed` with the target's words and its traceback, `RequestTimeout` after `timeout` seconds.
        """
        from irislite import testpage
        from irislite.bridge.messages import pack, unpack
        from irislite.errors import RequestFailed

        try:
            call = self.director.router.send_sync(testpage.TESTER, target, pack(message), timeout)
        except RequestFailed as error:
            self._settle()
            for line in self.director.eventlog.of_session(error.session_id):
                if line.stack:
                    error.add_note(f"{line.config_name}: {line.stack}")
            raise
        return unpack(call.answer())

    def send_async(self, target: str, message: Any = None) -> int:
        """Send a message and do not wait. Returns its session's number, for `trace_of`."""
        from irislite import testpage
        from irislite.bridge.messages import pack

        return self.director.router.send_async(testpage.TESTER, target, pack(message)).session_id

    def service(self, name: str) -> Any:
        """The component of a service, to call its methods, as in `service("Door").on_process_input(...)`."""
        return self.director.create_service(name).GetClass()

    def wait_idle(self, timeout: float = PATIENCE_S) -> None:
        """Wait until no message waits, none is worked on and no process is open.

        A process in a private session that only waits for the next document counts as idle.
        Raises `TimeoutError` that names what is still at work after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            if not (busy := self._busy()):
                self._settle()  # what was being written may have made new work
                if not (busy := self._busy()):
                    return
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"After {timeout:g} s there is still work: {'; '.join(busy)}. Allow more time, or disable what "
                    "sends by itself."
                )
            time.sleep(_LOOK_S)

    # -- what happened -----------------------------------------------------------------------

    @property
    def trace(self) -> list[Arrow]:
        """All messages there are in the folder, in the order in which they were sent."""
        self._settle()
        return self._arrows(self.director.store.latest(1_000_000)[::-1])

    def trace_of(self, session: int) -> list[Arrow]:
        """The messages of one session."""
        self._settle()
        return self._arrows(self.director.store.session(session))

    @property
    def log(self) -> "list[LogEntry]":
        """The event log, oldest first: `type`, `config_name`, `text`, `stack` of each entry."""
        self._settle()
        return self.director.eventlog.newest(1_000_000)[::-1]

    def item(self, name: str) -> "ItemView":
        """An item: its `state`, the `reason` if it does not run, `queue_count`, `processed`."""
        return self.director.item(name)

    @property
    def tables(self) -> "Tables":
        """The SQL tables that components see: `tables.execute("SELECT ...", [...])`."""
        return self.director.tables

    @property
    def director(self) -> "Director":
        """The runtime itself, for everything else. Raises `RuntimeError` when the production is gone."""
        if self._director is None:
            raise RuntimeError("This production is gone: use it inside its `with` block or test.")
        return self._director

    # -- what runs ----------------------------------------------------------------------------

    def override(
        self, item: str, settings: "Mapping[Key, object] | None" = None, *, pool_size: int | None = None,
        enabled: bool | None = None,
    ) -> None:  # fmt: skip
        """Change an item's settings and restart it alone. A key is a name, or ("Adapter", name); None is the default.

        Raises `ProductionError` if the item does not come up, or has no setting of a name; free options are lines of
        `%settings`.
        """
        director = self.director
        director.apply_settings(item, self._checked(item, settings or {}), pool_size)
        if enabled is not None:
            director.enable_item(item, enabled)

    def restart(self) -> None:
        """Stop everything, forget what is in memory, and start again from the same folder."""
        self._close()
        self._open()

    # -- inside -------------------------------------------------------------------------------

    def _open(self) -> None:
        from irislite.bridge import projects
        from irislite.director import Director

        file = _settings_file(self._source)
        if self._visit is None:
            self._visit = projects.Visit([file.resolve().parent] if file else [])
        sys.modules[self._module.__name__] = self._module
        self._director = Director(self.home, synchronous="NORMAL")
        try:
            loaded = self._take(self._director, file)
            self.name = self.name or loaded
            self._director.set_default_production(self.name)
            while self._settings:  # after a restart the folder knows them
                item, settings = self._settings.popitem()
                self._director.apply_settings(item, self._checked(item, settings))
            self._director.start(self.name)
            self._wait_for_start()
        except BaseException:
            self._close()
            raise

    def _checked(self, item: str, settings: "Mapping[Key, object]") -> dict[tuple[str, str], str | None]:
        """Settings as the director takes them; a misspelt one would make the test say nothing."""
        from irislite.config import PLUMBING
        from irislite.errors import ProductionError, near
        from irislite.header import BusinessType
        from irislite.itemsettings import NOT_IMPLEMENTED

        texts = _texts(settings)
        known = {view.name for view in self.director.settings(item)}
        if self.director.item(item).kind is not BusinessType.UNKNOWN:  # else its start tells what is wrong
            for _, name in texts:
                if name not in known | PLUMBING | NOT_IMPLEMENTED:
                    raise ProductionError(f"{item} has no setting {name!r}.{near(name, known)}")
        return texts

    def _take(self, director: "Director", file: Path | None) -> str:
        """Register what is to run. Returns its name."""
        if file is not None:
            return director.load(file)
        items = _classes(self._source)
        if not items:
            if not isinstance(self._source, Mapping) and not hasattr(self._source, "to_dict"):
                raise TypeError(
                    f"A {type(self._source).__name__} is no production: give a settings file, a Production of iop, its "
                    "dictionary, or component classes."
                )
            return director.register(self._source)
        from irislite.productions import Component

        rows: list[dict[str, Any]] = []
        for name, component in items.items():
            attribute = f"{component.__name__}_{len(rows)}"
            setattr(self._module, attribute, component)  # found by name, though it may be defined inside a test
            class_name = f"Test.{attribute}"
            director.bind_component(Component(class_name, self._module.__name__, attribute, ""))
            rows.append({"@Name": name, "@ClassName": class_name})
        title = self.name or DEFAULT_NAME
        return director.register({title: {"@Name": title, "Item": rows}})

    def _wait_for_start(self) -> None:
        from irislite.errors import ProductionError
        from irislite.views import ItemState

        deadline = time.monotonic() + START_PATIENCE_S
        while starting := [item.name for item in self.director.items() if item.state is ItemState.STARTING]:
            if time.monotonic() > deadline:
                raise ProductionError(
                    f"{', '.join(starting)} did not start within {START_PATIENCE_S:g} s: see what on_init waits for."
                )
            time.sleep(_LOOK_S)
        failed = [item for item in self.director.items() if item.state is ItemState.ERROR]
        if self._check and failed:
            self._settle()
            parts = [f"{item.name} could not be started: {item.reason}\n{self._stack_of(item.name)}" for item in failed]
            raise ProductionError(
                "\n".join([*parts, "Correct this, or start with check=False to test the other items."])
            )

    def _stack_of(self, item: str) -> str:
        entries = self.director.eventlog.newest(50, config_name=item)
        return next((entry.stack for entry in entries if entry.stack), "")

    def _close(self) -> None:
        if self._director is not None:
            self._director.close()
            self._director = None

    def _end(self) -> None:
        self._close()
        sys.modules.pop(self._module.__name__, None)
        if self._visit is not None:
            self._visit.end()
            self._visit = None

    def _busy(self) -> list[str]:
        """What is at work, in words. Messages for an item that does not run wait, and are no work."""
        from irislite.header import BusinessType
        from irislite.views import ItemState

        busy = []
        for item in self.director.items():
            count = item.queue_count + item.in_progress
            if count and item.state in (ItemState.RUNNING, ItemState.STARTING):
                busy.append(f"{item.name} has {count} message{'s' * (count > 1)}")
            elif item.kind is BusinessType.PROCESS and self.director.store.has_busy_processes(item.name):
                busy.append(f"{item.name} waits for an answer or a timer")
        return busy

    def _settle(self) -> None:
        """Wait until everything that was written so far can be read."""
        self.director.flush()

    def _arrows(self, headers: "list[Header]") -> list[Arrow]:
        from irislite.bridge.messages import unpack
        from irislite.header import MessageType

        store, arrows = self.director.store, []
        for header in headers:
            body = store.body(header.message_body_id) if header.message_body_id else None
            arrows.append(
                Arrow(
                    header.id, header.session_id,
                    "request" if header.type is MessageType.REQUEST else "response",
                    header.source_config_name, header.target_config_name,
                    body.classname if body is not None else "", unpack(body),
                    header.status.name.title(), header.error_text, header.description,
                )
            )  # fmt: skip
        return arrows


Key = str | tuple[str, str]
Settings = Mapping[str, Mapping[Key, object]]


@contextmanager
def running(
    source: Source,
    *,
    name: str = "",
    settings: Settings | None = None,
    home: str | Path | None = None,
    check: bool = True,
) -> Iterator[Running]:
    """Start a production for the time of a `with` block.

    `source` is a settings file (its first production, or the one called `name`), a `Production` of `iop`,
    its dictionary, a list of component classes, or a dictionary of item names and component classes.
    `settings` overrides settings: {"Echo": {"greeting": "Bye"}}. `home` keeps messages and tables after the
    test; without it they are in a temporary folder. With `check`, an item that does not start is an error.
    Raises `ProductionError` with the item's traceback. One production runs at a time.
    """
    if _running:
        raise RuntimeError(f"{_running[0].name} is running: end it first, one production runs at a time.")
    with tempfile.TemporaryDirectory(prefix="irislite-") as temporary:
        production = Running(source, Path(home or temporary), name, settings or {}, check)
        _running.append(production)
        try:
            production._open()
            yield production
        finally:
            _running.remove(production)
            production._end()


def _settings_file(source: Source) -> Path | None:
    return Path(source) if isinstance(source, str | Path) else None


def _classes(source: Source) -> dict[str, type]:
    """The items that classes stand for; empty if the source is something else."""
    if inspect.isclass(source):
        source = [source]
    if isinstance(source, Mapping) and all(map(inspect.isclass, source.values())):
        return dict(source)
    if isinstance(source, Sequence) and all(map(inspect.isclass, source)):
        return {component.__name__: component for component in source}
    return {}


def _texts(settings: Mapping[Key, object]) -> dict[tuple[str, str], str | None]:
    """Settings as the director takes them."""
    pairs = ((key if isinstance(key, tuple) else ("Host", key), value) for key, value in settings.items())
    return {key: None if value is None else str(value) for key, value in pairs}


def factory(home: Callable[[], Path]) -> Iterator[Callable[..., Running]]:
    """The work of the pytest fixture: start, one after the other; end the last one; tell what went wrong."""
    with ExitStack() as opened:

        def start(source: Source, **options: Any) -> Running:
            opened.close()
            production = opened.enter_context(running(source, **{"home": home(), **options}))
            opened.callback(_tell, production)
            return production

        yield start


def _tell(production: Running) -> None:
    """Print messages, and warnings and errors of the log: pytest shows them below a test that failed."""
    from irislite.eventlog import LogType

    for arrow in production.trace:
        print(arrow)
    for entry in production.log:
        if entry.type in (LogType.ERROR, LogType.WARNING, LogType.ALERT):
            print(f"{entry.type.name.title()}  {entry.config_name}  {entry.text}")
            if entry.stack:
                print(entry.stack)
