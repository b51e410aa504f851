"""A fast backend whose close decisions are left to fp32: rows whose two best labels are near each other run again.

Fewer bits change every score a little. That changes the label only where two labels are about equally likely, which is
where one can tell it without knowing the right one. So few rows cost the time of fp32, and the labels are its labels.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from inference.backends import Backend

_SPARE = 1.5  # so many times the largest change that was seen: others may change more
_NOTHING = 1e-4  # changes below are those of sums added in another order


def settles(config: Any, task: str) -> bool:
    """Whether the model's answer is the likeliest of several labels."""
    one_of_many = getattr(config, "problem_type", None) in (None, "single_label_classification")
    return task in ("text-classification", "image-classification") and one_of_many and config.num_labels > 1


def margin(reference: Backend, fast: Backend, batches: Iterable[Mapping[str, Any]], *, all_but: float = 0.0) -> float:
    """How near the two best logits of `fast` must be for `reference` to have the say; 0.0: it never needs to.

    `all_but` is the share of rows whose change may be larger: where not every label must be equal, fewer run again.
    """
    import torch

    changes: list[float] = []
    with torch.no_grad():
        for batch in batches:
            wanted, found = reference(**batch)["logits"].float(), fast(**batch)["logits"].float()
            best = found.topk(2, dim=-1).indices
            change = _lead(found.gather(-1, best)) - _lead(wanted.gather(-1, best))
            changes += change.abs().nan_to_num(nan=float("inf")).tolist()
    largest = sorted(changes)[int((len(changes) - 1) * (1 - all_but))]
    return largest * (1.0 if all_but else _SPARE) if largest > _NOTHING else 0.0


class Assured:
    """`fast` in the place of the model, and `exact` for the rows whose best two logits differ by less than `margin`."""

    def __init__(self, fast: Backend, exact: Backend, margin: float) -> None:
        self.config, self.dtype, self.device = fast.config, fast.dtype, fast.device
        self._fast, self._exact, self._margin = fast, exact, margin

    def __call__(self, **inputs: Any) -> Any:
        """The outputs of `fast`, with the logits of `exact` in the rows that are in doubt."""
        outputs = self._fast(**inputs)
        logits = outputs["logits"].float()
        clear = _lead(logits.topk(2, dim=-1).values) >= self._margin  # what is no number is not clear
        doubted = (~clear).nonzero()[:, 0]
        if len(doubted):
            logits[doubted] = self._exact(**_rows(inputs, doubted))["logits"].float()
        outputs["logits"] = logits
        return outputs

    def forward(self, **inputs: Any) -> Any:
        """As a call."""
        return self(**inputs)


def _lead(two: Any) -> Any:
    return two[..., 0] - two[..., 1]


def _rows(inputs: Mapping[str, Any], places: Any) -> dict[str, Any]:
    """Some rows of a batch, without the padding on the right that only others need."""
    import torch

    chosen = {
        name: value[places] if isinstance(value, torch.Tensor) and value.ndim else value
        for name, value in inputs.items()
    }
    mask = chosen.get("attention_mask")
    if mask is None or mask.ndim != 2 or not bool(mask[:, 0].all()):
        return chosen
    length, longest = int(mask.shape[1]), int(mask.sum(1).max())
    return {
        name: value[:, :longest]
        if isinstance(value, torch.Tensor) and value.ndim == 2 and value.shape[1] == length
        else value
        for name, value in chosen.items()
    }
