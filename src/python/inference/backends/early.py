"""A text classifier at work before torch and transformers are there: its tokenizer and its conversion alone.

Loading a pipeline takes seconds, nearly all of them for imports. When a conversion takes the place of a torch model
(`choice`), what an answer needs beside it is kept; the next start finds that, and answers from the start, to the last
digit as the pipeline will. It knows one plain text without options. All else, and a text on which the conversion has
not the say (`doubt`), is the pipeline's, which is loaded behind the first answers.
"""

import hashlib
import importlib.util
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import libraries
from inference import bounds, placement, plaintext, tokens
from inference.answer import Answer, Log
from inference.backends import converted
from inference.backends.shelf import Shelf
from inference.engine import Engine
from inference.errors import ModelNotFound
from inference.folder import identity, plain

ASKED_S = 2.0
"""How long after the first answer the pipeline begins to load: whoever asks at the start asks more than once."""

UNASKED_S = 20.0
"""How long after the start it does where nobody asks."""

_TASK = "text-classification"
_OPTIONS = frozenset({*placement.OPTIONS, "num_labels"})  # those that change no answer of a trained model
_TOKENIZER = "tokenizer.json"


def keep(shelf: Shelf, engine: Engine, options: Mapping[str, Any], chosen: Mapping[str, Any], log: Log) -> None:
    """Keep what an early start needs, now that the conversion `chosen["backend"]` answers in `engine`.

    `chosen` also holds its number format as `dtype`, and as `margin_of` under which name its margin is noted, or ''.
    """
    found, config = shelf.find(chosen["backend"]), engine.pipeline.model.config
    if engine.reader is None or found is None or not set(options) <= _OPTIONS:
        return
    if not set(found[1]["inputs"]) <= plaintext.INPUTS or sorted(config.id2label) != [*range(config.num_labels)]:
        return
    import torch

    with engine.tokenizing:
        words, limit = _plain(engine.pipeline.tokenizer.backend_tokenizer), tokens.limit(engine.pipeline)
    note = {
        **chosen,
        "labels": [config.id2label[place] for place in range(config.num_labels)],
        "function": plaintext.function_of(config),
        "limit": limit,
        "threads": torch.get_num_threads(),
        "tokenizer": _digest(words),
    }
    known = shelf.early(options)
    if known is not None and known == {**known, **note} and (found[0] / _TOKENIZER).is_file():
        return
    staging = found[0] / f".{threading.get_ident()}-{_TOKENIZER}"
    try:
        staging.write_text(words, encoding="utf-8")
        staging.replace(found[0] / _TOKENIZER)
        shelf.note_early(options, note)
    except OSError as error:
        log(f"The next start answers no sooner: what it needs cannot be kept beside {found[0]} ({error}).")


@dataclass(frozen=True)
class Kept:
    """What `keep` has kept for a model's folder as it is now."""

    identity: tuple[int, int, int]
    conversion: Path
    about: Mapping[str, Any]
    note: Mapping[str, Any]
    margin: float

    def start(self, log: Log) -> "Early | None":
        """The classifier, ready to answer; None if the files cannot be used, which the pipeline's load will mend."""
        try:
            return Early(self)
        except (RuntimeError, OSError, LookupError, ValueError) as error:
            log(f"The conversion in {self.conversion} gives no early answers ({error}); they wait for the pipeline.")
            return None


def find(root: Path, name: str, task: str, options: Mapping[str, Any]) -> Kept | None:
    """What was kept of the model `name` in `root` for an item with this task and these options; None if there is
    nothing that still holds. Loads nothing."""
    if task != _TASK or not set(options) <= _OPTIONS or importlib.util.find_spec("openvino") is None:
        return None
    try:
        folder = root / plain(name)
    except ModelNotFound:  # told by whoever looks for it
        return None
    if (seen := identity(folder)) is None:
        return None
    shelf = Shelf(folder, task, options)
    note = shelf.early(options)
    if note is None or (options.get("backend") == "auto" and _picked(shelf) != note["backend"]):
        return None
    margin = shelf.margin(note["margin_of"]) if note["margin_of"] else 0.0
    conversion = shelf.find(note["backend"])
    return None if conversion is None or margin is None else Kept(seen, *conversion, note, margin)


def _picked(shelf: Shelf) -> Any:
    return (shelf.remembered() or {}).get("backend")


class Early:
    """Answers until the pipeline is there; safe to call from any number of threads."""

    def __init__(self, kept: Kept) -> None:
        """Raises RuntimeError, OSError or ValueError for files that cannot be used."""
        from tokenizers import Tokenizer

        self.identity, self.backend = kept.identity, str(kept.note["backend"])
        self._note, self._margin = kept.note, kept.margin
        words = (kept.conversion / _TOKENIZER).read_text(encoding="utf-8")
        if _digest(words) != kept.note["tokenizer"]:
            raise ValueError("its tokenizer is another than the one noted")
        self._tokenizer = Tokenizer.from_str(words)
        self._compiled = converted.Compiled(kept.conversion, kept.about, kept.note["dtype"], kept.note["threads"])
        self._guard = threading.Lock()
        self._load: Callable[[], None] | None = None
        self._timer: threading.Timer | None = None
        self._asked = False

    def follow(self, load: Callable[..., None], *arguments: Any) -> None:
        """Call `load`, which loads the pipeline, soon after the first answer, or after a while without one."""
        with self._guard:
            self._load = partial(load, *arguments)
            if self._timer is None or not self._timer.is_alive():
                self._timer = libraries.later(ASKED_S if self._asked else UNASKED_S, self._load)

    def answer(self, fields: Mapping[str, Any]) -> Answer | None:
        """The answer to a request; None if that is the pipeline's to say. Raises `InputRefused` as `run` does."""
        if fields.keys() != {"inputs"} or not isinstance(fields["inputs"], str):
            return None
        bounds.check_plain("inputs", fields["inputs"])
        text = bounds.text(fields["inputs"])
        try:
            best = self._best(text)
        except RuntimeError:  # of OpenVINO; the pipeline does it, or tells what is wrong
            return None
        if best is not None and not self._asked:
            self._hasten()
        return None if best is None else Answer([best])

    def _best(self, text: str) -> dict[str, Any] | None:
        """The likeliest label and its score; None for a text that is too long, or close to call."""
        import numpy as np

        found = self._tokenizer.encode(text)
        if len(found.ids) > self._note["limit"]:
            return None
        arrays = {"input_ids": found.ids, "attention_mask": [1] * len(found.ids), "token_type_ids": found.type_ids}
        given = {name: np.array([arrays[name]], dtype=np.int64) for name in self._compiled.inputs}
        made = dict(zip(self._compiled.outputs, self._compiled.infer(given), strict=True))
        logits = made["logits"].astype(np.float32, copy=False)
        if self._margin:
            least, most = np.partition(logits[0], -2)[-2:]
            if not most - least >= self._margin:  # what is no number is not clear
                return None
        scores = plaintext.scored(logits, self._note["function"])
        label, score = int(scores.argmax()), float(scores.max())
        return {"label": self._note["labels"][label], "score": score} if math.isfinite(score) else None

    def _hasten(self) -> None:
        """The first answer: the pipeline is loaded soon."""
        with self._guard:
            if not self._asked and self._load is not None and self._timer is not None:
                self._timer.cancel()
                self._timer = libraries.later(ASKED_S, self._load)
            self._asked = True


def _plain(tokenizer: Any) -> str:
    """A copy of the tokenizer, written down, which neither cuts nor pads, whatever it was last asked for."""
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return str(copy.to_str())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
