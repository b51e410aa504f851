"""Dockerfiles, compose files and ObjectScript, read as far as the tests need it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile", "Dockerfile.irislite", "deploy/spark/Dockerfile")
COMPOSE = ("docker-compose.yml", "docker-compose.irislite.yml")
OVERLAY = "docker-compose.gpu.yml"
CLASSES = sorted((ROOT / "src/iris").rglob("*.cls"))


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: its name, its flags (`--from=...`), everything behind them."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def copied(self) -> tuple[list[str], str]:
        """What a COPY copies, and where to."""
        *sources, target = self.text.split()
        return sources, target


def instructions(file: str) -> list[Instruction]:
    """The instructions of a Dockerfile, continued lines joined."""
    text = (ROOT / file).read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, rest = line.split(maxsplit=1)
        flags = {}
        while (match := re.match(r"--([a-z]+)=(\S+)\s+", rest)) and name in {"COPY", "FROM", "RUN"}:
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        found.append(Instruction(name, flags, rest))
    return found


def variables(file: str) -> dict[str, str]:
    """What the ENV instructions of a Dockerfile set."""
    pairs = (re.findall(r"([A-Z_]+)=(\S+)", each.text) for each in instructions(file) if each.name == "ENV")
    return {name: value for found in pairs for name, value in found}


def compose(file: str) -> dict[str, Any]:
    """A compose file."""
    return yaml.safe_load((ROOT / file).read_text())


def sent(path: str, file: str = "Dockerfile") -> bool:
    """Whether the .dockerignore for a Dockerfile lets a path through to the builder."""
    own = ROOT / f"{file}.dockerignore"
    allowed = False
    for line in (own if own.exists() else ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.lstrip("!").rstrip("/")
        hit = pattern == "*" or path == pattern or path.startswith(pattern + "/")
        if pattern.startswith("**/"):
            hit = any(Path(part).match(pattern[3:]) for part in Path(path).parts)
        if hit:
            allowed = line.startswith("!")
    return allowed


def methods(file: Path) -> Iterator[tuple[str, str, str, str]]:
    """The methods of an ObjectScript class as (name, arguments, keywords, body)."""
    pattern = r"^(?:Class)?Method (%?\w+)\(([^)]*)\)([^\n{]*)\n\{\n(.*?)^\}"
    for found in re.finditer(pattern, file.read_text(), re.MULTILINE | re.DOTALL):
        yield found[1], found[2], found[3], found[4]


def class_name(file: Path) -> str:
    """The class that a file of src/iris must hold, by its place."""
    return ".".join(file.relative_to(ROOT / "src/iris").with_suffix("").parts)
