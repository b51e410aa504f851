"""The body that every serving framework is given: texts to labels, with the pipeline people write, or aware of lengths.

BENCH_MODEL is the model's folder, BENCH_BODY `pipeline` (default) or `lengths`, BENCH_DTYPE torch's name of a number
format. The frameworks differ in how requests come together; the model, torch and transformers are the same for all.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers

FOLDER = Path(os.environ.get("BENCH_FOLDER", "."))
PORT = int(os.environ.get("BENCH_PORT", "8000"))
BATCH = int(os.environ.get("BENCH_BATCH", "32"))
BATCH_WAIT_S = 0.01

_MODEL = os.environ.get("BENCH_MODEL", "")
_TOKENS = 1024  # of a batch, padding counted

Label = dict[str, Any]


def make() -> Any:
    """The classifier that the environment asks for: a function from a list of texts to a list of labels."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    dtype = getattr(torch, os.environ.get("BENCH_DTYPE", "float32"))
    return {"pipeline": Pipeline, "lengths": Lengths}[os.environ.get("BENCH_BODY", "pipeline")](dtype)


class Pipeline:
    """transformers' own pipeline; what comes together is one batch, padded to its longest text."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._pipeline = transformers.pipeline("text-classification", _MODEL, dtype=dtype, device="cpu")

    def __call__(self, texts: list[str]) -> list[Label]:
        found: list[Label] = self._pipeline(texts, batch_size=len(texts), truncation=True)
        return found


class Lengths:
    """The same model, with what comes together sorted by length and cut into batches of a number of tokens."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(_MODEL)
        self._model = transformers.AutoModelForSequenceClassification.from_pretrained(_MODEL, dtype=dtype).eval()

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> list[Label]:
        ids = self._tokenizer(texts, truncation=True)["input_ids"]
        found: list[Label] = [{}] * len(texts)
        for places in portions([len(one) for one in ids], _TOKENS):
            padded = self._tokenizer.pad({"input_ids": [ids[place] for place in places]}, return_tensors="pt")
            best = self._model(**padded).logits.float().softmax(-1).max(-1)
            for place, score, label in zip(places, best.values.tolist(), best.indices.tolist(), strict=True):
                found[place] = {"label": self._model.config.id2label[label], "score": score}
        return found


def portions(sizes: list[int], tokens: int) -> Iterator[list[int]]:
    """The places of `sizes`, sorted by size, in batches of at most `tokens` tokens, padding counted."""
    batch: list[int] = []
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        if batch and sizes[place] * (len(batch) + 1) > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
