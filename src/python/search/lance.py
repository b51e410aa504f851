"""Collections in LanceDB: a folder, or an address of an object store, with no server."""

import importlib.util
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from search.collection import COLUMNS, Address, Collection, Hit, schema
from search.errors import CollectionMissing, CollectionUnreachable, PackageMissing
from search.query import Filter

EXACT_ROWS = 10_000
"""Up to so many books every vector is compared."""
_NEWS = timedelta(seconds=2)  # how old what a search sees may be, when another process writes


class Lance(Collection):
    """A table of LanceDB; its schema's metadata names the model."""

    def __init__(self, table: Any, name: str) -> None:
        columns = table.schema
        super().__init__(name, columns.field("vector").type.list_size, (columns.metadata or {})[b"model"].decode())
        self._table = table

    def count(self) -> int:
        return int(self._table.count_rows())

    def nearest(self, vector: NDArray[np.float32], limit: int, filter: Filter) -> list[Hit]:
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        if condition := _condition(filter):
            query = query.where(condition, prefilter=True)
        query = query.nprobes(_PROBES).ef(max(_EF, 2 * limit)).refine_factor(_REFINE)
        found = query.select([*COLUMNS, "_distance"]).limit(limit).to_list()
        return [Hit.of(row, 1.0 - float(row["_distance"])) for row in found]

    def vectors(self, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        found = self._of(keys, "vector")
        return {row["key"]: np.asarray(row["vector"], np.float32) for row in found}

    def stamps(self, keys: Sequence[str]) -> dict[str, str]:
        return {row["key"]: row["stamp"] for row in self._of(keys, "stamp")}

    def add(self, rows: pa.Table) -> None:
        self._table.add(rows)

    def replace(self, rows: pa.Table) -> None:
        self._table.merge_insert("key").when_matched_update_all().execute(rows)

    def index(self) -> str:
        self._table.optimize(cleanup_older_than=timedelta(days=1))
        names = {index.name for index in self._table.list_indices()}
        for column, kind in (("key", "BTREE"), ("year", "BTREE"), ("pages", "BTREE"), ("tags", "LABEL_LIST")):
            if f"{column}_idx" not in names:
                self._table.create_scalar_index(column, index_type=kind)
        count = self.count()
        if count <= EXACT_ROWS:
            return f"none: all {count:,} vectors are compared"
        if "vector_idx" not in names:
            self._table.create_index(metric="cosine", index_type="IVF_HNSW_SQ", vector_column_name="vector")
        return f"IVF_HNSW_SQ over {count:,} vectors"

    def close(self) -> None:
        """Nothing is held: a table of LanceDB is files."""

    def _of(self, keys: Sequence[str], column: str) -> list[dict[str, Any]]:
        if not keys:
            return []
        listed = ", ".join(_text(key) for key in keys)
        query = self._table.search().where(f"key IN ({listed})").select(["key", column])
        found: list[dict[str, Any]] = query.limit(len(keys)).to_list()
        return found


_PROBES, _EF, _REFINE = 20, 100, 4


def opened(address: Address, name: str) -> Lance:
    """The table of this name."""
    database = _connected(address)
    if name not in _names(database):
        raise CollectionMissing(f"There is no collection {name} in {address.uri}. Send msg.IndexRequest to make it.")
    return Lance(database.open_table(name), name)


def made(address: Address, name: str, dimension: int, model: str) -> Lance:
    """The table of this name, made if it is not there."""
    database = _connected(address)
    if name in _names(database):
        return Lance(database.open_table(name), name)
    columns = schema(dimension).with_metadata({"model": model})
    return Lance(database.create_table(name, schema=columns), name)


def _connected(address: Address) -> Any:
    if importlib.util.find_spec("lancedb") is None:
        raise PackageMissing("Collections in a folder need the package lancedb: pip install 'evergreen[search]'.")
    import lancedb

    try:
        if "://" not in address.uri:
            Path(address.uri).mkdir(parents=True, exist_ok=True)
        return lancedb.connect(address.uri, read_consistency_interval=_NEWS)
    except (OSError, ValueError, RuntimeError) as error:
        raise CollectionUnreachable(f"{address.uri} does not open: {error}. Correct the setting database.") from error


def _names(database: Any) -> set[str]:
    return set(database.table_names(limit=10_000))


def _condition(filter: Filter) -> str:
    """The filter in LanceDB's SQL: names of ours, whole numbers, and tags, which hold letters, digits and spaces."""
    parts = []
    for name, span in filter.spans:
        parts.append(f"{name} >= {int(1 if span.low is None else span.low)}")
        if span.high is not None:
            parts.append(f"{name} <= {int(span.high)}")
    parts += [f"array_has(tags, {_text(subject)})" for subject in filter.subjects]
    return " AND ".join(parts)


def _text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
