"""Turns pickled weights into safetensors: read once, without running what is in them, and never loaded again."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inference.errors import DownloadRefused
from inference.selection import INDEX, PICKLED, PICKLED_INDEX, WHOLE


def convert(folder: Path, names: Iterable[str]) -> list[str]:
    """Replace the pickled files `names` in `folder` by safetensors of the same tensors; returns the new names.

    Raises `DownloadRefused` for a file that holds more than tensors.
    """
    made = {name: _converted(folder, name) for name in names}
    index = folder / PICKLED_INDEX
    if index.is_file():
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] = {tensor: made[shard] for tensor, shard in content["weight_map"].items()}
        (folder / INDEX).write_text(json.dumps(content, indent=2), encoding="utf-8")
        index.unlink()
        return [*made.values(), INDEX]
    return [*made.values()]


def _converted(folder: Path, name: str) -> str:
    import pickle

    import torch
    from safetensors.torch import save_file

    try:
        # weights_only: an unpickler that knows tensors and plain containers, and calls nothing.
        content = torch.load(folder / name, map_location="cpu", weights_only=True, mmap=_can_map(folder / name))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise DownloadRefused(
            f"{name} holds more than tensors, or is damaged, and is not read. Choose a model or a revision with "
            "safetensors."
        ) from error
    if not isinstance(content, dict):
        raise DownloadRefused(f"{name} holds no table of tensors. Choose a model or a revision with safetensors.")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    target = WHOLE if name == PICKLED else name.replace("pytorch_model", "model").removesuffix(".bin") + ".safetensors"
    save_file(_apart(tensors), folder / target, metadata={"format": "pt"})
    (folder / name).unlink()
    return target


def _apart(tensors: dict[str, Any]) -> dict[str, Any]:
    """The tensors, each contiguous and in memory of its own: the format knows no sharing."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        shared = tensor.untyped_storage().data_ptr() in seen
        seen.add(tensor.untyped_storage().data_ptr())
        apart[name] = tensor.clone().contiguous() if shared else tensor.contiguous()
    return apart


def _can_map(file: Path) -> bool:
    """Whether it is a zip, as torch has written since 1.6."""
    with file.open("rb") as stream:
        return stream.read(2) == b"PK"
