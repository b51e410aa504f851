"""A model with the head of a task, loaded from a folder for training and saved into another.

Loads torch and transformers, so it is imported where the first training begins and nowhere else.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers.utils import logging

import libraries
from tuning import kernels
from tuning.errors import ModelUnusable

CLASSES = {
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "regression": "AutoModelForSequenceClassification",
}


@dataclass
class Classifier:
    """A model with the head of its task, and its tokenizer."""

    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase
    names: tuple[str, ...]
    """Of the labels, by id; () for a regression."""
    max_length: int
    """Tokens; longer texts are cut."""
    untrained: tuple[str, ...]
    """Names of the weights that the folder did not hold in this shape: they are new, and random."""
    old_names: tuple[str, ...]
    """What the folder's configuration calls the labels."""
    task: str = "text-classification"

    def save(self, folder: Path) -> None:
        """Write model and tokenizer; `OSError` with ENOSPC where the disk has no room."""
        with full_disks_named():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)


def load(folder: Path, label_names: Sequence[str], seed: int, task: str = "text-classification") -> Classifier:
    """The model in `folder` with these labels; weights it lacks are drawn with `seed`.

    Nothing is fetched, no code of the folder runs, and only safetensors are read. Raises `ModelUnusable`.
    """
    with libraries.lock:
        return _load(folder, label_names, seed, task)


def _load(folder: Path, label_names: Sequence[str], seed: int, task: str) -> Classifier:
    transformers.set_seed(seed)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    labels: dict[str, Any] = {"num_labels": 1, "problem_type": "regression"}
    if task != "regression":
        labels = {"num_labels": len(label_names), "id2label": dict(enumerate(label_names))}
        labels["label2id"] = {name: label for label, name in enumerate(label_names)}
    if task == "text-classification":
        labels["problem_type"] = "single_label_classification"
    try:
        _quieten()
        config = transformers.AutoConfig.from_pretrained(folder, **options)
        tokenizer = _tokenizer(folder, config, task, options)
        model, found = getattr(transformers, CLASSES[task]).from_pretrained(
            folder,
            dtype=torch.float32,
            # With dropout, torch's fused attention has no fast path on a CPU: plain attention is cheaper on long texts.
            attn_implementation="sdpa" if torch.accelerator.is_available() else "eager",
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            use_safetensors=True,
            **labels,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnusable(
            f"The model in {folder} cannot be loaded for {task}: {str(error).strip()} "
            "Put a whole model with its tokenizer there, weights as model.safetensors."
        ) from error
    if not torch.accelerator.is_available():
        kernels.install(model)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    untrained = {*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])}
    return Classifier(
        model=model,
        tokenizer=tokenizer,
        names=tuple(label_names),
        max_length=_max_length(tokenizer, model.config),
        untrained=tuple(sorted(untrained)),
        old_names=tuple(config.id2label.values()),
        task=task,
    )


@contextmanager
def full_disks_named() -> Iterator[None]:
    """What torch and safetensors say when a disk is full becomes an `OSError` with the number that means it."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        text = str(error)
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            if f"code: {number}," in text or os.strerror(number) in text:
                raise OSError(number, os.strerror(number)) from error
        if "PytorchStreamWriter" in text or "unexpected pos" in text:  # torch does not say why a write failed
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def _tokenizer(
    folder: Path, config: transformers.PreTrainedConfig, task: str, options: dict[str, Any]
) -> transformers.PreTrainedTokenizerBase:
    if task == "token-classification" and config.model_type in {"gpt2", "roberta", "longformer", "deberta"}:
        options = {**options, "add_prefix_space": True}  # their tokenizers take words on that condition alone
    return transformers.AutoTokenizer.from_pretrained(folder, **options)


def _max_length(tokenizer: transformers.PreTrainedTokenizerBase, config: transformers.PreTrainedConfig) -> int:
    # Some models (RoBERTa's kin) lose two positions to an offset; two tokens fewer never matter.
    positions = getattr(config, "max_position_embeddings", 514) - 2
    known = tokenizer.model_max_length < 1_000_000  # a tokenizer that does not know says a huge number
    return int(tokenizer.model_max_length if known else positions)


def _quieten() -> None:
    """No bars and tables on the console, in the whole process: what matters of them is in the log of the training."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
