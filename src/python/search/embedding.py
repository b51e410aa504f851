"""The work of one part: covers or texts to vectors. The same function in one process and in a Spark worker."""

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from search import encoder, pictures
from search.encoder import PICTURES_AT_ONCE, Choice, Encoder, Pixels, Vectors
from search.errors import CoverUnreadable
from search.parts import Plan
from search.place import Place
from search.shelf import Shelf

Outcome = dict[str, Any]
"""What became of a part: rows, problems, seconds of each step, and which process did it."""

COVERS = pa.schema([("key", pa.string()), ("cover", pa.string()), ("bytes", pa.int64())])
TEXTS = pa.schema([("key", pa.string()), ("text", pa.string())])
_DECODED_AT_ONCE = 4 * PICTURES_AT_ONCE


class Clock:
    """Adds up the seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What is done in here is the step `name`."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began_s


def covers(plan: Plan, choice: Choice, folder: Place, number: int) -> Outcome:
    """Embed the covers of a part, and put the vectors in place; a cover that is none becomes a row with its problem."""
    clock = Clock()
    with clock.step("load"):
        model = encoder.opened(choice)
    part = plan.part(number)
    vectors: list[Vectors] = []
    problems: list[str | None] = []
    with closing(Shelf(folder)) as shelf:
        for views, told in _decoded(model, shelf, part["cover"].to_pylist(), clock):
            with clock.step("forward"):
                vectors.append(_spread(model, views, told))
            problems += told
    with clock.step("write"):
        plan.finish(number, _table(part, np.concatenate(vectors), problems))
    return _outcome(problems, clock)


def texts(plan: Plan, choice: Choice, number: int) -> Outcome:
    """Embed the texts of a part, and put the vectors in place."""
    clock = Clock()
    with clock.step("load"):
        model = encoder.opened(choice)
    part = plan.part(number)
    with clock.step("forward"):
        vectors = model.texts(part["text"].to_pylist())
    problems: list[str | None] = [None] * part.num_rows
    with clock.step("write"):
        plan.finish(number, _table(part.drop_columns("text"), vectors, problems))
    return _outcome(problems, clock)


def vector_type(dimension: int) -> pa.DataType:
    """How a vector is kept in Arrow."""
    return pa.list_(pa.float32(), dimension)


_Decoded = tuple[list[Pixels], list[str | None]]


def _decoded(model: Encoder, shelf: Shelf, references: Sequence[str], clock: Clock) -> Iterator[_Decoded]:
    """Some pictures at a time, with the problem of each that is none; the next are decoded while these are embedded."""

    def decode(start: int) -> _Decoded:
        views, problems = list[Pixels](), list[str | None]()
        for reference in references[start : start + _DECODED_AT_ONCE]:
            try:
                with clock.step("read"):
                    data = shelf.read(reference)
                with clock.step("decode"):
                    views.append(model.view(pictures.decode(data)))
                problems.append(None)
            except CoverUnreadable as error:
                problems.append(str(error))
        return views, problems

    with ThreadPoolExecutor(1, "decoding") as ahead:
        coming = ahead.submit(decode, 0)
        for start in range(0, len(references), _DECODED_AT_ONCE):
            ready, coming = coming.result(), ahead.submit(decode, start + _DECODED_AT_ONCE)
            yield ready


def _spread(model: Encoder, views: Sequence[Pixels], problems: Sequence[str | None]) -> Vectors:
    """A vector for each picture, and zeros where there is a problem."""
    vectors = np.zeros((len(problems), model.dimension), np.float32)
    if views:
        vectors[[problem is None for problem in problems]] = model.viewed(views)
    return vectors


def _table(part: pa.Table, vectors: Vectors, problems: list[str | None]) -> pa.Table:
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    rows = pa.FixedSizeListArray.from_arrays(flat, type=vector_type(vectors.shape[1]))
    return part.append_column("vector", rows).append_column("problem", pa.array(problems, pa.string()))


def _outcome(problems: Sequence[str | None], clock: Clock) -> Outcome:
    bad = sum(problem is not None for problem in problems)
    return {"rows": len(problems), "problems": bad, "seconds": clock.seconds, "process": os.getpid()}
