"""The step preparation: records, encoded in batches into Arrow files, which are read from the disk, not from memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import libraries
from experiment import reconciliation
from experiment.errors import FunctionWrong
from experiment.functions import Config, Functions
from experiment.reconciliation import PARTS
from experiment.records import Watch

DOCUMENT, LABELS = "document", "labels"

_BATCH_RECORDS = 1_000
_BATCH_CHARACTERS = 1_000_000


def run(functions: Functions, config: Config, collected: Path, folder: Path, watch: Watch) -> dict[str, Any]:
    """Encode the records of `collected` into `folder`; rows and tokens of each part. Raises `FunctionWrong`."""
    import pyarrow as pa

    folder.mkdir(parents=True, exist_ok=True)
    summary = reconciliation.summary_of(collected)
    features = functions.get_dataset_features(config)
    schema = features.arrow_schema
    in_all, done = sum(summary["rows"].values()), 0
    found: dict[str, Any] = {}
    for part in PARTS:
        rows = 0
        draft = folder / f".{part}.arrow"
        with draft.open("wb") as stream, pa.ipc.new_stream(stream, schema) as writer:
            for batch in _batches(reconciliation.read(collected, part)):
                columns = encoded(functions, config, features, batch)
                writer.write_table(table_of(columns, schema))
                rows += len(columns[LABELS])
                done += len(batch["text"])
                watch.progress(done / in_all, f"{done:,} of {in_all:,} records")
        draft.replace(folder / f"{part}.arrow")
        found[part] = {"records": summary["rows"][part], "rows": rows}
    watch.told(", ".join(f"{part}: {one['records']:,} records in {one['rows']:,} rows" for part, one in found.items()))
    return found


def encoded(functions: Functions, config: Config, features: Any, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The rows of a batch, if they are what the schema says. Raises `FunctionWrong`."""
    columns = functions.encode_data(batch, config)
    lacking, more = sorted(set(features) - set(columns)), sorted(set(columns) - set(features))
    if lacking or more:
        what = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(more)}, which the schema lacks"
        raise FunctionWrong(f"encode_data's answer {what}: its keys must be those of get_dataset_features.")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in lengths.items())
        raise FunctionWrong(f"encode_data's columns differ in length ({told}): give each row a value in each.")
    records, rows = len(batch["text"]), lengths[LABELS]
    if DOCUMENT not in columns and rows != records:
        raise FunctionWrong(
            f"encode_data made {rows} rows of {records} records: give one each, or name a row's record in a column "
            "'document' (its number comes as 'row')."
        )
    if DOCUMENT in columns and set(columns[DOCUMENT]) != set(batch["row"]):
        raise FunctionWrong("encode_data's column 'document' must name each record of the batch by its 'row'.")
    return columns


def table_of(columns: dict[str, list[Any]], schema: Any) -> Any:
    """Columns as an Arrow table. Raises `FunctionWrong` where they are not what the schema says."""
    import pyarrow as pa

    try:
        return pa.table(columns, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise FunctionWrong(
            f"encode_data's answer does not fit the schema: {error}. Correct it, or get_dataset_features."
        ) from error


class Rows:
    """The encoded rows of a part, and which of them are a record's windows."""

    def __init__(self, folder: Path, part: str) -> None:
        with libraries.lock:
            import datasets

        datasets.disable_progress_bars()
        self.data = datasets.Dataset.from_file(str(folder / f"{part}.arrow"))
        self.names = [name for name in self.data.features if name not in (DOCUMENT, LABELS)]
        table = self.data.data
        labels = np.asarray(table.column(LABELS).to_numpy(), dtype=np.int64)
        documents = table.column(DOCUMENT).to_numpy() if DOCUMENT in self.data.features else np.arange(len(labels))
        # The windows of a record stand one after the other, in the order of the records.
        first = np.concatenate((np.ones(min(1, len(labels)), dtype=bool), documents[1:] != documents[:-1]))
        self.starts = np.flatnonzero(first)
        self.ends = np.append(self.starts[1:], len(labels))
        self.labels = labels[self.starts]
        """Of the records."""
        self.lengths = _lengths(table, self.names, len(labels))
        """Of the rows, in tokens."""

    def __len__(self) -> int:
        """How many records there are."""
        return len(self.labels)

    def windows(self, record: int) -> npt.NDArray[np.int64]:
        """The numbers of a record's rows."""
        return np.arange(self.starts[record], self.ends[record])

    def read(self, rows: list[int]) -> dict[str, list[Any]]:
        """The inputs of these rows, as columns."""
        found: dict[str, list[Any]] = self.data[rows]
        return {name: found[name] for name in self.names}


def _lengths(table: Any, names: list[str], rows: int) -> npt.NDArray[np.int64]:
    """The longest list of each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    longest = np.ones(rows, dtype=np.int64)
    for name in names:
        column = table.column(name)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            longest = np.maximum(longest, pc.list_value_length(column).to_numpy())
    return longest


def _batches(records: Iterator[dict[str, Any]]) -> Iterator[dict[str, list[Any]]]:
    """Records as columns: so many at a time, and never more than some characters of text beside one another."""
    batch: list[dict[str, Any]] = []
    characters = 0
    for record in records:
        if batch and (len(batch) == _BATCH_RECORDS or characters + len(record["text"]) > _BATCH_CHARACTERS):
            yield _columns(batch)
            batch, characters = [], 0
        batch.append(record)
        characters += len(record["text"])
    if batch:
        yield _columns(batch)


def _columns(batch: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for record in batch for name in record)
    return {name: [record.get(name) for record in batch] for name in names}
