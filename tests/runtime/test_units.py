"""Numbers of bytes as a person reads them."""

import pytest

from irislite.units import shown


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 kB"),
        (4_096, "4.1 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (21_800_000, "21.8 MB"),
        (77_960_073_216, "78.0 GB"),
        (5e15, "5,000.0 TB"),
    ],
)
def test_bytes_are_shown_in_the_unit_that_suits_them(size: float, text: str) -> None:
    assert shown(size) == text
