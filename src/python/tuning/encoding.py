"""Examples as token ids, computed once for the same content, and put together in batches."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tuning.cache import Arrays, Cache, digest
from tuning.classifier import Classifier
from tuning.dataset import Examples

IGNORED = -100
"""The label of a token that says nothing of its own, as torch's cross entropy knows it."""

_TOKENISED_ROWS = 1_000
_TOKENISER_FILES = (
    "tokenizer*.json",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
)


class Encoded(torch.utils.data.Dataset[dict[str, Any]]):
    """Examples as token ids, unpadded: those of all rows behind each other.

    `arrays`: ids int32 (tokens), starts int64 (rows + 1), and as the tokenizer and the task have them types uint8
    (tokens), words int32 (tokens): the word of each token, -1 for none.
    """

    def __init__(self, arrays: Arrays, labels: Sequence[Any], task: str = "text-classification") -> None:
        self.arrays, self.labels, self.task = arrays, labels, task
        self.starts = arrays["starts"]
        self.lengths = np.diff(self.starts)
        self.longest = int(self.lengths.max())

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> dict[str, Any]:
        part = slice(self.starts[row], self.starts[row + 1])
        item: dict[str, Any] = {"input_ids": self.arrays["ids"][part], "labels": self.labels[row]}
        if "types" in self.arrays:
            item["token_type_ids"] = self.arrays["types"][part]
        if "words" in self.arrays:
            item["labels"] = self.token_labels(row)
        return item

    def token_labels(self, row: int) -> npt.NDArray[np.int64]:
        """The label of each token: that of its word for a word's first token, `IGNORED` for the others."""
        words = self.arrays["words"][self.starts[row] : self.starts[row + 1]]
        labels = np.asarray([*self.labels[row], IGNORED], dtype=np.int64)[words]
        repeated = np.concatenate(([False], words[1:] == words[:-1]))
        return np.where((words < 0) | repeated, IGNORED, labels)

    def truths(self) -> tuple[Sequence[Any], list[int] | None]:
        """The labels to measure against: of rows, or of the words that were not cut, with how many each row has."""
        if "words" not in self.arrays:
            return self.labels, None
        by_row = [labels[labels != IGNORED] for labels in map(self.token_labels, range(len(self)))]
        return list(np.concatenate(by_row)), [len(labels) for labels in by_row]

    def in_order_of_length(self) -> list[int]:
        """The row numbers, shortest first."""
        return [int(row) for row in np.argsort(self.lengths, kind="stable")]

    def batches_of_alike(self, tokens: int) -> Iterator[list[int]]:
        """Row numbers in batches of similar length, each of some `tokens` with its padding."""
        batch: list[int] = []
        for row in self.in_order_of_length():
            if (len(batch) + 1) * self.lengths[row] > tokens and batch:
                yield batch
                batch = []
            batch.append(row)
        yield batch


class Collator:
    """Pads rows to the longest of their batch."""

    def __init__(self, classifier: Classifier) -> None:
        tokenizer = classifier.tokenizer
        self._left = tokenizer.padding_side == "left"
        self._padding = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id}
        self._padding["labels"] = IGNORED
        self._label_type = torch.float32 if classifier.task == "regression" else torch.int64

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = {"attention_mask": self._padded([np.ones(len(row["input_ids"]), np.int64) for row in rows], 0)}
        for name in rows[0]:
            values = [row[name] for row in rows]
            if isinstance(values[0], np.ndarray):
                batch[name] = self._padded(values, self._padding[name])
            else:
                batch[name] = torch.tensor(values, dtype=self._label_type)
        return batch

    def _padded(self, values: list[npt.NDArray[Any]], padding: int) -> torch.Tensor:
        longest = max(len(value) for value in values)
        table = np.full((len(values), longest), padding, dtype=np.int64)
        for row, value in zip(table, values, strict=True):
            row[longest - len(value) if self._left else 0 :][: len(value)] = value
        return torch.from_numpy(table)


def encode(
    classifier: Classifier, examples: Examples, folder: Path, cache: Cache, check: Callable[[], None] = lambda: None
) -> Encoded:
    """The examples with the tokenizer of `folder`; from the cache if the same texts were encoded with it before.

    `check` is called between batches; it may raise to stop.
    """
    texts = getattr(examples, "texts_sha256", None) or digest(map(str, examples.texts))
    key = digest(["tokens 1", texts, classifier.task, str(classifier.max_length), *tokenizer_files(folder)])
    arrays = cache.get(key)
    if arrays is None:
        arrays = _tokenise(classifier, examples, check)
        cache.put(key, arrays)
    return Encoded(arrays, examples.labels, classifier.task)


def tokenizer_files(folder: Path) -> list[bytes]:
    """The contents of the files that make the tokenizer."""
    found = {path for pattern in _TOKENISER_FILES for path in folder.glob(pattern)}
    return [content for path in sorted(found) for content in (path.name.encode(), path.read_bytes())]


def _tokenise(classifier: Classifier, examples: Examples, check: Callable[[], None]) -> Arrays:
    of_words = classifier.task == "token-classification"
    pairs = getattr(examples, "pairs", None)
    ids: list[npt.NDArray[np.int32]] = []
    types: list[npt.NDArray[np.uint8]] = []
    words: list[npt.NDArray[np.int32]] = []
    for start in range(0, len(examples), _TOKENISED_ROWS):
        check()
        part = slice(start, start + _TOKENISED_ROWS)
        batch = classifier.tokenizer(
            list(examples.texts[part]),
            list(pairs[part]) if pairs else None,
            truncation=True,
            max_length=classifier.max_length,
            is_split_into_words=of_words,
        )
        ids += [np.asarray(row, dtype=np.int32) for row in batch["input_ids"]]
        if pairs and "token_type_ids" in batch:
            types += [np.asarray(row, dtype=np.uint8) for row in batch["token_type_ids"]]
        if of_words:
            for row in range(len(batch["input_ids"])):
                numbers = [-1 if word is None else word for word in batch.word_ids(row)]
                words.append(np.asarray(numbers, dtype=np.int32))
    starts = np.zeros(len(ids) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in ids], out=starts[1:])
    arrays: Arrays = {"ids": np.concatenate(ids), "starts": starts}
    if types:
        arrays["types"] = np.concatenate(types)
    if words:
        arrays["words"] = np.concatenate(words)
    return arrays
