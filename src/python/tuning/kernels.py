"""Dropout and attention that cost little when a model is trained on a CPU; the mathematics is that of the slow ones.

torch draws the random numbers of a dropout one by one on a CPU, and transformers computes every softmax in float32:
together a third of a training. Here eight decisions come from one 64-bit number, and a mask is a bitwise and. The
probability is rounded to a whole number of 1/256 for it (0.1 is 26/256), and the scale fits the rounded one.
"""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

ATTENTION = "evergreen_cpu"
_INTEGERS = {torch.bfloat16: torch.int16, torch.float16: torch.int16, torch.float32: torch.int32}
_LEVELS = 256


class _Dropout(torch.autograd.Function):
    """Zero each number with probability `dropped` / 256, and scale the others up."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, dropped: int) -> torch.Tensor:
        count = values.numel()
        numbers = torch.empty(count // 8 + 1, dtype=torch.int64).random_(-(2**63), None)
        # Of the bytes -128 to 127, the lowest `dropped` become 0 and the others -1, whose bits are all set.
        first_kept = dropped - 128
        bits = numbers.view(torch.int8)[:count].view(values.shape)
        ctx.save_for_backward(bits.clamp_(first_kept - 1, first_kept).sub_(first_kept - 1).neg_())
        ctx.scale = _LEVELS / (_LEVELS - dropped)
        return _masked(values, ctx.to_save[0], ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _masked(gradients[0], ctx.saved_tensors[0], ctx.scale), None


class Dropout(nn.Dropout):
    """torch's dropout, drawn fast."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return dropout(values, self.p) if self.training else values


def dropout(values: torch.Tensor, probability: float) -> torch.Tensor:
    """`values` with each one zeroed with this probability; on another device or in another format, torch's own."""
    dropped = round(probability * _LEVELS)
    if not 0 < dropped < _LEVELS or values.dtype not in _INTEGERS or values.device.type != "cpu":
        return nn.functional.dropout(values, probability)
    return _Dropout.apply(values, dropped)  # type: ignore[no-any-return]


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attention as transformers calls it: query, key, value (rows, heads, tokens, width); a mask that is added."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if attention_mask is not None:
        attention_mask = attention_mask.clamp(min=torch.finfo(query.dtype).min).to(query.dtype)
    if not torch.is_grad_enabled():
        heads = nn.functional.scaled_dot_product_attention(query, key, value, attention_mask, scale=scale)
        return heads.transpose(1, 2).contiguous(), None
    scores = torch.matmul(query * scale, key.transpose(2, 3))
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = torch.softmax(scores, dim=-1)
    if module.training and dropout:
        weights = _dropped(weights, dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


def install(model: PreTrainedModel) -> None:
    """Let `model` train with this dropout, and with this attention where its architecture lets one choose."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = Dropout
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
    if type(model)._can_set_attn_implementation():
        model.set_attn_implementation(ATTENTION)


_dropped = dropout  # `attention` has an argument of that name


def _masked(values: torch.Tensor, bits: torch.Tensor, scale: float) -> torch.Tensor:
    integers = _INTEGERS[values.dtype]
    return (values.view(integers) & bits.to(integers)).view(values.dtype).mul_(scale)
