"""Train a classifier on encoded examples, and let it answer.

Loads torch and transformers, so it is imported where the first training begins and nowhere else.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

import hardware
import libraries
from tuning import disk, methods, metrics, trackers
from tuning.cache import Cache
from tuning.classifier import Classifier, full_disks_named
from tuning.encoding import IGNORED, Collator, Encoded
from tuning.errors import BadRequest, NoSpace, TrainingFailed
from tuning.options import Options
from tuning.progress import Progress
from tuning.steering import Steering

Logits = npt.NDArray[np.float32]

_LARGEST_BATCH = 32
_SMALLEST_BATCH = 8
_STEPS_PER_EPOCH = 50
_NARROW = 512
_NEW_HEAD = 10  # times the encoder's learning rate: the encoder is nearly right already, a random head is not
# Learning rates, epochs and rows of a batch that suit a method where the request names none.
_BY_METHOD: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"learning_rate": 1e-3},
    "head": {"learning_rate": 1e-2, "num_train_epochs": 20},
}


@dataclass(frozen=True)
class Fitted:
    """What came of a training."""

    steps: int
    stopped_at: int | None
    """The step after which a message stopped it; None if it came to its end."""


class _Trainer(transformers.Trainer):
    head_learning_rate: float | None = None
    """Of what stands behind the encoder; None: the same as the encoder's."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        known = self.optimizer
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if known is None and self.head_learning_rate is not None:
            _give_rate(optimizer, _head(self.model), self.head_learning_rate)
        return optimizer

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy == "group_by_length" and isinstance(dataset, Encoded):
            rows = self.args.train_batch_size * self.args.gradient_accumulation_steps
            return LengthGroupedSampler(rows, lengths=dataset.lengths.tolist())
        return super()._get_train_sampler(train_dataset)


def suited(
    given: Mapping[str, object],
    options: Options,
    checkpoints: Path,
    train: Encoded,
    config: transformers.PreTrainedConfig,
) -> dict[str, Any]:
    """The keyword arguments of this training: those `given`, and for the others what suits this machine."""
    batch_rows = max(1, _batch_rows(len(train), train.longest, config) // options.processes)
    chosen: dict[str, Any] = {
        "per_device_train_batch_size": batch_rows,
        "per_device_eval_batch_size": 2 * batch_rows,
        "train_sampling_strategy": "group_by_length" if options.method != "head" else "random",
        "learning_rate": _learning_rate(config),
        "warmup_steps": 0.06,
        "bf16": hardware.has_fast_bf16() and not given.get("fp16") and options.method != "head",
        "use_cpu": not torch.accelerator.is_available(),
        "save_strategy": "no",
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.accelerator.is_available(),
    }
    chosen |= _BY_METHOD[options.method]
    if "logging_steps" not in given:  # both are shares of all steps
        chosen |= {"logging_steps": 0.05, "eval_steps": 0.25}
    if options.patience is not None:
        chosen |= {"eval_strategy": "epoch", "load_best_model_at_end": True}
    if (chosen | dict(given)).get("load_best_model_at_end"):  # it can only be loaded if each evaluated model was saved
        evaluated = given.get("eval_strategy", chosen.get("eval_strategy", "no"))
        if evaluated == "no":
            raise BadRequest(
                "load_best_model_at_end needs evaluations to choose by: set eval_strategy to steps or epoch."
            )
        chosen |= {"save_strategy": evaluated, "save_total_limit": 1}
        chosen["save_steps"] = given.get("eval_steps", given.get("logging_steps", 0.25))
    return chosen | dict(given) | {"output_dir": str(checkpoints)}


def with_head_rate(options: Options, classifier: Classifier, given: Mapping[str, object]) -> Options:
    """The options with a learning rate for the head: a higher one where it is new and the request names no rate."""
    named = options.head_learning_rate is not None or "learning_rate" in given
    if named or options.method != "full" or not classifier.untrained:
        return options
    return replace(options, head_learning_rate=_NEW_HEAD * _learning_rate(classifier.model.config))


def training_arguments(keywords: Mapping[str, Any]) -> transformers.TrainingArguments:
    """The `TrainingArguments` of these keywords; `BadRequest` if they do not go together."""
    with libraries.lock, _refusals():
        arguments = transformers.TrainingArguments(**keywords)
    trackers.prepare(arguments.report_to)
    return arguments


def fit(
    classifier: Classifier,
    train: Encoded,
    held_out: Encoded,
    arguments: transformers.TrainingArguments,
    options: Options,
    log: Callable[[str], None],
    steering: Steering,
    checkpoint: Path | None = None,
) -> Fitted:
    """Train the classifier's model in place, from a checkpoint if there is one.

    Raises `TrainingFailed` when the weights are no longer numbers, `Cancelled`, and `NoSpace` for a checkpoint.
    """
    in_order = torch.utils.data.Subset(held_out, held_out.in_order_of_length())

    def evaluation(prediction: Any) -> dict[str, float]:
        return _figures(classifier, prediction.label_ids, prediction.predictions)

    model = methods.with_lora(classifier, options) if options.method == "lora" else classifier.model
    trainer = _trainer(classifier, model, train, in_order, arguments, evaluation, Collator(classifier))
    trainer.head_learning_rate = options.head_learning_rate
    steps = _run(trainer, arguments, options, log, steering, checkpoint)
    # Mixed precision wraps the model's forward; the wrapping must neither be saved nor trained again.
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    trainer.accelerator.free_memory()
    classifier.model = methods.merged(model) if options.method == "lora" else model
    _check_finite(classifier.model, steps, arguments)
    return Fitted(steps, steering.stopped_at)


def fit_head(
    classifier: Classifier,
    train: Encoded,
    held_out: Encoded,
    arguments: transformers.TrainingArguments,
    options: Options,
    log: Callable[[str], None],
    steering: Steering,
    cache: Cache,
    check: Callable[[], None],
    checkpoint: Path | None = None,
) -> tuple[Fitted, Logits, Logits]:
    """Train the last layer alone; what came of it, and the logits of the held-out rows before and after."""
    log(f"Computing what the frozen encoder makes of {len(train) + len(held_out)} rows, or taking it from the cache.")
    known, unknown = (methods.features(classifier, rows, cache, arguments, check) for rows in (train, held_out))
    layer = methods.last_layer(classifier)
    head = methods.Head(layer, known.values, classifier.task)
    before = _answers(head, unknown, classifier.task)

    def evaluation(prediction: Any) -> dict[str, float]:
        return _figures(classifier, prediction.label_ids, prediction.predictions)

    trainer = _trainer(classifier, head, known, unknown, arguments, evaluation, None)
    steps = _run(trainer, arguments, options, log, steering, checkpoint)
    trainer.accelerator.free_memory()
    _check_finite(head, steps, arguments)
    after = _answers(head.cpu(), unknown, classifier.task)
    classifier.model.cpu()
    head.put_into(layer)
    return Fitted(steps, steering.stopped_at), before, after


def predict(
    classifier: Classifier,
    encoded: Encoded,
    arguments: transformers.TrainingArguments,
    check: Callable[[], None] = lambda: None,
) -> Logits:
    """What the model says of every row, in order, as float32; computed in bfloat16 if the training was.

    (rows, labels), (words, labels) for token-classification, (rows,) for regression.
    """
    collate = Collator(classifier)
    model: Any = classifier.model
    model.eval().to(arguments.device)
    by_row: list[Logits] = [np.empty(0, dtype=np.float32)] * len(encoded)
    mixed = torch.autocast(arguments.device.type, dtype=torch.bfloat16, enabled=arguments.bf16)
    with torch.no_grad(), mixed:
        for rows in encoded.batches_of_alike(methods.EVALUATED_TOKENS):
            check()
            inputs = collate([encoded[row] for row in rows])
            labels = inputs.pop("labels")
            inputs = {name: tensor.to(arguments.device) for name, tensor in inputs.items()}
            logits = model(**inputs).logits.float().cpu().numpy()
            for place, row in enumerate(rows):
                of_words = classifier.task == "token-classification"
                by_row[row] = logits[place][labels[place].numpy() != IGNORED] if of_words else logits[place][None]
    found = np.concatenate(by_row)
    return found[:, 0] if classifier.task == "regression" else found


def _trainer(
    classifier: Classifier, model: Any, train: Any, held_out: Any, arguments: Any, evaluation: Any, collator: Any
) -> _Trainer:
    with libraries.lock, _refusals():
        trainer = _Trainer(
            model=model,
            args=arguments,
            data_collator=collator or transformers.default_data_collator,
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=classifier.tokenizer if collator else None,
            compute_metrics=evaluation,
        )
    trainer.remove_callback(PrinterCallback)
    trackers.place(trainer.callback_handler.callbacks, Path(arguments.output_dir))
    return trainer


def _learning_rate(config: transformers.PreTrainedConfig) -> float:
    return 1e-4 if getattr(config, "hidden_size", 768) <= _NARROW else 5e-5


def _head(model: Any) -> set[int]:
    """The identities of the weights behind the encoder: the last layers, and a pooler, which only they use."""
    encoder = model.base_model
    inside = {id(weight) for name, weight in encoder.named_parameters() if not name.startswith("pooler.")}
    return {id(weight) for weight in model.parameters() if id(weight) not in inside}


def _give_rate(optimizer: torch.optim.Optimizer, chosen: set[int], learning_rate: float) -> None:
    """Let the optimizer change the chosen weights at a rate of their own, all else as its groups have it."""
    for group in list(optimizer.param_groups):
        own = [weight for weight in group["params"] if id(weight) in chosen]
        if own:
            group["params"] = [weight for weight in group["params"] if id(weight) not in chosen]
            optimizer.add_param_group(group | {"params": own, "lr": learning_rate})


def _run(
    trainer: _Trainer,
    arguments: transformers.TrainingArguments,
    options: Options,
    log: Callable[[str], None],
    steering: Steering,
    checkpoint: Path | None,
) -> int:
    trainer.add_callback(Progress(log))
    trainer.add_callback(steering)
    if options.patience is not None:
        trainer.add_callback(transformers.EarlyStoppingCallback(options.patience, options.threshold))
    start = str(checkpoint) if checkpoint else arguments.resume_from_checkpoint
    try:
        with full_disks_named():
            return int(trainer.train(resume_from_checkpoint=start).global_step)
    except OSError as error:
        if error.errno not in disk.NO_SPACE:
            raise
        raise NoSpace(
            f"There is no room on the disk of {arguments.output_dir} for a checkpoint at step "
            f"{trainer.state.global_step}. The champion and the candidate before are as they were, and so is an "
            "earlier checkpoint: make room, and send the request again to go on from it."
        ) from error


def _figures(classifier: Classifier, labels: Any, predictions: Any) -> dict[str, float]:
    """The metrics of an evaluation that are one number each."""
    lengths = None
    if classifier.task == "token-classification" and labels.ndim == 2:
        known = labels != IGNORED
        lengths = known.sum(axis=1).tolist()
        labels, predictions = labels[known], predictions[known]
    if classifier.task == "regression":
        predictions = predictions.reshape(-1)
    measured = metrics.measure(labels, predictions, classifier.names, task=classifier.task, lengths=lengths)
    return {name: value for name, value in measured.items() if isinstance(value, float) and name != "loss"}


def _answers(head: methods.Head, features: methods.Features, task: str) -> Logits:
    with torch.no_grad():
        logits: Logits = head(torch.from_numpy(features.values))["logits"].numpy()
    return logits[:, 0] if task == "regression" else logits


def _check_finite(model: torch.nn.Module, steps: int, arguments: transformers.TrainingArguments) -> None:
    if not all(bool(weight.isfinite().all()) for weight in model.parameters()):
        raise TrainingFailed(
            f"After {steps} steps the weights are no longer numbers: the training diverged. "
            f"Nothing was saved; lower learning_rate (it was {arguments.learning_rate})."
        )


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


@contextmanager
def _refusals() -> Iterator[None]:
    """What transformers says to arguments that it does not take becomes a `BadRequest`."""
    try:
        yield
    except (ValueError, TypeError, KeyError, ImportError, NotImplementedError, OSError, RuntimeError) as error:
        raise BadRequest(
            f"transformers refuses these training arguments: {str(error).strip()} Correct or leave out what it names."
        ) from error
