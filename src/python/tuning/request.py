"""What a TrainRequest asks for: its fields, checked before anything costly begins."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import paths
import settings
from tuning import arguments
from tuning.errors import BadRequest

OWN_FIELDS = ("columns", "table", "limit", "p_of_train", "output_dir")
DEFAULT_TRAIN_SHARE = 0.8
_IDENTIFIER = re.compile(r"%?[^\W\d]\w*")


@dataclass(frozen=True)
class Request:
    """A checked TrainRequest; names of tables and columns are well-formed, not yet looked up."""

    table: str
    label_column: str
    text_column: str
    limit: int | None
    """Rows to draw at random; None reads every row."""
    train_share: float
    """Share of the rows to train on, above 0 and below 1; the others evaluate."""
    output_dir: Path
    """Folder for checkpoints."""
    arguments: Mapping[str, object]
    """Keyword arguments of `TrainingArguments`, today's names and types, `output_dir` not among them."""
    notes: tuple[str, ...]
    """A sentence for each old name that was translated or left out."""


def parse(fields: Mapping[str, object], model_root: Path) -> Request:
    """The request that `fields` mean; a field that is None counts as absent.

    Raises `BadRequest` for a field that cannot be used, and `paths.PathNotAllowed` for an
    `output_dir` outside the allowed folders.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    label_column, text_column = _columns(given.get("columns"))
    others = {name: value for name, value in given.items() if name not in OWN_FIELDS}
    training, notes = arguments.translate(others, OWN_FIELDS)
    return Request(
        table=_table(given.get("table")),
        label_column=label_column,
        text_column=text_column,
        limit=_limit(given.get("limit")),
        train_share=_share(given.get("p_of_train", DEFAULT_TRAIN_SHARE)),
        output_dir=_output_dir(given.get("output_dir"), model_root),
        arguments=_with_checked_paths(training, model_root),
        notes=tuple(notes),
    )


def whole_number(name: str, value: object, at_least: int) -> int:
    """The whole number that `value`, a number or its text, means; `BadRequest` if it is none."""
    number = settings.typed(value)
    if isinstance(number, int | float) and not isinstance(number, bool) and number >= at_least and number % 1 == 0:
        return int(number)
    raise BadRequest(f"{name} cannot be {value!r}. Give a whole number of at least {at_least}.")


def _columns(value: object) -> tuple[str, str]:
    names = [name.strip().strip('"') for name in str(value or "").split(",")]
    for name in names:
        if value and not _IDENTIFIER.fullmatch(name):
            raise BadRequest(
                f"{name!r} is no name of a column, and a column list is nothing but names. "
                'Give two of them, the label first, the text second, such as "ReviewLabel,ReviewText".'
            )
    if len(names) != 2 or names[0].casefold() == names[1].casefold():
        raise BadRequest(
            f"columns is {value!r} and must be two different columns. "
            'Give the label first, the text second, such as "ReviewLabel,ReviewText".'
        )
    return names[0], names[1]


def _table(value: object) -> str:
    parts = [part.strip().strip('"') for part in str(value or "").split(".")]
    if len(parts) > 2 or not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise BadRequest(f"table is {value!r}, which is no name of a table. Give one such as iris.Review.")
    return ".".join(parts)


def _limit(value: object) -> int | None:
    return None if value is None else whole_number("limit", value, at_least=1)


def _share(value: object) -> float:
    share = settings.typed(value)
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
