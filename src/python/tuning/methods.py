"""What of a model is trained: every weight, small matrices beside its layers (LoRA), or its last layer alone (head)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from torch import nn

import libraries
from tuning.cache import Cache, digest
from tuning.classifier import Classifier
from tuning.encoding import IGNORED, Collator, Encoded
from tuning.errors import BadRequest, MethodMissing
from tuning.options import Options

Array = npt.NDArray[np.float32]


def with_lora(classifier: Classifier, options: Options) -> Any:
    """The model with LoRA beside each of its linear layers; those, and the head as a whole, are what is trained.

    Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models". Raises `MethodMissing` without peft.
    """
    try:
        with libraries.lock:
            import peft
    except ImportError as error:
        raise MethodMissing(
            "The method lora needs the package peft. Install it (pip install 'evergreen[lora]'), or train with "
            "method full or head."
        ) from error
    kind = peft.TaskType.TOKEN_CLS if classifier.task == "token-classification" else peft.TaskType.SEQ_CLS
    config = peft.LoraConfig(
        task_type=kind,
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        target_modules="all-linear",
        exclude_modules=r"(.*\.)?(classifier|score)(\..*)?",  # peft trains these as they are
    )
    return peft.get_peft_model(classifier.model, config)


class Features(torch.utils.data.Dataset[dict[str, Any]]):
    """What goes into the last layer of a model, with the label of each: (rows, width); of words for token labels."""

    def __init__(self, values: Array, labels: npt.NDArray[Any]) -> None:
        self.values, self.labels = values, labels

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"features": self.values[row], "labels": self.labels[row]}


class Head(nn.Module):
    """A last layer by itself, on features of mean 0 and deviation 1; it begins as the layer that the model has."""

    def __init__(self, layer: nn.Linear, features: Array, task: str) -> None:
        super().__init__()
        deviation = features.std(axis=0)
        self._mean = torch.from_numpy(features.mean(axis=0))
        self._deviation = torch.from_numpy(np.where(deviation < 1e-6, 1, deviation).astype(np.float32))
        self._task = task
        self.linear = nn.Linear(layer.in_features, layer.out_features)
        with torch.no_grad():
            self.linear.weight.copy_(layer.weight * self._deviation)
            self.linear.bias.copy_(_bias(layer) + layer.weight @ self._mean)

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        logits = self.linear((features - self._mean.to(features)) / self._deviation.to(features))
        if labels is None:
            return {"logits": logits}
        if self._task == "regression":
            return {"loss": nn.functional.mse_loss(logits.squeeze(-1), labels), "logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

    def put_into(self, layer: nn.Linear) -> None:
        """Give `layer` what was learned, for features as they are."""
        with torch.no_grad():
            weight = self.linear.weight.cpu() / self._deviation
            bias = self.linear.bias.cpu() - weight @ self._mean
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)


def last_layer(classifier: Classifier) -> nn.Linear:
    """The linear layer that gives the logits. Raises `BadRequest` where the model ends in something else."""
    outputs = max(1, len(classifier.names))
    layers = [module for module in classifier.model.modules() if isinstance(module, nn.Linear)]
    if not layers or layers[-1].out_features != outputs:
        raise BadRequest(
            f"The method head needs a model that ends in a linear layer, and {type(classifier.model).__name__} does "
            "not. Train with method full or lora."
        )
    return layers[-1]


def features(
    classifier: Classifier, encoded: Encoded, cache: Cache, arguments: Any, check: Callable[[], None]
) -> Features:
    """What the frozen model gives its last layer for every row; from the cache if it did so before."""
    frozen = hash_of_frozen(classifier)
    tokens = [np.ascontiguousarray(encoded.arrays[name]).data.cast("B") for name in sorted(encoded.arrays)]
    key = digest(["features 1", frozen, classifier.task, str(arguments.bf16), *map(bytes, tokens)])
    found = cache.get(key)
    if found is None:
        found = {"values": _computed(classifier, encoded, arguments, check)}
        cache.put(key, found)
    return Features(found["values"], np.asarray(encoded.truths()[0]))


def hash_of_frozen(classifier: Classifier) -> str:
    """Of the weights that do not change, that is all but the last layer's."""
    layer = last_layer(classifier)
    own = {id(weight) for weight in layer.parameters()}
    weights = (weight for weight in classifier.model.parameters() if id(weight) not in own)
    return digest(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes() for weight in weights)


def _computed(classifier: Classifier, encoded: Encoded, arguments: Any, check: Callable[[], None]) -> Array:
    collate, model = Collator(classifier), classifier.model
    model.eval().to(arguments.device)
    caught: list[torch.Tensor] = []
    hook = last_layer(classifier).register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
    per_row: list[Array] = [np.empty(0, np.float32)] * len(encoded)
    try:
        with torch.no_grad(), torch.autocast(arguments.device.type, dtype=torch.bfloat16, enabled=arguments.bf16):
            for rows in encoded.batches_of_alike(EVALUATED_TOKENS):
                check()
                batch = {
                    name: tensor.to(arguments.device) for name, tensor in collate([encoded[r] for r in rows]).items()
                }
                labels = batch.pop("labels")
                caught.clear()
                model(**batch)
                values = caught[-1].float().cpu()
                if classifier.task == "token-classification":
                    parts = [value[mask] for value, mask in zip(values, labels != IGNORED, strict=True)]
                else:
                    if values.dim() == 3:  # a decoder, which reads its last token
                        last = (batch["attention_mask"].cpu() * torch.arange(values.shape[1])).argmax(dim=1)
                        values = values[torch.arange(len(rows)), last]
                    parts = list(values[:, None])
                for row, part in zip(rows, parts, strict=True):
                    per_row[row] = part.numpy()
    finally:
        hook.remove()
    return np.concatenate(per_row)


EVALUATED_TOKENS = 4_096


def _bias(layer: nn.Linear) -> torch.Tensor:
    return layer.bias if layer.bias is not None else torch.zeros(layer.out_features)


def merged(model: Any) -> transformers.PreTrainedModel:
    """The model with what LoRA learned added to its own weights."""
    return model.merge_and_unload()
