"""Every key that settings.ini may hold: its section, what it takes, its default, and what it means in a sentence."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SECTIONS = {
    "experiment": "What is compared.",
    "steps": "Which steps run. Training and tuning exclude each other.",
    "data": "Where the records and their labels come from; paths are relative to this file.",
    "text": "How a text becomes what a model reads.",
    "training": "How a model is trained; tuning begins from the same values.",
    "tuning": "How hyperparameters are searched for, if RUN_TUNING is true.",
    "space": "What tuning tries: keys of [training] with a list (1e-5, 3e-5) or a range (1e-5 .. 1e-3 log).",
    "inference": "How the test set is judged.",
    "storage": "Where data, runs and models are kept.",
    "tracking": "Which trackers hear of a run, beside the local one.",
    "launch": "Where the steps run.",
    "sagemaker": "With LAUNCHER = sagemaker. Credentials come from the environment or the instance, never from here.",
    "kubernetes": "With LAUNCHER = kubernetes.",
    "user": "Yours: any key, for your functions, as config.user.",
}
FREE = ("user",)
"""Sections whose keys are not declared here; those of `space` are the ones of `training`."""

_YES = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True)
class Key:
    """A key of settings.ini. Bounds are inclusive."""

    section: str
    name: str
    kind: str
    """text, words (a list with commas), whole, number, yes, or choice."""
    default: str
    meaning: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    auto: str = ""
    """A word that is taken beside numbers."""
    pattern: str = ""
    """What a text must look like, as a regular expression."""

    @property
    def full(self) -> str:
        """Section and name: training.EPOCHS."""
        return f"{self.section}.{self.name}"

    def parse(self, text: str) -> Any:
        """The value that `text` means; `ValueError` says what is wrong and what to write."""
        return _PARSERS[self.kind](self, text.strip())


def _text(key: Key, text: str) -> str:
    if key.pattern and text and not re.fullmatch(key.pattern, text):
        raise ValueError(f"{text!r} is not what {key.name} takes: {key.meaning}")
    return text


def _words(_key: Key, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(words):
        raise ValueError(f"{text!r} has an empty place between two commas: remove one of them.")
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands there twice: name it once.")
    return words


def _choice(key: Key, text: str) -> str:
    if text.lower() not in key.choices:
        raise ValueError(f"{text!r} is none of {', '.join(key.choices)}: write one of them.")
    return text.lower()


def _yes(_key: Key, text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text!r} is neither true nor false: write one of them.")
    return _YES[text.lower()]


def _whole(key: Key, text: str) -> int | str:
    if key.auto and text.lower() == key.auto:
        return key.auto
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is no whole number{_or_auto(key)}: write one, such as {_example(key)}.") from None
    return int(_bounded(key, number))


def _number(key: Key, text: str) -> float | str:
    if key.auto and text.lower() == key.auto:
        return key.auto
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is no number{_or_auto(key)}: write one, such as {_example(key)}.")
    return _bounded(key, number)


def _bounded(key: Key, number: float) -> float:
    if key.least is not None and number < key.least:
        raise ValueError(f"{number:g} is too small: {key.least:g} is the least.")
    if key.most is not None and number > key.most:
        raise ValueError(f"{number:g} is too large: {key.most:g} is the most.")
    return number


def _or_auto(key: Key) -> str:
    return f", nor {key.auto}" if key.auto else ""


def _example(key: Key) -> str:
    return key.default if key.default and key.default != key.auto else f"{key.least or 1:g}"


_PARSERS: dict[str, Callable[[Key, str], Any]] = {
    "text": _text,
    "words": _words,
    "choice": _choice,
    "yes": _yes,
    "whole": _whole,
    "number": _number,
}

KEYS = (
    Key("experiment", "USE_CASE", "text", "", "What the experiment is about, in a few words."),
    Key("experiment", "RUN_NUM", "whole", "auto",
        "The run's number; auto takes the next one that is free, or goes on with the last run if nothing "
        "has changed since. A number that exists is refused.", least=1, auto="auto"),
    Key("experiment", "MODEL_NAMES", "words", "",
        "The models that are compared: folders of models, or all-MiniLM-L6-v2, which comes with "
        "Evergreen. NAME:3 takes the first three layers of NAME."),
    Key("experiment", "MODELS_PATH", "text", "",
        "The folder (or s3:// address) of the model folders; empty: src/model of the project."),
    Key("experiment", "METRIC", "choice", "f1_macro",
        "What decides on the validation rows: which epoch, which trial, which model.",
        choices=("accuracy", "f1_macro", "f1_weighted", "loss")),
    Key("experiment", "SEED", "whole", "42",
        "Of every draw: splits, orders, new weights, trials.", least=0, most=2**32 - 1),
    Key("steps", "RUN_RECONCILIATION", "yes", "true", "Collect the records and their labels, and split them."),
    Key("steps", "RUN_PREPARATION", "yes", "true", "Encode the records for each model."),
    Key("steps", "RUN_TRAINING", "yes", "true", "Train each model."),
    Key("steps", "RUN_TUNING", "yes", "false", "Train each model many times, with changed hyperparameters."),
    Key("steps", "RUN_INFERENCE", "yes", "true", "Judge each model on the test set, and compare."),
    Key("data", "FILES", "words", "",
        "Files of records, with * and **: .csv .tsv .jsonl .parquet with one record a row, .pdf .html "
        ".txt .md with one a file. Addresses such as s3:// too."),
    Key("data", "TABLE", "text", "", "A table or view of the namespace, or of DATABASE.", pattern=r"[\w%$ .]+"),
    Key("data", "DATABASE", "text", "", "An SQLite file that holds TABLE and LABELS_TABLE; empty: the namespace."),
    Key("data", "TEST_FILES", "words", "", "Files whose records are the test set; empty: TEST_SHARE of all."),
    Key("data", "LABELS_FILE", "text", "",
        "A .csv, .tsv or .jsonl with ID_COLUMN and LABEL_COLUMN, joined with the records; folders: a "
        "file's label is the name of its folder. Empty: the records have their labels."),
    Key("data", "LABELS_TABLE", "text", "", "The same as a table.", pattern=r"[\w%$ .]+"),
    Key("data", "ID_COLUMN", "text", "",
        "The column that names a record; empty: records are numbered, and files named by their paths."),
    Key("data", "TEXT_COLUMN", "text", "text", "The column with the text."),
    Key("data", "LABEL_COLUMN", "text", "label", "The column with the label."),
    Key("data", "TEST_SHARE", "number", "0.15",
        "The share of the records that judges the models, drawn by their texts: a record stays in its "
        "part when others come.", least=0.0, most=0.9),
    Key("data", "VALIDATION_SHARE", "number", "0.1",
        "The share that decides while a model is trained.", least=0.0, most=0.5),
    Key("data", "MAX_ROWS", "whole", "0",
        "So many records, drawn at random, and as many of TEST_FILES, for a quick look; 0: all.", least=0),
    Key("text", "MAX_TOKENS", "whole", "auto",
        "Tokens of a window, with the marks at its ends; auto: what the model takes.",
        least=8, most=1_000_000, auto="auto"),
    Key("text", "LONG_DOCUMENTS", "choice", "windows",
        "What becomes of a longer text: windows reads all of it, cut its beginning.", choices=("windows", "cut")),
    Key("text", "OVERLAP_TOKENS", "whole", "32", "How many tokens a window shares with the one before.", least=0),
    Key("text", "POOLING", "choice", "mean",
        "How the logits of a document's windows become one answer.", choices=("mean", "max")),
    Key("text", "TRAIN_WINDOWS", "whole", "8",
        "So many windows of a document, drawn anew each epoch, a model is trained on at a time; all of "
        "them are read when it is judged.", least=1),
    Key("training", "EPOCHS", "whole", "3", "How often the training rows are read.", least=1, most=1000),
    Key("training", "BATCH_ROWS", "whole", "32", "Records of a step, over all processes.", least=1, most=65536),
    Key("training", "WINDOWS_AT_ONCE", "whole", "32",
        "Windows a process reads at a time; a step takes as many turns as it needs. Less saves memory.", least=1),
    Key("training", "LEARNING_RATE", "number", "1e-4", "Of the encoder, at its highest.", least=1e-8, most=1.0),
    Key("training", "HEAD_FACTOR", "number", "10",
        "How many times that rate the new head learns at.", least=0.01, most=1000),
    Key("training", "WEIGHT_DECAY", "number", "0.01", "Of all weights but biases and norms.", least=0.0, most=1.0),
    Key("training", "WARMUP_SHARE", "number", "0.06",
        "The share of the steps in which the rate rises.", least=0.0, most=1.0),
    Key("training", "SCHEDULE", "choice", "linear",
        "How the rate falls after that.", choices=("linear", "cosine", "constant")),
    Key("training", "CLIP_NORM", "number", "1.0", "Longer gradients are shortened to this; 0: never.", least=0.0),
    Key("training", "CLASS_WEIGHTS", "choice", "none",
        "balanced lets rare labels count as much as frequent ones.", choices=("none", "balanced")),
    Key("training", "PATIENCE", "whole", "0", "Stop after so many epochs without a better METRIC; 0: never.", least=0),
    Key("training", "PRECISION", "choice", "auto",
        "auto: bfloat16 where this machine is faster with it.", choices=("auto", "float32", "bfloat16")),
    Key("training", "CHECKPOINT_S", "number", "300",
        "A checkpoint every so many seconds, and after each epoch.", least=0.0),
    Key("tuning", "SEARCH", "choice", "random",
        "grid tries all of [space], random draws, optuna learns from the trials before.",
        choices=("grid", "random", "optuna")),
    Key("tuning", "TRIALS", "whole", "8", "How many trials; a grid has as many as it has.", least=1, most=10_000),
    Key("tuning", "PRUNE", "yes", "false",
        "Give up a trial that is worse than the median of the others after the same epoch."),
    Key("inference", "CONFIDENCE", "number", "0.95", "Of the intervals.", least=0.5, most=0.999),
    Key("inference", "RESAMPLES", "whole", "2000",
        "How often the test set is drawn anew for an interval.", least=100, most=100_000),
    Key("inference", "PREDICTIONS", "yes", "true", "Keep what each model says of each test record."),
    Key("inference", "WINDOWS_AT_ONCE", "whole", "32", "Windows that are read at a time.", least=1),
    Key("storage", "ROOT", "text", "",
        "A folder or an address (s3://bucket/experiments) below which the experiment is kept; empty: this "
        "folder."),
    Key("storage", "ENDPOINT_URL", "text", "", "Of an S3 server other than Amazon's.", pattern=r"https?://\S+"),
    Key("tracking", "TRACKERS", "words", "", "wandb, mlflow, or both."),
    Key("tracking", "PROJECT", "text", "evergreen", "The project of wandb."),
    Key("tracking", "WANDB_MODE", "choice", "offline",
        "offline writes into the run's folder; online needs WANDB_API_KEY in the environment.",
        choices=("offline", "online")),
    Key("tracking", "MLFLOW_URI", "text", "", "MLflow's server or store; empty: an SQLite file beside this one."),
    Key("launch", "LAUNCHER", "choice", "process",
        "process: here; accelerate: in processes of this machine; sagemaker; kubernetes.",
        choices=("process", "accelerate", "sagemaker", "kubernetes")),
    Key("launch", "PROCESSES", "whole", "1", "How many processes share a training.", least=1, most=1024),
    Key("sagemaker", "ROLE", "text", "", "The role that the jobs have.", pattern=r"arn:aws[\w-]*:iam::\d{12}:role/\S+"),
    Key("sagemaker", "IMAGE", "text", "", "The image of docker/, as your registry has it."),
    Key("sagemaker", "REGION", "text", "", "Empty: that of the environment."),
    Key("sagemaker", "INSTANCE_TYPE", "text", "ml.g5.xlarge", "Of training and tuning.", pattern=r"ml\.[\w.-]+"),
    Key("sagemaker", "PROCESSING_INSTANCE_TYPE", "text", "ml.m5.xlarge", "Of the other steps.", pattern=r"ml\.[\w.-]+"),
    Key("sagemaker", "VOLUME_GB", "whole", "50", "The disk of an instance.", least=1, most=16_384),
    Key("sagemaker", "MAX_RUNTIME_S", "whole", "86400", "A job that takes longer is ended.", least=60),
    Key("sagemaker", "SPOT", "yes", "false", "Spare capacity, cheaper; an interrupted training goes on."),
    Key("sagemaker", "MAX_WAIT_S", "whole", "0",
        "How long to wait for it, running time included; 0: MAX_RUNTIME_S.", least=0),
    Key("sagemaker", "SUBNETS", "words", "", "Of your VPC."),
    Key("sagemaker", "SECURITY_GROUPS", "words", "", "Of your VPC."),
    Key("sagemaker", "KMS_KEY", "text", "", "What encrypts disks and results."),
    Key("sagemaker", "POLL_S", "number", "15", "How often a job is asked how far it is.", least=0.01),
    Key("sagemaker", "ENDPOINT_URL", "text", "", "Of another server than Amazon's.", pattern=r"https?://\S+"),
    Key("kubernetes", "IMAGE", "text", "", "The image of docker/, as your registry has it."),
    Key("kubernetes", "NAMESPACE", "text", "default", "Where the jobs run.", pattern=r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"),
    Key("kubernetes", "SERVICE_ACCOUNT", "text", "", "Of the pods."),
    Key("kubernetes", "CPU", "text", "2", "Cores of a pod.", pattern=r"\d+(\.\d+)?|\d+m"),
    Key("kubernetes", "MEMORY", "text", "8Gi", "Memory of a pod.", pattern=r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|k|M|G|T)?"),
    Key("kubernetes", "GPU", "whole", "0", "GPUs of a pod.", least=0),
    Key("kubernetes", "BACKOFF_LIMIT", "whole", "0", "How often a failed pod is tried again.", least=0),
    Key("kubernetes", "TTL_S", "whole", "3600", "How long a finished job is kept.", least=0),
    Key("kubernetes", "MAX_RUNTIME_S", "whole", "86400", "A job that takes longer is ended.", least=1),
    Key("kubernetes", "VOLUME_CLAIM", "text", "",
        "The claim of the volume that holds this folder (or ROOT), mounted in the pod where it is mounted "
        "here."),
    Key("kubernetes", "SECRET", "text", "", "The name of a Secret whose keys become variables, such as AWS_*."),
    Key("kubernetes", "NODE_SELECTOR", "text", "", "Labels of the nodes: name=value, name=value."),
    Key("kubernetes", "POLL_S", "number", "5", "How often a job is asked how far it is.", least=0.01),
)  # fmt: skip
BY_SECTION: dict[str, dict[str, Key]] = {
    section: {key.name: key for key in KEYS if key.section == section} for section in SECTIONS
}
