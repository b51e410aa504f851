"""The command line of the application: `evergreen run`, `serve`, `demo`, `keys`, `experiment`, `sentiment`."""

import argparse
import itertools
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import demo
import experiment
import inference.bundled
import paths
import replica
from api import commands as keys
from api.errors import ApiError
from experiment import ExperimentError
from experiment import command as experiments
from irislite import cli
from irislite.errors import IrisliteError
from sentiment import SentimentError
from sentiment import commands as stream
from tuning import TuningError

PRODUCTION_FILE = Path(__file__).resolve().parent / "production.py"
TABLE = "iris.Review"


def prepare(home: Path) -> bool:
    """Put the bundled model and the review table in place. True until a start has done the main job."""
    from irislite.sql import Tables

    first = not (home / demo.DONE).exists()
    inference.bundled.install(paths.model_root(), print)
    tables = Tables(home)
    if TABLE not in tables.tables():
        report = tables.load_csv(TABLE, paths.project_root() / "misc" / "reviews.csv", mode="append")
        print(f"{TABLE} has {report.rows:,} rows, from misc/reviews.csv.")
    tables.close()
    return first


def run() -> None:
    """Start the production and serve it; on the very first start the main job runs by itself."""
    # Uploaded code runs below the data folder: there, the place of paths.py would be the wrong root.
    os.environ.setdefault("EVERGREEN_ROOT", str(paths.project_root()))
    home = cli.home_of(PRODUCTION_FILE)
    first = prepare(home) and os.environ.get("EVERGREEN_DEMO", "1") != "0"

    def ready(url: str) -> None:
        if first:
            print("This is the first start: the main job runs once, so that the first question gets a good answer.\n")
            threading.Thread(target=demo.run_quietly, args=(url, home), name="demo", daemon=True).start()

    cli.run(PRODUCTION_FILE, ready)
    # A model that is being converted, or a library that loads, would keep the process for up to a minute. The store is
    # closed, and what such threads write is staged: they may end anywhere.
    sys.stdout.flush()
    os._exit(0)


class NamespaceTables:
    """The tables of the namespace as a DB-API connection, beside a running server or without one."""

    def __init__(self, home: Path) -> None:
        from irislite.sql import Tables

        self._tables = Tables(home)

    def cursor(self) -> Any:
        """What runs one statement at a time."""
        return _Cursor(self._tables)


class _Cursor:
    def __init__(self, tables: Any) -> None:
        self._tables = tables

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._rows = self._tables.execute(statement, parameters)

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        return list(itertools.islice(self._rows, size))

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._rows)

    def close(self) -> None:
        self._rows.close()


def promote(winner: "experiment.Winner", model_name: str, folder: Path) -> str:
    """Put the winner of an experiment in the place of a model that answers; what happened."""
    import handover

    return handover.promote(winner, model_name, experiment.test_records(folder, winner.run))


def main(arguments: list[str] | None = None) -> int:
    """The `evergreen` command."""
    parser = argparse.ArgumentParser(prog="evergreen", description="Hugging Face models at work in a production.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start the production; portal and REST on HOST:PORT")
    commands.add_parser("demo", help="the main job against the running production: train, compare, promote, ask")
    replica.register(commands)
    keys.register(commands)
    experiments.register(commands)
    stream.register(commands.add_parser("sentiment", help="label a stream of posts without a production"))
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            run()
        elif options.command == "serve":
            replica.run(options)
        elif options.command == "keys":
            keys.run(options)
        elif options.command == "experiment":
            experiments.run(options, lambda: NamespaceTables(cli.home_of(PRODUCTION_FILE)), promote)
        elif options.command == "sentiment":
            stream.run(options)
        else:
            _, port = cli.address()
            demo.run(os.environ.get("IOP_URL", f"http://localhost:{port}"), cli.home_of(PRODUCTION_FILE))
    except (ApiError, IrisliteError, demo.DemoError, ExperimentError, SentimentError, TuningError, OSError) as error:
        print(f"evergreen: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
