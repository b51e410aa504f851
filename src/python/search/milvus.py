"""Collections in Milvus, by its server's address; in Milvus Lite, a file, where there is no server."""

import importlib.util
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from search.collection import COLUMNS, Address, Collection, Hit
from search.errors import CollectionMissing, CollectionUnreachable, PackageMissing
from search.query import Filter

EXACT_ROWS = 10_000
_ROWS_AT_ONCE = 1_000  # a call of Milvus takes a few megabytes
_LETTERS = {"key": 256, "title": 4_096, "cover": 1_024, "stamp": 64, "authors": 512, "subjects": 512, "tags": 256}
_MOST = {"authors": 32, "subjects": 128, "tags": 128}
_MODEL = "evergreen.model"
_Index = tuple[str, dict[str, int]]
_SMALL_INDEX: _Index = ("FLAT", {})
_LARGE_INDEX: _Index = ("HNSW", {"M": 32, "efConstruction": 200})


class Milvus(Collection):
    """A collection of Milvus; its description names the model."""

    def __init__(self, client: Any, name: str, address: Address) -> None:
        self._client, self._address = client, address
        facts = self._call("describe_collection", name)
        vector = next(field for field in facts["fields"] if field["name"] == "vector")
        model = facts["description"] or facts["properties"].get(_MODEL, "")  # Milvus Lite keeps no description
        super().__init__(name, int(vector["params"]["dim"]), model)
        self._call("load_collection", name)

    def count(self) -> int:
        found = self._call("query", self.name, filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(found[0]["count(*)"])

    def nearest(self, vector: NDArray[np.float32], limit: int, filter: Filter) -> list[Hit]:
        found = self._call(
            "search",
            self.name,
            data=[vector.tolist()],
            anns_field="vector",
            limit=limit,
            filter=_condition(filter),
            output_fields=list(COLUMNS),
            search_params={"metric_type": "COSINE", "params": {"ef": max(200, 2 * limit)}},
        )
        return [Hit.of(hit["entity"], float(hit["distance"])) for hit in found[0]]

    def vectors(self, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return {row["key"]: np.asarray(row["vector"], np.float32) for row in self._of(keys, "vector")}

    def stamps(self, keys: Sequence[str]) -> dict[str, str]:
        return {row["key"]: row["stamp"] for row in self._of(keys, "stamp")}

    def add(self, rows: pa.Table) -> None:
        self.replace(rows)

    def replace(self, rows: pa.Table) -> None:
        for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
            some = rows.slice(start, _ROWS_AT_ONCE).to_pylist()
            self._call("upsert", self.name, data=[_fitting(row) for row in some])

    def index(self) -> str:
        count = self.count()
        kind, build = _SMALL_INDEX if count <= EXACT_ROWS else _LARGE_INDEX
        self._call("flush", self.name)
        there = self._call("describe_index", self.name, index_name="vector")
        if there.get("index_type") != kind:
            self._call("release_collection", self.name)
            self._call("drop_index", self.name, index_name="vector")
            self._call("create_index", self.name, index_params=_index(self._client, kind, build), sync=True)
            self._call("load_collection", self.name)
        return f"{kind} over {count:,} vectors"

    def close(self) -> None:
        self._client.close()

    def _of(self, keys: Sequence[str], column: str) -> list[dict[str, Any]]:
        if not keys:
            return []
        found: list[dict[str, Any]] = self._call(
            "query",
            self.name,
            filter=f"key in {_list(keys)}",
            output_fields=["key", column],
            limit=len(keys),
            consistency_level="Strong",
        )
        return found

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        return _asking(self._address, getattr(self._client, method), *arguments, **named)


def opened(address: Address, name: str) -> Milvus:
    """The collection of this name."""
    client = _connected(address)
    if not _asking(address, client.has_collection, name):
        raise CollectionMissing(f"There is no collection {name} at {address.uri}. Send msg.IndexRequest to make it.")
    return Milvus(client, name, address)


def made(address: Address, name: str, dimension: int, model: str) -> Milvus:
    """The collection of this name, made if it is not there."""
    client = _connected(address)
    if not _asking(address, client.has_collection, name):
        from pymilvus import DataType

        columns = client.create_schema(description=model)
        columns.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_LETTERS["key"])
        for column in ("title", "cover", "stamp"):
            columns.add_field(column, DataType.VARCHAR, max_length=_LETTERS[column])
        for column in ("year", "pages"):
            columns.add_field(column, DataType.INT64)
        for column, most in _MOST.items():
            columns.add_field(
                column,
                DataType.ARRAY,
                element_type=DataType.VARCHAR,
                max_capacity=most,
                max_length=_LETTERS[column],
            )
        columns.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        indices = _index(client, *_SMALL_INDEX)
        facts = {"properties": {_MODEL: model}} if address.is_file else {}
        _asking(address, client.create_collection, name, schema=columns, index_params=indices, **facts)
    return Milvus(client, name, address)


def _index(client: Any, kind: str, build: dict[str, int]) -> Any:
    chosen = client.prepare_index_params()
    chosen.add_index(field_name="vector", index_name="vector", index_type=kind, metric_type="COSINE", params=build)
    return chosen


def _connected(address: Address) -> Any:
    if importlib.util.find_spec("pymilvus") is None:
        raise PackageMissing("Milvus needs the package pymilvus: pip install 'evergreen[milvus]'.")
    from pymilvus import MilvusClient

    return _asking(address, MilvusClient, uri=address.uri, token=address.token, timeout=address.timeout_s)


def _asking(address: Address, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What a call of Milvus answers. Raises `CollectionUnreachable` if it does not."""
    from pymilvus.exceptions import MilvusException

    try:
        return call(*arguments, **named)
    except MilvusException as error:
        raise CollectionUnreachable(
            f"Milvus at {address.uri} does not answer as it should: {error.message}. Start it, or correct the settings "
            "database and credential."
        ) from error


def _fitting(row: dict[str, Any]) -> dict[str, Any]:
    """The row within the limits that Milvus wants for every text and list."""
    for name, most in _LETTERS.items():
        value = row[name]
        row[name] = _cut(value, most) if isinstance(value, str) else [_cut(one, most) for one in value[: _MOST[name]]]
    return row


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode()
    return text if len(data) <= most_bytes else data[:most_bytes].decode("utf-8", "ignore")


def _condition(filter: Filter) -> str:
    """The filter as Milvus writes it: names of ours, whole numbers, and tags, which hold letters, digits and spaces."""
    parts = []
    for name, span in filter.spans:
        parts.append(f"{name} >= {int(1 if span.low is None else span.low)}")
        if span.high is not None:
            parts.append(f"{name} <= {int(span.high)}")
    parts += [f"array_contains(tags, {json.dumps(subject, ensure_ascii=False)})" for subject in filter.subjects]
    return " and ".join(parts)


def _list(keys: Sequence[str]) -> str:
    return json.dumps(list(keys), ensure_ascii=False)
