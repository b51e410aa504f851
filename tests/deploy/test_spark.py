"""The files for a Spark cluster name settings, packages and files that there are."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import search

PROJECT = Path(__file__).resolve().parents[2]
SPARK = PROJECT / "deploy" / "spark"


def named(text: str) -> set[str]:
    """The settings of the job that are given on a command line."""
    return {name.replace("-", "_") for name in re.findall(r"(?:^|[\s\"])--([a-z-]+)(?==s3|=/opt/e|\",)", text)}


def test_the_jobs_are_given_settings_that_there_are() -> None:
    job = json.loads((SPARK / "emr-serverless.json").read_text())
    arguments = job["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    given = {name.removeprefix("--").replace("-", "_") for name in arguments[::2]}
    assert {"path", "dump", "covers", "model"} <= given <= set(search.SETTINGS)
    there = named((SPARK / "kubernetes.yaml").read_text())
    assert {"path", "dump", "covers", "model"} <= there <= set(search.SETTINGS)


def test_the_workers_get_the_versions_that_are_tested() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    ours = dict(line.split("==") for line in (*project["dependencies"], *extras["search"], *extras["spark"])
                if "[" not in line)  # fmt: skip
    lines = (SPARK / "requirements.txt").read_text().splitlines()
    theirs = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {name: version for name, version in theirs.items() if name in ours and ours[name] != version} == {}
    assert {"torch", "transformers", "pyarrow", "orjson", "lancedb", "pillow"} <= theirs.keys() & ours.keys()
    assert f"pyspark=={ours['pyspark']}" in (SPARK / "Dockerfile").read_text()


def test_what_is_copied_is_there_and_the_scripts_can_be_read() -> None:
    for line in (SPARK / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (PROJECT / source).exists() or source.startswith("src/model/"), source
    subprocess.run(["bash", "-n", str(SPARK / "pack.sh")], check=True)
