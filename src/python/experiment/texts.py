"""The text of documents: PDF, HTML and plain text, a page at a time, so that long ones take no more memory."""

import codecs
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import BinaryIO

from experiment.errors import TextUnreadable

PAGE_CHARACTERS = 3_000
"""About so many make a page where the file has none of its own."""

_CHUNK_BYTES = 65_536
_LONGEST_MARKUP = 8_000_000  # characters of a tag, a comment or a script
_UNSEEN = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object"})
_BLOCK_TAGS = (
    "address article aside blockquote body br caption dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr li main nav ol option p pre section table td th title tr ul"
)
_BLOCKS = frozenset(_BLOCK_TAGS.split())
_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9._:-]{2,40})""", re.I)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def pages(path: Path) -> Iterator[str]:
    """The text of a document, page by page; of HTML and plain text in pieces of about `PAGE_CHARACTERS`.

    Empty pages of a PDF come as "". Raises `TextUnreadable` for a file that is damaged, locked, without any text, or of
    a kind that is not in `SUFFIXES`.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise TextUnreadable(f"{path.name} is none of {', '.join(SUFFIXES)}: convert it, or leave it out.")
    empty = True
    try:
        for page in read(path):
            empty = empty and not page
            yield page
    except (OSError, UnicodeError) as error:
        raise TextUnreadable(f"{path.name} cannot be read: {error}. Put it there again, or leave it out.") from error
    if empty:
        raise TextUnreadable(
            f"{path.name} has no text" + (": its pages are pictures. Run OCR over it" if read is _pdf else ". Fill it")
            + ", or leave it out."
        )  # fmt: skip


def text(path: Path, most_pages: int | None = None) -> str:
    """The text of a document, or of its first pages, with an empty line between pages. Raises as `pages` does."""
    found = []
    for number, page in enumerate(pages(path)):
        if number == most_pages:
            break
        found.append(page)
    return "\n\n".join(filter(None, found))


# -- PDF ---------------------------------------------------------------------------------------------------------------


def _pdf(path: Path) -> Iterator[str]:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, FileNotDecryptedError, PyPdfError

    done = 0
    try:
        with path.open("rb") as file:  # of a path it would read all bytes first
            reader = PdfReader(file)
            for page in reader.pages:
                yield _tidy(page.extract_text().splitlines())
                done += 1
                reader.resolved_objects.clear()  # it keeps all that it has read
    except (DependencyError, FileNotDecryptedError) as error:
        raise TextUnreadable(f"{path.name} is locked with a password: unlock it, or leave it out.") from error
    # What a damaged file makes the parser stumble over has no common class.
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError,
            NotImplementedError, zlib.error) as error:  # fmt: skip
        where = f" after page {done}" if done else ""
        raise TextUnreadable(
            f"{path.name} is no PDF that can be read{where} ({type(error).__name__}: {error}). Save it anew, or "
            "leave it out."
        ) from error


# -- HTML --------------------------------------------------------------------------------------------------------------


class _Markup(HTMLParser):
    """Collects what a reader of the page would see, one piece for each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._words: list[str] = []
        self._unseen: list[str] = []

    def taken(self) -> list[str]:
        """The pieces that are whole since the last call."""
        taken, self._pieces = self._pieces, []
        return taken

    def end(self) -> list[str]:
        """The pieces that are left when the file is over."""
        self.close()
        self._break()
        return self.taken()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag == "body":
            self._unseen.clear()  # something before it was never closed
        if tag in _UNSEEN:
            self._unseen.append(tag)
        elif tag in _BLOCKS:
            self._break()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[self._unseen.index(tag) :]
        elif tag in _BLOCKS:
            self._break()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in _BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self._words.append(data)

    def _break(self) -> None:
        if piece := " ".join("".join(self._words).split()):
            self._pieces.append(piece)
        self._words = []


def _html(path: Path) -> Iterator[str]:
    def pieces() -> Iterator[str]:
        markup = _Markup()
        for chunk in _decoded(path):
            markup.feed(chunk)
            yield from markup.taken()
            if len(markup.rawdata) > _LONGEST_MARKUP:
                raise TextUnreadable(f"{path.name} has a tag or comment without an end: mend it, or leave it out.")
        yield from markup.end()

    return _paged(pieces())


# -- plain text --------------------------------------------------------------------------------------------------------


def _plain(path: Path) -> Iterator[str]:
    def lines() -> Iterator[str]:
        rest = ""
        for chunk in _decoded(path):
            *whole, rest = (rest + chunk).split("\n")
            yield from whole
            if len(rest) > PAGE_CHARACTERS:  # a file without line ends
                cut = rest.rfind(" ") + 1 or len(rest)
                yield rest[:cut]
                rest = rest[cut:]
        yield rest

    return _paged(line.strip() for line in lines())


def _paged(pieces: Iterable[str]) -> Iterator[str]:
    """Pieces of text put together into pages; one that is longer than a page is cut between words."""
    page: list[str] = []
    size = 0
    for piece in pieces:
        for part in _cut(piece):
            if page and size + len(part) > PAGE_CHARACTERS:
                yield _tidy(page)
                page, size = [], 0
            page.append(part)
            size += len(part) + 1
    if last := _tidy(page):
        yield last


def _cut(piece: str) -> Iterator[str]:
    while len(piece) > PAGE_CHARACTERS:
        end = piece.rfind(" ", 0, PAGE_CHARACTERS) + 1 or PAGE_CHARACTERS
        yield piece[:end].rstrip()
        piece = piece[end:]
    yield piece


def _tidy(lines: Iterable[str]) -> str:
    """Lines as one text: runs of white space are one space, runs of empty lines one line, no control characters."""
    joined = "\n".join(" ".join(line.replace("\x00", " ").split()) for line in lines)
    return re.sub(r"\n{3,}", "\n\n", joined).strip()


def _decoded(path: Path) -> Iterator[str]:
    """The characters of a file as it says itself, or else as UTF-8 or what Western systems write."""
    with path.open("rb") as file:
        decode = codecs.getincrementaldecoder(_encoding(path, file))(errors="replace").decode
        while chunk := file.read(_CHUNK_BYTES):
            yield decode(chunk)
        yield decode(b"", True)


def _encoding(path: Path, file: BinaryIO) -> str:
    start = file.read(_CHUNK_BYTES)
    file.seek(0)
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if b"\x00" in start:
        raise TextUnreadable(f"{path.name} is binary, whatever its name says: convert it, or leave it out.")
    if said := _CHARSET.search(start[:4096]):
        name = said[1].decode("ascii")
        try:
            b"x".decode(name, "replace")
        except (
            LookupError,
            UnicodeError,
        ):  # a name that nobody knows, or of no encoding of texts: as if it said nothing
            name = ""
        if name:
            return "utf-8" if name.lower().startswith(("utf-16", "utf-32")) else name  # it could not be read so far
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


_READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".pdf": _pdf, ".html": _html, ".htm": _html, ".xhtml": _html, ".txt": _plain, ".md": _plain,
}  # fmt: skip
SUFFIXES = tuple(_READERS)
