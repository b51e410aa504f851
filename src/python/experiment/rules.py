"""What must hold between settings, and between settings and what is there: all that is wrong, before anything costs.

Nothing heavy is imported here: a wrong file is refused in a tenth of a second.
"""

import importlib.util
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiment import bases, functions, journal, records, sources, space
from experiment.errors import ExperimentError
from experiment.functions import Config
from experiment.settings import Problem, Settings, read
from experiment.storage import Store

_SECRET = re.compile(r"(?i)(AKIA|ASIA)[A-Z0-9]{16}|hf_\w{20,}|(secret|password|token|api_?key)\s*[:=]\s*\S{8,}|"
                     r"://[^/@\s:]+:[^/@\s]+@")  # fmt: skip
_TRACKERS = {"wandb": "wandb", "mlflow": "mlflow"}


def validate(folder: Path | str, connection: Any = None) -> list[Problem]:
    """Everything that is wrong with the experiment in `folder`, in the order of the lines; [] if it can start.

    User functions are read and not run: `trial` does that. Raises `RunUnknown` where there is no settings.ini.
    """
    folder = Path(folder)
    settings, problems = read(folder)
    if settings.values:
        known = {problem.line for problem in problems if problem.line}
        found = (
            *_steps(settings),
            *_models(settings),
            *_data(settings, connection),
            *_shares(settings),
            *_text(settings),
            *_space(settings),
            *_places(settings),
            *_launch(settings),
            *_secrets(settings),
        )
        # A line whose value could not be read is told once; what follows from its default would be noise.
        problems += [problem for problem in found if not problem.line or problem.line not in known]
        on = [name for name in records.STEPS if settings.get(f"steps.RUN_{name.upper()}")]
        problems += functions.check(folder / functions.FILE, on)
    return sorted(problems, key=lambda problem: problem.line or 1_000_000)  # fmt: skip


def _steps(settings: Settings) -> Iterator[Problem]:
    on = {name: settings.get(f"steps.RUN_{name.upper()}") for name in records.STEPS}
    if not any(on.values()):
        yield settings.problem("steps.RUN_TRAINING", "every step is switched off: set at least one to true.")
    if on["training"] and on["tuning"]:
        yield settings.problem("steps.RUN_TUNING", "training and tuning exclude each other, because tuning is training "
                               "with changed hyperparameters: set one of them to false.")  # fmt: skip


def _models(settings: Settings) -> Iterator[Problem]:
    full = "experiment.MODEL_NAMES"
    if not settings.models:
        yield settings.problem(full, f"it names no model: write one or more, such as {bases.BUNDLED}.")
    by_slug: dict[str, str] = {}
    for name in settings.models:
        other = by_slug.setdefault(records.slug(name), name)
        if other != name:
            yield settings.problem(full, f"{other} and {name} would share a folder: rename one of the models.")
        if bases.split(name)[1] == 0:
            yield settings.problem(full, f"{name} has no layers: take at least the first, as {name[:-1]}1.")
        try:
            if "://" not in settings.get("experiment.MODELS_PATH"):
                bases.find(settings, name, Store(str(settings.folder)))
        except (ExperimentError, ImportError) as error:
            yield settings.problem(full, str(error))


def _data(settings: Settings, connection: Any) -> Iterator[Problem]:
    data = settings.section("data")
    if not settings.get("steps.RUN_RECONCILIATION"):
        return
    if not (data["FILES"] or data["TABLE"] or data["TEST_FILES"]) and _uses_sources(settings):
        yield settings.problem("data.FILES", "there is no data: name files in FILES, or a table in TABLE.")
    if data["LABELS_FILE"] and data["LABELS_TABLE"]:
        yield settings.problem("data.LABELS_TABLE", "labels come from LABELS_FILE too: empty one of them.")
    if data["DATABASE"] and not (data["TABLE"] or data["LABELS_TABLE"]):
        yield settings.problem("data.DATABASE", "no table of it is named: set TABLE or LABELS_TABLE.")
    joined = data["LABELS_TABLE"] or data["LABELS_FILE"] not in ("", sources.FOLDERS)
    if joined and data["TABLE"] and not data["ID_COLUMN"]:
        yield settings.problem("data.ID_COLUMN", "records and labels are joined by it: name the column of both.")
    for name in ("TEXT_COLUMN", "LABEL_COLUMN"):
        if not data[name]:
            yield settings.problem(f"data.{name}", "it is empty: name the column.")
    yield from _readable(settings, connection)


def _readable(settings: Settings, connection: Any) -> Iterator[Problem]:
    """Whether what [data] names is there, and has the columns."""
    from experiment import tables

    config = Config(settings, connection=connection)
    try:
        files = sources.files(settings)
        wanted = {".parquet": "pyarrow", ".pdf": "pypdf"}
        for suffix in {file.suffix for file in files} & set(wanted):
            if importlib.util.find_spec(wanted[suffix]) is None:
                yield settings.problem("data.FILES", f"{suffix} files need the package {wanted[suffix]}: pip install "
                                       f"{wanted[suffix]}.")  # fmt: skip
    except ExperimentError as error:
        yield settings.problem("data.TEST_FILES" if _of_tests(settings, error) else "data.FILES", str(error))
        files = []
    tabular = [file for file in files if file.suffix in sources.ROWS and not file.remote]
    if tabular and _uses_sources(settings):
        try:
            for _ in itertools.islice(sources.records(config), 1):
                pass
        except ExperimentError as error:
            yield settings.problem("data.TEXT_COLUMN", str(error))
    for key in ("TABLE", "LABELS_TABLE"):
        name = settings.get(f"data.{key}")
        if not name:
            continue
        columns = [settings.get(f"data.{column}_COLUMN") for column in ("ID", "TEXT", "LABEL")]
        drop = (1,) if key == "LABELS_TABLE" else (2,) if settings.get("data.LABELS_TABLE") else ()
        try:
            database = settings.get("data.DATABASE")
            with tables.opened(name, Path(settings.place(database)) if database else None, connection) as table:
                for number, column in enumerate(columns):
                    if column and number not in drop:
                        table.column(column)
        except ExperimentError as error:
            yield settings.problem(f"data.{key}", str(error))


def _shares(settings: Settings) -> Iterator[Problem]:
    test, validation = settings.get("data.TEST_SHARE"), settings.get("data.VALIDATION_SHARE")
    if test + validation > 0.9:
        yield settings.problem("data.VALIDATION_SHARE", f"test and validation take {test + validation:g} of the "
                               "records: leave at least 0.1 to train on.")  # fmt: skip
    if test == 0 and not settings.get("data.TEST_FILES") and settings.get("steps.RUN_INFERENCE"):
        yield settings.problem("data.TEST_SHARE", "there is no test set: set a share above 0, or name TEST_FILES.")
    learns = settings.get("steps.RUN_TRAINING") or settings.get("steps.RUN_TUNING")
    if validation == 0 and learns:
        yield settings.problem("data.VALIDATION_SHARE", "nothing is left to choose an epoch by: set a share above 0, "
                               "such as 0.1.")  # fmt: skip


def _text(settings: Settings) -> Iterator[Problem]:
    tokens, overlap = settings.get("text.MAX_TOKENS"), settings.get("text.OVERLAP_TOKENS")
    if tokens != "auto" and overlap > tokens // 2:
        yield settings.problem("text.OVERLAP_TOKENS", f"windows of {tokens} tokens would share {overlap}: "
                               f"{tokens // 2} is the most.")  # fmt: skip


def _space(settings: Settings) -> Iterator[Problem]:
    given = settings.section("space")
    if not settings.get("steps.RUN_TUNING"):
        return
    if not given:
        yield settings.problem("steps.RUN_TUNING", "[space] is empty: say there what to try, as LEARNING_RATE = 3e-5, "
                               "1e-4.")  # fmt: skip
    for name, text in given.items():
        try:
            found = space.parse(name, text)
        except ValueError as error:
            yield settings.problem(f"space.{name}", str(error))
            continue
        if settings.get("tuning.SEARCH") == "grid" and not found.values:
            yield settings.problem(f"space.{name}", "a grid has no ranges: write a list, or set SEARCH to random.")
    if settings.get("tuning.SEARCH") == "optuna" and importlib.util.find_spec("optuna") is None:
        yield settings.problem("tuning.SEARCH", "optuna is not installed: pip install optuna, or set SEARCH to random.")


def _places(settings: Settings) -> Iterator[Problem]:
    root = settings.get("storage.ROOT")
    try:
        store = Store(settings.address, settings.get("storage.ENDPOINT_URL"))
    except ExperimentError as error:
        yield settings.problem("storage.ROOT", str(error))
        return
    if store.local is not None and root and not store.local.parent.is_dir():
        yield settings.problem("storage.ROOT", f"there is no folder {store.local.parent}: make it.")
    number = settings.get("experiment.RUN_NUM")
    try:
        if number != "auto" and number in journal.numbers(store):
            free = max(journal.numbers(store)) + 1
            yield settings.problem("experiment.RUN_NUM", f"run {number} exists: write auto, or {free}, which is free.")
    except ExperimentError as error:
        yield settings.problem("storage.ROOT", str(error))


def _launch(settings: Settings) -> Iterator[Problem]:
    launcher, processes = settings.get("launch.LAUNCHER"), settings.get("launch.PROCESSES")
    if launcher == "process" and processes > 1:
        yield settings.problem("launch.PROCESSES", "LAUNCHER = process is this one process: set it to accelerate.")
    if launcher in ("sagemaker", "kubernetes"):
        remote = "://" in settings.get("storage.ROOT")
        if not settings.get(f"{launcher}.IMAGE"):
            yield settings.problem(f"{launcher}.IMAGE", "it is empty: build docker/, push it, and name it.")
        if not remote and not (launcher == "kubernetes" and settings.get("kubernetes.VOLUME_CLAIM")):
            claim = ", or VOLUME_CLAIM" if launcher == "kubernetes" else ""
            yield settings.problem("storage.ROOT", f"a job elsewhere does not see this folder: set an address, as "
                                   f"s3://bucket/experiments{claim}.")  # fmt: skip
    if launcher == "sagemaker" and not settings.get("sagemaker.ROLE"):
        yield settings.problem("sagemaker.ROLE", "it is empty: name the role that the jobs are to have.")
    lacking = {"sagemaker": "boto3", "kubernetes": "kubernetes"}.get(launcher, "")
    if lacking and importlib.util.find_spec(lacking) is None:
        yield settings.problem("launch.LAUNCHER", f"{launcher} needs the package {lacking}: pip install {lacking}.")
    for tracker in settings.get("tracking.TRACKERS"):
        if tracker not in _TRACKERS:
            yield settings.problem("tracking.TRACKERS", f"there is no tracker {tracker!r}: wandb and mlflow are known.")
        elif importlib.util.find_spec(_TRACKERS[tracker]) is None:
            package = {"mlflow": "mlflow-skinny"}.get(tracker, tracker)
            yield settings.problem("tracking.TRACKERS", f"{tracker} is not installed: pip install {package}, or leave "
                                   "it out.")  # fmt: skip


def _secrets(settings: Settings) -> Iterator[Problem]:
    for full, entry in settings.entries.items():
        if _SECRET.search(entry.text):
            yield settings.problem(full, "this looks like a secret, and the file is copied into every run: remove it, "
                                   "and set it in the environment.")  # fmt: skip


def _uses_sources(settings: Settings) -> bool:
    """Whether `reconcile` is the one that reads [data]; another may read whatever it likes."""
    try:
        return "sources." in (settings.folder / functions.FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return False


def _of_tests(settings: Settings, error: ExperimentError) -> bool:
    return any(str(error).startswith(f"{pattern} ") for pattern in settings.get("data.TEST_FILES"))
