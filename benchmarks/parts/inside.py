"""What inference costs inside one process: the reference, the bare model, and the production around it.

Each of these runs in a process of its own, on one core with one torch thread.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from parts.load import CALLERS, ask_all, percentiles
from parts.paths import BENCHMARKS
from parts.reviews import AUTO_MODEL, MODEL, Work
from parts.servers import backend_line

PAIRS = 200
"""So many texts are asked for one at a time, each of the bare model and of the production right after it."""

_TOKENS = (512, 1024, 2048)  # of a batch; the bare model at its best takes the fastest
_LABELS = 5
# In a folder of its own, because that comes first on Python's path: `parts.paths` would hide the product's `paths`.
_PRODUCTION = BENCHMARKS / "parts" / "production" / "labelling.py"


def reference(work: Work) -> dict[str, Any]:
    """transformers' pipeline in fp32, one message at a time. Also the probabilities of all labels for each text."""
    import transformers

    _quieten()
    pipeline = transformers.pipeline("text-classification", str(work.folder()), dtype="float32", device="cpu")
    for text in work.texts[:20]:
        pipeline(text, truncation=True)
    found, times_ms = [], []
    cpu_s, began_s = time.process_time(), time.perf_counter()
    for text in work.texts:
        at_s = time.perf_counter()
        found.append(pipeline(text, truncation=True, top_k=None))
        times_ms.append((time.perf_counter() - at_s) * 1000)
    figures = _rates(len(work.texts), cpu_s, began_s) | percentiles(times_ms)
    counts = [len(ids) for ids in pipeline.tokenizer(work.texts, truncation=True)["input_ids"]]
    tokens = {"median": median(counts), "p95": quantiles(counts, n=20)[18], "largest": max(counts)}
    names = sorted(one["label"] for one in found[0])
    return {**figures, "tokens": tokens, "names": names, "probabilities": [_by_label(one) for one in found]}


def convert(work: Work, backend: str) -> dict[str, Any]:
    """Start the production once, so that what a backend makes is there for all that comes; what the log said of it."""
    with _production(work, backend) as production:
        return {"said": production.said()}


def around(work: Work, backend: str, count: int) -> dict[str, Any]:
    """The bare model and the production around it, side by side, with the first `count` texts.

    Concurrency 1: one text after another, and what the production adds to each. Concurrency 32: texts a second
    through the production, and of the bare model in sorted batches, of all texts and of 32 at a time. Then one request
    with a list; one with the list of all texts gives the probabilities to compare.
    """
    import inference.pipeline

    texts = work.texts[:count]
    with _production(work, backend) as production:
        bare = Bare(production.model)
        budget = _fastest(bare, texts[:PAIRS])
        bare.labels(texts, budget)
        _ask(production, texts)  # with the line before: kernels for the shapes that come, the store's first pages
        result: dict[str, Any] = {"tokens": budget}
        cpu_s, began_s = time.process_time(), time.perf_counter()
        bare.labels(texts, budget)
        result["bare"] = _rates(len(texts), cpu_s, began_s)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        for start in range(0, len(texts), CALLERS):
            bare.labels(texts[start : start + CALLERS], budget)
        result["of 32"] = _rates(len(texts), cpu_s, began_s)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        answers = _ask(production, texts)
        result["production"] = _rates(len(texts), cpu_s, began_s) | percentiles(answers.times_ms)
        result["one"] = _pairs(bare, production, texts[:PAIRS])
        found = inference.pipeline.run(production.model, {"inputs": work.texts, "top_k": _LABELS}).output
        cpu_s, began_s = time.process_time(), time.perf_counter()
        inference.pipeline.run(production.model, {"inputs": texts})
        result["list"] = _rates(len(texts), cpu_s, began_s)
        return {**result, "probabilities": [_by_label(one) for one in found], "said": production.said()}


class Bare:
    """A model with nothing around it but its tokenizer: the loop that one would write by hand."""

    def __init__(self, model: Any) -> None:
        # What the item has loaded and chosen, so that both sides compute with the very same weights and kernels.
        self._pipeline = model._loaded.pipeline

    def labels(self, texts: Sequence[str], tokens: int) -> list[int]:
        """The labels of all texts, in batches of texts of like length."""
        import torch
        from peers.classifier import portions

        tokenizer, found = self._pipeline.tokenizer, [0] * len(texts)
        with torch.inference_mode():
            ids = tokenizer(list(texts), truncation=True)["input_ids"]
            for places in portions([len(one) for one in ids], tokens):
                some = [texts[place] for place in places]
                batch = tokenizer(some, truncation=True, padding=True, return_tensors="pt")
                best = self._pipeline.model(**batch).logits.float().softmax(-1).argmax(-1)
                for place, label in zip(places, best.tolist(), strict=True):
                    found[place] = label
        return found

    def label(self, text: str) -> int:
        """The label of one text."""
        import torch

        with torch.inference_mode():
            batch = self._pipeline.tokenizer(text, truncation=True, return_tensors="pt")
            return int(self._pipeline.model(**batch).logits.float().softmax(-1).argmax(-1))


class _Inside:
    """The running production."""

    def __init__(self, director: Any) -> None:
        import inference.pipeline

        self._director = director
        self.caller()(["The first one."])  # a list, for which an early start loads the pipeline
        (self.model,) = inference.pipeline.loaded()
        if self.model._settling is not None:
            self.model._settling.join()

    def caller(self) -> Callable[[str | list[str]], str]:
        """A function that sends a text, or a list of one, in a message of its own session, and waits for the label; for
        one thread."""
        import msg

        handle = self._director.create_service("Door")

        def call(text: str | list[str]) -> str:
            request = msg.MLRequest()
            request.inputs = text
            handle.ForceSessionId()
            answer = handle.component.send_request_sync("Model", request, timeout=60)
            label: str = answer.output[0]["label"]
            return label

        return call

    def said(self) -> str:
        """What the event log says of the backend."""
        return backend_line(entry.text for entry in self._director.eventlog.newest(200))


@contextmanager
def _production(work: Work, backend: str) -> Iterator[_Inside]:
    from irislite.director import Director

    os.environ["BENCH_BACKEND"] = backend
    os.environ["BENCH_MODEL_NAME"] = AUTO_MODEL if backend == "auto" else MODEL
    os.environ["BENCH_POOL"] = str(CALLERS)
    with tempfile.TemporaryDirectory() as folder:
        director = Director(Path(folder))
        try:
            director.load(_PRODUCTION)
            director.start()
            yield _Inside(director)
        finally:
            director.close()


def _ask(production: _Inside, texts: Sequence[str]) -> Any:
    return ask_all(texts, CALLERS, production.caller)


def _fastest(bare: Bare, texts: Sequence[str]) -> int:
    """The number of tokens in a batch with which the bare model is fastest, each tried on warm kernels."""
    took_s = {}
    for tokens in _TOKENS:
        bare.labels(texts, tokens)
        began_s = time.perf_counter()
        bare.labels(texts, tokens)
        took_s[tokens] = time.perf_counter() - began_s
    return min(took_s, key=took_s.__getitem__)


def _pairs(bare: Bare, production: _Inside, texts: Sequence[str]) -> dict[str, float]:
    """Each text asked of the bare model and of the production, and the medians of the differences, also of CPU time."""
    call, clocks = production.caller(), []
    for text in texts:
        clocks.append((time.perf_counter(), time.process_time()))
        bare.label(text)
        clocks.append((time.perf_counter(), time.process_time()))
        call(text)
    clocks.append((time.perf_counter(), time.process_time()))
    wall_ms, cpu_ms = (
        [(after - before) * 1000 for before, after in pairwise(clock)] for clock in zip(*clocks, strict=True)
    )
    return {
        "bare_p50_ms": median(wall_ms[::2]),
        **percentiles(wall_ms[1::2]),
        "added_ms": median(whole - part for part, whole in zip(wall_ms[::2], wall_ms[1::2], strict=True)),
        "added_cpu_ms": median(whole - part for part, whole in zip(cpu_ms[::2], cpu_ms[1::2], strict=True)),
    }


def _rates(count: int, cpu_s: float, began_s: float) -> dict[str, float]:
    """Texts a second, and a second of CPU time of all threads, since these clocks were read."""
    wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    return {"per_s": count / wall_s, "per_cpu_s": count / cpu_s}


def _by_label(scores: Sequence[dict[str, Any]]) -> list[float]:
    """The probabilities in the order of the labels' names."""
    return [round(one["score"], 6) for one in sorted(scores, key=lambda one: one["label"])]


def _quieten() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
