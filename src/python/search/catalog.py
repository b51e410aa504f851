"""The catalogue: which books of a dump are wanted, one row for each, as Parquet."""

import hashlib
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from search import dump
from search.book import MOST_DESCRIPTION, has, isbn_13, tag, year
from search.embedding import Clock, Outcome
from search.errors import DumpCut
from search.place import Place

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("title", pa.string()),
        ("authors", pa.list_(pa.string())),
        ("year", pa.int32()),
        ("pages", pa.int32()),
        ("subjects", pa.list_(pa.string())),
        ("description", pa.string()),
        ("isbn", pa.string()),
        ("cover_id", pa.int64()),
        ("modified", pa.string()),
    ]
)
ROW_GROUP = 2_048
_VERSION = 1  # of what this module makes of a line
_NUMBER = re.compile(r"-?\d{1,12}")
_BY = re.compile(r"^by\s+", re.IGNORECASE)
# An escape that hides a letter, a digit or a slash of plain ASCII from a search through the bytes.
_HIDING = re.compile(rb"\\(?:/|u00[2-7])")


@dataclass(frozen=True)
class Rules:
    """Which editions are wanted. An empty or zero rule lets everything through."""

    language: str = "eng"
    """The code of Open Library, as in /languages/eng."""
    subjects: tuple[str, ...] = ("fiction",)
    """Words of which a subject or genre must have one."""
    without: tuple[str, ...] = ("nonfiction", "juvenile", "children", "childrens")
    """Words that no subject or genre may have."""
    min_pages: int = 100
    min_year: int = 2010
    recent_years: int = 0
    """Instead of `min_year`: how many years back from this one."""

    @property
    def first_year(self) -> int:
        """The earliest year of publication that is wanted; 0 if all are."""
        return datetime.now(UTC).year - self.recent_years if self.recent_years else self.min_year


class Reader:
    """Makes books of a dump's lines, and counts in `counts` why the others became none."""

    def __init__(self, rules: Rules) -> None:
        self._rules, self._first_year = rules, rules.first_year
        self._wanted = tuple(tag(words) for words in rules.subjects)
        self._unwanted = tuple(tag(words) for words in rules.without)
        self._language = f"/languages/{rules.language}".encode() if rules.language else b""
        # One word of each wanted subject, to look for in the bytes; none if one of them may be written as an escape.
        words = [max(words.split(), key=len) for words in self._wanted if words]
        self._words = tuple(word.encode() for word in words) if all(map(str.isascii, words)) else ()
        self.counts: Counter[str] = Counter()

    def books(self, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
        """The wanted books among these lines."""
        self.counts["lines"] += len(lines)
        for line in self._likely(lines):
            book = self._book(line)
            if isinstance(book, str):
                self.counts[book] += 1
            else:
                self.counts["books"] += 1
                yield book

    def _likely(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """The lines that a look at their bytes does not rule out; parsing is what costs."""
        language, words = self._language, self._words
        left = [line for line in lines if language in line or (b"\\" in line and _HIDING.search(line))]
        self.counts["another language"] += len(lines) - len(left)
        if not words:
            return left
        likely = []
        for line in left:
            small = line.lower()
            if any(word in small for word in words) or (b"\\" in line and _HIDING.search(line)):
                likely.append(line)
        self.counts["another subject"] += len(left) - len(likely)
        return likely

    def _book(self, line: bytes) -> dict[str, Any] | str:
        """The book of a line, or why it is none."""
        parts = line.split(b"\t", 4)
        if len(parts) < 5:
            return "a line that is none"
        if parts[0] != b"/type/edition":
            return "no edition"
        try:
            record = _parsed(parts[4])
        except ValueError:
            return "wrong JSON"
        if not isinstance(record, dict):
            return "wrong JSON"
        return self._refusal(record) or self._row(record, _clean(parts[3].decode("utf-8", "replace")))

    def _refusal(self, record: dict[str, Any]) -> str:
        rules = self._rules
        if rules.language and f"/languages/{rules.language}" not in _keys(record.get("languages")):
            return "another language"
        if rules.min_pages and (_number(record.get("number_of_pages")) or 0) < rules.min_pages:
            return "too few pages"
        if self._first_year and (year(_text(record.get("publish_date"))) or 0) < self._first_year:
            return "too old"
        subjects = [tag(text) for name in ("subjects", "genres") for text in _texts(record.get(name))]
        if any(has(subject, words) for subject in subjects for words in self._unwanted):
            return "an unwanted subject"
        if self._wanted and not any(has(subject, words) for subject in subjects for words in self._wanted):
            return "another subject"
        if not _text(record.get("title")) or not _text(record.get("key")):
            return "no title"
        return ""

    def _row(self, record: dict[str, Any], modified: str) -> dict[str, Any] | str:
        isbns = (isbn_13(text) for name in ("isbn_13", "isbn_10") for text in _texts(record.get(name)))
        isbn = next((one for one in isbns if one), None)
        covers = (_number(one) for one in _list(record.get("covers")))
        cover_id = next((one for one in covers if one), None)
        if isbn is None and cover_id is None:
            return "neither cover id nor ISBN"
        subtitle = _text(record.get("subtitle"))
        stated = _BY.sub("", _text(record.get("by_statement"))).rstrip(" .")
        return {
            "key": _text(record["key"]),
            "title": _text(record["title"]) + (f": {subtitle}" if subtitle else ""),
            "authors": [stated] if stated else sorted(_keys(record.get("authors"))),
            "year": year(_text(record.get("publish_date"))),
            "pages": _number(record.get("number_of_pages")),
            "subjects": list(dict.fromkeys((*_texts(record.get("subjects")), *_texts(record.get("genres"))))),
            "description": _text(record.get("description"))[:MOST_DESCRIPTION],
            "isbn": isbn,
            "cover_id": cover_id,
            "modified": modified,
        }


def name(piece: dump.Piece, rules: Rules) -> str:
    """What the outcome of a piece is called: other rules, or another file, make another name."""
    total = hashlib.sha256(repr((piece, rules, rules.first_year, _VERSION)).encode())
    return f"{total.hexdigest()[:24]}.parquet"


def filter_piece(pieces: Sequence[dump.Piece], rules: Rules, allow_cut: bool, folder: Place, number: int) -> Outcome:
    """Put the wanted books of a piece in place, as a Parquet file that also holds the counts."""
    clock, reader, rows = Clock(), Reader(rules), list[dict[str, Any]]()
    with clock.step("read"):
        try:
            for lines in dump.blocks(pieces[number]):
                rows += reader.books(lines)
        except DumpCut:
            if not allow_cut:
                raise
            reader.counts["cut files"] += 1
    with clock.step("write"):
        table = pa.Table.from_pylist(rows, SCHEMA.with_metadata({"counts": json.dumps(reader.counts)}))
        folder.write(name(pieces[number], rules), _parquet(table))
    return {"rows": len(rows), "problems": 0, "seconds": clock.seconds, "process": os.getpid()}


def join(
    folder: Place, names: Iterable[str], names_of: Callable[[set[str]], dict[str, str]]
) -> tuple[bytes, Counter[str]]:
    """One catalogue of the parts: one row for each book, those of neighbouring covers together; and what was counted.

    Editions that share an ISBN are one book: the one that was changed last stands for it. `names_of` gives the names
    of authors of whom only keys are known.
    """
    tables, counts = [], Counter[str]()
    for name in names:
        table = pq.read_table(io.BytesIO(folder.read(name)))
        counts.update(json.loads(table.schema.metadata[b"counts"]))
        tables.append(table.replace_schema_metadata(None))
    table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
    kept = _newest(table)
    counts["the same book again"] += table.num_rows - len(kept)
    counts["books"] = len(kept)
    table = _named(table.take(kept), names_of).sort_by([("cover_id", "ascending"), ("key", "ascending")])
    return _parquet(table), counts


def authors(source: str, wanted: set[str]) -> dict[str, str]:
    """The names of the authors with these keys, from Open Library's dump of authors."""
    found: dict[str, str] = {}
    for piece in dump.pieces(source):
        for lines in dump.blocks(piece):
            for line in lines:
                parts = line.split(b"\t", 4)
                if len(parts) == 5 and parts[1].decode("utf-8", "replace") in wanted:
                    found[parts[1].decode()] = _text(_parsed(parts[4]).get("name"))
    return found


def _newest(table: pa.Table) -> list[int]:
    """The row of each book that was changed last, by key and by ISBN."""
    for column in ("key", "isbn"):
        best: dict[str, tuple[str, str, int]] = {}
        columns = zip(table["isbn"].to_pylist(), table["key"].to_pylist(), table["modified"].to_pylist(), strict=True)
        for number, (isbn, key, modified) in enumerate(columns):
            identity = key if column == "key" else isbn or key
            best[identity] = max(best.get(identity, ("", "", 0)), (modified, key, number))
        kept = sorted(number for _, _, number in best.values())
        if column == "key":
            by_key, table = kept, table.take(kept)
    return [by_key[number] for number in kept]


def _named(table: pa.Table, names_of: Callable[[set[str]], dict[str, str]]) -> pa.Table:
    lists = table["authors"].to_pylist()
    keys = {one for names in lists for one in names if one.startswith("/authors/")}
    known = names_of(keys) if keys else {}
    named = [[name for one in names if (name := known.get(one, "" if one in keys else one))] for names in lists]
    return table.set_column(table.schema.get_field_index("authors"), "authors", pa.array(named, pa.list_(pa.string())))


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=ROW_GROUP)
    return buffer.getvalue()


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)  # halves of surrogate pairs are in the dumps, and orjson does not take them


# -- fields as they come: missing, null, a text for a list, a mapping for a text ---------------------------------


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").strip()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, str):
        return value.strip() if value.isascii() else _clean(value)
    return str(value) if type(value) is int else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    return [text for one in _list(value) if (text := _text(one))]


def _keys(value: Any) -> set[str]:
    return {_text(one.get("key")) if isinstance(one, dict) else _text(one) for one in _list(value)} - {""}


def _number(value: Any) -> int | None:
    """The first number in what should be one; None for none, or one that no column holds."""
    match = _NUMBER.search(_text(value))
    found = int(match[0]) if match else 0
    return found if 0 < found < 2**31 else None
