"""Read a settings file with `iop`'s own migration, so that it means here what it means on IRIS."""

import contextlib
import io
import re
import warnings
from pathlib import Path
from typing import Any

from iop.migration import utils
from iop.production.validation import ProductionValidationError, ProductionValidationWarning

from irislite.bridge.sql import namespace
from irislite.errors import ProductionError
from irislite.itemsettings import BY_KIND

# iop's validation knows the settings that a Python class declares, but none that every host has.
_OF_EVERY_HOST = {known.name for settings in BY_KIND.values() for known in settings}
_UNKNOWN_SETTING = re.compile(r"\.Host\.(\w+): Unknown setting name")


def migrate(settings_file: Path, strict: bool = False) -> tuple[str, list[str]]:
    """Register what a settings file names; `iop` calls the backend for each.

    Returns `iop`'s words about it, and what its validation found. With `strict` such a finding is a
    `ProductionError` and nothing is registered. What the file, or `iop`, raises is raised on.
    """
    words = io.StringIO()
    with contextlib.redirect_stdout(words), warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ProductionValidationWarning)
        try:
            utils.migrate(str(settings_file), mode="LOCAL", namespace=namespace(), strict_production_validation=strict)
        except ProductionValidationError as error:
            raise ProductionError(f"{error}\nCorrect this, or migrate without strict validation.") from error
    issues = [str(entry.message) for entry in found if issubclass(entry.category, ProductionValidationWarning)]
    return words.getvalue().strip(), [issue for issue in issues if not _is_known(issue)]


def register(production: Any, root_path: str | None = None) -> None:
    """The same for one production, an object or a dictionary of `iop`, without a file."""
    utils.set_productions_settings([production], root_path)


def _is_known(issue: str) -> bool:
    unknown = _UNKNOWN_SETTING.search(issue)
    return unknown is not None and unknown[1] in _OF_EVERY_HOST
