"""settings.ini: read with its line numbers, every value typed, and everything that is wrong with it told at once."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiment.errors import BadRequest, RunUnknown, SettingsInvalid
from experiment.keys import BY_SECTION, FREE, KEYS, SECTIONS, Key

FILE = "settings.ini"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""What an experiment or a model may be called: it becomes a folder, a prefix, a part of a job's name."""


@dataclass(frozen=True)
class Problem:
    """Something that is wrong with an experiment. `line` is 0 where the fault is in no line of settings.ini."""

    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{FILE}:{self.line}" if self.line else FILE
        return f"{place} {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass(frozen=True)
class Entry:
    """A value as it was typed."""

    text: str
    line: int


@dataclass
class Settings:
    """An experiment's settings: what was typed, and what each declared key means."""

    name: str
    folder: Path
    """The experiment's folder, to which its relative paths refer."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """By section and key: "training.EPOCHS"."""
    values: dict[str, Any] = field(default_factory=dict)
    """Every declared key with its typed value."""

    @classmethod
    def load(cls, folder: Path | str) -> "Settings":
        """Those of the experiment in `folder`. Raises `RunUnknown` where there are none, and `SettingsInvalid`."""
        settings, problems = read(Path(folder))
        if problems:
            raise SettingsInvalid(problems)
        return settings

    def get(self, full: str) -> Any:
        """The value of "section.KEY"."""
        return self.values[full]

    def line(self, full: str) -> int:
        """Where the key stands; 0 if it does not."""
        entry = self.entries.get(full)
        return entry.line if entry else 0

    def section(self, section: str) -> dict[str, Any]:
        """The values of a section by their keys; those of free sections are texts."""
        if section in FREE or section == "space":
            return {full.partition(".")[2]: entry.text for full, entry in self.entries.items()
                    if full.startswith(f"{section}.")}  # fmt: skip
        return {name: self.values[f"{section}.{name}"] for name in BY_SECTION[section]}

    def texts(self) -> dict[str, str]:
        """What holds of every key, as text: what was typed, or the default."""
        texts = {key.full: key.default for key in KEYS}
        return texts | {full: entry.text for full, entry in self.entries.items()}

    def problem(self, full: str, message: str) -> Problem:
        """A problem of this key, with its line."""
        return Problem(self.line(full), full.partition(".")[2] or full, message)

    @property
    def models(self) -> list[str]:
        """The names of the models, in order."""
        return list(self.values["experiment.MODEL_NAMES"])

    @property
    def address(self) -> str:
        """Where the experiment is kept: its folder, or its place below ROOT."""
        root = str(self.values["storage.ROOT"]).rstrip("/")
        if not root:
            return str(self.folder)
        if "://" in root:
            return f"{root}/{self.name}"
        return str((self.folder / root).resolve() / self.name)

    def place(self, text: str) -> str:
        """An address as it is, a path relative to the experiment's folder."""
        return text if "://" in text else str(self.folder / text)


def read(folder: Path) -> tuple[Settings, list[Problem]]:
    """The settings in an experiment's folder, and what is wrong with them. Raises `RunUnknown` where there are none."""
    file = folder / FILE
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise RunUnknown(
            f"There is no experiment in {folder}: it has no {FILE}. Make one with: evergreen experiment new NAME"
        ) from None
    return parse(text, folder.resolve().name, folder.resolve())


def parse(content: bytes, name: str, folder: Path) -> tuple[Settings, list[Problem]]:
    """The settings that `content` means, and what is wrong with it, in the order of the lines."""
    settings = Settings(name, folder)
    problems: list[Problem] = []
    if not re.fullmatch(NAME, name):
        problems.append(Problem(0, "", _no_name(name, "an experiment")))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return settings, [Problem(line, "", "this line is not UTF-8: save the file as UTF-8.")]
    for found in _lines(text):
        if isinstance(found, Problem):
            problems.append(found)
            continue
        section, key, entry = found
        full = f"{section}.{key}"
        if full in settings.entries:
            first = settings.entries[full].line
            problems.append(Problem(entry.line, key, f"it stands in line {first} already: remove one of the two."))
            continue
        settings.entries[full] = entry
        if section not in FREE and key not in BY_SECTION["training" if section == "space" else section]:
            problems.append(Problem(entry.line, key, _unknown(section, key)))
    problems += _typed(settings)
    return settings, sorted(problems, key=lambda problem: problem.line)


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[dict[str, str]]:
    """The keys in which two runs differ: key, one, other; "" for what one of them does not have."""
    keys = [*one, *(key for key in other if key not in one)]
    return [
        {"key": key, "one": one.get(key, ""), "other": other.get(key, "")}
        for key in keys
        if one.get(key, "") != other.get(key, "")
    ]


def checked_name(name: str, what: str) -> str:
    """The name, if it can name an experiment or a model. Raises `BadRequest`."""
    if not re.fullmatch(NAME, name):
        raise BadRequest(_no_name(name, what))
    return name


def _no_name(name: str, what: str) -> str:
    return (
        f"{name!r} cannot name {what}: use letters, digits, '-', '_' and '.', 63 at most, beginning with a letter or a "
        "digit, as in EXP-3333-longformer."
    )


def _lines(text: str) -> Iterator[tuple[str, str, Entry] | Problem]:
    """Section, key and value of each line that has them; a line that begins with white space goes on with a value."""
    section, skipped = "", False
    key, value, began = "", "", 0
    for number, raw in enumerate([*text.splitlines(), "[end]"], start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if key and raw[0] in " \t" and not line.startswith("["):
            value = f"{value} {line}".strip()
            continue
        if key:
            yield section, key, Entry(value, began)
            key = ""
        if line.startswith("["):
            name = line[1:-1].strip()
            skipped = not line.endswith("]") or name not in SECTIONS
            if skipped and line != "[end]":
                yield Problem(number, "", _no_section(line))
            section = "" if skipped else name
            continue
        if skipped:
            continue
        name, equals, rest = line.partition("=")
        if not equals or not name.strip():
            yield Problem(number, "", f"{line!r} is no KEY = value: write one, or begin the line with # to comment.")
        elif not section:
            yield Problem(number, name.strip(), "it stands before the first section: put it below one.")
        else:
            key, value, began = name.strip(), rest.strip(), number


def _typed(settings: Settings) -> Iterator[Problem]:
    for key in KEYS:
        entry = settings.entries.get(key.full)
        settings.values[key.full] = key.parse(key.default)
        if entry is None:
            continue
        try:
            empty = not entry.text and key.kind in ("whole", "number", "choice", "yes")
            settings.values[key.full] = key.parse(key.default if empty else entry.text)
        except ValueError as error:
            hint = " Comments stand on lines of their own." if re.search(r"\s[#;]", entry.text) else ""
            yield Problem(entry.line, key.name, f"{error}{hint}")


def _unknown(section: str, name: str) -> str:
    known: dict[str, Key] = BY_SECTION["training" if section == "space" else section]
    by_folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    if near:
        return f"there is no such key in [{section}]: did you mean {by_folded[near[0]]}?"
    elsewhere = [key.section for key in KEYS if key.name == name.upper()]
    if elsewhere:
        return f"it belongs into [{elsewhere[0]}], not into [{section}]: move it there."
    return f"there is no such key in [{section}]: it has {', '.join(known)}."


def _no_section(line: str) -> str:
    if not line.endswith("]"):
        return f"{line!r} is no section: it ends with ]."
    near = difflib.get_close_matches(line[1:-1].strip().casefold(), SECTIONS, n=1, cutoff=0.6)
    meant = f"did you mean [{near[0]}]?" if near else f"there are {', '.join(f'[{name}]' for name in SECTIONS)}."
    return f"there is no section {line}: {meant}"
