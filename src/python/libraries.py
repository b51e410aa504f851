"""Heavy libraries are loaded by one thread at a time.

transformers, torch and their like load parts of themselves when they are first asked for, and these parts import each
other in circles. Two threads that enter a circle at different places would wait for each other; Python cuts that knot
by showing one of them a half-made module, and then a name is missing that is there.
"""

import atexit
import gc
import threading
from collections.abc import Callable
from weakref import WeakSet

lock = threading.RLock()
"""Held by whoever imports such a library, or calls what imports more of it: a `from_pretrained`, a trainer's making."""

# These libraries make a million objects that stay. Python's own thresholds walk over all that is there so far again and
# again meanwhile, and over all of it now and then later: a second of a start, and answers that wait a quarter of one.
gc.set_threshold(50_000, 20, 20)

_timers: WeakSet[threading.Timer] = WeakSet()


def later(delay_s: float, function: Callable[[], object]) -> threading.Timer:
    """Call `function`, which loads such libraries, in a thread of its own after a while.

    The end of the interpreter cancels the wait, and waits for a call that has begun: a thread that loads a library
    while the interpreter goes away may take it down with a noise.
    """
    timer = threading.Timer(delay_s, function)
    timer.daemon = True
    timer.start()
    _timers.add(timer)
    return timer


@atexit.register
def _end() -> None:
    for timer in list(_timers):
        timer.cancel()
    for timer in list(_timers):
        timer.join()
