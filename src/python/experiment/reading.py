"""A model reads windows and answers for documents: batches put together, logits of windows pooled.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from experiment.errors import FunctionWrong, StepFailed
from experiment.preparation import Rows
from experiment.world import World

Logits = npt.NDArray[np.float32]


class Reader:
    """A model, and what must be known to let it read rows."""

    def __init__(
        self, model: Any, keys: Sequence[str], labels: int, world: World, precision: torch.dtype, pooling: str
    ) -> None:
        self.model, self.keys, self.labels = model, list(keys), labels
        self.world, self.precision, self.pooling = world, precision, pooling
        self._padding = int(getattr(getattr(model, "config", None), "pad_token_id", 0) or 0)

    def windows(self, columns: dict[str, list[Any]]) -> torch.Tensor:
        """The logits of rows, (rows, labels), float32. Raises `FunctionWrong`."""
        lacking = [key for key in self.keys if key not in columns]
        if lacking:
            raise FunctionWrong(
                f"ordered_model_input_keys names {', '.join(lacking)}, which the encoded rows do not have: they have "
                f"{', '.join(columns)}."
            )
        inputs = [self._tensor(key, columns[key]) for key in self.keys]
        mixed = self.precision is not torch.float32
        with torch.autocast(self.world.device.type, dtype=torch.bfloat16, enabled=mixed):
            answer = self.model(*inputs)
        found: Any = answer if torch.is_tensor(answer) else getattr(answer, "logits", None)
        if found is None and isinstance(answer, tuple | list) and answer:
            found = answer[0]
        rows = len(columns[self.keys[0]])
        if not torch.is_tensor(found) or tuple(found.shape) != (rows, self.labels):
            shape = tuple(found.shape) if torch.is_tensor(found) else type(answer).__name__
            raise FunctionWrong(
                f"The model answered {shape} to {rows} rows: its forward must return logits, ({rows}, {self.labels})."
            )
        return found.float()

    def documents(self, columns: dict[str, list[Any]], of: Sequence[int], documents: int) -> torch.Tensor:
        """The logits of documents, (documents, labels): those of their rows, pooled; `of` has each row's document."""
        logits = self.windows(columns)
        if len(of) == documents:
            return logits
        where = torch.tensor(of, device=logits.device)
        if self.pooling == "max":
            lowest = torch.full((documents, self.labels), -torch.inf, device=logits.device)
            index = where[:, None].expand_as(logits)
            return lowest.scatter_reduce(0, index, logits, "amax", include_self=False)
        counts = torch.bincount(where, minlength=documents)[:, None]
        return torch.zeros(documents, self.labels, device=logits.device).index_add(0, where, logits) / counts

    def _tensor(self, key: str, values: list[Any]) -> torch.Tensor:
        """Values of a key as one tensor; lists are padded to the longest of the batch."""
        if not isinstance(values[0], list):
            return torch.tensor(values, device=self.world.device)
        longest = max(len(value) for value in values)
        kind = np.float32 if values[0] and isinstance(values[0][0], float) else np.int64
        table = np.full((len(values), longest), self._padding if key == "input_ids" else 0, dtype=kind)
        for row, value in zip(table, values, strict=True):
            row[: len(value)] = value
        return torch.from_numpy(table).to(self.world.device)


def predict(reader: Reader, rows: Rows, at_once: int, progress: Callable[[float], None] = lambda share: None) -> Logits:
    """What the model says of every record, (records, labels), in each process.

    Every process reads its share, windows of like length together. What is kept of a document is one row of numbers,
    so its length does not matter.
    """
    world = reader.world
    mine = np.argsort(_tokens(rows), kind="stable")[world.rank :: world.size]
    lowest = -np.inf if reader.pooling == "max" else 0.0
    pooled = np.full((len(rows), reader.labels), lowest, dtype=np.float64)
    reader.model.eval()
    done, in_all = 0, int((rows.ends - rows.starts)[mine].sum())
    with torch.inference_mode():
        for windows, records in _batches(rows, mine, at_once):
            logits = reader.windows(rows.read(windows.tolist())).cpu().numpy()
            if reader.pooling == "max":
                np.maximum.at(pooled, records, logits)
            else:
                np.add.at(pooled, records, logits)
            done += len(windows)
            progress(done / in_all)
    if reader.pooling == "mean":
        pooled /= (rows.ends - rows.starts)[:, None]
    if world.size > 1:
        for index, part in world.gather([(mine, pooled[mine])]):
            pooled[index] = part
    if not np.isfinite(pooled).all():
        raise StepFailed("The model's answers are no numbers: lower LEARNING_RATE, or set PRECISION to float32.")
    return pooled.astype(np.float32)


def _batches(
    rows: Rows, records: npt.NDArray[np.int64], at_once: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Row numbers in batches of like length, and the record of each."""
    if not len(records):
        return
    windows = np.concatenate([rows.windows(record) for record in records])
    of = np.repeat(records, (rows.ends - rows.starts)[records])
    order = np.argsort(rows.lengths[windows], kind="stable")
    for start in range(0, len(order), at_once):
        part = order[start : start + at_once]
        yield windows[part], of[part]


def _tokens(rows: Rows) -> npt.NDArray[np.int64]:
    """The tokens of each record."""
    return np.add.reduceat(rows.lengths, rows.starts) if len(rows) else rows.lengths
