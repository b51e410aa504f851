"""Checkpoints of a training: all that it needs to go on to the same numbers, whole or not there.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from experiment.storage import MARKER, Store, sync

FOLDER = "checkpoints"


@dataclass
class Progress:
    """How far a training is: what a checkpoint keeps beside the weights."""

    step: int = 0
    epoch: int = 0
    """Epochs that are finished."""
    in_epoch: int = 0
    """Steps of the epoch at hand."""
    best: float | None = None
    best_epoch: int = 0
    measured: dict[str, float] = field(default_factory=dict)
    """All metrics of the best epoch."""
    values: list[float] = field(default_factory=list)
    """The metric after each epoch."""
    seconds: float = 0.0
    """Of training, before the last start."""


def keep(
    store: Store, place: str, model: Any, optimizer: Any, progress: Progress, best: Mapping[str, torch.Tensor]
) -> None:
    """Write a checkpoint, its marker last, and remove those before it."""
    from safetensors.torch import save_file

    name = f"step-{progress.step:09d}"
    here = f"{place}/{FOLDER}"
    folder = store.folder(f"{here}/{name}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    save_file(_apart(model.state_dict()), folder / "weights.safetensors")
    if best:
        save_file(_apart(best), folder / "best.safetensors")
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    (folder / "progress.json").write_text(json.dumps(vars(progress)), encoding="utf-8")
    for file in folder.iterdir():
        sync(file)
    (folder / MARKER).write_text("")
    store.publish(f"{here}/{name}")
    for other in store.children(here):
        if other != name:
            store.remove(f"{here}/{other}")


def last(store: Store, place: str) -> str | None:
    """The newest whole checkpoint, brought to this machine; None if there is none."""
    here = f"{place}/{FOLDER}"
    for name in reversed(store.children(here)):
        if store.exists(f"{here}/{name}/{MARKER}"):
            store.fetch(f"{here}/{name}")
            return name
    return None


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors with memory of their own, as safetensors wants them: some models share one under two names."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        pointer = tensor.data_ptr()
        found[name] = tensor.detach().clone() if pointer in seen and tensor.numel() else tensor.detach().contiguous()
        seen.add(pointer)
    return found
