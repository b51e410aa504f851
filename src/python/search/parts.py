"""The work of a stage in parts that are done once: a plan says what is in each, a finished file is never made again.

A plan is a Parquet file with a row group for each part. A part is called after its content, so that what was made of it
can be found again by name after a crash, and is not used for anything else: another model, a new cover or a changed
text make another name.
"""

import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from search.place import Place

SIZE = 512
"""Rows of a part: half a minute of CLIP's work on one core. Bytes do not say how much work a cover is."""


@dataclass(frozen=True)
class Plan:
    """The parts of a stage: where the plan lies, where its finished parts are put, what each is called."""

    place: Place
    name: str
    done: Place
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    """Rows of each part."""

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(self.sizes)

    def left(self) -> list[int]:
        """The numbers of the parts that are still to be done."""
        finished = set(self.done.names())
        return [number for number, name in enumerate(self.names) if name not in finished]

    def part(self, number: int) -> pa.Table:
        """What is to be done in a part."""
        with self.place.open(self.name) as file:
            return pq.ParquetFile(file).read_row_group(number)

    def finish(self, number: int, table: pa.Table) -> None:
        """Put a part's outcome in place."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self.done.write(self.names[number], buffer.getvalue())

    def finished(self) -> Iterator[pa.Table]:
        """The outcome of each part, in order."""
        for name in self.names:
            yield pq.read_table(io.BytesIO(self.done.read(name)))

    def sweep(self) -> None:
        """Remove outcomes of parts that are in no plan any more."""
        for name in sorted(set(self.done.names()) - set(self.names)):
            self.done.remove(name)


def write(place: Place, name: str, table: pa.Table, recipe: Mapping[str, Any], size: int = SIZE) -> Plan:
    """Plan the rows of `table`, which begin with a key, in parts of about `size`; `recipe` is how they are done."""
    cuts = _cuts(table.column(0).to_pylist(), size)
    buffer, names = io.BytesIO(), []
    with pq.ParquetWriter(buffer, table.schema, compression="zstd") as writer:
        for start, end in cuts:
            part = table.slice(start, end - start).combine_chunks()
            writer.write_table(part, row_group_size=max(1, end - start))
            names.append(_name(part, recipe))
    place.write(f"{name}.parquet", buffer.getvalue())
    sizes = tuple(end - start for start, end in cuts)
    return Plan(place, f"{name}.parquet", place / name, tuple(names), sizes)


def _cuts(keys: list[str], size: int) -> list[tuple[int, int]]:
    """Where parts begin and end: behind keys whose hash says so, so that a new row moves no part but its own."""
    cuts, start = [], 0
    for number, key in enumerate(keys, start=1):
        length = number - start
        if length >= 2 * size or (length >= size // 2 and zlib.crc32(key.encode()) % max(1, size // 2) == 0):
            cuts.append((start, number))
            start = number
    return [*cuts, (start, len(keys))] if start < len(keys) else cuts


def _name(part: pa.Table, recipe: Mapping[str, Any]) -> str:
    total = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    total.update(json.dumps(part.to_pylist(), default=str).encode())
    return f"{total.hexdigest()[:24]}.parquet"
