"""Where covers lie: a folder of pictures by cover id or ISBN, and of Open Library's bulk zips."""

import re
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from search.errors import CoverUnreadable
from search.pictures import MOST_BYTES
from search.place import Place

# 8231856.jpg, 0008231856-M.jpg, 9780140328721.jpg: a cover id or an ISBN, and perhaps a size.
_PICTURE = re.compile(r"0*(\d{1,13})(?:-([SML]))?\.(?:jpe?g|png|gif|webp)", re.IGNORECASE)
# m_covers_0008_23.zip has the ids from 8,230,000 on, olcovers12-M.zip those from 120,000 on.
_BULK = re.compile(r"(?:[sml]_)?covers_(\d{4})_(\d{2})\.zip|olcovers(\d+)(?:-[SML])?\.zip", re.IGNORECASE)
_IN_A_ZIP = 10_000
_SIZES = {"M": 0, "L": 1, "": 2, "S": 3}  # the size that is taken first
_OPEN_ZIPS = 8


class Shelf:
    """Finds the cover of a book, and reads it.

    A reference is a file's name in the folder, with `#` and a member's name for what lies in a zip.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: OrderedDict[str, zipfile.ZipFile] = OrderedDict()
        self._members: dict[str, dict[int, str]] = {}

    @cached_property
    def _names(self) -> "_Names":
        return _Names.sorted(self._folder.names())

    def find(self, cover_id: int | None, isbn: str | None) -> str | None:
        """The reference of a book's cover; None if there is none here. Raises `CoverUnreadable` for a broken zip."""
        for number in (cover_id, int(isbn) if isbn else None):
            if number is not None and (name := self._names.pictures.get(number)):
                return name
        if cover_id is None:
            return None
        for name in (*self._names.bulk.get(cover_id // _IN_A_ZIP, ()), *self._names.other_zips):
            if member := self._contents(name).get(cover_id):
                return f"{name}#{member}"
        return None

    def read(self, reference: str) -> bytes:
        """The bytes of a cover. Raises `CoverUnreadable`."""
        name, _, member = reference.partition("#")
        if not member:
            size = self._folder.size(name)
            if size is None:
                raise CoverUnreadable(f"{name} is not there any more")
            _check_size(size)
            return self._folder.read(name)
        with self._lock:  # a zip file has one position
            archive = self._zip(name)
            try:
                _check_size(archive.getinfo(member).file_size)
                return archive.read(member)
            except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError, EOFError) as error:
                self._open.pop(name).close()  # it may have been replaced by another one
                raise CoverUnreadable(f"{member} in {name} cannot be read ({error})") from error

    def close(self) -> None:
        """Close the zips that are open."""
        while self._open:
            self._open.popitem()[1].close()

    def _contents(self, name: str) -> dict[int, str]:
        with self._lock:
            if name not in self._members:
                self._members[name] = dict(_numbered(self._zip(name)))
            return self._members[name]

    def _zip(self, name: str) -> zipfile.ZipFile:
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name]
        try:
            archive = zipfile.ZipFile(self._folder.open(name))
        except (zipfile.BadZipFile, OSError) as error:
            raise CoverUnreadable(f"{name} is no zip file that can be read ({error})") from error
        self._open[name] = archive
        if len(self._open) > _OPEN_ZIPS:
            self._open.popitem(last=False)[1].close()
        return archive


@dataclass
class _Names:
    """The files of a shelf, by what they are."""

    pictures: dict[int, str]
    bulk: dict[int, list[str]]
    """Zips by the ten thousand of their cover ids."""
    other_zips: list[str]

    @classmethod
    def sorted(cls, names: Iterable[str]) -> "_Names":
        found = cls({}, {}, [])
        for name in sorted(names, key=_preference, reverse=True):  # the last of a number wins
            plain = name.rsplit("/", 1)[-1]
            if match := _PICTURE.fullmatch(plain):
                found.pictures[int(match[1])] = name
            elif match := _BULK.fullmatch(plain):
                found.bulk.setdefault(int(match[3] or match[1] + match[2]), []).append(name)
            elif plain.lower().endswith(".zip"):
                found.other_zips.append(name)
        for zips in found.bulk.values():
            zips.sort(key=_zip_preference)
        return found


def _numbered(archive: zipfile.ZipFile) -> Iterator[tuple[int, str]]:
    names = [info.filename for info in archive.infolist()]
    for name in sorted(names, key=_preference, reverse=True):  # the last of a number wins
        if match := _PICTURE.fullmatch(name.rsplit("/", 1)[-1]):
            yield int(match[1]), name


def _preference(name: str) -> tuple[int, str]:
    match = _PICTURE.fullmatch(name.rsplit("/", 1)[-1])
    return _SIZES[(match[2] or "").upper()] if match else len(_SIZES), name


def _zip_preference(name: str) -> tuple[int, str]:
    plain = name.rsplit("/", 1)[-1].lower()
    size = plain[0] if plain[1] == "_" else plain.removesuffix(".zip")[-1] if "-" in plain else ""
    return _SIZES[size.upper()], name


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise CoverUnreadable(f"a file of {size:,} bytes; {MOST_BYTES:,} are the most")
