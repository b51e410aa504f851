"""Fine-tune a text classifier that lies in a folder.

Loads torch and transformers, so it is imported where the first training begins and nowhere else.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from safetensors import SafetensorError
from transformers.trainer_callback import PrinterCallback
from transformers.utils import logging

from tuning import metrics
from tuning.dataset import Examples
from tuning.errors import BadRequest, ModelUnusable, TrainingFailed
from tuning.progress import Progress

Logits = npt.NDArray[np.float32]

_TOKENISED_ROWS = 1_000
_EVALUATED_TOKENS = 4_096
_LARGEST_BATCH = 32
_SMALLEST_BATCH = 8
_STEPS_PER_EPOCH = 50


@dataclass
class Classifier:
    """A model with a classification head, and its tokenizer."""

    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase
    names: tuple[str, ...]
    """Of the labels, by id."""
    max_length: int
    """Tokens; longer texts are cut."""
    untrained: tuple[str, ...]
    """Names of the weights that the folder did not hold in this shape: they are new, and random."""
    old_names: tuple[str, ...]
    """What the folder's configuration calls the labels."""

    def save(self, folder: Path) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


class Encoded(torch.utils.data.Dataset[dict[str, Any]]):
    """Examples as token ids, unpadded."""

    def __init__(self, classifier: Classifier, examples: Examples) -> None:
        self.labels = examples.labels
        self.ids: list[npt.NDArray[np.int32]] = []
        for start in range(0, len(examples), _TOKENISED_ROWS):
            batch = classifier.tokenizer(
                examples.texts[start : start + _TOKENISED_ROWS], truncation=True, max_length=classifier.max_length
            )
            self.ids += [np.asarray(ids, dtype=np.int32) for ids in batch["input_ids"]]
        self.longest = max(len(ids) for ids in self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"input_ids": self.ids[row].tolist(), "labels": self.labels[row]}


def load(folder: Path, label_names: Sequence[str], seed: int) -> Classifier:
    """The classifier in `folder` with these labels; weights it lacks are drawn with `seed`.

    Nothing is fetched, no code of the folder runs, and only safetensors are read. Raises `ModelUnusable`.
    """
    transformers.set_seed(seed)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        _quieten()
        config = transformers.AutoConfig.from_pretrained(folder, **options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
        model, found = transformers.AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=len(label_names),
            id2label=dict(enumerate(label_names)),
            label2id={name: label for label, name in enumerate(label_names)},
            problem_type="single_label_classification",
            dtype=torch.float32,
            # With dropout, torch's fused attention has no fast path on a CPU: plain attention is cheaper on long texts.
            attn_implementation="sdpa" if torch.accelerator.is_available() else "eager",
            ignore_mismatched_sizes=True,
            output_loading_info=True,
            use_safetensors=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelUnusable(
            f"The model in {folder} cannot be loaded as a text classifier: {str(error).strip()} "
            "Put a whole model with its tokenizer there, weights as model.safetensors."
        ) from error
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
    )


def suited(
    given: Mapping[str, object], output_dir: Path, train: Encoded, config: transformers.PreTrainedConfig
) -> dict[str, Any]:
    """The keyword arguments of this training: those `given`, and for the others what suits this machine."""
    batch_rows = _batch_rows(len(train), train.longest, config)
    chosen: dict[str, Any] = {
        "output_dir": str(output_dir),
        "per_device_train_batch_size": batch_rows,
        "per_device_eval_batch_size": batch_rows,
        "train_sampling_strategy": "group_by_length",
        "bf16": has_fast_bf16() and not given.get("fp16"),
        "use_cpu": not torch.accelerator.is_available(),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    if "logging_steps" not in given:  # both are shares of all steps
        chosen |= {"logging_steps": 0.05, "eval_steps": 0.25}
    if given.get("load_best_model_at_end"):  # the best can only be loaded if each evaluated model was saved
        evaluated = given.get("eval_strategy", "no")
        if evaluated == "no":
            raise BadRequest(
                "load_best_model_at_end needs evaluations to choose by: set eval_strategy to steps or epoch."
            )
        chosen |= {"save_strategy": evaluated, "save_only_model": True, "save_total_limit": 1}
        chosen["save_steps"] = given.get("eval_steps", given.get("logging_steps", 0.25))
    return chosen | dict(given)


def training_arguments(keywords: Mapping[str, Any]) -> transformers.TrainingArguments:
    """The `TrainingArguments` of these keywords; `BadRequest` if they do not go together."""
    with _refusals():
        return transformers.TrainingArguments(**keywords)


def fit(
    classifier: Classifier,
    train: Encoded,
    held_out: Encoded,
    arguments: transformers.TrainingArguments,
    log: Callable[[str], None],
) -> int:
    """Train the classifier's model in place; the number of steps that were made.

    Raises `TrainingFailed` when the weights are no longer numbers.
    """

    def evaluation(prediction: Any) -> dict[str, float]:
        measured = metrics.measure(prediction.label_ids, prediction.predictions, classifier.names)
        return {name: value for name, value in measured.items() if isinstance(value, float) and name != "loss"}

    with _refusals():
        trainer = transformers.Trainer(
            model=classifier.model,
            args=arguments,
            data_collator=transformers.DataCollatorWithPadding(classifier.tokenizer),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=classifier.tokenizer,
            compute_metrics=evaluation,
            callbacks=[Progress(log)],
        )
    trainer.remove_callback(PrinterCallback)
    steps = trainer.train(resume_from_checkpoint=arguments.resume_from_checkpoint).global_step
    # Mixed precision wraps the model's forward; the wrapping must neither be saved nor trained again.
    classifier.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    trainer.accelerator.free_memory()
    if not all(bool(weight.isfinite().all()) for weight in classifier.model.parameters()):
        raise TrainingFailed(
            f"After {steps} steps the weights are no longer numbers: the training diverged. "
            f"Nothing was saved; lower learning_rate (it was {arguments.learning_rate})."
        )
    return int(steps)


def predict(classifier: Classifier, encoded: Encoded, arguments: transformers.TrainingArguments) -> Logits:
    """The logits (rows, labels) of every row, in order, as float32; computed in bfloat16 if the training was."""
    collate = transformers.DataCollatorWithPadding(classifier.tokenizer)
    model: Any = classifier.model
    model.eval().to(arguments.device)
    logits = np.empty((len(encoded), len(classifier.names)), dtype=np.float32)
    mixed = torch.autocast(arguments.device.type, dtype=torch.bfloat16, enabled=arguments.bf16)
    with torch.no_grad(), mixed:
        for rows in _batches_of_alike(encoded):
            inputs = collate([{"input_ids": encoded[row]["input_ids"]} for row in rows])
            inputs = {name: tensor.to(arguments.device) for name, tensor in inputs.items()}
            logits[rows] = model(**inputs).logits.float().cpu().numpy()
    return logits


def has_fast_bf16() -> bool:
    """Whether this machine computes in bfloat16 at full speed, and not by emulation."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.accelerator.is_available():
        return False
    has = torch.cpu.get_capabilities()
    return any(has.get(unit) for unit in ("amx_bf16", "avx512_bf16", "sve_bf16"))


def _max_length(tokenizer: transformers.PreTrainedTokenizerBase, config: transformers.PreTrainedConfig) -> int:
    # Some models (RoBERTa's kin) lose two positions to an offset; two tokens fewer never matter.
    positions = getattr(config, "max_position_embeddings", 514) - 2
    known = tokenizer.model_max_length < 1_000_000  # a tokenizer that does not know says a huge number
    return int(tokenizer.model_max_length if known else positions)


def _batch_rows(rows: int, longest: int, config: transformers.PreTrainedConfig) -> int:
    """A power of two: many enough for speed, few enough for memory and for some 50 steps an epoch."""
    layers, width = getattr(config, "num_hidden_layers", 12), getattr(config, "hidden_size", 768)
    heads = getattr(config, "num_attention_heads", 12)
    # What a transformer layer keeps of a token for the backward pass, in four-byte numbers
    # (Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models").
    token_bytes = 2 * layers * (34 * width + 5 * heads * longest)
    on_gpu = torch.cuda.is_available()
    memory_bytes = torch.cuda.mem_get_info()[0] if on_gpu else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    batch = _LARGEST_BATCH
    while batch > _SMALLEST_BATCH and rows < batch * _STEPS_PER_EPOCH:
        batch //= 2
    while batch > 1 and batch * longest * token_bytes > memory_bytes / 3:
        batch //= 2
    return batch


def _batches_of_alike(encoded: Encoded) -> Iterator[list[int]]:
    """Row numbers in batches of texts of similar length, each batch some 4,096 tokens with its padding."""
    batch: list[int] = []
    for row in sorted(range(len(encoded)), key=lambda row: len(encoded.ids[row])):
        if (len(batch) + 1) * len(encoded.ids[row]) > _EVALUATED_TOKENS and batch:
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _quieten() -> None:
    """No bars and tables on the console, in the whole process: what matters of them is in the log of the training."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()


@contextmanager
def _refusals() -> Iterator[None]:
    """What transformers says to arguments that it does not take becomes a `BadRequest`."""
    try:
        yield
    except (ValueError, TypeError, KeyError, ImportError, NotImplementedError, OSError, RuntimeError) as error:
        raise BadRequest(
            f"transformers refuses these training arguments: {str(error).strip()} Correct or leave out what it names."
        ) from error
