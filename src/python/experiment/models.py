"""A new classifier from a model's folder, as `load_model` makes it by default; a trained one, saved and loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import libraries
from experiment.errors import ModelUnusable, StepFailed
from experiment.functions import Config, Functions

LABELS, WEIGHTS = "labels.json", "model.safetensors"


def load(config: Config, model_name: str, num_labels: int, id2label: Mapping[int, str]) -> Any:
    """The model of the settings with a head for these labels, which is new and drawn with the seed.

    A folder without weights gives a model that knows nothing yet, as long as its config.json says which: Longformer,
    ModernBERT and the like can be tried that way. Raises `ModelUnusable`.
    """
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    labels = {"num_labels": num_labels, "id2label": dict(id2label), "label2id": {n: i for i, n in id2label.items()}}
    with libraries.lock:
        import torch
        import transformers
        from safetensors import SafetensorError

        kind = transformers.AutoModelForSequenceClassification
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        transformers.set_seed(config.seed)
        try:
            given = transformers.AutoConfig.from_pretrained(config.model_folder, **options, **labels)
            given.problem_type = "single_label_classification"
            if config.layers is not None:
                given.num_hidden_layers = config.layers
            if not any(config.model_folder.glob("*.safetensors")):
                return kind.from_config(given)
            model = kind.from_pretrained(
                config.model_folder, config=given, dtype=torch.float32, ignore_mismatched_sizes=True,
                use_safetensors=True, **options,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelUnusable(
                f"{model_name} cannot be loaded from {config.model_folder}: {error} Put a whole model there, with its "
                "weights as model.safetensors."
            ) from error
    if model.config.pad_token_id is None:
        from experiment import encoding

        model.config.pad_token_id = encoding.tokenizer(config.model_folder).pad_token_id
    return model


def save(model: Any, config: Config, folder: Path) -> None:
    """Write a trained model: as transformers does where it is one of theirs, its weights alone otherwise."""
    import shutil

    with libraries.lock:
        import transformers
        from safetensors.torch import save_model

        is_theirs = isinstance(model, transformers.PreTrainedModel)

    folder.mkdir(parents=True, exist_ok=True)
    if is_theirs:
        model.save_pretrained(folder)
    else:
        save_model(model, str(folder / WEIGHTS))
    for pattern in ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model"):
        for file in config.model_folder.glob(pattern):
            shutil.copyfile(file, folder / file.name)
    (folder / LABELS).write_text(json.dumps(list(config.labels), ensure_ascii=False), encoding="utf-8")


def trained(functions: Functions, config: Config, folder: Path) -> Any:
    """The model that `load_model` makes, with the weights that were saved in `folder`."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    model = functions.load_model(config)
    try:
        weights: dict[str, Any] = {}
        for file in sorted(folder.glob("*.safetensors")):
            weights |= load_file(file)
        put(model, weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise StepFailed(
            f"The weights in {folder} do not fit what load_model makes: {error}. Train again with it as it is."
        ) from error
    return model


def put(model: Any, weights: Mapping[str, Any]) -> None:
    """Give a model its weights; one that two names share may be missing under one of them. `RuntimeError` otherwise."""
    found = model.load_state_dict(weights, strict=False)
    own = model.state_dict()
    shared = {tensor.data_ptr() for name, tensor in own.items() if name in weights}
    missing = [name for name in found.missing_keys if own[name].data_ptr() not in shared]
    if missing or found.unexpected_keys:
        raise RuntimeError(f"{', '.join([*missing, *found.unexpected_keys][:3])} do not match")
