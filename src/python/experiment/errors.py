"""What can go wrong in an experiment, as a small tree; every message ends with what to do."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiment.settings import Problem


class ExperimentError(Exception):
    """Everything this package raises on purpose."""


class BadRequest(ExperimentError, ValueError):
    """An argument of a command or a field of a request cannot be used."""


class SettingsInvalid(ExperimentError, ValueError):
    """The experiment cannot start as it is described; `problems` has everything that is wrong with it."""

    def __init__(self, problems: "Iterable[Problem]") -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        found = "1 problem was" if count == 1 else f"{count} problems were"
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{found} found, and nothing was started:\n{listed}\nCorrect what is named, and run it again.")


class FunctionWrong(ExperimentError, ValueError):
    """A user-defined function gave what it must not give, or raised."""


class RecordsUnusable(ExperimentError, ValueError):
    """The records that were collected cannot be trained on."""


class SourceUnreadable(ExperimentError, OSError):
    """A file of records or labels is not there, or is not what its name says."""


class TextUnreadable(ExperimentError, ValueError):
    """A document's text cannot be read."""


class TableUnknown(ExperimentError, LookupError):
    """The database has no such table, or the table no such column."""


class ModelUnusable(ExperimentError, OSError):
    """A model's folder is missing, or cannot be loaded as a classifier."""


class StorageUnusable(ExperimentError, OSError):
    """The place where an experiment is kept cannot be reached or written."""


class RunExists(ExperimentError, FileExistsError):
    """The run number that was asked for is taken."""


class RunBusy(ExperimentError, RuntimeError):
    """Another process is working on this run."""


class RunUnknown(ExperimentError, LookupError):
    """There is no such experiment, run or step."""


class StepFailed(ExperimentError, RuntimeError):
    """A step ran and gave no result."""


class LaunchFailed(StepFailed):
    """A step could not be started, or ended, where it was to run."""


class Cancelled(ExperimentError):
    """The run was stopped by somebody; what is finished is kept."""


class PackageMissing(ExperimentError, ImportError):
    """A package that a setting asks for is not installed."""
