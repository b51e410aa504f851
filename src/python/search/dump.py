"""The lines of an Open Library dump: a file or a folder of them, plain or gz, here or in an object store."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from search import place
from search.errors import DumpCut, DumpUnreadable
from search.place import Place

BLOCK_BYTES = 4 << 20
PIECE_BYTES = 256 << 20
_GZ = b"\x1f\x8b"
_ENDINGS = (".txt", ".txt.gz", ".tsv", ".tsv.gz", ".gz", ".json", ".jsonl")


@dataclass(frozen=True)
class Piece:
    """The lines of one file that begin between two of its bytes; a compressed file is one piece."""

    folder: str
    name: str
    size: int
    stamp: str
    """When the file was changed, or what its store calls this version."""
    packed: bool
    start: int
    end: int

    def __str__(self) -> str:
        return self.name if self.packed or self.end - self.start == self.size else f"{self.name} from {self.start:,}"


def pieces(source: str, piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """What there is to read at `source`, a file or a folder. Raises `DumpUnreadable`."""
    folder, names = _files(source)
    found = []
    for name in names:
        size = folder.size(name) or 0
        with folder.open(name) as file:
            packed = file.read(2) == _GZ
        step = size if packed else piece_bytes
        for start in range(0, size, max(1, step)):
            found.append(Piece(folder.url, name, size, folder.stamp(name), packed, start, min(start + step, size)))
    if not found:
        raise DumpUnreadable(f"The dump {source} is empty. Download it again.")
    return found


def blocks(piece: Piece) -> Iterator[list[bytes]]:
    """The piece's lines, without line ends, some thousands at a time.

    Raises `DumpCut` for a file that ends in the middle of something, `DumpUnreadable` for a broken one.
    """
    with Place(piece.folder).open(piece.name) as file:
        yield from _lines(_unpacked(file, piece) if piece.packed else _between(file, piece), piece)


def _files(source: str) -> tuple[Place, list[str]]:
    there = Place(source)
    if there.is_file():
        return place.of_file(source)
    names = [name for name in there.names() if name.endswith(_ENDINGS)]
    if not names:
        raise DumpUnreadable(
            f"There is no dump at {source}: neither a file nor a folder with files that end with .txt or .gz. Correct "
            "the setting dump, or put the file there."
        )
    return there, names


def _unpacked(file: IO[bytes], piece: Piece) -> Iterator[bytes]:
    """What a gz file of one or more members holds, as far as it goes."""
    member, begun = zlib.decompressobj(31), False
    try:
        while block := file.read(1 << 20):
            while block:
                yield member.decompress(block)
                begun, block = not member.eof, member.unused_data.lstrip(b"\0")
                if member.eof:
                    member = zlib.decompressobj(31)
    except zlib.error as error:
        raise DumpUnreadable(f"{piece.name} is damaged: {error}. Download it again.") from error
    if begun:
        raise _cut(piece)


def _between(file: IO[bytes], piece: Piece) -> Iterator[bytes]:
    """The bytes of all lines that begin in the piece."""
    at, block = 0, b""
    if piece.start:
        file.seek(piece.start - 1)
        for skipped in _to_line_end(file):  # the line that runs into this piece is the piece's before
            at += len(skipped)
        at += piece.start - 1
    while at < piece.end:
        block = file.read(min(BLOCK_BYTES, piece.end - at))
        if not block:
            return
        at += len(block)
        yield block
    if block and not block.endswith(b"\n"):
        yield from _to_line_end(file)


def _to_line_end(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes up to the next line end, which is where the file then stands."""
    while line := file.readline(1 << 16):
        yield line
        if line.endswith(b"\n"):
            return


def _lines(chunks: Iterator[bytes], piece: Piece) -> Iterator[list[bytes]]:
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield lines
    if rest:
        if rest.count(b"\t") < 4 or not rest.rstrip().endswith(b"}"):
            raise _cut(piece)
        yield [rest]


def _cut(piece: Piece) -> DumpCut:
    return DumpCut(
        f"{piece.name} ends in the middle: it was not downloaded to its end, and its last books are missing. Download "
        "it again, or set allow_cut=true to take what is there."
    )
