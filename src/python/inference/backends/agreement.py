"""How far a backend's outputs agree with those of torch in fp32."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REQUIRED = {"torch-bf16": 0.999, "openvino": 0.999, "openvino-int8": 0.995}
"""The share of labels that must be equal for a backend to be used."""

_SCORES = ("logits", "logits_per_image")
_COSINES = {"torch-bf16": 0.999, "openvino": 0.999, "openvino-int8": 0.98}


@dataclass
class Agreement:
    """`equal` of `total` labels are equal, `largest` is the largest difference of a probability, `cosine` the smallest
    cosine between two vectors where the model has no labels."""

    equal: int = 0
    total: int = 0
    largest: float = 0.0
    cosine: float = 1.0
    labelled: bool = True

    def add(self, reference: Mapping[str, Any], candidate: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
        """Compare the outputs of one batch. `inputs` hold the mask: what is padding does not count."""
        import torch

        mask = inputs.get("attention_mask")
        scores = next((name for name in _SCORES if name in reference), None)
        if scores is not None:
            one, other = reference[scores].float(), candidate[scores].float()
            if one.ndim == 3 and mask is not None:
                one, other = one[mask.bool()], other[mask.bool()]
            if one.shape[-1] == 1:
                one, other = one.sigmoid(), other.sigmoid()
                same = (one > 0.5) == (other > 0.5)
            else:
                same = one.argmax(-1) == other.argmax(-1)
                one, other = one.softmax(-1), other.softmax(-1)
            self.equal += int(same.sum())
            self.total += same.numel()
            difference = (one - other).abs().max().item()
        else:
            self.labelled = False
            name = next(iter(reference))
            one, other = reference[name].float(), candidate[name].float()
            if one.ndim == 3 and mask is not None:
                shares = mask.unsqueeze(-1) / mask.sum(1, keepdim=True).unsqueeze(-1)
                one, other = (one * shares).sum(1), (other * shares).sum(1)
            cosines = torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1))
            self.total += len(cosines)
            self.equal += len(cosines)
            difference = 0.0
            self.cosine = min(self.cosine, cosines.nan_to_num(nan=-1.0).min().item())
        self.largest = max(self.largest, math.inf if math.isnan(difference) else difference)

    def enough(self, backend: str) -> bool:
        """Whether `backend` agrees as it must; one label in doubt is allowed where the sample is small."""
        allowed = math.ceil(round(self.total * (1 - REQUIRED[backend]), 6))
        return self.total - self.equal <= allowed and self.cosine >= _COSINES[backend] and math.isfinite(self.largest)

    def __str__(self) -> str:
        if not self.labelled:
            return f"smallest cosine {self.cosine:.5f} on {self.total} samples"
        return (
            f"{self.equal} of {self.total} labels equal to fp32 ({self.equal / max(1, self.total):.2%}), largest "
            f"difference of a probability {self.largest:.4f}"
        )
