"""Very many texts in little memory: one block of UTF-8 with the places where each begins."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt

_HASHED_ROWS = 10_000


class Texts(Sequence[str]):
    """Texts that are decoded when they are asked for; a slice is a list.

    A text costs its UTF-8 bytes and eight more, a fraction of a `str` for each. `choose` gives a view that
    shares the block, so the two sides of a split cost eight bytes a row.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._block = bytearray()
        self._ends = array("q", [0])
        self._rows: npt.NDArray[np.int64] | None = None
        """Which texts of the block these are, in their order; None: all of them."""
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Add a text; half a surrogate pair, which no tokenizer takes, becomes a question mark."""
        self._block += text.encode("utf-8", errors="replace")
        self._ends.append(len(self._block))

    def choose(self, rows: Sequence[int]) -> "Texts":
        """The texts of these rows, in this order. Nothing is copied, and nothing may be appended afterwards."""
        view = Texts()
        numbers = np.asarray(rows, dtype=np.int64)
        view._block, view._ends = self._block, self._ends
        view._rows = numbers if self._rows is None else self._rows[numbers]
        return view

    def lengths(self) -> npt.NDArray[np.int64]:
        """The length of each text in bytes of UTF-8."""
        ends = np.frombuffer(self._ends, dtype=np.int64)
        lengths: npt.NDArray[np.int64] = ends[1:] - ends[:-1]
        return lengths if self._rows is None else lengths[self._rows]

    def raw(self, row: int) -> bytes:
        """The text of a row as UTF-8."""
        place = row if self._rows is None else int(self._rows[row])
        return bytes(memoryview(self._block)[self._ends[place] : self._ends[place + 1]])

    def __len__(self) -> int:
        return len(self._ends) - 1 if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self.raw(number).decode() for number in range(*row.indices(len(self)))]
        return self.raw(range(len(self))[row]).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Texts) and len(self) == len(other) and digest(self) == digest(other)

    __hash__ = None  # type: ignore[assignment]  # texts can be appended

    def __repr__(self) -> str:
        return f"<{len(self)} texts, {len(self._block)} bytes>"


class Words(Sequence[list[str]]):
    """Texts that were split into words before; each row is the list of its words."""

    def __init__(self, joined: Texts | None = None) -> None:
        self.joined = joined or Texts()

    def append(self, words: Sequence[str]) -> None:
        self.joined.append(_BETWEEN.join(words))

    def choose(self, rows: Sequence[int]) -> "Words":
        return Words(self.joined.choose(rows))

    def __len__(self) -> int:
        return len(self.joined)

    @overload
    def __getitem__(self, row: int) -> list[str]: ...
    @overload
    def __getitem__(self, row: slice) -> list[list[str]]: ...
    def __getitem__(self, row: int | slice) -> list[str] | list[list[str]]:
        if isinstance(row, slice):
            return [text.split(_BETWEEN) for text in self.joined[row]]
        return self.joined[row].split(_BETWEEN)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and self.joined == other.joined

    __hash__ = None  # type: ignore[assignment]


_BETWEEN = "\x1f"  # ASCII's unit separator; `dataset` takes it out of the words


def digest(*columns: Texts | Words | None, more: Iterable[object] = ()) -> str:
    """The sha256 of these columns, row by row with their lengths, and of what is `more`; "sha256:...".

    Rows in another order, or a letter that moved from one row to the next, give another digest.
    """
    state = hashlib.sha256()
    for column in columns:
        texts = column.joined if isinstance(column, Words) else column
        if texts is None:
            state.update(b"-")
            continue
        state.update(f"{len(texts)}:".encode())
        state.update(texts.lengths().astype("<i8").tobytes())
        for first in range(0, len(texts), _HASHED_ROWS):
            rows = range(first, min(first + _HASHED_ROWS, len(texts)))
            state.update(b"".join(texts.raw(row) for row in rows))
    for value in more:
        state.update(f"{value!r};".encode())
    return f"sha256:{state.hexdigest()}"
