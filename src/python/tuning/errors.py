"""What can go wrong in a tuning, as a small tree; every message ends with what to do."""


class TuningError(Exception):
    """Everything this package raises on purpose."""


class BadRequest(TuningError, ValueError):
    """A field of the request cannot be used."""


class TableNotFound(TuningError, LookupError):
    """The database's catalogue has no such table."""


class ColumnNotFound(TuningError, LookupError):
    """The table has no such column."""


class BadRows(TuningError, ValueError):
    """The rows that were read cannot be trained on."""


class ModelUnusable(TuningError, OSError):
    """The champion's folder is missing or cannot be loaded as a text classifier."""


class TrainingFailed(TuningError, RuntimeError):
    """The training ran and gave no model worth keeping."""


class NoCandidate(TuningError, LookupError):
    """There is nothing to promote."""


class CandidateBroken(TuningError, ValueError):
    """The candidate's folder is not what a training saved."""
