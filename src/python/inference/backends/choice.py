"""Which backend does a model's forward: torch at once, and another as soon as it is converted, judged, and faster."""

import importlib.util
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference import effort, rows
from inference.answer import Log
from inference.backends import converted, doubt, early, samples
from inference.backends.agreement import REQUIRED, Agreement
from inference.backends.shelf import Shelf
from inference.engine import Engine
from inference.errors import InferenceError, OptionUnknown
from inference.placement import Placement
from inference.tasks import Task

_WORTH_PARAMETERS = 1_000_000  # below, everything is fast and nothing worth the seconds of measuring
_LARGEST_PARAMETERS = 1_000_000_000  # above, a second copy may not fit into memory
_MEASURED = 200  # inputs that `auto` measures and judges with, while requests are being answered
_GAIN = 1.1  # so much faster another must be than torch for `auto` to leave the reference
_FIRST, _HOPELESS = 6, 0.5  # after so many batches a candidate that is so much slower than torch is given up
_NEARLY_ALL = 0.999  # of the labels: where so many must be equal, the largest change decides what is in doubt
_RECIPES = ("dynamic", "static", "careful")  # for eight bits, in the order in which they are tried

_ONE_AT_A_TIME = threading.Lock()  # conversions and measurements would disturb each other


class _Stopped(Exception):
    """The process is ending, or another model has taken the place."""


@dataclass(frozen=True)
class Subject:
    """A loaded model whose backend is to be chosen. `reload` loads another torch copy of it in a number format."""

    engine: Engine
    folder: Path
    task: Task
    options: Mapping[str, Any]
    placed: Placement
    reload: Callable[[str], Any]
    wanted: Callable[[], bool]


def require(placed: Placement) -> None:
    """Raises `OptionUnknown` if the packages that a backend needs are not installed."""
    needed = {"openvino": ("openvino",), "openvino-int8": ("openvino", "nncf")}.get(placed.backend, ())
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise OptionUnknown(
            f"The backend {placed.backend} needs {' and '.join(missing)}, which is not installed. Install it (pip "
            "install 'evergreen[openvino]'), or set backend=torch or torch-bf16, which need no package."
        )


def settle(subject: Subject, log: Log, warn: Log) -> threading.Thread | None:
    """Put in what was converted or picked before; else start a thread that converts, judges and swaps.

    Until then, and if nothing comes of it, torch answers. Returns the thread, if there is one.
    """
    backend = subject.placed.backend
    if backend in ("torch", "torch-bf16"):
        return None
    shelf = Shelf(subject.folder, subject.task.name, subject.options)
    if backend == "auto":
        if not _worth_measuring(subject):
            return None
        pick = shelf.remembered()
        if pick is not None and (pick["backend"] == "torch" or _swap_in(subject, shelf, pick["backend"], log)):
            return None
    else:
        if subject.task.name not in converted.TASKS:
            warn(f"The task {subject.task.name} is not run with OpenVINO; torch answers. Set backend=torch.")
            return None
        if _swap_in(subject, shelf, backend, log):
            return None
        if refused := shelf.refused(backend, _judged(subject)):
            numbers, file = refused
            warn(_refusal(subject, f"was refused before, and is not tried again: {numbers}", f"delete {file}"))
            return None
    work = _measure if backend == "auto" else _convert
    thread = threading.Thread(
        target=effort.apart(f"Seeing to the backend of {subject.folder.name}", _guarded),
        args=(work, subject, shelf, log, warn),
        name=f"backend of {subject.folder.name}",
    )
    thread.start()
    return thread


def _worth_measuring(subject: Subject) -> bool:
    count = sum(parameter.numel() for parameter in subject.engine.pipeline.model.parameters())
    return subject.task.name in converted.TASKS and _WORTH_PARAMETERS <= count <= _LARGEST_PARAMETERS


def _swap_in(subject: Subject, shelf: Shelf, backend: str, log: Log) -> bool:
    """Use a conversion that was judged here, or torch in bf16. False if there is none or it cannot be loaded."""
    engine, began_s = subject.engine, time.monotonic()
    noted = _as_asked(subject, backend) if _settles(subject) else ""
    margin = shelf.margin(noted) if noted else 0.0
    if margin is None:
        return False
    model: Any
    if backend == "torch-bf16":
        model = _flexible(subject.reload("bfloat16"))
    else:
        found = shelf.find(backend)
        if found is None or importlib.util.find_spec("openvino") is None:
            return False
        try:
            model = converted.Converted(*found, engine.pipeline.model.config, subject.placed.dtype)
        except (RuntimeError, OSError, LookupError, ValueError) as error:
            log(f"The conversion in {found[0]} cannot be used ({error}); it is made anew.")
            shelf.drop(backend)
            return False
    _put_in(subject, shelf, backend, _assured(subject, model, margin), log)
    log(
        f"{subject.folder.name} runs with {backend}, as found best before; ready in {time.monotonic() - began_s:.1f} s."
    )
    return True


def _put_in(subject: Subject, shelf: Shelf, backend: str, model: Any, log: Log) -> None:
    """From now on `model` answers; the next start may begin with it."""
    subject.engine.swap(model, backend)
    noted = _as_asked(subject, backend) if _settles(subject) else ""
    chosen = {"backend": backend, "dtype": subject.placed.dtype, "margin_of": noted}
    early.keep(shelf, subject.engine, subject.options, chosen, log)


def _guarded(
    work: Callable[[Subject, Shelf, Log, Log], None], subject: Subject, shelf: Shelf, log: Log, warn: Log
) -> None:
    """Run `work` in its thread: whatever happens there, torch goes on answering."""
    name = subject.folder.name
    try:
        with effort.taken(_ONE_AT_A_TIME):
            _check_wanted(subject)
            work(subject, shelf, log, warn)
    except _Stopped:
        return
    except (InferenceError, OSError, RuntimeError, ValueError, TypeError, LookupError, MemoryError) as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        warn(
            f"{name} stays with torch: another backend could not be made or measured ({type(error).__name__}: "
            f"{reason[:300]}). Set backend=torch to have it so without trying."
        )


def _check_wanted(subject: Subject) -> None:
    """Stop between two steps if nobody needs the outcome: a thread must not hold up the end of the process."""
    if not threading.main_thread().is_alive() or not subject.wanted():
        raise _Stopped


def _convert(subject: Subject, shelf: Shelf, log: Log, warn: Log) -> None:
    """Make the OpenVINO backend that the settings name; use it if it agrees."""
    backend, name = subject.placed.backend, subject.folder.name
    log(f"{name} is being converted for {backend}; until that is done torch answers.")
    began_s = time.monotonic()
    calibrating, judging = _inputs(subject)
    batches = samples.batches(judging, subject.engine.pads)
    for recipe in _recipes(subject):
        candidate = _checked(subject, shelf, backend, _made(subject, shelf, backend, calibrating, recipe), calibrating)
        trial = _try(subject, {backend: candidate}, batches)[backend]
        if trial.agreement.enough(backend):
            _put_in(subject, shelf, backend, candidate, log)
            took_s = time.monotonic() - began_s
            log(f"{name} now runs with {backend}: {trial}; made in {took_s:.0f} s and kept.")
            return
        shelf.drop(backend)
    shelf.refuse(backend, _judged(subject), str(trial.agreement))
    warn(_refusal(subject, f"does not agree as required: {trial.agreement}"))


def _refusal(subject: Subject, what: str, otherwise: str = "") -> str:
    """The line for the log: what became of the backend that the settings name, and what can be done."""
    backend = subject.placed.backend
    ways = ["Set backend to another", "set calibration to texts like yours", *([otherwise] if otherwise else [])]
    return (
        f"{subject.folder.name} stays with torch: {backend} {what}; required are {REQUIRED[backend]:.1%} of the "
        f"labels. {', '.join(ways[:-1])}, or {ways[-1]}."
    )


def _judged(subject: Subject) -> dict[str, Any]:
    """What a judgement hangs on beside the model, the packages and the machine."""
    calibration, dtype, backend = subject.placed.calibration, subject.placed.dtype, subject.placed.backend
    texts: list[Any] = []
    if subject.task.kind != "image" and (file := samples.source(calibration)).is_file():
        status = file.stat()
        texts = [str(file), status.st_size, status.st_mtime_ns]
    return {"texts": texts, "dtype": dtype, "required": REQUIRED[backend], "recipes": _recipes(subject)}


def _recipes(subject: Subject) -> list[str]:
    """The ways to make what the settings name."""
    if subject.placed.backend != "openvino-int8":
        return [""]
    return ["dynamic"] if subject.task.kind == "image" else [*_RECIPES]  # ranges are taken from texts only


def _measure(subject: Subject, shelf: Shelf, log: Log, warn: Log) -> None:
    """Time what can be had against torch in fp32; use and remember the fastest that agrees."""
    del warn
    name = subject.folder.name
    calibrating, judging = _inputs(subject)
    judging = judging[:_MEASURED]
    made: dict[str, Any] = {"torch-bf16": _flexible(subject.reload("bfloat16"))}
    if importlib.util.find_spec("openvino") is not None:
        made["openvino"] = _made(subject, shelf, "openvino", calibrating)
        if importlib.util.find_spec("nncf") is not None:
            made["openvino-int8"] = _made(subject, shelf, "openvino-int8", calibrating, "dynamic")
    candidates = {one: _checked(subject, shelf, one, model, calibrating) for one, model in made.items()}
    trials = _try(subject, candidates, samples.batches(judging, subject.engine.pads))
    able = {one: trial for one, trial in trials.items() if trial.gain >= _GAIN and trial.agreement.enough(one)}
    for one, trial in trials.items():
        if not trial.agreement.enough(one):
            shelf.drop(one)
    picked = max(able, key=lambda one: able[one].gain, default="torch")
    told = "; ".join(f"{one} {trial}" for one, trial in trials.items())
    _check_wanted(subject)
    if picked != "torch":
        _put_in(subject, shelf, picked, candidates[picked], log)
    log(f"{name} runs with {picked}, picked by measuring: {told}.")
    shelf.remember({"backend": picked, "measured": {one: str(trial) for one, trial in trials.items()}})


def _inputs(subject: Subject) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs to calibrate with, and others to judge by."""
    engine = subject.engine
    if subject.task.kind == "image":
        made = samples.of_pictures(engine.pipeline, subject.task)
        return made[::2], made[1::2]
    calibrating, judging = samples.texts(subject.placed.calibration)
    halves = []
    for given in (calibrating, judging):
        with engine.tokenizing:
            halves.append(samples.of_texts(engine.pipeline, subject.task, given))
    return halves[0], halves[1]


def _checked(subject: Subject, shelf: Shelf, backend: str, candidate: Any, calibrating: list[dict[str, Any]]) -> Any:
    """The candidate with fp32 at its side for what is in doubt, where that can be told."""
    if not _settles(subject):
        return candidate
    _check_wanted(subject)
    reference = subject.engine.pipeline.model
    batches = samples.batches(calibrating, subject.engine.pads)
    margin = doubt.margin(reference, candidate, batches, all_but=0.0 if REQUIRED[backend] >= _NEARLY_ALL else 0.1)
    shelf.note_margin(_as_asked(subject, backend), margin)
    return _assured(subject, candidate, margin)


def _as_asked(subject: Subject, backend: str) -> str:
    """The backend and the number format, if the settings name one: its scores are others in another."""
    return f"{backend}-{subject.placed.dtype}" if subject.placed.dtype else backend


def _settles(subject: Subject) -> bool:
    return doubt.settles(_config(subject), subject.task.name)


def _assured(subject: Subject, model: Any, margin: float) -> Any:
    return doubt.Assured(model, subject.engine.pipeline.model, margin) if margin else model


def _made(
    subject: Subject, shelf: Shelf, backend: str, calibrating: list[dict[str, Any]], recipe: str = ""
) -> converted.Converted:
    """The OpenVINO backend, from the shelf if it is there, else converted and put there."""
    found = shelf.find(backend)
    if found is None:
        whole, about = _whole(subject, shelf, calibrating)
        _check_wanted(subject)
        if recipe == "dynamic":
            whole, about["settings"] = converted.compress(whole)
        elif recipe:
            whole = converted.quantize(whole, calibrating, careful=recipe == "careful")
        _check_wanted(subject)

        def write(folder: Path) -> Mapping[str, Any]:
            converted.save(whole, folder)
            return about

        found = shelf.put(backend, write)
    return converted.Converted(*found, _config(subject), subject.placed.dtype)


def _whole(subject: Subject, shelf: Shelf, calibrating: list[dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    """The model in OpenVINO's form with all its bits, and what must be known of it."""
    if found := shelf.find("openvino"):
        return converted.read(found[0]), {**found[1]}
    _check_wanted(subject)
    engine, pipeline = subject.engine, subject.engine.pipeline
    # Beside a picture, labels in words are few and short: nothing is padded to a length that was seen before.
    reads = pipeline.tokenizer is not None and subject.task.kind == "text"
    limit = getattr(pipeline.tokenizer, "model_max_length", 0) if reads else 0
    some = sorted(calibrating[:8], key=lambda one: -rows.measure(one, padding=True)[0])
    return converted.convert(subject.reload("float32"), rows.join([some[0], some[-1]], engine.pads), engine.pads, limit)


def _config(subject: Subject) -> Any:
    return subject.engine.pipeline.model.config


@dataclass
class Trial:
    """How a candidate compares with torch in fp32: how many times as fast, and how far it agrees."""

    agreement: Agreement
    reference_s: float = 0.0
    own_s: float = 0.0

    @property
    def gain(self) -> float:
        """How many times as fast."""
        return self.reference_s / self.own_s if self.own_s else 0.0

    def __str__(self) -> str:
        return f"{self.gain:.1f} times as fast as torch, {self.agreement}"


def _try(subject: Subject, candidates: Mapping[str, Any], batches: Sequence[Mapping[str, Any]]) -> dict[str, Trial]:
    """Run every batch with torch in fp32 and with each candidate, side by side, as the machine's speed changes."""
    import torch

    reference = subject.engine.pipeline.model
    trials = {name: Trial(Agreement()) for name in candidates}
    with torch.no_grad():
        reference(**batches[0])
        for count, batch in enumerate(batches):
            _check_wanted(subject)
            wanted, reference_s = _timed(reference, batch)
            for name, candidate in candidates.items():
                trial = trials[name]
                if count >= _FIRST and trial.gain < _HOPELESS and subject.placed.backend == "auto":
                    continue
                candidate(**batch)  # what is made once for a shape is not what a server waits for
                found, own_s = _timed(candidate, batch)
                trial.agreement.add(wanted, found, batch)
                trial.reference_s += reference_s
                trial.own_s += own_s
    return trials


def _timed(model: Any, batch: Mapping[str, Any]) -> tuple[Any, float]:
    began_s = time.perf_counter()
    return model(**batch), time.perf_counter() - began_s


def _flexible(model: Any) -> Any:
    """The torch model, made to take floats of any format: requests that were prepared for another are still coming."""
    import torch

    def cast(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for name, value in named.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                named[name] = value.to(model.dtype)
        return arguments, named

    model.register_forward_pre_hook(cast, with_kwargs=True)
    return model
