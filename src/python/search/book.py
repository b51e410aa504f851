"""A book: its columns, the words of its subjects, its ISBN and year as people write them."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

MOST_DESCRIPTION = 2_000  # letters; more helps no search
_APART = re.compile(r"\s*(?:--|[,;:/()\[\]|.>])\s*")
_WORD = re.compile(r"\w+")
_APOSTROPHES = re.compile(r"['’`´]s\b|['’`´]")
_YEAR = re.compile(r"(?<!\d)(1[4-9]\d\d|20\d\d)(?:\d{4})?(?!\d)")
_MOST_TAGS = 96
_MOST_TAG = 64


@lru_cache(maxsize=1 << 16)  # the same subjects come again and again
def tag(text: str) -> str:
    """`text` in words to compare by: "Children's fiction" is "children fiction", "non-fiction" is "nonfiction".

    Nothing but letters, digits, underscores and single spaces is left.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    plain = re.sub(r"\bnon[-\s]+(?=fiction)", "non", _APOSTROPHES.sub("", plain))
    return " ".join(_WORD.findall(plain))[:_MOST_TAG].strip()


def tags(subjects: Iterable[str]) -> list[str]:
    """What a filter finds the subjects by: each whole, its parts between commas and dashes, its words."""
    found: dict[str, None] = {}
    for subject in subjects:
        parts = [tag(subject), *(tag(part) for part in _APART.split(subject))]
        for name in (*parts, *(word for part in parts for word in part.split())):
            if name:
                found.setdefault(name)
    return list(found)[:_MOST_TAGS]


def has(subject: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `subject`, one after the other; both as `tag` writes them."""
    return f" {phrase} " in f" {subject} "


def year(text: str) -> int | None:
    """The first year in a date as people write it; None if there is none, or one that is still to come."""
    match = _YEAR.search(text)
    found = int(match[1]) if match else None
    return found if found and found <= datetime.now(UTC).year + 1 else None


def isbn_13(text: str) -> str | None:
    """A valid ISBN of either kind as 13 digits; None for anything else."""
    digits = re.sub(r"[\s\-‐-―]", "", text).upper()
    if re.fullmatch(r"\d{9}[\dX]", digits):
        total = sum((10 - place) * (10 if one == "X" else int(one)) for place, one in enumerate(digits))
        return None if total % 11 else _with_check_digit("978" + digits[:9])
    if re.fullmatch(r"97[89]\d{10}", digits):
        return digits if _with_check_digit(digits[:12]) == digits else None
    return None


def _with_check_digit(digits: str) -> str:
    total = sum(int(one) * (3 if place % 2 else 1) for place, one in enumerate(digits))
    return digits + str(-total % 10)
