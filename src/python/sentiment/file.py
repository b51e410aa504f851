"""Posts of a file, replayed at a rate: one JSON object a line."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from sentiment.errors import SourceUnreadable
from sentiment.post import Entry

_LONGEST_LINE = 1 << 20
_MADE_UP_S = 1.0  # after a pause the file makes up for no more than this


class FileSource:
    """The lines of a file, at `rate` a second; 0 is as fast as they are read."""

    def __init__(
        self, path: Path, rate: float = 0.0, repeat: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = f"file {path}"
        self.ended = False
        self._path = path
        self._rate = rate
        self._repeat = repeat
        self._clock = clock
        self._lap = self._offset = 0
        self._file: BinaryIO | None = None
        self._since_s, self._given = clock(), 0.0

    def seek(self, position: str) -> None:
        """Go on in a lap at an offset."""
        try:
            lap, offset = (int(number) for number in (position or "0:0").split(":"))
        except ValueError as error:
            raise SourceUnreadable(f"{position!r} is no position in a file of posts: delete it from Redis.") from error
        self._lap, self._offset = lap, offset
        self._open().seek(offset)

    @property
    def position(self) -> str:
        """The lap, from 0, and the offset in bytes."""
        return f"{self._lap}:{self._offset}"

    def read(self, most: int, wait_s: float) -> list[Entry]:
        """The lines that are due."""
        until_s = self._clock() + wait_s
        while not (due := self._due(most)):
            rest_s = until_s - self._clock()
            if rest_s <= 0:
                return []
            next_s = (self._given + 1) / self._rate - (self._clock() - self._since_s)
            time.sleep(min(rest_s, max(next_s, 0.001)))
        entries: list[Entry] = []
        while len(entries) < due and (entry := self._next()):
            entries.append(entry)
        self._given += len(entries)
        self.ended = not entries
        if self.ended:
            time.sleep(max(0.0, until_s - self._clock()))
        return entries

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None

    def _due(self, most: int) -> int:
        """How many lines may be handed out now."""
        if not self._rate:
            return most
        due = (self._clock() - self._since_s) * self._rate
        self._given = max(self._given, due - max(1.0, self._rate * _MADE_UP_S))
        return min(most, int(due - self._given))

    def _next(self) -> Entry | None:
        """The next line; None at the end of the file."""
        line = self._line()
        if line is None and self._repeat and self._offset:
            self._lap, self._offset = self._lap + 1, 0
            self._open().seek(0)
            line = self._line()
        if line is None:
            return None
        entry = Entry(self.position, line, time.time_ns() // 1_000_000, lap=self._lap)
        self._offset = self._open().tell()
        return entry

    def _line(self) -> bytes | None:
        """A line that is not blank, cut after a megabyte."""
        file = self._open()
        try:
            while line := file.readline(_LONGEST_LINE):
                end = line
                while not end.endswith(b"\n") and (rest := file.readline(_LONGEST_LINE)):
                    end = rest
                if line.strip():
                    return line.rstrip(b"\r\n")
        except OSError as error:
            raise SourceUnreadable(f"{self._path} cannot be read ({error}): see to the disk.") from error
        return None

    def _open(self) -> BinaryIO:
        if self._file is None:
            try:
                self._file = self._path.open("rb")
            except OSError as error:
                raise SourceUnreadable(f"The posts cannot be read ({error}): correct the setting path.") from error
            self._file.seek(self._offset)
        return self._file
