"""The command line: `evergreen experiment new`, `run`, `status`, `compare`, `cancel`, `promote`."""

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import experiment
from experiment.errors import BadRequest, SettingsInvalid

Connect = Callable[[], Any]
"""Opens a DB-API connection to the tables of the namespace."""

Promote = Callable[["experiment.Winner", str, Path], str]
"""Puts a winner in the place of a model that answers; says what happened."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `experiment`."""
    parser = commands.add_parser("experiment", help="compare models on your data: new, run, status, compare, promote")
    acts = parser.add_subparsers(dest="act", required=True)
    new = acts.add_parser("new", help="write an experiment's folder; without data it compares on the shipped reviews")
    new.add_argument("name", help="its name, as EXP-3333-longformer, which lies in src/experiments, or a path")
    new.add_argument("--csv", nargs="+", default=[], metavar="FILE", help="files of records: .csv .tsv .jsonl .parquet")
    new.add_argument("--test", nargs="+", default=[], metavar="FILE", help="files of the test set (a share of them)")
    new.add_argument("--table", default="", help="a table of the namespace, as iris.Review")
    new.add_argument("--text-column", default="", metavar="NAME", help="the column with the text")
    new.add_argument("--label-column", default="", metavar="NAME", help="the column with the label")
    new.add_argument("--models", nargs="+", default=[], metavar="NAME", help="what to compare (MiniLM and parts of it)")
    new.add_argument("--use-case", default="", metavar="TEXT", help="what it is about")
    new.add_argument("--stubs", action="store_true", help="leave the five functions empty")
    check = acts.add_parser("check", help="say all that is wrong with an experiment, and start nothing")
    run = acts.add_parser("run", help="from the records to a comparison; goes on with a run that was interrupted")
    status = acts.add_parser("status", help="how the runs stand, and their steps")
    compare = acts.add_parser("compare", help="the models of a run, beside one another")
    cancel = acts.add_parser("cancel", help="let a run stop; what is finished is kept")
    promote = acts.add_parser("promote", help="put the best model in the place of one that answers")
    for one in (check, run, status, compare, cancel, promote):
        one.add_argument("name", help="the experiment: its name in src/experiments, or a path")
    for one in (status, compare, cancel, promote):
        one.add_argument("--run", type=int, metavar="N", help="the run's number (the newest)")
    promote.add_argument("--model", default="", help="which model (the winner)")
    promote.add_argument("--to", required=True, metavar="FOLDER", help="the model in src/model that answers")


def run(options: argparse.Namespace, connect: Connect, promote: Promote) -> None:
    """Do what was typed. Raises `ExperimentError`."""
    folder = experiment.located(options.name)
    if options.act == "new":
        _new(options, folder)
    elif options.act == "check":
        problems = experiment.validate(folder, _connection(folder, connect))
        if problems:
            raise SettingsInvalid(problems)
        print("Nothing is wrong. The functions are tried on two records when it is run.")
    elif options.act == "run":
        found = experiment.run(folder, connection=_connection(folder, connect), told=_say, by=getpass.getuser())
        print(f"\n{_comparison(folder, found['run'])}", end="")
    elif options.act == "status":
        _status(folder, options.run)
    elif options.act == "compare":
        print(_comparison(folder, options.run), end="")
    elif options.act == "cancel":
        print(f"Run {experiment.cancel(folder, options.run)} stops soon; what is finished is kept.")
    else:
        winner = experiment.winner(folder, options.run, options.model)
        print(promote(winner, options.to, folder))


def _new(options: argparse.Namespace, folder: Path) -> None:
    if options.table and options.csv:
        raise BadRequest("Name files with --csv, or a table with --table; settings.ini can have both later.")
    given = {"models": tuple(options.models)} if options.models else {}
    source = experiment.Source(
        files=tuple(options.csv), test_files=tuple(options.test), table=options.table, text_column=options.text_column,
        label_column=options.label_column, use_case=options.use_case, **given,
    )  # fmt: skip
    made = experiment.new(folder, source, options.stubs)
    print(f"{made} is there. Look at settings.ini, and run it:\n  evergreen experiment run {options.name}")


def _status(folder: Path, number: int | None) -> None:
    found = [one for one in experiment.runs(folder) if number in (None, one["number"])]
    if not found:
        print("There is no run yet. Start one: evergreen experiment run NAME")
    for one in found:
        print(f"run {one['number']}: {one['state']}, began {one['began']}{' by ' + one['by'] if one['by'] else ''}")
        if one["error"]:
            print(f"  {one['error']}")
        for step in one["steps"]:
            took = f"{step['seconds']:.1f} s" if step["seconds"] else ""
            more = "unchanged" if step["reused"] else step["note"] if step["state"] == "running" else step["error"]
            print(f"  {step['key']:<40} {step['state']:<12} {took:>10}  {more}".rstrip())


def _comparison(folder: Path, number: int | None) -> str:
    from experiment import ranking

    return ranking.table(experiment.comparison(folder, number))


def _connection(folder: Path, connect: Connect) -> Any:
    """A connection, if a table of the namespace is named."""
    from experiment.settings import read

    settings, _ = read(folder)
    named = settings.values and (settings.get("data.TABLE") or settings.get("data.LABELS_TABLE"))
    return connect() if named and not settings.get("data.DATABASE") else None


def _say(line: str) -> None:
    print(line, flush=True)
