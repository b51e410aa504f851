"""Opens models and runs them: one loaded copy for all hosts of the process, replaced when its folder is.

    model = open("gpt2", "text-generation", log=print)
    answer = run(model, {"inputs": "Once upon a time"})
    close(model)

A loaded model outlives the host that opened it, so a restart of an item costs nothing. Before every request one stat
of the folder's config.json tells whether another model was moved into its place; then that one is loaded.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import settings
from inference import drawing, images, inputs, library, tasks
from inference.answer import Answer, Log, Picture, json_safe
from inference.errors import InferenceError, ModelNotFound, PipelineFailed
from inference.folder import identity
from inference.loading import Loaded, load

KEPT_UNUSED = 8
"""How many models that no host has open stay in memory, for a restart that opens them again."""

_RENAME_S = 1.0  # how long a folder may be away while a promotion renames two of them
_RETRY_S = 10.0  # how long a model that could not be loaded is left alone

# What pipelines raise when a request does not suit them; anything else is a fault and keeps its traceback.
_PIPELINE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, OSError, ImportError)
_DRAWN = ("object-detection", "zero-shot-object-detection", "image-segmentation")


def _silent(_: str) -> None:
    pass


@dataclass(eq=False)
class Model:
    """A model that is open: what to load, and, while it is kept, the loaded copy. Shared; made by `open` alone."""

    folder: Path
    task: tasks.Task
    options: Mapping[str, Any]
    users: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _loaded: Loaded | None = field(default=None, repr=False)
    _identity: tuple[int, int, int] | None = field(default=None, repr=False)
    _problem: str = field(default="", repr=False)
    _retry_at_s: float = field(default=0.0, repr=False)

    @property
    def note(self) -> str:
        """What a reader of any answer should know (an untrained head, a failed reload), or ''."""
        return " ".join(part for part in (self._loaded.note if self._loaded else "", self._problem) if part)


_models: OrderedDict[tuple[str, str, str], Model] = OrderedDict()  # the one loaded last at the end
_guard = threading.Lock()  # of `_models` and of every `users`; never held while something loads


def open(
    name: str,
    task: str,
    *,
    path: str | None = None,
    model_url: str | None = None,
    options: Mapping[str, Any] | None = None,
    log: Log = _silent,
    warn: Log | None = None,
) -> Model:
    """Find (or download), check and load a model; the same model is loaded once, whoever opens it.

    `options` are the item's other settings; text becomes typed values. `log` takes what happens, `warn` (default:
    `log`) what an operator should see. Raises `TaskUnknown`, `OptionUnknown`, `ModelNotFound`, `ModelBroken`,
    `TaskMismatch` or `DownloadFailed`.
    """
    typed = {key: settings.typed(value) for key, value in (options or {}).items()}
    known = tasks.lookup((task or "").strip())
    tasks.check_load(known, typed)
    hub = {key: None if (value := typed.pop(key, None)) is None else str(value) for key in ("revision", "token")}
    folder = library.find((name or "").strip(), path=path, model_url=model_url, log=log, **hub)
    key = (str(folder.absolute()), known.name, json.dumps(typed, sort_keys=True, default=str))
    with _guard:
        model = _models.setdefault(key, Model(folder, known, typed))
        model.users += 1
    try:
        with model._lock:
            _current(model, log, warn or log)
    except InferenceError:
        close(model)
        raise
    return model


def run(model: Model, fields: Mapping[str, Any], *, log: Log = _silent) -> Answer:
    """Answer one request: `fields` hold the input (`inputs`, `text_inputs`, `url`, ...) and options of the call.

    Calls on one model wait for one another. Image tasks answer with the picture they drew on. Raises `InputRefused`
    (also as `ImageNotReadable` or `SourceRefused`), `OptionUnknown`, `paths.PathNotAllowed`, `PipelineFailed`, and
    what `open` raises when the model is no longer in memory and its folder cannot be loaded.
    """
    call = inputs.prepare(model.task, fields, model.options)
    with model._lock:
        pipeline = _current(model, log, log).pipeline
        notes = [model.note] if model.note else []
        inputs.fit(pipeline, model.task, call, model.options)
        try:
            output = pipeline(call.main, **call.options)
        except _PIPELINE_ERRORS as error:
            raise PipelineFailed(_explain(model, call, error)) from error
    return _answer(model.task, call, output, [*notes, *call.notes])


def close(model: Model) -> None:
    """Say that one who opened `model` is done with it; it stays in memory for a while, see `KEPT_UNUSED`."""
    with _guard:
        model.users = max(0, model.users - 1)


def loaded() -> list[Model]:
    """The models that are in memory."""
    with _guard:
        return [model for model in _models.values() if model._loaded is not None]


def unload(model: Model) -> None:
    """Free the memory of `model`; the next request loads it again."""
    with model._lock:
        model._loaded = model._identity = None


def _current(model: Model, log: Log, warn: Log) -> Loaded:
    """What lies in the model's folder now, loaded if it is not yet. The caller holds the model's lock.

    While the folder is away (a promotion is two renames) or cannot be loaded, the copy in memory goes on answering.
    """
    now = identity(model.folder)
    before = model._loaded
    if before is not None and (now in (None, model._identity) or time.monotonic() < model._retry_at_s):
        return before
    if before is None:
        _make_room(model)
    else:
        log(f"Another model is in {model.folder}; loading it.")
    try:
        fresh, now = _load_steadily(model, log)
    except InferenceError as error:
        if before is None:
            raise
        model._retry_at_s = time.monotonic() + _RETRY_S
        model._problem = f"The model in {model.folder} was replaced, but the new one cannot be loaded: {error}"
        warn(f"{model._problem} The one loaded before goes on answering.")
        return before
    model._loaded, model._identity, model._problem, model._retry_at_s = fresh, now, "", 0.0
    log(f"Loaded {model.folder.name} for {model.task.name}.")
    if fresh.note:
        warn(f"{model.folder.name}: {fresh.note}")
    return fresh


def _load_steadily(model: Model, log: Log) -> tuple[Loaded, tuple[int, int, int]]:
    """Load until the folder was the same before and after, so that no configuration meets another's weights."""
    while True:
        before = _settled_identity(model.folder)
        try:
            fresh = load(model.folder, model.task, model.options, log)
        except InferenceError:
            if _settled_identity(model.folder) == before:
                raise
            continue
        if identity(model.folder) in (before, None):
            return fresh, before


def _settled_identity(folder: Path) -> tuple[int, int, int]:
    """The identity of the model in `folder`, waiting for a rename to end."""
    deadline_s = time.monotonic() + _RENAME_S
    while (now := identity(folder)) is None:
        if time.monotonic() > deadline_s:
            raise ModelNotFound(f"The model folder {folder} is gone. Restore it, or correct the item's settings.")
        time.sleep(0.01)
    return now


def _make_room(model: Model) -> None:
    """Before `model` is loaded: let go of models that nobody has open, those of its folder and the oldest."""
    with _guard:
        for key in [key for key, one in _models.items() if one is model]:
            _models.move_to_end(key)
        unused = {key: one for key, one in _models.items() if one.users == 0 and one is not model}
        too_many = len(unused) - KEPT_UNUSED
        for place, (key, one) in enumerate(unused.items()):
            if one.folder == model.folder or place < too_many:
                del _models[key]


def _explain(model: Model, call: inputs.Call, error: Exception) -> str:
    reason = str(error).strip() or "no reason given"
    options = f" with {', '.join(sorted(call.options))}" if call.options else ""
    return (
        f"The pipeline {model.task.name} of {model.folder.name} failed at this request{options}: "
        f"{type(error).__name__}: {reason[:500]}. Check the request's fields; if they are right, the model's files."
    )


def _answer(task: tasks.Task, call: inputs.Call, output: Any, notes: list[str]) -> Answer:
    pictures: list[Picture] = []
    if task.name in _DRAWN:
        many = isinstance(call.main, list)
        for picture, found in zip(call.main if many else [call.main], output if many else [output], strict=True):
            pictures.append(_drawn(task, picture, found))
            if not found:
                notes = [*notes, "Nothing was found above the threshold; a lower threshold shows more."]

    def keep(image: Any) -> dict[str, int]:
        pictures.append(images.encode(image, title="mask" if image.mode in ("1", "L") else ""))
        return {"picture": len(pictures) - 1}

    return Answer(json_safe(output, keep), tuple(pictures), " ".join(notes))


def _drawn(task: tasks.Task, picture: Any, found: list[dict[str, Any]]) -> Picture:
    labels = ", ".join(str(one["label"]) for one in found) or "nothing found"
    if task.name == "image-segmentation":
        return images.encode(drawing.masks(picture, found), title=f"Segments: {labels}")
    return images.encode(drawing.boxes(picture, found), title=f"Detections: {labels}")
