"""Dockerfiles and what belongs to them: checked as far as they can be without Docker."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.images import DOCKERFILES, ROOT, instructions, sent, variables

PROGRAMS = Path(sys.executable).parent
SCRIPTS = sorted([*(ROOT / "deploy").rglob("*.sh"), *(ROOT / "scripts").glob("*.sh")])


@pytest.mark.parametrize("file", DOCKERFILES)
def test_hadolint_finds_nothing(file: str) -> None:
    done = subprocess.run([PROGRAMS / "hadolint", "--no-color", ROOT / file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", DOCKERFILES)
def test_everything_that_is_copied_is_there_and_is_sent(file: str) -> None:
    copies = [each.copied[0] for each in instructions(file) if each.name == "COPY" and "from" not in each.flags]
    sources = [source.removeprefix("./") for group in copies for source in group]
    assert sources
    ours = [source for source in sources if not source.startswith("src/model/")]  # a model is there if it was copied
    assert [source for source in ours if not (ROOT / source).exists()] == []
    assert [source for source in sources if not sent(source, file)] == []


def test_nothing_private_is_sent_to_the_builder() -> None:
    private = (".env", ".git/config", "src/python/.irislite/password", "src/model/gpt2/model.safetensors", "x/.env")
    assert [path for file in DOCKERFILES for path in private if sent(path, file)] == []


@pytest.mark.parametrize("file", DOCKERFILES)
def test_no_secret_is_baked_in(file: str) -> None:
    secret = re.compile("PASSWORD|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)
    kept = [each.text for each in instructions(file) if each.name in {"ENV", "ARG"} and secret.search(each.text)]
    assert kept == []
    assert not re.search(r"PasswordHash|ModifyUser", (ROOT / "deploy/iris/merge.cpf").read_text())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_shell_scripts_are_right_and_stop_at_a_failure(script: Path) -> None:
    done = subprocess.run([PROGRAMS / "shellcheck", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "set -eu" in script.read_text()
    assert script.stat().st_mode & 0o111


def test_a_failure_of_iris_script_is_one_of_the_start(tmp_path: Path) -> None:
    """start.sh with an `iris` that ends as a session of IRIS does."""
    for status in (0, 1):
        (tmp_path / "iris").write_text(f"#!/bin/sh\ncat > {tmp_path}/typed\nexit {status}\n")
        (tmp_path / "iris").chmod(0o755)
        script = (ROOT / "deploy/iris/start.sh").read_text().replace("/irisdev/app", str(ROOT))
        done = subprocess.run(["sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
        assert done.returncode == status
        assert (tmp_path / "typed").read_text() == (ROOT / "iris.script").read_text()


@pytest.mark.parametrize("file", DOCKERFILES)
def test_the_shell_of_every_run_is_shell(file: str) -> None:
    for each in instructions(file):
        if each.name == "RUN":
            assert subprocess.run(["sh", "-n", "-c", each.text]).returncode == 0, each.text


def test_the_steps_that_need_no_image_work() -> None:
    """The version of Python that is asked for, and how torch's line is found in the lock file."""
    run = next(each.text for each in instructions("Dockerfile") if "sys.version_info" in each.text)
    check = run.split(" && ")[0].replace("python3", sys.executable)
    assert subprocess.run(["sh", "-c", check]).returncode == 0
    found = subprocess.run(["sh", "-c", "grep '^torch==' requirements.lock"], cwd=ROOT, capture_output=True, text=True)
    assert re.fullmatch(r"torch==[\d.]+\n", found.stdout)


def test_the_container_of_iris_agrees_with_itself() -> None:
    text = (ROOT / "deploy/iris/merge.cpf").read_text()
    actions = dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))
    values = variables("Dockerfile")
    assert f"Name={values['IRISNAMESPACE']}," in actions["CreateNamespace"]
    assert "Interop=1" in actions["CreateNamespace"]
    assert f'zn "{values["IRISNAMESPACE"]}"' in (ROOT / "iris.script").read_text()
    assert f"-U {values['IRISNAMESPACE']} " in (ROOT / "deploy/iris/health.sh").read_text()
    root = next(each.text for each in instructions("Dockerfile") if each.name == "WORKDIR")
    named = re.findall(r"/irisdev/app/(deploy/\S+?|iris\.script)[\"'\s]", "".join(
        (ROOT / name).read_text() for name in ("Dockerfile", "deploy/iris/start.sh")
    ))  # fmt: skip
    assert root == "/irisdev/app"
    assert {"deploy/iris/start.sh", "deploy/iris/health.sh", "iris.script"} <= set(named)
    assert [name for name in named if not (ROOT / name).exists()] == []
    made = next(each.text for each in instructions("Dockerfile") if "install -d" in each.text)
    directory = re.search(r"Directory=([^,\s]+)", actions["CreateDatabase"])[1]
    assert directory in made, "a fresh volume belongs to the user of IRIS only if the image has the folder"
    assert Path(values["ISC_DATA_DIRECTORY"]).parent == Path(directory).parent


def test_irislite_runs_as_nobody_in_particular() -> None:
    last = [each for each in instructions("Dockerfile.irislite") if each.name == "USER"][-1]
    assert last.text == "10001:10001"
    assert [each for each in instructions("Dockerfile") if each.name == "USER"][-1].text == "51773"
