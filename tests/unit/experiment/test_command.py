"""The command line, as docs/experiment.md has it."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import evergreen
from experiment import command
from unit.experiment.folders import set_keys
from unit.experiment.trials_of_words import QUICK, write_models, write_rows

PAGE = Path(__file__).parents[3] / "docs" / "experiment.md"


def test_every_command_of_the_page_is_one() -> None:
    parser = argparse.ArgumentParser(prog="evergreen")
    command.register(parser.add_subparsers(dest="command"))
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("evergreen experiment ")]
    acts = {parser.parse_args(shlex.split(line)[1:]).act for line in lines}
    assert acts == {"new", "check", "run", "status", "compare", "promote", "cancel"}


def test_from_new_to_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    data = write_rows(tmp_path / "rows.csv", 80)
    write_models(tmp_path / "src" / "model")
    new = ["experiment", "new", "EXP-1-first", "--csv", str(data), "--models", "tiny-one", "tiny-two"]
    assert evergreen.main(new) == 0
    folder = tmp_path / "src" / "experiments" / "EXP-1-first"
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "docker", "run.sh", "settings.ini", "src"]
    assert evergreen.main(new) == 1 and "is not empty" in capsys.readouterr().err
    set_keys(folder, **{**QUICK, "EPOCHS": "1"})
    assert evergreen.main(["experiment", "check", "EXP-1-first"]) == 0
    assert evergreen.main(["experiment", "status", "EXP-1-first"]) == 0 and "no run yet" in capsys.readouterr().out
    assert evergreen.main(["experiment", "run", "EXP-1-first"]) == 0
    told = capsys.readouterr().out
    assert "| tiny-one" in told and "is best by f1_macro on the validation rows" in told
    assert evergreen.main(["experiment", "compare", "EXP-1-first"]) == 0
    assert capsys.readouterr().out in told
    assert evergreen.main(["experiment", "status", str(folder)]) == 0 and "run 1: done" in capsys.readouterr().out
    assert evergreen.main(["experiment", "cancel", "EXP-1-first"]) == 1
    assert "nothing to cancel" in capsys.readouterr().err
    set_keys(folder, EPOCHS="none")
    assert evergreen.main(["experiment", "run", "EXP-1-first"]) == 1
    assert "EPOCHS: 'none' is no whole number" in capsys.readouterr().err


def test_stubs_are_for_who_writes_all_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_rows(tmp_path / "rows.csv", 8)
    folder = tmp_path / "EXP-2"
    assert evergreen.main(["experiment", "new", str(folder), "--csv", str(data), "--stubs"]) == 0
    assert evergreen.main(["experiment", "check", str(folder)]) == 1
    assert capsys.readouterr().err.count("does nothing (pass)") == 5


def test_the_files_for_runs_elsewhere_are_well_formed(tmp_path: Path) -> None:
    folder = tmp_path / "EXP-5"
    assert evergreen.main(["experiment", "new", str(folder)]) == 0
    tools = Path(sys.executable).parent
    for tool, file in (
        ("hadolint", "docker/processing.Dockerfile"),
        ("hadolint", "docker/training.Dockerfile"),
        ("shellcheck", "run.sh"),
    ):
        done = subprocess.run([tools / tool, folder / file], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_columns_that_nobody_can_guess(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("a,b\n1,2\n")
    assert evergreen.main(["experiment", "new", str(tmp_path / "EXP-3"), "--csv", str(file)]) == 1
    assert "has the columns a, b: say which are which" in capsys.readouterr().err
    assert evergreen.main(["experiment", "new", str(tmp_path / "EXP 4"), "--csv", str(file)]) == 1
    assert "cannot name an experiment" in capsys.readouterr().err
