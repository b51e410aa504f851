"""The figures that come with codecarbon, if it is installed: grids of countries and the design power of processors.

They are read as the files they are. codecarbon itself is not loaded: it takes over a second, and its tracker counts a
constant 20 W for memory and 4 W for every thread of an unknown processor, too coarse for work of milliseconds.
"""

from importlib.util import find_spec
from pathlib import Path


def data(*names: str) -> Path | None:
    """A file of codecarbon's data folder; None if it is not installed, or no longer has it."""
    spec = find_spec("codecarbon")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "data", *names)
        if file.is_file():
            return file
    return None
