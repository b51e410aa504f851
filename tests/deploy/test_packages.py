"""The lock file is whole for every Python and machine of the images: no package is left for a build to choose.

That each has a wheel for them is asked of the package index, by `python scripts/resolve.py`.
"""

import importlib.metadata
import itertools
import re
from functools import cache

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.images import ROOT

PYTHONS, MACHINES = ("3.11", "3.12", "3.13"), ("x86_64", "aarch64")


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


LOCKED = locked()


@cache
def described(name: str) -> list[Requirement]:
    """What a package says it needs; nothing if this environment has another version of it."""
    here = [each for each in importlib.metadata.distributions(name=name) if each.version.split("+")[0] == LOCKED[name]]
    return list(map(Requirement, here[0].requires or [])) if here else []


def needs(name: str, extras: set[str], environment: dict[str, str]) -> list[Requirement]:
    """What a package needs beside it on such a machine, with the extras that were asked of it."""
    settings = [environment | {"extra": extra} for extra in {"", *extras}]
    return [need for need in described(name) if not need.marker or any(map(need.marker.evaluate, settings))]


@pytest.mark.parametrize(("python", "machine"), itertools.product(PYTHONS, MACHINES))
def test_nothing_is_missing_beside_the_locked_packages(python: str, machine: str) -> None:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "platform_machine": machine,
        "platform_system": "Linux",
        "sys_platform": "linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    missing = []
    extras: dict[str, set[str]] = {}
    for _ in range(3):  # extras may ask for extras
        for name in LOCKED:
            for need in needs(name, extras.get(name, set()), environment):
                extras.setdefault(canonicalize_name(need.name), set()).update(need.extras)
    for name in LOCKED:
        for need in needs(name, extras.get(name, set()), environment):
            version = LOCKED.get(canonicalize_name(need.name))
            if version is None or not need.specifier.contains(version, prereleases=True):
                missing.append(f"{name} needs {need}; locked is {version}")
    assert missing == []


def test_the_lock_is_of_one_version_each_and_nothing_but_names() -> None:
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+==[\w.]+", line), line
