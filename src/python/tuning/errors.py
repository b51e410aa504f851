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


class FileUnreadable(TuningError, OSError):
    """A file of rows cannot be read, or is not what its name says."""


class DatasetUnavailable(TuningError, OSError):
    """The hub does not give the data set, or cannot be reached."""


class ModelUnusable(TuningError, OSError):
    """The champion's folder is missing or cannot be loaded as a text classifier."""


class TrainingFailed(TuningError, RuntimeError):
    """The training ran and gave no model worth keeping."""


class MethodMissing(TuningError, ImportError):
    """A package that the training's method needs is not installed."""


class Cancelled(TuningError):
    """The training was stopped by a message; nothing was saved."""


class NotTraining(TuningError, LookupError):
    """There is no running training to cancel."""


class NoCandidate(TuningError, LookupError):
    """There is nothing to promote."""


class CandidateBroken(TuningError, ValueError):
    """The candidate's folder is not what a training saved."""


class CandidateChanged(TuningError, ValueError):
    """The candidate is another than the one that was to be promoted."""


class NotBetter(TuningError, ValueError):
    """The candidate is not as much better as was asked for."""


class NoPrevious(TuningError, LookupError):
    """There is nothing to go back to."""


class DiskRefused(TuningError, OSError):
    """The file system refused a step; everything is as it was, or its message says what is not."""


class NoSpace(DiskRefused):
    """The disk has no room for what was to be written."""
