"""The processes that share a training: one, or those that `accelerate launch` started. The code is the same for both.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

import hardware


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
        return torch.bfloat16 if hardware.has_fast_bf16() else torch.float32
    return torch.bfloat16 if asked == "bfloat16" else torch.float32
