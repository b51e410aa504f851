"""Where vectors lie beside the books they are of: the contract, and which database keeps it."""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from search.book import tags
from search.embedding import vector_type
from search.errors import BadRequest, BookUnknown, CollectionMismatch
from search.query import Filter

COLUMNS = ("key", "title", "authors", "year", "pages", "subjects", "cover")
"""What a hit tells of a book."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")
_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True)
class Address:
    """`uri` is a folder or s3://... for LanceDB, http://host:19530 for Milvus, a file ending in .db for Milvus Lite."""

    uri: str
    token: str = field(default="", repr=False)
    timeout_s: float = 10.0

    @property
    def is_file(self) -> bool:
        """Whether Milvus Lite keeps the collection."""
        return self.uri.endswith(".db")

    @property
    def is_milvus(self) -> bool:
        """Whether Milvus keeps the collection, of either kind."""
        return self.uri.startswith(("http://", "https://", "tcp://", "unix:")) or self.is_file


@dataclass(frozen=True)
class Hit:
    """A book that was found; `score` is the cosine of its vector with the question's. Unknown numbers are 0."""

    key: str
    title: str
    authors: list[str]
    year: int
    pages: int
    subjects: list[str]
    cover: str
    score: float

    @classmethod
    def of(cls, row: Mapping[str, Any], score: float) -> "Hit":
        """The hit that a database's row is."""
        return cls(
            key=row["key"],
            title=row["title"],
            authors=list(row["authors"]),
            year=int(row["year"]),
            pages=int(row["pages"]),
            subjects=list(row["subjects"]),
            cover=row["cover"],
            score=score,
        )


class Collection(ABC):
    """Books with one vector each, compared by cosine.

    An implementation is opened by `opened` for reading and made by `made`, which creates what is not there; both
    raise `CollectionUnreachable`, and everything else may too.
    """

    def __init__(self, name: str, dimension: int, model: str) -> None:
        self.name, self.dimension, self.model = name, dimension, model

    @abstractmethod
    def count(self) -> int:
        """How many books there are."""

    @abstractmethod
    def nearest(self, vector: NDArray[np.float32], limit: int, filter: Filter) -> list[Hit]:
        """The books whose vectors are nearest to this one, the best first."""

    @abstractmethod
    def vectors(self, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors of those of these books that are there."""

    @abstractmethod
    def stamps(self, keys: Sequence[str]) -> dict[str, str]:
        """The stamps of those of these books that are there."""

    @abstractmethod
    def add(self, rows: pa.Table) -> None:
        """Write rows of `schema` whose keys are not there."""

    @abstractmethod
    def replace(self, rows: pa.Table) -> None:
        """Write rows of `schema` in the place of those with the same keys."""

    @abstractmethod
    def index(self) -> str:
        """Make or renew the index that suits the number of books; what it is, for people."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    def upsert(self, rows: pa.Table) -> int:
        """Write those rows that are new or have changed; how many they were. The same rows again change nothing."""
        written = 0
        for start in range(0, rows.num_rows, _ROWS_AT_ONCE):
            some = rows.slice(start, _ROWS_AT_ONCE)
            known = self.stamps(some["key"].to_pylist())
            pairs = list(zip(some["key"].to_pylist(), some["stamp"].to_pylist(), strict=True))
            added = [place for place, (key, _) in enumerate(pairs) if key not in known]
            changed = [place for place, (key, stamp) in enumerate(pairs) if known.get(key, stamp) != stamp]
            if added:
                self.add(some.take(added))
            if changed:
                self.replace(some.take(changed))
            written += len(added) + len(changed)
        return written

    def search(self, vector: NDArray[np.float32], limit: int = 10, filter: Filter | None = None) -> list[Hit]:
        """The `limit` books nearest to a vector. Raises `CollectionMismatch` for one of another dimension."""
        if vector.shape != (self.dimension,):
            raise CollectionMismatch(
                f"The question's vector has {vector.shape[-1]} numbers, those of the collection {self.name} "
                f"{self.dimension}. Set model to the one the collection was made with."
            )
        return self.nearest(vector, limit, filter or Filter())

    def vector(self, key: str) -> NDArray[np.float32]:
        """A book's vector. Raises `BookUnknown`."""
        found = self.vectors([key]).get(key)
        if found is None:
            raise BookUnknown(f"The collection {self.name} has no book {key}. Give the key of a hit.")
        return found

    def check(self, dimension: int, model: str) -> None:
        """Raise `CollectionMismatch` if vectors of this model do not belong here."""
        if (dimension, model) != (self.dimension, self.model):
            raise CollectionMismatch(
                f"The collection {self.name} holds vectors of {self.dimension} numbers of the model {self.model}, and "
                f"the model at hand is {model} with {dimension}. Set collection to another name, or set the model back."
            )


def schema(dimension: int) -> pa.Schema:
    """The columns of a collection; unknown numbers are 0, unknown texts empty."""
    return pa.schema(
        [
            ("key", pa.string()),
            ("title", pa.string()),
            ("authors", pa.list_(pa.string())),
            ("year", pa.int32()),
            ("pages", pa.int32()),
            ("subjects", pa.list_(pa.string())),
            ("tags", pa.list_(pa.string())),
            ("cover", pa.string()),
            ("stamp", pa.string()),
            ("vector", vector_type(dimension)),
        ]
    )


def rows(books: Iterable[Mapping[str, Any]], covers: Iterable[str], vectors: NDArray[np.float32]) -> pa.Table:
    """Rows of `schema` from rows of the catalogue, with their covers' references and vectors."""
    made = []
    for book, cover, vector in zip(books, covers, vectors, strict=True):
        row = {name: book[name] for name in ("key", "title", "authors", "subjects")}
        row |= {"year": book["year"] or 0, "pages": book["pages"] or 0, "cover": cover, "tags": tags(book["subjects"])}
        row["stamp"] = _stamp(row, vector)
        made.append(row)
    columns = schema(vectors.shape[1])
    table = pa.Table.from_pylist(made, pa.schema([column for column in columns if column.name != "vector"]))
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=columns.field("vector").type)
    return table.append_column("vector", flat)


def opened(address: Address, name: str) -> Collection:
    """The collection of this name. Raises `CollectionMissing`."""
    found: Collection = _database(address).opened(address, _checked(name))
    return found


def made(address: Address, name: str, dimension: int, model: str) -> Collection:
    """The collection of this name, made if it is not there. Raises `CollectionMismatch` if it is of another model."""
    found: Collection = _database(address).made(address, _checked(name), dimension, model)
    found.check(dimension, model)
    return found


def _database(address: Address) -> Any:
    if address.is_milvus:
        from search import milvus

        return milvus
    from search import lance

    return lance


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadRequest(f"A collection cannot be called {name!r}. Use letters, digits and underscores, as in books.")
    return name


def _stamp(row: Mapping[str, Any], vector: NDArray[np.float32]) -> str:
    total = hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=12)
    total.update(vector.tobytes())
    return total.hexdigest()
