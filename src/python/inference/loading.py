"""Loads one model folder as a transformers pipeline, and finds out whether all of it was trained."""

import dataclasses
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libraries
from inference import effort, placement
from inference.answer import Log
from inference.engine import Engine
from inference.errors import InferenceError, ModelBroken, OptionUnknown, TaskMismatch
from inference.folder import defect
from inference.tasks import Task

_OURS = {
    *("num_labels", "model_kwargs", "revision", "token", "trust_remote_code", "device_map", "config"),
    *placement.OPTIONS,
}
# What transformers raises for files or settings that it cannot use; anything else is a fault and keeps its traceback.
_LOADING_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, ImportError)
_COMPONENTS = ("tokenizer", "feature_extractor", "image_processor", "video_processor", "processor")


@dataclass(frozen=True)
class Loaded:
    """A pipeline ready to be called, in its engine; `note` says what of the model is untrained, or ''."""

    engine: Engine
    note: str

    @property
    def pipeline(self) -> Any:
        """The transformers pipeline."""
        return self.engine.pipeline


def load(folder: Path, task: Task, options: Mapping[str, Any], log: Log) -> Loaded:
    """Load the model in `folder` for `task` with torch: fp32 on a processor unless told otherwise, safetensors only.

    Raises `ModelBroken`, `TaskMismatch` or `OptionUnknown`.
    """
    if problem := defect(folder):
        raise ModelBroken(f"The model folder {folder} {problem}. Copy the whole model there, or promote another.")
    placed = placement.read(options)
    with effort.taken(libraries.lock):  # two loads at once would also double the peak of memory
        _quieten()
        _spare_threads()
        from huggingface_hub.errors import StrictDataclassError
        from safetensors import SafetensorError

        try:
            model, missing = load_model(folder, task, options, placed, log)
            pipeline = _assemble(folder, task, options, placed, model)
        except InferenceError:
            raise
        except (*_LOADING_ERRORS, SafetensorError, StrictDataclassError) as error:
            raise ModelBroken(_explain(folder, task, options, error)) from error
        _bound_tokenizer(folder, pipeline)
    backend = "torch-bf16" if placed.backend == "torch-bf16" else "torch"
    return Loaded(Engine(pipeline, task, placed.limits(), log, backend), _untrained(task, model, missing))


def reload(folder: Path, task: Task, options: Mapping[str, Any], placed: placement.Placement, dtype: str) -> Any:
    """Another copy of the torch model in `folder`, in the number format `dtype`."""
    with effort.taken(libraries.lock):
        return load_model(folder, task, options, dataclasses.replace(placed, dtype=dtype), lambda _: None)[0]


def _quieten() -> None:
    """No progress bars and no advice on standard error: what matters goes to the event log."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    # Whoever looks at all attributes of a model, as a conversion does, meets transformers' deprecated ones.
    warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)


def _spare_threads() -> None:
    """No more torch threads than the container may use cores; OMP_NUM_THREADS set by the operator wins."""
    import torch

    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cores = math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such control group, or no limit
        return
    if "OMP_NUM_THREADS" not in os.environ and cores < torch.get_num_threads():
        torch.set_num_threads(max(1, cores))


def load_model(
    folder: Path, task: Task, options: Mapping[str, Any], placed: placement.Placement, log: Log
) -> tuple[Any, list[str]]:
    """The torch model, and the names of the weights that its files do not hold."""
    from transformers import AutoConfig

    trust = bool(options.get("trust_remote_code"))
    source = str(options.get("config") or folder)
    config = AutoConfig.from_pretrained(source, trust_remote_code=trust)
    auto_class = _auto_class(folder, task, config, trust)
    keywords = {"use_safetensors": True, **_model_kwargs(options), "dtype": _dtype(placed), "trust_remote_code": trust}
    if options.get("device_map") is not None:
        keywords["device_map"] = options["device_map"]
    model, info = auto_class.from_pretrained(folder, config=config, output_loading_info=True, **keywords)
    missing = sorted(info["missing_keys"])
    labels = options.get("num_labels")
    if labels is not None and labels != config.num_labels:
        if not _outside_base(model, missing):
            log(f"num_labels={labels} is not used: {folder.name} is trained for {config.num_labels} labels.")
            return model, missing
        if not isinstance(labels, int) or isinstance(labels, bool) or labels < 1:
            raise OptionUnknown(f"num_labels={labels!r} is no whole number above 0. Correct it in the item's settings.")
        config = AutoConfig.from_pretrained(source, trust_remote_code=trust, num_labels=labels)
        model = auto_class.from_pretrained(folder, config=config, **keywords)
    return model, missing


def _auto_class(folder: Path, task: Task, config: Any, trust: bool) -> Any:
    for auto_class in task.auto_classes:
        remote = trust and auto_class.__name__ in (getattr(config, "auto_map", None) or {})
        if remote or type(config) in auto_class._model_mapping:
            return auto_class
    from transformers.pipelines import SUPPORTED_TASKS

    able = sorted(
        name
        for name, entry in SUPPORTED_TASKS.items()
        if any(type(config) in auto._model_mapping for auto in entry["pt"])
    )
    raise TaskMismatch(
        f"The model in {folder} is a {config.model_type} and cannot do the task {task.name}. "
        + (f"Set task to one it can do: {', '.join(able)}." if able else "Choose another model.")
    )


def _model_kwargs(options: Mapping[str, Any]) -> dict[str, Any]:
    given = options.get("model_kwargs") or {}
    if not isinstance(given, dict):
        raise OptionUnknown('model_kwargs must be a JSON object, such as {"attn_implementation": "eager"}. Correct it.')
    return given


def _dtype(placed: placement.Placement) -> Any:
    import torch

    if placed.dtype == "auto":
        return "auto"
    if placed.dtype and not placed.backend.startswith("openvino"):  # which is judged by torch in fp32
        return getattr(torch, placed.dtype)
    if placed.device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32


def _assemble(folder: Path, task: Task, options: Mapping[str, Any], placed: placement.Placement, model: Any) -> Any:
    from transformers import pipelines

    parts = {name: str(folder) for name in _COMPONENTS if getattr(task.pipeline_class, f"_load_{name}") is not False}
    given = {name: value for name, value in options.items() if name not in _OURS}
    return pipelines.pipeline(
        task.name,
        model=model,
        config=str(folder),
        trust_remote_code=bool(options.get("trust_remote_code")),
        **({} if options.get("device_map") is not None else {"device": placed.device}),
        **{**parts, **given},
    )


def _bound_tokenizer(folder: Path, pipeline: Any) -> None:
    """Refuse a tokenizer without a vocabulary, and give one without a limit the model's."""
    tokenizer = pipeline.tokenizer
    if tokenizer is None:
        return
    names = {"tokenizer.json", *type(tokenizer).vocab_files_names.values()}
    if type(tokenizer).vocab_files_names and not any((folder / name).is_file() for name in names):
        raise ModelBroken(
            f"The model folder {folder} has no vocabulary ({' or '.join(sorted(names))}), so the model cannot read. "
            "Copy the tokenizer's files there."
        )
    positions = getattr(pipeline.model.config, "max_position_embeddings", None)
    if tokenizer.model_max_length > 1_000_000 and isinstance(positions, int) and positions > 0:
        tokenizer.model_max_length = positions


def _outside_base(model: Any, missing: list[str]) -> list[str]:
    """The missing weights of the head: all that do not belong to the body that heads share."""
    if model.base_model is model:
        return []
    return [name for name in missing if not name.startswith(f"{model.base_model_prefix}.")]


def _untrained(task: Task, model: Any, missing: list[str]) -> str:
    head = _outside_base(model, missing)
    if head:
        part = "classification head" if task.name.endswith("-classification") else f"{task.name} head"
        return (
            f"The {part} of this model is untrained: {_listed(head)} are not in the model's files and were drawn at "
            "random, so its answers mean nothing yet; run a training first, then promote its model."
        )
    body = [name for name in missing if "pooler" not in name]
    if body:
        return (
            f"The weights {_listed(body)} of this model are not in its files and were drawn at random, so its answers "
            "mean nothing; copy the whole model, or train it first."
        )
    return ""


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _explain(folder: Path, task: Task, options: Mapping[str, Any], error: Exception) -> str:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
    reason = f"{type(error).__name__}: {reason}"
    cure = "Check the model's files"
    if "timm" in str(error).lower():
        cure = "Its backbone needs the package timm; set revision=no_timm and download it anew, or install timm"
    given = [f"{name}={value}" for name, value in options.items() if name != "token"]
    settings = f" and the settings {', '.join(given)}" if given else ""
    return f"The model in {folder} could not be set up for the task {task.name} ({reason}). {cure}{settings}."
