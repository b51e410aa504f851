"""The fields of a request that are transformers' `TrainingArguments`: old names, types, bounds."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import Enum

import settinglines
from tuning.errors import BadRequest

# Names that earlier releases of transformers took and 5.x calls otherwise; the value stays what it is.
RENAMED = {
    "evaluation_strategy": "eval_strategy",
    "include_tokens_per_second": "include_num_input_tokens_seen",
    "no_cuda": "use_cpu",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "push_to_hub_model_id": "hub_model_id",
    "push_to_hub_token": "hub_token",
    "torchdynamo": "torch_compile_backend",
    "warmup_ratio": "warmup_steps",  # below 1 it is a share of all steps
    "xpu_backend": "ddp_backend",
}

# Names whose value has another form today: old name -> (new name, old value -> new value).
RESHAPED: dict[str, tuple[str, Callable[[object], object]]] = {
    "adafactor": ("optim", lambda value: "adafactor" if value else "adamw_torch_fused"),
    "dispatch_batches": ("accelerator_config", lambda value: {"dispatch_batches": value}),
    "evaluate_during_training": ("eval_strategy", lambda value: "steps" if value else "no"),
    "fsdp_min_num_params": ("fsdp_config", lambda value: {"min_num_params": value}),
    "fsdp_transformer_layer_cls_to_wrap": ("fsdp_config", lambda value: {"transformer_layer_cls_to_wrap": [value]}),
    "group_by_length": ("train_sampling_strategy", lambda value: "group_by_length" if value else "random"),
    "include_inputs_for_metrics": ("include_for_metrics", lambda value: ["inputs"] if value else []),
    "split_batches": ("accelerator_config", lambda value: {"split_batches": value}),
    "tpu_metrics_debug": ("debug", lambda value: "tpu_metrics_debug" if value else ""),
}

# Names that are gone. They are left out, and the log says why.
GONE = {
    "fp16_backend": "torch's own mixed precision is the only one left; fp16 or bf16 is enough",
    "fp16_opt_level": "it belonged to NVIDIA's apex; fp16 or bf16 is enough",
    "half_precision_backend": "torch's own mixed precision is the only one left; fp16 or bf16 is enough",
    "generation_config": "no text is generated while a classifier is evaluated",
    "generation_max_length": "no text is generated while a classifier is evaluated",
    "generation_num_beams": "no text is generated while a classifier is evaluated",
    "jit_mode_eval": "TorchScript is gone; torch_compile is its successor",
    "logging_dir": "it was TensorBoard's alone; set the environment variable TENSORBOARD_LOGGING_DIR",
    "mp_parameters": "it belonged to SageMaker's own trainer",
    "n_gpu": "all GPUs that the environment variable CUDA_VISIBLE_DEVICES names are used; processes says by how many",
    "overwrite_output_dir": "each training has a folder of its own below output_dir, and resume says whether to go on",
    "past_index": "no model here keeps a past between batches",
    "predict_with_generate": "no text is generated while a classifier is evaluated",
    "push_to_hub_organization": "hub_model_id takes organization/model",
    "ray_scope": "it is the environment variable RAY_SCOPE now",
    "save_safetensors": "safetensors is the only format that is written",
    "sharded_ddp": "FairScale is gone; fsdp is its successor",
    "sortish_sampler": "train_sampling_strategy=group_by_length is its successor, and the default",
    "tokenizer": "the tokenizer comes from the model's folder",
    "tpu_num_cores": "it is the environment variable TPU_NUM_CORES now",
    "use_ipex": "its optimisations are part of torch",
    "use_legacy_prediction_loop": "there is one evaluation loop only",
    "use_mps_device": "an Apple GPU is used when there is one",
}

# Arguments that a training inside a running server cannot have.
REFUSED = {
    "batch_eval_metrics": "the metrics are computed over all held-out rows at once",
    "do_predict": "a training reads rows to train on and to evaluate, and none besides",
    "enable_jit_checkpoint": "it installs a signal handler, which only a process of its own may do",
    "prediction_loss_only": "the metrics need the predictions",
}

_AT_LEAST_ONE = {
    "eval_accumulation_steps",
    "gradient_accumulation_steps",
    "per_device_eval_batch_size",
    "per_device_train_batch_size",
    "save_total_limit",
}
_ABOVE_ZERO = {"adam_epsilon", "eval_steps", "learning_rate", "logging_steps", "num_train_epochs", "save_steps"}
_AT_LEAST_ZERO = {
    "data_seed",
    "dataloader_num_workers",
    "eval_delay",
    "max_grad_norm",
    "seed",
    "warmup_steps",
    "weight_decay",
}
_SHARES = {"adam_beta1", "adam_beta2", "label_smoothing_factor"}  # at least 0 and below 1


def translate(fields: Mapping[str, object], own_names: Iterable[str] = ()) -> tuple[dict[str, object], list[str]]:
    """The keyword arguments for `TrainingArguments` that `fields` mean, and a sentence per old name.

    Values may be text. `own_names` are fields that the caller takes; they only serve as near matches.
    Raises `BadRequest` for an unknown name, a value of the wrong type or out of bounds, and for an
    old name beside its new one.
    """
    from transformers import TrainingArguments

    known = {field.name: field for field in dataclasses.fields(TrainingArguments)}
    hints = typing.get_type_hints(TrainingArguments)
    arguments: dict[str, object] = {}
    notes: list[str] = []
    for given, raw in fields.items():
        if given in GONE:
            notes.append(f"{given} is gone from transformers and was left out: {GONE[given]}.")
            continue
        name, value = _renamed(given, raw)
        if name not in known:
            raise BadRequest(_unknown(given, [*own_names, *known, *RENAMED, *RESHAPED]))
        if name != given:
            notes.append(f"{given} is called {name} in transformers 5 and was translated.")
        if name in arguments:
            raise BadRequest(f"{name} is given twice, once under an old name. Keep {name} alone.")
        value = _fitted(name, value, hints[name], known[name].metadata.get("choices"))
        if value is None:
            continue
        if name in REFUSED and value:
            raise BadRequest(f"{name} cannot be used here: {REFUSED[name]}. Leave it out.")
        arguments[name] = _bounded(name, value)
    return arguments, notes


def _renamed(name: str, value: object) -> tuple[str, object]:
    if name in RESHAPED:
        new, reshape = RESHAPED[name]
        return new, reshape(settinglines.typed(value))
    return RENAMED.get(name, name), value


def _unknown(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See transformers' TrainingArguments for the names."
    return f"The request has a field {name!r} that no training takes. {hint}"


def _fitted(name: str, value: object, hint: object, choices: list[str] | None) -> object:
    """`value`, perhaps text, as the annotation `hint` wants it; 3.0 is a whole number, 0 and 1 are truth values."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    kinds = {typing.get_origin(option) or option for option in options}
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, Enum):
            choices = [str(member.value) for member in kind]
    if choices:
        if value is not None and str(value).strip() not in choices:
            raise BadRequest(f"{name} cannot be {value!r}. Choose one of {', '.join(choices)}.")
        return value and str(value).strip()
    if isinstance(value, str) and kinds <= {str, types.NoneType}:
        return value
    value = settinglines.typed(value)
    number = value if isinstance(value, int | float) and math.isfinite(value) else None
    if value is None or (isinstance(value, bool) and bool in kinds):
        return value
    if not isinstance(value, bool) and number is not None:
        if float in kinds:
            return number
        if int in kinds and number % 1 == 0:
            return int(number)
        if bool in kinds and number in (0, 1):
            return bool(number)
        if str in kinds:
            return str(number)
    if any(kind in kinds and isinstance(value, kind) for kind in (str, list, dict)):
        return value
    raise BadRequest(f"{name} cannot be {value!r}. Give {_wanted(kinds)}.")


def _wanted(kinds: set[object]) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    words |= {list: "a list", dict: "an object"}
    return " or ".join(word for kind, word in words.items() if kind in kinds) or "nothing: leave it out"


def _bounded(name: str, value: object) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return value
    for names, holds, words in (
        (_AT_LEAST_ONE, value >= 1, "at least 1"),
        (_ABOVE_ZERO, value > 0, "above 0"),
        (_AT_LEAST_ZERO, value >= 0, "0 or more"),
        (_SHARES, 0 <= value < 1, "at least 0 and below 1"),
        ({"max_steps"}, value == -1 or value >= 1, "at least 1, or -1 for no limit"),
    ):
        if name in names and not holds:
            raise BadRequest(f"{name} cannot be {value}. Give a number that is {words}.")
    return value
