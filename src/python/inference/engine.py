"""A loaded pipeline at work: each request is prepared in its own thread, and what waits is forwarded together.

The pipeline's own `__call__` stays in charge of arguments and answers. Only the two methods in which it goes from
inputs to outputs, `run_single` and `get_iterator`, are replaced: preprocess, `Batcher`, postprocess.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from inference import effort, plaintext, rows, writing
from inference.answer import Log
from inference.backends import Backend
from inference.batching import Batcher, Limits, Work
from inference.tasks import Task

BATCHED = frozenset(
    {
        *("text-classification", "token-classification", "zero-shot-classification", "fill-mask"),
        *("feature-extraction", "image-feature-extraction", "image-classification", "video-classification"),
        *("object-detection", "image-segmentation", "depth-estimation", "audio-classification", "text-generation"),
    }
)
"""The tasks whose inputs can be rows of one batch; all others tie inputs to each other, or want sounds and pictures of
any size."""

# What pipelines raise when a request does not suit them; anything else is a fault and keeps its traceback.
PIPELINE_ERRORS = (
    *(ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, ImportError),
    *(ArithmeticError, AssertionError, MemoryError, StopIteration),
    NameError,  # a name that transformers binds only for tables and pictures of the shape it expects
)

_PORTION = 64  # so many inputs of one request wait at a time: a long list neither fills the memory nor blocks others
_TOLERANCE = 0.05  # of the largest number: what rounding may make of it in a batch; a wrong mask changes far more


@dataclass(frozen=True)
class Failed:
    """Stands in a list of outputs for an element that failed."""

    error: Exception


class Engine:
    """Runs the requests to one loaded pipeline; safe to call from any number of threads."""

    def __init__(self, pipeline: Any, task: Task, limits: Limits, log: Log, backend: str = "torch") -> None:
        from transformers.pipelines.base import ChunkPipeline

        self.pipeline = pipeline
        self.backend = backend
        # A fast tokenizer keeps truncation as a state, so one text at a time; without one nobody need wait.
        self.tokenizing: AbstractContextManager[Any] = nullcontext() if pipeline.tokenizer is None else threading.Lock()
        self._log = log
        self._alone = threading.Lock()
        self._batcher = Batcher(self._forward, limits, self._unfit)
        self._padding = True
        self._checked = False
        self._shared = task.name in BATCHED
        self._writes = task.name == "text-generation"
        self._wraps = task.name == "text-classification"  # the answer to one text is in a list, in a list it is not
        self._in_pieces = isinstance(pipeline, ChunkPipeline)
        tokenizer = pipeline.tokenizer
        self.pads = {"special_tokens_mask": 1}
        if tokenizer is not None:
            self.pads["input_ids"] = getattr(tokenizer, "pad_token_id", None) or 0
            self.pads["token_type_ids"] = getattr(tokenizer, "pad_token_type_id", None) or 0
        self.reader = plaintext.Reader.of(pipeline, self.pads) if task.name == "text-classification" else None
        if self._shared:
            pipeline.run_single, pipeline.get_iterator = self._single, self._several

    def run(self, main: Any, options: Mapping[str, Any]) -> Any:
        """What the pipeline answers to one input; raises what it raises."""
        if self._shared:
            return self.pipeline(main, **options)
        with effort.taken(self._alone):
            return self.pipeline(main, **options)

    def run_each(self, calls: Sequence[tuple[Any, Mapping[str, Any]]]) -> list[Any]:
        """For each main input and its options what the pipeline gives for an element of a list, or its error."""
        if not self._shared:
            return [self._tried(main, options) for main, options in calls]
        results: list[Any] = [None] * len(calls)
        groups: dict[str, list[int]] = {}
        for place, (_, options) in enumerate(calls):
            groups.setdefault(repr(sorted(options.items())), []).append(place)
        for places in groups.values():
            options = calls[places[0]][1]
            if len(places) == 1:
                found = [self._tried(calls[places[0]][0], options)]
                if self._wraps and isinstance(found[0], list) and "top_k" not in options:
                    found = found[0]
            else:
                try:
                    found = self.pipeline([calls[place][0] for place in places], **options)
                except PIPELINE_ERRORS as error:
                    found = [error] * len(places)
            for place, one in zip(places, found, strict=True):
                results[place] = one.error if isinstance(one, Failed) else one
        return results

    def _tried(self, main: Any, options: Mapping[str, Any]) -> Any:
        try:
            return self.run(main, options)
        except PIPELINE_ERRORS as error:
            return error

    def swap(self, model: Backend, backend: str) -> None:
        """From the next batch on `model` does the work. Batches that run now end with the one they have."""
        self.backend = backend
        self._padding, self._checked = True, False
        self.pipeline.model = model

    def _single(self, main: Any, before: dict[str, Any], forward: dict[str, Any], after: dict[str, Any]) -> Any:
        works = self._prepare(main, before, forward)
        self._run(works)
        return self._finish(works, after)

    def _run(self, works: list[Work]) -> None:
        for start in range(0, len(works), _PORTION):
            self._batcher.run(works[start : start + _PORTION])

    def _several(
        self,
        mains: Sequence[Any],
        num_workers: int,
        batch_size: int,
        before: dict[str, Any],
        forward: dict[str, Any],
        after: dict[str, Any],
    ) -> Iterator[Any]:
        """The outputs of the elements of a list, in their order; elements of like length run together."""
        del num_workers, batch_size  # the batcher knows better
        order = sorted(range(len(mains)), key=lambda place: len(mains[place]) if isinstance(mains[place], str) else 0)
        results: list[Any] = [None] * len(mains)
        for start in range(0, len(order), _PORTION):
            prepared: dict[int, list[Work]] = {}
            for place in order[start : start + _PORTION]:
                try:
                    prepared[place] = self._prepare(mains[place], before, forward)
                except PIPELINE_ERRORS as error:
                    results[place] = Failed(error)
            self._run([work for works in prepared.values() for work in works])
            for place, works in prepared.items():
                try:
                    results[place] = self._finish(works, after)
                except PIPELINE_ERRORS as error:
                    results[place] = Failed(error)
        if len(results) == 1 and isinstance(results[0], Failed):  # an input that is worked on in pieces
            raise results[0].error
        return iter(results)

    def _prepare(self, main: Any, before: dict[str, Any], forward: dict[str, Any]) -> list[Work]:
        """The forwards that one input needs: one, or several for a pipeline that works in pieces."""
        alike = repr(sorted(forward.items())) if forward else ""
        with self.tokenizing:
            if self.reader is not None and (plain := self.reader.read(main, before)) is not None:
                size = len(plain.ids)
                return [Work((plain, forward), size, (alike, "plain" if self._padding else size))]
            made = self.pipeline.preprocess(main, **before)
            pieces = [made] if isinstance(made, Mapping) else list(made)
        works = []
        for inputs in pieces:
            if self._writes:
                size, kind = writing.measure(self.pipeline, inputs, forward, self._padding)
            else:
                size, kind = rows.measure(inputs, self._padding)
            works.append(Work((inputs, forward), size, (alike, kind)))
        return works

    def _finish(self, works: list[Work], after: dict[str, Any]) -> Any:
        for work in works:
            if work.error is not None:
                raise work.error
        outputs = [work.output for work in works]
        if not after and isinstance(works[0].inputs[0], plaintext.Plain):
            return outputs[0]["best"]
        return self.pipeline.postprocess(outputs if self._in_pieces else outputs[0], **after)

    def _forward(self, batch: Sequence[Work]) -> list[Any]:
        items, options = [work.inputs[0] for work in batch], batch[0].inputs[1]
        padded = len({work.size for work in batch}) > 1
        if padded and not self._padding:
            raise rows.NotRows("Texts of different length cannot share a batch. Set batch_size=1.")
        outputs = self._together(items, options)
        if padded and not self._checked:
            self._check_padding(batch, outputs, options)
        return outputs

    def _together(self, items: list[Any], options: Mapping[str, Any]) -> list[Any]:
        """What one forward gives for each of these inputs."""
        if self.reader is not None and isinstance(items[0], plaintext.Plain):
            found = self.pipeline.forward(self.reader.join(items), **options)
            return plaintext.split(found, len(items), self.pipeline.model.config)
        if len(items) == 1:
            return [self.pipeline.forward(items[0], **options)]
        if self._writes:
            found = self.pipeline.forward(writing.join(items, self.pads["input_ids"]), **options)
            return writing.split(found, items, writing.ends(self.pipeline, options))
        return rows.split(self.pipeline.forward(rows.join(items, self.pads), **options), items)

    def _check_padding(self, batch: Sequence[Work], outputs: list[Any], options: Mapping[str, Any]) -> None:
        """The first padded batch: does the shortest answer the same alone? There are models that padding disturbs."""
        items, shortest = [work.inputs[0] for work in batch], min(range(len(batch)), key=lambda row: batch[row].size)
        if self._writes:  # words may be drawn: what is alike are their scores
            alone, beside = writing.first_scores(self.pipeline, items, shortest, self.pads["input_ids"])
        else:
            (alone,), beside = self._together([items[shortest]], options), outputs[shortest]
        self._checked = True
        if not _alike(alone, beside):
            self._padding = False
            raise rows.NotRows(f"Padding changes the answers of this {self.pipeline.model.config.model_type}.")

    def _unfit(self, error: Exception) -> None:
        """A batch failed, and all its inputs succeeded alone: smaller ones from now on, or none."""
        import torch

        limits = self._batcher.limits
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            limits.tokens = max(1, limits.tokens // 2)
            self._log(f"A batch did not fit into memory; from now on one holds at most {limits.tokens} tokens.")
        elif isinstance(error, rows.NotRows) and not self._padding:
            self._log(f"{error} Only texts of equal length run together.")
        else:
            limits.rows = 1
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            self._log(f"Inputs of this model cannot run together, so they run one by one: {reason[:300]}")


def _alike(one: Any, other: Any) -> bool:
    """Whether all numbers in two outputs are equal but for rounding."""
    import torch

    if isinstance(one, torch.Tensor):
        if one.shape != other.shape:
            return False
        if not one.is_floating_point():
            return True
        one, other = one.float(), other.float()
        scale = one.abs().max() if one.numel() else 0.0
        return bool((one - other).abs().le(_TOLERANCE * scale).all())
    if isinstance(one, Mapping):
        return all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, tuple | list):
        return all(_alike(*pair) for pair in zip(one, other, strict=True))
    return True
