"""Make a better model and decide: train on rows of a SQL table, compare old and new, promote.

`train` makes a candidate beside the champion, `promote` puts it in its place, and `recover`
puts right what a crash left behind. Nothing heavy is loaded before the first training.
"""

from tuning.errors import (
    BadRequest,
    BadRows,
    CandidateBroken,
    ColumnNotFound,
    ModelUnusable,
    NoCandidate,
    TableNotFound,
    TrainingFailed,
    TuningError,
)
from tuning.job import Report, train
from tuning.registry import Promotion, promote, recover

__all__ = [
    "BadRequest",
    "BadRows",
    "CandidateBroken",
    "ColumnNotFound",
    "ModelUnusable",
    "NoCandidate",
    "Promotion",
    "Report",
    "TableNotFound",
    "TrainingFailed",
    "TuningError",
    "promote",
    "recover",
    "train",
]
