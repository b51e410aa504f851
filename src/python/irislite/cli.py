"""The command line: `irislite run`, `irislite load`, and what `chores` adds."""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from irislite import audit, chores
from irislite.environment import VARIABLES
from irislite.errors import IrisliteError
from irislite.folder import lock

DEFAULT_PORT = 52795
DEFAULT_HOST = "127.0.0.1"
HOME_NAME = ".irislite"
PORTAL_PATH = "/csp/irisapp/EnsPortal.ProductionConfig.zen?PRODUCTION={production}"

RUN_DESCRIPTION = """\
Start the first production of a settings or production file, and serve its portal and the REST service of the
iop command line until Ctrl-C. Messages, tables and log are kept in the data folder."""
RUN_EPILOG = "environment variables:\n" + "\n".join(
    f"  {variable.name:<30}{variable.meaning}" + (f" ({variable.default})" if variable.default else "")
    for variable in VARIABLES
)


def home_of(file: Path) -> Path:
    """The data folder of a production: `IRISLITE_HOME`, or `.irislite` beside its file."""
    override = os.environ.get("IRISLITE_HOME")
    return Path(override) if override else file.resolve().parent / HOME_NAME


def find_home() -> Path:
    """The data folder for commands that name no production: `IRISLITE_HOME`, or the one below this folder."""
    override = os.environ.get("IRISLITE_HOME")
    if override:
        return Path(override)
    found = [folder for pattern in ("", "*/", "*/*/") for folder in Path.cwd().glob(pattern + HOME_NAME)]
    if len(found) != 1:
        told = f"several: {', '.join(map(str, found))}" if found else "none"
        raise IrisliteError(
            f"Which data folder? Below {Path.cwd()} there is {told}. Name it with --home or in IRISLITE_HOME; "
            "`irislite run FILE` makes it beside the file."
        )
    return found[0]


def address() -> tuple[str, int]:
    """Host and port to serve on, from `HOST` and `PORT`. Raises `IrisliteError` for what is no port."""
    text = os.environ.get("PORT", str(DEFAULT_PORT))
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise IrisliteError(f"PORT is {text!r}: set it to a number from 1 to 65535.")
    return os.environ.get("HOST", DEFAULT_HOST), int(text)


def run(file: Path, ready: Callable[[str], None] = lambda url: None) -> None:
    """Start the first production of a settings or production file and serve it until Ctrl-C.

    `ready(url)` is called in the main thread as soon as portal and REST answer; it must not block.
    """
    # The web side is heavy: the other commands do without it.
    from irislite.director import Director
    from irislite.housekeeping import purge_days
    from irislite.web.accounts import Accounts
    from irislite.web.app import create_app
    from irislite.web.applications import applications_of
    from irislite.web.portal.rooms import rooms_of
    from irislite.web.server import listen, serve

    # NiceGUI looks at every object of the process while it mounts; torch's deprecated ones warn at a look.
    warnings.filterwarnings("ignore", category=FutureWarning, module="nicegui")
    host, port = address()
    if not file.is_file():
        raise IrisliteError(f"There is no file {file}: name a settings or production file.")
    days, home = purge_days(), home_of(file)
    try:
        listening = listen(host, port)  # first of all: a port that is taken is told at once
    except IrisliteError:
        if home.is_dir():
            lock(home).close()  # taken by a server on this very folder: another port would not help
        raise
    director = Director(home, os.environ.get("IRISLITE_SYNCHRONOUS", "FULL"), echo=_echo)
    try:
        accounts = Accounts.open(home, os.environ.get("IRISUSERNAME"), os.environ.get("IRISPASSWORD"))
        production = director.load(file)
        director.start(production)
        rooms, applications = rooms_of(file), applications_of(file)
        if days is not None:
            director.housekeeping.purge_daily(days)
        shown = "localhost" if host in ("127.0.0.1", "0.0.0.0") else host  # noqa: S104 - compared, not bound
        url = f"http://{shown}:{port}"

        def announce() -> None:
            print(f"\n  {production} is {director.status()['status']}.\n")
            print(f"  Portal    {url}{PORTAL_PATH.format(production=production)}")
            print(f"  REST      {url}/api/iop      (IOP_URL={url} for the iop command line)")
            kept = "set in IRISPASSWORD" if os.environ.get("IRISPASSWORD") else f"kept in {home / 'password'}"
            print(f"  Sign in   {accounts.username} / {accounts.made or 'the password'}   ({kept})")
            print("  Stop      Ctrl-C\n", flush=True)
            ready(url)

        serve(create_app(director, accounts, host, rooms, applications), host, port, announce, listening)
    finally:
        busy = [item.name for item in director.items() if item.in_progress] if director.is_running else []
        if busy:
            print(f"{', '.join(busy)} may finish the message at hand (30 s at most); Ctrl-C again stops at once.")
            print("What is not finished is handled again at the next start.", flush=True)
        director.close()


def load(table: str, file: Path, replace: bool, home: Path) -> int:
    """Load a CSV file into a SQL table. Returns the number of rows that could not be loaded."""
    from irislite.sql import Tables

    started = time.monotonic()
    shown_at = 0.0

    def progress(rows: int, done: int, total: int) -> None:
        nonlocal shown_at
        if sys.stderr.isatty() and time.monotonic() - shown_at >= 0.5:
            shown_at = time.monotonic()
            print(f"{rows:,} rows, {100 * done // max(total, 1)} %", end="\r", file=sys.stderr, flush=True)

    with audit.from_command_line(home, "Load a CSV file", table) as deed:
        report = Tables(home).load_csv(table, file, mode="replace" if replace else "append", progress=progress)
        deed.tell(f"{report.rows:,} rows of {file}.")
    for line, reason in report.bad:
        print(f"{file}:{line}: {reason}", file=sys.stderr)
    done = "replaced by" if replace else "got"
    print(f"{table} {done} {report.rows:,} rows in {time.monotonic() - started:.1f} s.", end="")
    print(f" {report.bad_rows:,} rows were not loaded: see above." if report.bad_rows else "")
    return report.bad_rows


def _echo(type: int, config_name: str, text: str) -> None:
    from irislite.eventlog import LogType

    if type in (LogType.ERROR, LogType.WARNING, LogType.ALERT):
        print(f"{LogType(type).name.title()}  {config_name}  {text}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """The `irislite` command."""
    parser = argparse.ArgumentParser(
        prog="irislite",
        description="Host an iop production without InterSystems IRIS.",
        epilog="`irislite COMMAND --help` says more. The `iop` command line drives a running server: set IOP_URL.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run_command = commands.add_parser(
        "run", help="start a production and serve portal and REST", description=RUN_DESCRIPTION, epilog=RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    run_command.add_argument("file", type=Path, help="the settings or production file")
    load_command = commands.add_parser(
        "load",
        help="load a CSV file with a header row into a SQL table",
        description="Load a CSV file into a SQL table; the header row names the columns. A row that cannot be loaded "
        "is told with its line, the others are loaded.",
    )
    load_command.add_argument("table", help="the table, as in iris.Review")
    load_command.add_argument("file", type=Path, help="the CSV file")
    mode = load_command.add_mutually_exclusive_group()
    mode.add_argument("--replace", action="store_true", help="replace the rows that are there")
    mode.add_argument("--append", action="store_true", help="add to the rows that are there (the default)")
    for command in (load_command, *chores.register(commands)):
        command.add_argument(
            "--home", type=Path, default=None, help="the data folder (default: IRISLITE_HOME, or the one found here)"
        )
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            run(options.file)
        elif options.command == "load":
            return 1 if load(options.table, options.file, options.replace, options.home or find_home()) else 0
        else:
            chores.run(options, options.home or find_home())
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads what is printed, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (IrisliteError, OSError) as error:
        print(f"irislite: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
