"""The processes that share a training: one, or those that `accelerate launch` started. The code is the same for both.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

import functools
import time
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object


class World:
    """All processes of a step, seen from one of them."""

    def __init__(self) -> None:
        self._state = PartialState(cpu=not torch.accelerator.is_available())
        self.rank: int = self._state.process_index
        self.size: int = self._state.num_processes
        self.device: torch.device = self._state.device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes are here."""
        self._state.wait_for_everyone()

    def gather(self, part: list[Any]) -> list[Any]:
        """The lists of all processes, one after the other, in each of them."""
        return list(gather_object(part)) if self.size > 1 else part

    def same(self, value: Any) -> Any:
        """What the first process has."""
        return broadcast_object_list([value])[0] if self.size > 1 else value

    def sum_gradients(self, model: Any) -> None:
        """Add up the gradients of all processes, as one long vector: a call costs more than a number."""
        if self.size == 1:
            return
        with_gradient = [weight for weight in model.parameters() if weight.requires_grad]
        parts = [
            weight.grad.reshape(-1) if weight.grad is not None else torch.zeros_like(weight).reshape(-1)
            for weight in with_gradient
        ]
        together = torch.cat(parts)
        torch.distributed.all_reduce(together)
        start = 0
        for weight in with_gradient:
            weight.grad = together[start : start + weight.numel()].view_as(weight)
            start += weight.numel()

    def share_weights(self, model: Any) -> None:
        """Give all processes the weights of the first."""
        if self.size > 1:
            for tensor in model.state_dict().values():
                torch.distributed.broadcast(tensor, src=0)


def precision_of(asked: str) -> torch.dtype:
    """The number format of a step: for auto bfloat16 where this machine is faster with it."""
    if asked == "auto":
        return torch.bfloat16 if has_fast_bf16() else torch.float32
    return torch.bfloat16 if asked == "bfloat16" else torch.float32


@functools.cache
def has_fast_bf16() -> bool:
    """Whether products as large as a small model's take clearly less time in bfloat16 than in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.accelerator.is_available():
        return False
    has = torch.cpu.get_capabilities()
    if not any(has.get(unit) for unit in ("amx_bf16", "avx512_bf16", "sve_bf16")):
        return False
    return _product_s(torch.bfloat16) * 1.2 < _product_s(torch.float32)


def _product_s(dtype: torch.dtype) -> float:
    left, right = torch.ones(512, 384, dtype=dtype), torch.ones(384, 768, dtype=dtype)
    times = []
    for _ in range(4):
        began_s = time.thread_time()
        torch.mm(left, right)
        times.append(time.thread_time() - began_s)
    return min(times)
