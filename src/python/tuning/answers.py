"""What models answer, put so that two of them can be compared; how they are asked is up to who has an engine."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

_TOGETHER = 64  # texts that are asked at once


@dataclass(frozen=True)
class Engine:
    """How a model is run: this package trains models and leaves answering to others."""

    open: Callable[[Path, str], Any]
    """Loads the model in a folder for a task, as transformers calls it."""
    ask: Callable[[Any, Mapping[str, Any]], Any]
    """What it answers to the fields of a request, as JSON."""
    close: Callable[[Any], None]
    failures: tuple[type[Exception], ...]
    """What the first two raise when a model or a request cannot be used."""


class Said(TypedDict):
    """What a model makes of a text."""

    label: str | None
    """None if it could not answer."""
    score: float | None
    error: str


@contextmanager
def opened(engine: Engine, folder: Path, task: str) -> Iterator[Callable[[list[str]], list[Any]]]:
    """The model in `folder`, open, as a function from texts to what it answers to each."""
    model = engine.open(folder, task)

    def ask(texts: list[str]) -> list[Any]:
        portions = (texts[start : start + _TOGETHER] for start in range(0, len(texts), _TOGETHER))
        return [output for portion in portions for output in engine.ask(model, {"inputs": portion})]

    try:
        yield ask
    finally:
        engine.close(model)


def said(output: Any) -> Said:
    """What a pipeline's answer to one text says: the likeliest label, or all that was found in it."""
    if isinstance(output, Mapping) and "error" in output:
        return Said(label=None, score=None, error=str(output["error"]))
    if isinstance(output, list) and output and all(isinstance(one, list) for one in output):
        each = [said(one) for one in output]
        scores = [one["score"] for one in each if one["score"] is not None]
        return Said(label=" | ".join(str(one["label"]) for one in each), score=min(scores, default=None), error="")
    found = [one for one in (output if isinstance(output, list) else [output]) if isinstance(one, Mapping)]
    if found and all("label" in one for one in found):
        best = max(found, key=_score)
        return Said(label=str(best["label"]), score=round(_score(best), 4), error="")
    if found and all("word" in one for one in found):
        entities = [f"{one.get('entity_group') or one.get('entity')} {one['word']}" for one in found]
        return Said(label="; ".join(entities), score=round(min(map(_score, found)), 4), error="")
    return Said(label=json.dumps(_without_scores(output), sort_keys=True, default=str)[:200], score=None, error="")


def agrees(one: Said, other: Said) -> bool | None:
    """Whether both say the same label; None if one of them could not answer."""
    return None if one["error"] or other["error"] else one["label"] == other["label"]


def _score(one: Mapping[str, Any]) -> float:
    return float(one.get("score") or 0.0)


def _without_scores(output: Any) -> Any:
    if isinstance(output, Mapping):
        return {name: _without_scores(value) for name, value in output.items() if name != "score"}
    return [_without_scores(value) for value in output] if isinstance(output, list) else output
