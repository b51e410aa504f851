"""What a TrainRequest asks for: its fields, checked before anything costly begins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import paths
import settinglines
from tuning import arguments, files, options
from tuning.errors import BadRequest

SOURCES = ("table", "file", "dataset")
OWN_FIELDS = (
    *("columns", *SOURCES, "dataset_split", "dataset_subset", "dataset_revision", "text_columns"),
    *("limit", "p_of_train", "output_dir"),
    *options.FIELDS,
)
DEFAULT_TRAIN_SHARE = 0.8
_IDENTIFIER = re.compile(r"%?[^\W\d]\w*")
_REPOSITORY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_REVISION = re.compile(r"\w[\w./-]*", re.ASCII)
_COLUMNS_HINT = 'Give the label first, then the text, such as "ReviewLabel,ReviewText".'


@dataclass(frozen=True)
class Request:
    """A checked TrainRequest; names of tables and columns are well-formed, not yet looked up."""

    source: str
    """Which of `SOURCES` the rows come from; the fields of the others are empty."""
    table: str
    file: Path | None
    """A CSV, Parquet or JSON file below an allowed folder."""
    dataset: str
    """A data set of the hub, owner/name."""
    dataset_split: str
    dataset_subset: str | None
    """The folder of the data set that is meant, if it has several."""
    dataset_revision: str | None
    columns: tuple[str, ...]
    """The label, then one text or several."""
    joined: bool
    """Whether several texts are read as one; otherwise there are at most two, and two are a pair."""
    limit: int | None
    """Rows to draw at random; None reads every row."""
    train_share: float
    """Share of the rows to train on, above 0 and below 1; the others evaluate."""
    output_dir: Path
    """Folder for checkpoints."""
    training: options.Options
    """How to train."""
    arguments: Mapping[str, object]
    """Keyword arguments of `TrainingArguments`, today's names and types, `output_dir` not among them."""
    notes: tuple[str, ...]
    """A sentence for each old name that was translated or left out."""

    @property
    def label_column(self) -> str:
        return self.columns[0]

    @property
    def text_column(self) -> str:
        return self.columns[1]

    @property
    def paired(self) -> bool:
        """Whether a row is a pair of texts."""
        return len(self.columns) == 3 and not self.joined


def parse(fields: Mapping[str, object], model_root: Path) -> Request:
    """The request that `fields` mean; a field that is None counts as absent.

    Raises `BadRequest` for a field that cannot be used, and `paths.PathNotAllowed` for a `file` or an
    `output_dir` outside the allowed folders.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    source = _source(given)
    columns = _columns(given.get("columns"), in_sql=source == "table")
    others = {name: value for name, value in given.items() if name not in OWN_FIELDS}
    training, notes = arguments.translate(others, OWN_FIELDS)
    return Request(
        source=source,
        table=_table(given.get("table")) if source == "table" else "",
        file=_file(str(given["file"]), model_root) if source == "file" else None,
        dataset=_dataset(str(given["dataset"])) if source == "dataset" else "",
        dataset_split=_word("dataset_split", given.get("dataset_split", "train")),
        dataset_subset=None if given.get("dataset_subset") is None else _subset(given["dataset_subset"]),
        dataset_revision=_revision(given.get("dataset_revision")),
        columns=columns,
        joined=_joined(given.get("text_columns"), len(columns) - 1),
        limit=_limit(given.get("limit")),
        train_share=_share(given.get("p_of_train", DEFAULT_TRAIN_SHARE)),
        output_dir=_output_dir(given.get("output_dir"), model_root),
        training=options.parse(given),
        arguments=_with_checked_paths(training, model_root),
        notes=tuple(notes),
    )


def whole_number(name: str, value: object, at_least: int) -> int:
    """The whole number that `value`, a number or its text, means; `BadRequest` if it is none."""
    number = settinglines.typed(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and number >= at_least and number % 1 == 0:
        return int(number)
    raise BadRequest(f"{name} cannot be {value!r}. Give a whole number of at least {at_least}.")


def _source(given: Mapping[str, object]) -> str:
    """The one of `SOURCES` that is given; an empty text is none, but for the error of an absent table."""
    named = [name for name in SOURCES if str(given.get(name, "")).strip()]
    if len(named) > 1:
        raise BadRequest(f"The request names {' and '.join(named)}: the rows come from one place. Keep one of them.")
    source = named[0] if named else "table"
    for name in ("dataset_split", "dataset_subset", "dataset_revision"):
        if name in given and source != "dataset":
            raise BadRequest(f"{name} goes with dataset, and the request names none. Leave it out.")
    return source


def _columns(value: object, in_sql: bool) -> tuple[str, ...]:
    names = value if isinstance(value, list | tuple) else str(value or "").split(",")
    columns = tuple(str(name).strip().strip('"') for name in names)
    for column in columns:
        if value and in_sql and not _IDENTIFIER.fullmatch(column):
            raise BadRequest(
                f"{column!r} is no name of a column, and a column list is nothing but names. {_COLUMNS_HINT}"
            )
    if len(columns) < 2 or not all(columns) or len({column.casefold() for column in columns}) < len(columns):
        raise BadRequest(f"columns is {value!r} and must be at least two different columns. {_COLUMNS_HINT}")
    return columns


def _joined(value: object, texts: int) -> bool:
    """Whether the texts of a row become one: as `text_columns` says, or else where they are more than a pair."""
    if value is None:
        return texts > 2
    if value not in ("pair", "joined"):
        raise BadRequest(f'text_columns cannot be {value!r}. Give "pair" (two texts, compared) or "joined" (one text).')
    if value == "pair" and texts != 2:
        raise BadRequest(
            f'text_columns is "pair" and columns names {texts} text{"s" * (texts != 1)}. '
            'Name two columns of text after the label, or set text_columns to "joined".'
        )
    return value == "joined" and texts > 1


def _table(value: object) -> str:
    parts = [part.strip().strip('"') for part in str(value or "").split(".")]
    if len(parts) > 2 or not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise BadRequest(
            f"table is {value!r}, which is no name of a table. Give one such as iris.Review, or a file or a dataset."
        )
    return ".".join(parts)


def _file(value: str, model_root: Path) -> Path:
    file = paths.checked(value, _roots(model_root))
    if file.suffix.lower() not in files.ENDINGS:
        raise BadRequest(
            f"file is {value!r}, which is no file of rows. Name one that ends in {', '.join(files.ENDINGS)}."
        )
    if not file.is_file():
        raise BadRequest(f"There is no file {value!r}. Put it below {model_root} or misc, and name it.")
    return file


def _dataset(value: str) -> str:
    if _REPOSITORY.fullmatch(value.strip()) and ".." not in value:
        return value.strip()
    raise BadRequest(f"dataset is {value!r}, which is no data set of the hub. Give owner/name.")


def _word(name: str, value: object) -> str:
    if re.fullmatch(r"\w+", str(value)):
        return str(value)
    raise BadRequest(f"{name} cannot be {value!r}. Give one word, such as train.")


def _subset(value: object) -> str:
    if _REVISION.fullmatch(str(value)) and "/" not in str(value):
        return str(value)
    raise BadRequest(f"dataset_subset cannot be {value!r}. Give the name of a folder of the data set.")


def _revision(value: object) -> str | None:
    if value is None or (_REVISION.fullmatch(str(value)) and ".." not in str(value)):
        return None if value is None else str(value)
    raise BadRequest(f"dataset_revision cannot be {value!r}. Give a branch, a tag or a commit.")


def _limit(value: object) -> int | None:
    return None if value is None else whole_number("limit", value, at_least=1)


def _share(value: object) -> float:
    share = settinglines.typed(value)
    if isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1:
        return float(share)
    raise BadRequest(
        f"p_of_train cannot be {value!r}: it is the share of rows to train on, and the rest evaluates. "
        "Give a number above 0 and below 1, such as 0.8."
    )


def _output_dir(value: object, model_root: Path) -> Path:
    if value is None:
        return model_root / "checkpoints"
    roots = _roots(model_root)
    folder = paths.checked(str(value), roots)
    for place in (folder, *folder.parents):
        if place not in roots and (place / "config.json").exists():
            raise BadRequest(
                f"output_dir is {str(value)!r}, which lies in the model folder {place}; models are changed by "
                f"promotion alone. Give another folder, such as {model_root / 'checkpoints'}."
            )
        if place in roots:
            break
    return folder


def _with_checked_paths(training: dict[str, object], model_root: Path) -> dict[str, object]:
    """The arguments, with those that are paths resolved below the allowed folders."""
    for name in ("accelerator_config", "deepspeed", "fsdp_config", "resume_from_checkpoint"):
        if isinstance(training.get(name), str):
            training[name] = str(paths.checked(str(training[name]), _roots(model_root)))
    return training


def _roots(model_root: Path) -> list[Path]:
    """The folders that a request may name: the models', and those allowed everywhere."""
    return [model_root.resolve(), *paths.allowed_roots()]
