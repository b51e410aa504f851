"""The fixture `production` for pytest: it starts productions for a test. See docs/testing.md."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from irislite.testing import Running, factory


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a production for this test: `production("settings.py")`. Starting another one ends the first.

    It takes what `irislite.testing.running` takes. Below a test that failed, pytest shows its messages,
    and the warnings and errors of its log.
    """
    numbers = itertools.count(1)
    yield from factory(lambda: tmp_path / f"production-{next(numbers)}")
