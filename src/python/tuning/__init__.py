"""Make a better model and decide: train on rows of a SQL table, compare old and new, promote.

`train` makes a candidate beside the champion, `promote` puts it in its place, `roll_back` takes that back,
`recover` puts right what a crash left behind, `cancel` stops a training, and `unfinished` tells of those that a crash
ended. Nothing heavy is loaded before the first training.
"""

from typing import TYPE_CHECKING, Any

from tuning.answers import Engine
from tuning.comparison import compare
from tuning.errors import (
    BadRequest,
    BadRows,
    Cancelled,
    CandidateBroken,
    CandidateChanged,
    ColumnNotFound,
    DatasetUnavailable,
    DiskRefused,
    FileUnreadable,
    MethodMissing,
    ModelUnusable,
    NoCandidate,
    NoPrevious,
    NoSpace,
    NotBetter,
    NotTraining,
    TableNotFound,
    TrainingFailed,
    TuningError,
)
from tuning.registry import Promotion, history_of, promote, recover, roll_back
from tuning.report import Report
from tuning.runs import cancel
from tuning.runs import sentences as unfinished
from tuning.shadow import Shadow
from tuning.warming import warm

if TYPE_CHECKING:
    from tuning.job import train

__all__ = [
    "BadRequest",
    "BadRows",
    "Cancelled",
    "CandidateBroken",
    "CandidateChanged",
    "ColumnNotFound",
    "DatasetUnavailable",
    "DiskRefused",
    "Engine",
    "FileUnreadable",
    "MethodMissing",
    "ModelUnusable",
    "NoCandidate",
    "NoPrevious",
    "NoSpace",
    "NotBetter",
    "NotTraining",
    "Promotion",
    "Report",
    "Shadow",
    "TableNotFound",
    "TrainingFailed",
    "TuningError",
    "cancel",
    "compare",
    "history_of",
    "promote",
    "recover",
    "roll_back",
    "train",
    "unfinished",
    "warm",
]


def __getattr__(name: str) -> Any:
    if name == "train":  # it needs numpy, which takes a fifth of what importing this package may take
        from tuning.job import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
