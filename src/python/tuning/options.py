"""The fields of a TrainRequest that say how to train and are not transformers' `TrainingArguments`."""

from collections.abc import Mapping
from dataclasses import dataclass

import settinglines
from tuning.errors import BadRequest

METHODS = ("full", "lora", "head")
TASKS = ("text-classification", "token-classification", "regression")
FIELDS = (
    "method",
    "task",
    "early_stopping_patience",
    "early_stopping_threshold",
    "resume",
    "processes",
    "head_learning_rate",
    "lora_rank",
    "lora_alpha",
)
_PROCESSES = 64


@dataclass(frozen=True)
class Options:
    """How to train."""

    method: str = "full"
    """"full": every weight; "lora": small matrices beside each linear layer, merged at the end; "head": the last
    layer alone, on features that are computed once."""
    task: str = "text-classification"
    patience: int | None = None
    """Evaluations without a better one after which to stop; None: never."""
    threshold: float = 0.0
    """By how much an evaluation must be better to count."""
    resume: bool | None = None
    """True: there must be an unfinished training to go on with; False: begin anew; None: go on with the same one."""
    processes: int = 1
    head_learning_rate: float | None = None
    """Of what stands behind the encoder (pooler and last layer), for `full`; None: see `trainer.with_head_rate`."""
    lora_rank: int = 16
    lora_alpha: int = 32


def parse(fields: Mapping[str, object]) -> Options:
    """The options that `fields` mean; values may be text. Raises `BadRequest`."""
    given = {name: settinglines.typed(fields[name]) for name in FIELDS if fields.get(name) is not None}
    options = Options(
        method=_choice("method", given.get("method", "full"), METHODS),
        task=_choice("task", given.get("task", TASKS[0]), TASKS),
        patience=_whole("early_stopping_patience", given["early_stopping_patience"])
        if "early_stopping_patience" in given
        else None,
        threshold=_number("early_stopping_threshold", given.get("early_stopping_threshold", 0.0), 0.0),
        resume=_truth("resume", given["resume"]) if "resume" in given else None,
        processes=_whole("processes", given.get("processes", 1), _PROCESSES),
        head_learning_rate=_above_zero("head_learning_rate", given["head_learning_rate"])
        if "head_learning_rate" in given
        else None,
        lora_rank=_whole("lora_rank", given.get("lora_rank", 16), 4096),
        lora_alpha=_whole("lora_alpha", given.get("lora_alpha", 32), 65_536),
    )
    if options.method == "head" and options.processes > 1:
        raise BadRequest(
            "method head trains one small layer, which several processes only slow down. Leave processes out."
        )
    for name, method in (("head_learning_rate", "full"), ("lora_rank", "lora"), ("lora_alpha", "lora")):
        if name in given and options.method != method:
            raise BadRequest(
                f"{name} is for the method {method}, and the method is {options.method}. Set method to {method}, or "
                f"leave {name} out."
            )
    return options


def _choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise BadRequest(f"{name} cannot be {value!r}. Choose one of {', '.join(choices)}.")
    return str(value)


def _truth(name: str, value: object) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise BadRequest(f"{name} cannot be {value!r}. Give true or false.")


def _whole(name: str, value: object, at_most: int = 1_000_000) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0 and 1 <= value <= at_most:
        return int(value)
    raise BadRequest(f"{name} cannot be {value!r}. Give a whole number from 1 to {at_most}.")


def _above_zero(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf"):
        return float(value)
    raise BadRequest(f"{name} cannot be {value!r}. Give a number above 0.")


def _number(name: str, value: object, at_least: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and at_least <= value < float("inf"):
        return float(value)
    raise BadRequest(f"{name} cannot be {value!r}. Give a number of at least {at_least:g}.")
