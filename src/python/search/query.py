"""What is asked: a text, a picture or a book, and which books may be found; typed, so that no request is ever code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.book import tag
from search.errors import BadRequest

MOST_HITS = 100
MOST_LETTERS = 1_000
COVERS, TEXTS = "covers", "texts"
_SPANS = ("year", "pages")
_MOST_SUBJECTS = 10
_HOW = 'Write a filter as {"year": {"from": 2015, "to": 2020}, "pages": {"to": 300}, "subjects": ["mystery"]}.'


@dataclass(frozen=True)
class Span:
    """A range of whole numbers, both ends in it; None is no end."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Filter:
    """Which books may be found. An unknown year or number of pages is in no span."""

    year: Span = Span()
    pages: Span = Span()
    subjects: tuple[str, ...] = ()
    """As `book.tag` writes them: letters, digits, underscores and spaces. A book must have all."""

    @classmethod
    def parse(cls, given: object) -> "Filter":
        """The filter that a request means. Raises `BadRequest`."""
        if given in (None, "", {}):
            return cls()
        if not isinstance(given, Mapping):
            raise BadRequest(f"A filter is an object, not {type(given).__name__}. {_HOW}")
        if unknown := set(given) - {*_SPANS, "subjects"}:
            raise BadRequest(f"There is no filter {', '.join(sorted(map(str, unknown)))}. {_HOW}")
        year, pages = (_span(name, given.get(name)) for name in _SPANS)
        return cls(year, pages, _subjects(given.get("subjects")))

    @property
    def spans(self) -> tuple[tuple[str, Span], ...]:
        """The columns and their spans that say anything."""
        both = (("year", self.year), ("pages", self.pages))
        return tuple((name, span) for name, span in both if span != Span())


@dataclass(frozen=True)
class Question:
    """One of `text`, `picture` (its bytes) and `like` (a book's key); `over` says what is compared."""

    text: str = ""
    picture: bytes = b""
    like: str = ""
    over: str = COVERS
    limit: int = 10
    filter: Filter = Filter()

    def __post_init__(self) -> None:
        if sum(map(bool, (self.text, self.picture, self.like))) != 1:
            raise BadRequest("Ask with one of query (a text), image (a picture) and like (the key of a book).")
        if self.over not in (COVERS, TEXTS):
            raise BadRequest(f"over={self.over!r} cannot be searched. Write covers or texts.")
        if self.picture and self.over == TEXTS:
            raise BadRequest("A picture is compared with covers. Leave over out.")
        if len(self.text) > MOST_LETTERS:
            raise BadRequest(f"The query has {len(self.text):,} letters; {MOST_LETTERS:,} are the most. Shorten it.")
        if not _whole(self.limit) or not 1 <= self.limit <= MOST_HITS:
            raise BadRequest(f"limit={self.limit!r} is no whole number from 1 to {MOST_HITS}. Correct it.")


def _span(name: str, given: object) -> Span:
    if given is None:
        return Span()
    if _whole(given):
        return Span(given, given)  # type: ignore[arg-type]
    if not isinstance(given, Mapping) or set(given) - {"from", "to"}:
        raise BadRequest(f"{name} is no range. {_HOW}")
    ends: list[Any] = [given.get("from"), given.get("to")]
    for end in ends:
        if end is not None and not (_whole(end) and 0 <= end < 2**31):
            raise BadRequest(f"{name}: {end!r} is no whole number. {_HOW}")
    return Span(*ends)


def _subjects(given: object) -> tuple[str, ...]:
    if given is None:
        return ()
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list | tuple) or not all(isinstance(one, str) for one in several):
        raise BadRequest(f"subjects is no list of texts. {_HOW}")
    if len(several) > _MOST_SUBJECTS:
        raise BadRequest(f"{len(several)} subjects are too many; {_MOST_SUBJECTS} are the most. Leave some out.")
    if empty := [one for one in several if not tag(one)]:
        raise BadRequest(f"The subject {empty[0]!r} has no letters or digits. Write words, as in mystery.")
    return tuple(tag(one) for one in several)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
