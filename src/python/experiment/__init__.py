"""Experiments: one settings file, five functions, a comparison by the end of the day.

`new` writes an experiment's folder; `run` takes it from the raw records to a comparison of its models; `start`,
`run_step` and `finish` do the same one step at a time, for who sends each as a message. Nothing heavy is imported
before the first of them is called.
"""

import importlib
from typing import TYPE_CHECKING, Any

from experiment.errors import (
    BadRequest,
    Cancelled,
    ExperimentError,
    FunctionWrong,
    LaunchFailed,
    ModelUnusable,
    PackageMissing,
    RecordsUnusable,
    RunBusy,
    RunExists,
    RunUnknown,
    SettingsInvalid,
    SourceUnreadable,
    StepFailed,
    StorageUnusable,
    TableUnknown,
    TextUnreadable,
)

if TYPE_CHECKING:
    from experiment.conduct import Started, fail, finish, run, run_step, start
    from experiment.launching import Job, Launcher
    from experiment.making import Source, located, new, root
    from experiment.records import Step
    from experiment.rules import validate
    from experiment.settings import Problem, Settings, checked_name
    from experiment.views import (
        Winner,
        cancel,
        comparison,
        curve,
        differences,
        experiments,
        log,
        record,
        runs,
        settings_of,
        statistics,
        test_records,
        winner,
    )

__all__ = [
    "BadRequest",
    "Cancelled",
    "ExperimentError",
    "FunctionWrong",
    "Job",
    "LaunchFailed",
    "Launcher",
    "ModelUnusable",
    "PackageMissing",
    "Problem",
    "RecordsUnusable",
    "RunBusy",
    "RunExists",
    "RunUnknown",
    "Settings",
    "SettingsInvalid",
    "Source",
    "SourceUnreadable",
    "Started",
    "Step",
    "StepFailed",
    "StorageUnusable",
    "TableUnknown",
    "TextUnreadable",
    "Winner",
    "cancel",
    "checked_name",
    "comparison",
    "curve",
    "differences",
    "experiments",
    "fail",
    "finish",
    "located",
    "log",
    "new",
    "record",
    "root",
    "run",
    "run_step",
    "runs",
    "settings_of",
    "start",
    "statistics",
    "test_records",
    "validate",
    "winner",
]

_PLACES = {
    "conduct": ("Started", "fail", "finish", "run", "run_step", "start"),
    "launching": ("Job", "Launcher"),
    "making": ("Source", "located", "new", "root"),
    "records": ("Step",),
    "rules": ("validate",),
    "settings": ("Problem", "Settings", "checked_name"),
}
_MODULES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"experiment.{_MODULES.get(name, 'views')}"), name)
