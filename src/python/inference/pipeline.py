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
from pathlib import Path
from typing import Any

import settinglines
from inference import effort, fitting, inputs, library, outcome, placement, streaming, tasks
from inference.answer import Answer, Log
from inference.backends import choice, early
from inference.engine import PIPELINE_ERRORS, Engine
from inference.errors import InferenceError, InputRefused, ModelNotFound, PipelineFailed
from inference.folder import identity, root
from inference.loading import Loaded, load, reload
from inference.opened import Model as Model
from inference.transfer import Watch

KEPT_UNUSED = 8
"""How many models that no host has open stay in memory, for a restart that opens them again."""

_RENAME_S = 1.0  # how long a folder may be away while a promotion renames two of them
_RETRY_S = 10.0  # how long a model that could not be loaded is left alone


def _silent(_: str) -> None:
    pass


_models: OrderedDict[tuple[str, str, str], Model] = OrderedDict()  # the one loaded last at the end
_guard = threading.Lock()  # of `_models` and of every `users`; never held while something loads


def open(
    name: str,
    task: str,
    *,
    path: str | None = None,
    model_url: str | None = None,
    repo_id: str | None = None,
    revision: str | None = None,
    allow_pickle: bool = False,
    options: Mapping[str, Any] | None = None,
    log: Log = _silent,
    warn: Log | None = None,
    watch: Watch | None = None,
) -> Model:
    """Find (or download), check and load a model; the same model is loaded once, whoever opens it.

    Where the model comes from, and `watch`, are told as to `library.find`. `options` are the item's other settings;
    text becomes typed values, and those of `placement.OPTIONS` say where and how the model runs. `log` takes what
    happens, `warn` (default: `log`) what an operator should see. Raises `TaskUnknown`, `OptionUnknown`,
    `ModelNotFound`, `ModelBroken`, `TaskMismatch` or `DownloadFailed`.
    """
    typed = {key: settinglines.typed(value) for key, value in (options or {}).items()}
    name, task = (name or "").strip(), (task or "").strip()
    kept = early.find(root(path), name, task, typed)
    if kept is None:
        known = tasks.lookup(task)
        task = known.name
        tasks.check_load(known, typed)
        choice.require(placement.read(typed))
    asked = {key: None if (value := typed.pop(key, None)) is None else str(value) for key in ("revision", "token")}
    folder = library.find(
        name,
        path=path,
        model_url=model_url,
        repo_id=repo_id,
        revision=revision or asked["revision"],
        token=asked["token"],
        allow_pickle=allow_pickle,
        log=log,
        warn=warn,
        watch=watch,
    )
    key = (str(folder.absolute()), task, json.dumps(typed, sort_keys=True, default=str))
    with _guard:
        model = _models.setdefault(key, Model(folder, task, typed))
        model.users += 1
    try:
        with effort.taken(model._lock):
            if not _early(model, kept, log, warn or log):
                _current(model, log, warn or log)
    except InferenceError:
        close(model)
        raise
    return model


def run(
    model: Model, fields: Mapping[str, Any], *, log: Log = _silent, pieces: streaming.Pieces | None = None
) -> Answer:
    """Answer one request: `fields` hold the input (`inputs`, `text_inputs`, `url`, ...) and options of the call.

    Calls that wait for one model at the same time run together, and so do the elements of a list, of which each fails
    alone. Image tasks answer with the picture they drew on. `pieces` gets the text of a text-generation while it is
    written. Raises `InputRefused` (also as `ImageNotReadable` or
    `SourceRefused`), `OptionUnknown`, `paths.PathNotAllowed`, `PipelineFailed`, and what `open` raises when the model
    is no longer in memory and its folder cannot be loaded.
    """
    if (ready := model.early) is not None and pieces is None and (answer := ready.answer(fields)) is not None:
        return answer
    many = inputs.several(model.task, fields)
    if many and pieces is not None:
        raise InputRefused("Of several texts at once none can be handed on: send them one by one, or without a stream.")
    calls: list[inputs.Call | inputs.Refusal] = (
        inputs.prepare_each(model.task, fields, model.options)
        if many
        else [inputs.prepare(model.task, fields, model.options)]
    )
    now = identity(model.folder)
    current = model._loaded
    if current is None or now is None or now != model._identity:
        with effort.taken(model._lock):
            current = _current(model, log, log)
    engine = current.engine
    notes = [model.note] if model.note else []
    if many:
        outputs = _run_each(model, engine, calls)
    else:
        outputs = [_run_one(model, engine, call, pieces) for call in calls if isinstance(call, inputs.Call)]
    return outcome.compose(model.task, calls, outputs, notes, many=many)


def _early(model: Model, kept: early.Kept | None, log: Log, warn: Log) -> bool:
    """Whether the model answers before its pipeline is loaded, which then follows. The caller holds its lock."""
    if model._loaded is None and model._early is None and kept is not None:
        _make_room(model)
        with effort.aside(f"Loading {model.folder.name} for its first answers"):
            model._early = kept.start(log)
        if model._early is not None:
            log(f"{model.folder.name} answers with {model._early.backend}; its pipeline is loaded behind that.")
    ready = model.early
    if ready is not None:
        ready.follow(effort.apart(f"Seeing to the pipeline of {model.folder.name}", _follow), model, log, warn)
    return ready is not None


def _follow(model: Model, log: Log, warn: Log) -> None:
    """Load the pipeline of a model that has answered without; not for one that nobody has open any more."""
    try:
        with effort.taken(model._lock):
            if model.users:
                _current(model, log, warn)
    except (InferenceError, RuntimeError) as error:
        if not threading.main_thread().is_alive():
            return  # the interpreter is going: nothing can be begun any more
        if not isinstance(error, InferenceError):
            raise
        warn(f"{model.folder.name} answers plain texts alone, since its pipeline cannot be loaded: {error}")


def _run_one(model: Model, engine: Engine, call: inputs.Call, pieces: streaming.Pieces | None) -> Any:
    """What the pipeline gives for the only input of a request."""
    with engine.tokenizing:
        fitting.fit(engine.pipeline, model.task, call, model.options)
    if pieces is not None:
        streaming.hand_on(engine.pipeline, model.task.name, call, model.options, pieces)
    try:
        return engine.run(call.main, call.options)
    except PIPELINE_ERRORS as error:
        raise PipelineFailed(_explain(model, call, error)) from error


def _run_each(model: Model, engine: Engine, calls: list[inputs.Call | inputs.Refusal]) -> list[Any]:
    """For each element of a list its output or its error; a call that does not fit the model becomes a refusal."""
    fitted: list[int] = []
    outputs: list[Any] = [None] * len(calls)
    for place, call in enumerate(calls):
        if isinstance(call, inputs.Call):
            try:
                with engine.tokenizing:
                    fitting.fit(engine.pipeline, model.task, call, model.options)
            except InputRefused as error:
                calls[place] = error
            else:
                fitted.append(place)
    runnable = [calls[place] for place in fitted]
    found = engine.run_each([(call.main, call.options) for call in runnable if isinstance(call, inputs.Call)])
    for place, output in zip(fitted, found, strict=True):
        call = calls[place]
        if isinstance(output, Exception) and isinstance(call, inputs.Call):
            output = PipelineFailed(_explain(model, call, output))
        outputs[place] = output
    return outputs


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
        model._loaded = model._identity = model._early = None


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
        with effort.aside(f"Loading {model.folder.name}"):
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
    _settle(model, fresh, log, warn)
    model._early = None  # until now: its answers are those of the backend that is in its place
    return fresh


def _settle(model: Model, fresh: Loaded, log: Log, warn: Log) -> None:
    """See to the backend that the settings ask for. A model with weights drawn at random stays with torch: it has no
    answers yet that another backend could agree with."""
    placed = placement.read(model.options)
    if fresh.note:
        if placed.backend.startswith("openvino"):
            log(f"{model.folder.name} stays with torch until it is trained.")
        return
    seen = model._identity
    subject = choice.Subject(
        engine=fresh.engine,
        folder=model.folder,
        task=model.task,
        options=model.options,
        placed=placed,
        reload=lambda dtype: reload(model.folder, model.task, model.options, placed, dtype),
        wanted=lambda: model._loaded is fresh and identity(model.folder) == seen,
    )
    model._settling = choice.settle(subject, log, warn)


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
