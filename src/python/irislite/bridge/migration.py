"""Read a settings file with `iop`'s own migration, so that it means here what it means on IRIS."""

import contextlib
import io
from pathlib import Path

from iop.migration import utils

NAMESPACE = "IRISAPP"


def migrate(settings_file: Path) -> str:
    """Register what a settings file names; `iop` calls the backend for each. Returns `iop`'s words about it.

    What the file, or `iop`, raises is raised on.
    """
    words = io.StringIO()
    with contextlib.redirect_stdout(words):
        utils.migrate(str(settings_file), mode="LOCAL", namespace=NAMESPACE)
    return words.getvalue().strip()
