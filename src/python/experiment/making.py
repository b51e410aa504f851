"""A new experiment's folder: settings with every key explained, five functions, two Dockerfiles, a script."""

import os
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import paths
from experiment import bases, functions
from experiment.errors import BadRequest
from experiment.keys import KEYS, SECTIONS, Key
from experiment.settings import FILE, checked_name

_TEMPLATE = Path(__file__).with_name("template")
_DEMO = "misc/reviews.csv"
_WIDTH = 110


@dataclass(frozen=True)
class Source:
    """What a new experiment is about. Without files and table it is the shipped, synthetic reviews."""

    files: tuple[str, ...] = ()
    test_files: tuple[str, ...] = ()
    table: str = ""
    text_column: str = ""
    label_column: str = ""
    models: tuple[str, ...] = (bases.BUNDLED, f"{bases.BUNDLED}:3", f"{bases.BUNDLED}:1")
    use_case: str = ""


def root() -> Path:
    """Where experiments lie that are made by name; the production looks there too."""
    return paths.project_root() / "src" / "experiments"


def located(name: str) -> Path:
    """The folder that a name or a path means: one that is there, or one below `root`."""
    path = Path(name)
    if "/" in name or name in (".", "..") or (path / FILE).is_file():
        return path
    return root() / checked_name(name, "an experiment")


def new(folder: Path | str, source: Source | None = None, stubs: bool = False) -> Path:
    """Write the folder of a new experiment, and return it. Raises `BadRequest` if there is something already.

    With `stubs` the five functions are empty, for who wants to write all of them.
    """
    folder = Path(folder).resolve()
    checked_name(folder.name, "an experiment")
    if folder.exists() and any(folder.iterdir()):
        raise BadRequest(f"{folder} is not empty: choose another name, or remove it.")
    given = source or Source()
    values = {
        "experiment.USE_CASE": given.use_case or f"{folder.name}: which model is best",
        "experiment.MODEL_NAMES": ", ".join(given.models),
        **_data(folder, given),
    }
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "docker").mkdir(exist_ok=True)
    (folder / FILE).write_text(settings_text(values), encoding="utf-8")
    for name in (functions.FILE, "docker/processing.Dockerfile", "docker/training.Dockerfile", "run.sh"):
        text = (_TEMPLATE / name).read_text(encoding="utf-8")
        if name == functions.FILE and stubs:
            text = re.sub(r"^    return .*$", "    pass", text, flags=re.MULTILINE)
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitignore").write_text((_TEMPLATE / "gitignore").read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def settings_text(values: dict[str, str]) -> str:
    """settings.ini with every key, explained; those not in `values` have their defaults."""
    lines = ["# The settings of this experiment. Every key is here; what stands above a key is all about it.", ""]
    for section, meaning in SECTIONS.items():
        lines += [f"# {meaning}", f"[{section}]"]
        for key in (key for key in KEYS if key.section == section):
            lines += [*_explained(key), f"{key.name} = {values.get(key.full, key.default)}".rstrip()]
        if section == "space":
            lines += ["# LEARNING_RATE = 2e-5 .. 3e-4 log", "# BATCH_ROWS = 16, 32"]
        lines.append("")
    return "\n".join(lines)


def _explained(key: Key) -> list[str]:
    text = key.meaning
    if key.kind == "choice":
        text += f" One of {', '.join(key.choices)}."
    bounds = [f"from {key.least:g}"] if key.least is not None else []
    bounds += [f"up to {key.most:g}"] if key.most is not None else []
    if bounds:
        text += f" ({' '.join(bounds)})"
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]


def _data(folder: Path, source: Source) -> dict[str, str]:
    values = {"data.TABLE": source.table}
    files, columns = source.files, (source.text_column, source.label_column)
    if not files and not source.table:
        demo = paths.project_root() / _DEMO
        if not demo.is_file():
            raise BadRequest(f"{demo} is not there: name your data with --csv or --table.")
        files = (str(demo),)
    if source.table and not all(columns):
        raise BadRequest("Name the columns of the table: --text-column and --label-column.")
    if files and not all(columns):
        text, label = _guessed(Path(files[0]))
        columns = columns[0] or text, columns[1] or label
    for key, names in (("FILES", files), ("TEST_FILES", source.test_files)):
        missing = [name for name in names if "://" not in name and "*" not in name and not Path(name).is_file()]
        if missing:
            raise BadRequest(f"There is no file {missing[0]}: name one that is there.")
        values[f"data.{key}"] = ", ".join(_relative(name, folder) for name in names)
    return values | {"data.TEXT_COLUMN": columns[0], "data.LABEL_COLUMN": columns[1]}


def _guessed(file: Path) -> tuple[str, str]:
    """The columns of text and label of a CSV, by their names. Raises `BadRequest` where they do not say."""
    import csv

    if file.suffix.lower() not in (".csv", ".tsv") or not file.is_file():
        return "text", "label"
    with file.open(encoding="utf-8-sig", newline="") as stream:
        names = next(csv.reader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ","), [])
    texts = [name for name in names if re.search(r"text|sentence|review|body|content|message", name, re.IGNORECASE)]
    labels = [name for name in names if re.search(r"label|class|target|category|stars|rating", name, re.IGNORECASE)]
    texts = [name for name in texts if name not in labels]
    if len(texts) != 1 or len(labels) != 1:
        raise BadRequest(f"{file.name} has the columns {', '.join(names)}: say which are which with --text-column and "
                         "--label-column.")  # fmt: skip
    return texts[0], labels[0]


def _relative(name: str, folder: Path) -> str:
    return name if "://" in name else os.path.relpath(Path(name).resolve(), folder)
