"""A new model as an operator names it, an address or a folder and a task, and the settings that come to it."""

from collections.abc import Iterator
from pathlib import Path

import paths
from inference import address, folder
from inference.address import Repository
from inference.errors import ModelNotFound, TaskUnknown

TASKS = (
    *("text-classification", "token-classification", "fill-mask", "zero-shot-classification", "feature-extraction"),
    *("text-generation", "table-question-answering", "decision", "image-classification", "object-detection"),
    *("image-segmentation", "mask-generation", "depth-estimation", "keypoint-matching", "image-feature-extraction"),
    *("zero-shot-image-classification", "zero-shot-object-detection", "document-question-answering"),
    *("image-text-to-text", "audio-classification", "automatic-speech-recognition", "zero-shot-audio-classification"),
    *("text-to-audio", "any-to-any", "video-classification"),
)
"""The tasks of transformers by their first names; a test holds them to what is installed."""


def folders(root: Path | None = None) -> list[str]:
    """The model folders that are whole, by name."""
    return sorted(_whole(root or paths.model_root()))


def settings(model: str, task: str, root: Path | None = None) -> dict[str, str]:
    """The settings of an item that runs `model`: a folder that is there, or what the hub and people call it.

    Raises `ModelNotFound`, `DownloadFailed` or `TaskUnknown` with what to type instead.
    """
    if not all(part.isalnum() for part in task.split("-")):
        raise TaskUnknown(f"{task!r} is no task: choose one, as in text-classification.")
    root = root or paths.model_root()
    plain = "/" not in model and "://" not in model
    if plain and (root / folder.plain(model)).is_dir():
        return {"name": model, "task": task}
    if plain:
        there = ", ".join(folders(root)) or "none yet"
        raise ModelNotFound(
            f"There is no folder {model!r} in src/model (there is: {there}). Name one of them, or paste the model's "
            f"address, as in {address.HUB}/{model}."
        )
    found = address.parse(model)
    if isinstance(found, Repository):
        revision = {"revision": found.revision} if found.revision else {}
        name = folder.plain(found.name.rsplit("/", 1)[-1])
        return {"name": name, "model_url": f"{address.HUB}/{found.name}", **revision, "task": task}
    name = folder.plain(found.url.rstrip("/").rsplit("/", 1)[-1])
    return {"name": name, "model_url": found.url, "task": task}


def _whole(root: Path) -> Iterator[str]:
    if root.is_dir():
        for path in root.iterdir():
            if not path.name.startswith((".", "temp-", "previous-")) and folder.defect(path) is None:
                yield path.name
