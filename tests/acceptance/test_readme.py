"""Every block of the README is run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance.running import PROJECT, Server

README = (PROJECT / "README.md").read_text()
REQUESTS = re.findall(r"\*\*([^*]+)\*\* · `([\w.]+)`\n\n```json\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


def test_every_request_is_answered(server: Server) -> None:
    assert [classname for _, classname, _ in REQUESTS] == ["msg.TrainRequest", "msg.OverrideRequest", "msg.MLRequest"]
    for item, classname, body in REQUESTS:
        assert server.test(item, classname, body)["classname"] == "msg.MLResponse"


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("iop ")])
def test_every_iop_command_works(server: Server, command: str) -> None:
    assert server.iop(*shlex.split(command)[1:])


# What each of irislite's commands says; a command that the README adds must be added here.
ANSWERS = {
    "load": "2,500 rows",
    "trace": "msg.TrainRequest",
    "size": "message_header",
    "purge": "Would purge 0 messages",
    "backup": "It was read back and is whole",
}


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("irislite ")])
def test_every_irislite_command_works(server: Server, command: str, tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_bytes((PROJECT / "misc" / "reviews.csv").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "irislite.cli", *shlex.split(command)[1:]],
        cwd=tmp_path, env=server.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ANSWERS[command.split()[1]] in done.stdout


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("evergreen ")])
def test_every_evergreen_command_works(server: Server, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evergreen", *shlex.split(command)[1:]],
        env=server.environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("egk_")


def test_the_test_of_a_production_passes(tmp_path: Path) -> None:
    """With the components of docs/testing.md, which it is taken from."""
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    page = (PROJECT / "docs" / "testing.md").read_text()
    for name, text in re.findall(r"```python\n# (test_orders|settings)\.py\n(.*?)```", page, re.DOTALL):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "test_readme_block.py").write_text(f"from test_orders import Order, Receipt\n\n\n{block}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "irislite.pytest_plugin",
         "test_readme_block.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(PROJECT / "src" / "python")}, capture_output=True, text=True,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_every_other_command_is_a_goal_of_the_makefile() -> None:
    goals = re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    rest = [command for command in COMMANDS if not command.startswith(("iop ", "irislite ", "evergreen ", "export "))]
    assert rest
    assert all(re.fullmatch(rf"make ({'|'.join(goals)})", command) for command in rest)


def test_what_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (PROJECT / target.partition("#")[0]).exists(), target


def test_the_tree_names_what_exists() -> None:
    tree = README.partition("## The tree")[2]
    for name in re.findall(r"^    (?:  )?([\w.]+/?(?:[\w]+/)*)", tree, re.MULTILINE):
        assert any((PROJECT / folder / name).exists() for folder in ("", "src/python")), name
