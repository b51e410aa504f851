"""`irislite load` and `irislite trace`, and what is said when they cannot."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from irislite import cli
from irislite.director import Director
from irislite.errors import IrisliteError
from irislite.folder import lock
from irislite.sql import Tables


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IRISLITE_HOME", "PORT", "HOST"):
        monkeypatch.delenv(name, raising=False)


def reviews(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "reviews.csv"
    file.write_text(text)
    return file


def test_a_file_is_loaded_added_and_replaced(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    file = reviews(tmp_path, "Label,Text\n1,bad\n5,good\n")
    home = str(tmp_path / "home")
    assert cli.main(["load", "iris.Mine", str(file), "--home", home]) == 0
    assert cli.main(["load", "iris.Mine", str(file), "--home", home, "--append"]) == 0
    count = lambda: next(Tables(tmp_path / "home").execute("SELECT COUNT(*) FROM iris.Mine"))[0]  # noqa: E731
    assert count() == 4
    assert cli.main(["load", "iris.Mine", str(file), "--home", home, "--replace"]) == 0
    assert count() == 2
    assert "iris.Mine replaced by 2 rows" in capsys.readouterr().out


def test_a_bad_row_is_told_by_its_line_and_the_good_ones_are_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    home = str(tmp_path / "home")
    cli.main(["load", "iris.Mine", str(reviews(tmp_path, "Label,Text\n1,bad\n")), "--home", home])
    file = reviews(tmp_path, 'Label,Text\n2,"two\nlines"\nfive,good\n3\n4,fine\n')
    assert cli.main(["load", "iris.Mine", str(file), "--home", home]) == 1
    told = capsys.readouterr()
    assert f"{file}:4: " in told.err
    assert f"{file}:5: " in told.err
    assert "got 2 rows" in told.out
    assert "2 rows were not loaded" in told.out


@pytest.mark.parametrize("arguments", [["load", "iris.Mine", "not-there.csv"], ["load", "a b", "{file}"]])
def test_what_cannot_be_loaded_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str]) -> None:
    file = str(reviews(tmp_path, "Label,Text\n1,bad\n"))
    arguments = [file if argument == "{file}" else argument for argument in arguments]
    assert cli.main([*arguments, "--home", str(tmp_path / "home")]) == 1
    assert capsys.readouterr().err.startswith("irislite: ")


def test_a_session_is_printed_beside_a_running_server(
    director: Director, ask_class: str, capsys: pytest.CaptureFixture
) -> None:
    session = director.test("Echo", ask_class, '{"text": "you"}').session_id
    assert cli.main(["trace", str(session), "--home", str(director.home)]) == 0
    told = capsys.readouterr().out
    assert "EnsLib.Testing.Service → Echo" in told
    assert "Echo ⇢ EnsLib.Testing.Service" in told
    assert '"Hello you!"' in told
    assert cli.main(["trace", "999", "--home", str(director.home)]) == 1
    assert "no session 999" in capsys.readouterr().err


def test_the_data_folder_is_found_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IrisliteError, match=r"Which data folder.*none"):
        cli.find_home()
    (tmp_path / "src/python/.irislite").mkdir(parents=True)
    assert cli.find_home() == tmp_path / "src/python/.irislite"
    (tmp_path / ".irislite").mkdir()
    with pytest.raises(IrisliteError, match="several"):
        cli.find_home()
    monkeypatch.setenv("IRISLITE_HOME", str(tmp_path / "elsewhere"))
    assert cli.find_home() == tmp_path / "elsewhere"
    assert cli.home_of(tmp_path / "production.py") == tmp_path / "elsewhere"


@pytest.mark.parametrize("port", ["x", "0", "70000", "-1", ""])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(IrisliteError, match="from 1 to 65535"):
        cli.address()


def test_the_help_names_every_variable_of_the_runtime(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    told = capsys.readouterr().out
    source = "".join(path.read_text() for path in Path(cli.__file__).parent.rglob("*.py"))
    names = set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', source))
    assert names and not {name for name in names if name not in told}


def test_a_second_server_on_the_same_folder_is_told_so_whatever_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("IRISLITE_HOME", str(tmp_path / "home"))
        taken.listen()
        (tmp_path / "settings.py").touch()
        assert cli.main(["run", str(tmp_path / "settings.py")]) == 1
        assert "start with PORT=" in capsys.readouterr().err
        with lock(tmp_path / "home"):
            assert cli.main(["run", str(tmp_path / "settings.py")]) == 1
        told = capsys.readouterr().err
    assert f"used by the running process {os.getpid()}" in told
    assert "PORT=" not in told


def test_a_file_that_is_not_there_leaves_no_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["run", str(tmp_path / "setings.py")]) == 1
    assert "There is no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    Director(tmp_path / "home", "NORMAL").close()
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "irislite.cli", "size", "--home", str(tmp_path / "home")],
        stdout=writing, stderr=subprocess.PIPE, env=environment, text=True,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
