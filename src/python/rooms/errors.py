"""What the rooms refuse, in the runtime's tree of errors, so that page and JSON tell it as they tell everything."""

from collections.abc import Iterator
from contextlib import contextmanager

import paths
from experiment.errors import ExperimentError, RunUnknown
from inference.errors import InferenceError
from irislite.errors import BadRequest, IrisliteError
from tuning import TuningError


class NoSuchModel(IrisliteError, LookupError):
    """No model folder has that name."""


class NoSuchRun(IrisliteError, LookupError):
    """No experiment, run or step has that name."""


class Refused(BadRequest):
    """A feature refused what was asked; the text is the feature's."""


class NobodyCan(BadRequest):
    """No item of the production does what was asked."""


@contextmanager
def told_as_ours() -> Iterator[None]:
    """What a feature refuses in the block is `Refused`, with the same words."""
    try:
        yield
    except RunUnknown as error:
        raise NoSuchRun(str(error)) from error
    except (ExperimentError, InferenceError, TuningError, paths.PathNotAllowed) as error:
        raise Refused(str(error)) from error
