"""Texts to a classifier's inputs by the tokenizer's own core, and to one batch at once: what most requests are.

transformers' tokenizer wraps each text in objects and tensors of its own, which costs more than to tokenise it. Here a
text stays a list of numbers until its batch is put together. Whatever is not plain goes the pipeline's way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inference.rows import NotRows

_SAMPLE = "A text of some words, and Others."
INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
"""What a text can become for a model."""


@dataclass(frozen=True)
class Plain:
    """The tokens of one text; `types` is None for a model that takes none."""

    ids: list[int]
    types: list[int] | None


class Reader:
    """Reads for one pipeline; made by `of`. The tokenizer keeps state: one text at a time."""

    def __init__(self, tokenizer: Any, *, types: bool, pads: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._types, self._pads = types, pads

    @classmethod
    def of(cls, pipeline: Any, pads: Mapping[str, int]) -> "Reader | None":
        """The reader for a pipeline of text-classification; None if its tokenizer is not one that can be shortened."""
        from transformers import PreTrainedTokenizerBase, TokenizersBackend

        kind = type(pipeline.tokenizer)
        if not issubclass(kind, TokenizersBackend) or kind._encode_plus is not TokenizersBackend._encode_plus:
            return None
        if kind.__call__ is not PreTrainedTokenizerBase.__call__:
            return None
        wanted = pipeline.preprocess(_SAMPLE)
        if not {"input_ids", "attention_mask"} <= set(wanted) <= INPUTS:
            return None
        reader = cls(pipeline.tokenizer, types="token_type_ids" in wanted, pads=pads)
        found = reader.read(_SAMPLE, {})
        return reader if found is not None and found.ids == wanted["input_ids"][0].tolist() else None

    def read(self, text: Any, options: Mapping[str, Any]) -> Plain | None:
        """The tokens of a text, with the tokenizer's `options`; None for what is not plain."""
        if not isinstance(text, str) or not set(options) <= {"truncation", "max_length"}:
            return None
        tokenizer = self._tokenizer
        padding, truncation, most, _ = tokenizer._get_padding_truncation_strategies(**options)
        tokenizer.set_truncation_and_padding(padding, truncation, most, 0, None, None)
        found = tokenizer._tokenizer.encode(text)
        return Plain(found.ids, found.type_ids if self._types else None)

    def join(self, texts: Sequence[Plain]) -> dict[str, Any]:
        """The inputs of a batch, padded on the right."""
        import numpy as np
        import torch

        shape = len(texts), max(len(text.ids) for text in texts)
        ids = np.full(shape, self._pads["input_ids"], dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        types = np.full(shape, self._pads["token_type_ids"], dtype=np.int64) if self._types else None
        for row, text in enumerate(texts):
            length = len(text.ids)
            ids[row, :length], mask[row, :length] = text.ids, 1
            if types is not None:
                types[row, :length] = text.types or 0
        arrays = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
        return {name: torch.from_numpy(array) for name, array in arrays.items() if array is not None}


def split(outputs: Any, count: int, config: Any) -> list[dict[str, Any]]:
    """The logits of a batch, for each of its texts as if it had run alone; as `best` what the pipeline makes of them
    where nothing else is asked for. Raises `NotRows`."""
    logits = outputs["logits"]
    if logits.shape[0] != count:
        raise NotRows("The model's outputs cannot be told apart by request. Set batch_size=1.")
    scores = scored(logits.float().numpy(), function_of(config))
    best = zip(scores.argmax(-1).tolist(), scores.max(-1).tolist(), strict=True)
    return [
        {"logits": row, "best": {"label": config.id2label[label], "score": score}}
        for row, (label, score) in zip(logits.split(1), best, strict=True)
    ]


def function_of(config: Any) -> str:
    """What makes scores of a model's logits, as the pipeline of text-classification does by default."""
    if config.problem_type == "regression":
        return "none"
    return "sigmoid" if config.problem_type == "multi_label_classification" or config.num_labels == 1 else "softmax"


def scored(logits: Any, function: str) -> Any:
    """The scores of an array of logits, to the last digit as transformers computes them."""
    import numpy as np

    if function == "none":
        return logits
    if function == "sigmoid":
        return 1.0 / (1.0 + np.exp(-logits))
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
