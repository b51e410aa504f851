"""What a training needs of heavy libraries: loaded when it begins, or beside other work before it asks."""

import functools
import importlib
import threading

import libraries

_AFTER_S = 10.0  # by then the models of a production have had their turn
_MODULES = ("sklearn.metrics", "sklearn.model_selection", "tuning.launch", "tuning.trainer")


@functools.cache
def warm() -> threading.Timer:
    """Begin to load what a training needs, once a process, in a thread of its own and after the start's rush."""
    return libraries.later(_AFTER_S, load)


def load() -> None:
    """Load all of it, one module after another: a model that is loaded meanwhile does not wait for them all."""
    for module in _MODULES:
        with libraries.lock:
            importlib.import_module(module)
