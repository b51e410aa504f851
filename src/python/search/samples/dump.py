"""Dumps of editions in Open Library's format, of any size, with every dirt that is known of the true ones."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from search.book import isbn_13

_WORDS = (  # noqa: SIM905 - a list of forty is harder to read
    "river house winter light stone garden letter shadow island summer mirror bridge silence harbour fire daughter "
    "orchard clock desert promise storm window paper road night sister crown forest salt memory bird tower glass"
).split()
_NAMES = ("Ana Silva", "Tom Becker", "Mary O’Neill", "José Peña", "Li Wei", "Anna Kowalska", "Kofi Mensah")
_SUBJECTS = ("Fiction", "Fiction, general", "Science fiction", "Detective and mystery stories -- Fiction")


_DIRT_SHARE = 0.1  # of the lines that are not wanted


@dataclass(frozen=True)
class Made:
    """A line, what is particular about it, and whether it is a book that the documented filters want."""

    line: bytes
    kind: str
    key: str
    wanted: bool


def lines(seed: int = 0, wanted_share: float = 0.05) -> Iterator[Made]:
    """Lines without an end; about `wanted_share` of them are wanted. The same seed makes the same lines."""
    draw = random.Random(seed)  # noqa: S311 - nothing here is secret
    good = [kind for kind in KINDS if kind[1]]
    other = [kind for kind in KINDS if not kind[1]]
    number = 0
    while True:
        number += 1
        if draw.random() < wanted_share:
            change, wanted = draw.choice(good)
        else:
            change, wanted = draw.choice(other if draw.random() < _DIRT_SHARE else COMMON)
        yield _made(number, change, wanted, draw)


def write(path: Path, size_bytes: int, seed: int = 0, wanted_share: float = 0.05) -> int:
    """Write a dump of about so many bytes, compressed if the name ends in .gz; how many lines it has."""
    written = count = 0
    with gzip.open(path, "wb", 1) if path.suffix == ".gz" else path.open("wb") as file:
        for made in lines(seed, wanted_share):
            file.write(made.line + b"\n")
            written += len(made.line) + 1
            count += 1
            if written >= size_bytes:
                return count
    return count


def line(record: dict[str, Any], modified: str = "2021-05-05T05:05:05.000000", kind: str = "/type/edition") -> bytes:
    """A line of a dump as Open Library writes it."""
    text = record if isinstance(record, str) else json.dumps(record)
    return "\t".join((kind, str(record["key"]), "3", modified, text)).encode()


def good(number: int, draw: random.Random) -> dict[str, Any]:
    """An edition with nothing wrong."""
    digits = "978" + f"{number % 10**9:09d}"
    check = next(last for last in range(10) if isbn_13(digits + str(last)))
    title = " ".join(draw.sample(_WORDS, 3)).capitalize()
    return {
        "type": {"key": "/type/edition"},
        "title": title,
        "authors": [{"key": f"/authors/OL{draw.randrange(1, 99_999)}A"}],
        "by_statement": draw.choice(_NAMES),
        "publish_date": draw.choice(("{}", "June {}", "{}-06-01", "c{}", "[{}?]")).format(draw.randrange(2010, 2026)),
        "publishers": ["A Press of Ours"],
        "subjects": [*draw.sample(_SUBJECTS, 2), "Families", "Islands"],
        "languages": [{"key": "/languages/eng"}],
        "number_of_pages": draw.randrange(100, 900),
        "description": {"type": "/type/text", "value": f"{title}. {' '.join(draw.choices(_WORDS, k=60))}."},
        "isbn_13": [digits + str(check)],
        "covers": [100_000 + number],
        "works": [{"key": f"/works/OL{number}W"}],
        "key": f"/books/OL{number}M",
        "latest_revision": 3,
        "revision": 3,
        "created": {"type": "/type/datetime", "value": "2019-04-01T03:28:50.625462"},
        "last_modified": {"type": "/type/datetime", "value": "2021-05-05T05:05:05.000000"},
    }


def isbn_10(thirteen: str) -> str:
    """The older form of an ISBN that begins with 978."""
    digits = thirteen[3:12]
    total = sum((10 - place) * int(one) for place, one in enumerate(digits))
    last = -total % 11
    return digits + ("X" if last == 10 else str(last))


_Change = Callable[[dict[str, Any]], "dict[str, Any] | bytes"]


def _with(**fields: Any) -> _Change:
    def change(record: dict[str, Any]) -> dict[str, Any]:
        kept = {name: value for name, value in record.items() if name not in fields}
        return kept | {name: value for name, value in fields.items() if value is not None}

    change.__doc__ = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return change


def _older_isbn(record: dict[str, Any]) -> dict[str, Any]:
    """only an ISBN of ten digits"""
    return _with(isbn_13=None, covers=None, isbn_10=[isbn_10(record["isbn_13"][0])])(record)  # type: ignore[return-value]


def _both_isbns(record: dict[str, Any]) -> dict[str, Any]:
    """both kinds of ISBN"""
    return record | {"isbn_10": [isbn_10(record["isbn_13"][0])]}


def _dashed_isbn(record: dict[str, Any]) -> dict[str, Any]:
    """an ISBN with dashes, as a text"""
    digits = record["isbn_13"][0]
    return record | {"isbn_13": f"{digits[:3]}-{digits[3:7]}-{digits[7:12]}-{digits[12:]}"}


def _cut(record: dict[str, Any]) -> bytes:
    """JSON that ends too early"""
    return line(record)[:-40]


def _no_tabs(record: dict[str, Any]) -> bytes:
    """a line with spaces for tabs"""
    return line(record).replace(b"\t", b" ")


def _half_surrogate(record: dict[str, Any]) -> bytes:
    """half of a surrogate pair in the title"""
    return line(record).replace(b'"title": "', b'"title": "\\ud83d ')


def _escaped(record: dict[str, Any]) -> bytes:
    """slashes and a letter written as escapes"""
    return line(record).replace(b"/languages/eng", b"\\/languages\\/eng").replace(b'"Fiction', b'"\\u0046iction')


def _redirect(record: dict[str, Any]) -> bytes:
    """a redirect"""
    return line(record, kind="/type/redirect")


KINDS: tuple[tuple[_Change, bool], ...] = (
    (_with(), True),
    (_older_isbn, True),
    (_both_isbns, True),
    (_dashed_isbn, True),
    (_with(isbn_13=None), True),
    (_with(covers=None), True),
    (_with(covers=[-1, None, 77]), True),
    (_with(isbn_13=["9780000000000", "none"]), True),
    (_with(subjects="Fiction"), True),
    (_with(subjects=["FICTION / General", None, {"value": "Islands"}]), True),
    (_with(subjects=["Families"], genres=["Fiction."]), True),
    (_with(number_of_pages="320 p."), True),
    (_with(publish_date=2019), True),
    (_with(publish_date="20190304"), True),
    (_with(description="A text instead of a mapping."), True),
    (_with(description=None), True),
    (_with(authors=None, by_statement=None), True),
    (_with(languages=[{"key": "/languages/fre"}, {"key": "/languages/eng"}]), True),
    (_half_surrogate, True),
    (_escaped, True),
    (_with(languages=None), False),
    (_with(subjects=None), False),
    (_with(subjects=["Nonfiction"]), False),
    (_with(subjects=["Non-fiction", "Islands"]), False),
    (_with(subjects=["Creative nonfiction", "Fiction"]), False),
    (_with(subjects=["Juvenile fiction"]), False),
    (_with(subjects=["Fiction", "Children's stories"]), False),
    (_with(subjects=["Fiction"], genres=["Juvenile works"]), False),
    (_with(subjects=["Fictional characters"]), False),
    (_with(publish_date="1987"), False),
    (_with(publish_date=None), False),
    (_with(publish_date="20th century"), False),
    (_with(publish_date="9999"), False),
    (_with(number_of_pages=None), False),
    (_with(number_of_pages=64), False),
    (_with(number_of_pages=-300), False),
    (_with(isbn_13=None, covers=None), False),
    (_with(isbn_13=["123"], covers=[-1]), False),
    (_with(title=None), False),
    (_cut, False),
    (_no_tabs, False),
    (_redirect, False),
)
"""What is done to an edition, and whether it is wanted then."""

COMMON: tuple[tuple[_Change, bool], ...] = (
    (_with(languages=[{"key": "/languages/ger"}]), False),
    (_with(subjects=["History", "Economics"]), False),
)
"""What most editions are: in another language, or about something else."""


def _made(number: int, change: _Change, wanted: bool, draw: random.Random) -> Made:
    record = good(number, draw)
    changed = change(record)
    data = changed if isinstance(changed, bytes) else line(changed)
    return Made(data, change.__doc__ or "nothing wrong", str(record["key"]), wanted)
