"""Trackers of a training (`report_to`): which package each needs, and that they write on this machine alone."""

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tuning.errors import BadRequest

_PACKAGES = {
    "azure_ml": ("azureml",),
    "clearml": ("clearml",),
    "codecarbon": ("codecarbon",),
    "comet_ml": ("comet_ml",),
    "dagshub": ("dagshub",),
    "dvclive": ("dvclive",),
    "flyte": ("flytekit",),
    "mlflow": ("mlflow",),
    "neptune": ("neptune",),
    "swanlab": ("swanlab",),
    "tensorboard": ("tensorboardX", "tensorboard"),  # either
    "trackio": ("trackio",),
    "wandb": ("wandb",),
}


def prepare(names: Iterable[str]) -> None:
    """Check that the packages of these trackers are installed, and keep them from asking for a key nobody could type.

    Raises `BadRequest` with the package to install. Names that nobody knows are left to transformers.
    """
    for name in names:
        packages = _PACKAGES.get(name, ())
        if packages and not any(importlib.util.find_spec(package) for package in packages):
            raise BadRequest(
                f"report_to names {name}, and the package {packages[0]} is not installed. Install it (pip install "
                f"{packages[0]}), or leave {name} out of report_to."
            )
        if name == "wandb" and not os.getenv("WANDB_API_KEY"):
            os.environ.setdefault("WANDB_MODE", "offline")


def place(callbacks: Iterable[Any], checkpoints: Path) -> None:
    """Let TensorBoard write beside the checkpoints, which are removed when the training is complete."""
    from transformers.integrations import TensorBoardCallback

    for callback in callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(checkpoints.parent / "runs" / checkpoints.name)
