"""The heavy libraries, loaded beside the work before the first training asks for them."""

import atexit
import functools
import importlib
import threading

_AFTER_S = 2.0


@functools.cache
def warm() -> threading.Timer:
    """Begin to load what a training needs, once a process, in a thread of its own and after the start's rush."""
    timer = threading.Timer(_AFTER_S, _load)
    timer.daemon = True
    timer.start()
    # A thread that loads a library while the interpreter goes away may take it down with a noise.
    atexit.register(timer.join)
    atexit.register(timer.cancel)  # handlers run last first
    return timer


def _load() -> None:
    for module in ("sklearn.metrics", "sklearn.model_selection", "tuning.launch", "tuning.trainer"):
        importlib.import_module(module)
