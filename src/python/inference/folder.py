"""A model folder: its name, its place, whether it is whole, and how another takes its place."""

import json
import os
import shutil
from pathlib import Path

import paths
from inference.errors import ModelNotFound

_HEADER_LIMIT_BYTES = 100_000_000


def root(path: str | None = None) -> Path:
    """The folder that holds model folders: the setting `path`, or the project's `src/model`."""
    return paths.from_container(path.strip()) if path else paths.model_root()


def plain(name: str) -> str:
    """`name`, if it is the name of one folder; raises `ModelNotFound` for a path, a hidden name, or nothing."""
    if not name or name != name.strip() or name.startswith(".") or set(name) & set("/\\:\0\n\r\t"):
        raise ModelNotFound(
            f"The model name {name!r} is not the plain name of a folder. Set name to a folder's name, such as gpt2, "
            "and path to the folder it lies in."
        )
    return name


def defect(folder: Path) -> str | None:
    """What is wrong with a model folder, as the rest of a sentence that begins with the folder; None if it is whole.

    Reads the configuration and the headers of the weight files, not the weights.
    """
    if not folder.is_dir():
        return "is not there"
    if (problem := _config_defect(folder / "config.json")) is not None:
        return problem
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return _weights_defect(folder / "model.safetensors")
    if index.is_file():
        return _shards_defect(index)
    if (folder / "adapter_model.safetensors").is_file():
        return _weights_defect(folder / "adapter_model.safetensors")
    pickled = sorted(file.name for pattern in ("*.bin", "*.pt", "*.h5", "*.ckpt") for file in folder.glob(pattern))
    if pickled:
        return f"has its weights only in {pickled[0]}, a format that can run code; safetensors files are needed"
    return "has no model.safetensors"


def identity(folder: Path) -> tuple[int, int, int] | None:
    """What tells this folder's model from another that took its place; None while there is none. One stat."""
    try:
        status = os.stat(f"{folder}/config.json")  # noqa: PTH116 - asked before every request: a Path takes longer
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def put_in_place(staging: Path, folder: Path) -> None:
    """Rename `staging` to `folder`; what was there is kept beside it as `.replaced-<name>`."""
    if folder.exists():
        replaced = folder.with_name(f".replaced-{folder.name}")
        shutil.rmtree(replaced, ignore_errors=True)
        folder.rename(replaced)
    staging.rename(folder)


def _config_defect(config: Path) -> str | None:
    if not config.is_file():
        return "has no config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        return f"has a config.json that is no JSON ({error})"
    return None if isinstance(content, dict) else "has a config.json that is no JSON object"


def _shards_defect(index: Path) -> str | None:
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"has a {index.name} that lists no weights ({error!r})"
    for shard in shards:
        if shard != Path(str(shard)).name:
            return f"has a {index.name} that names a file outside the folder ({shard!r})"
        if not (index.parent / shard).is_file():
            return f"lacks {shard}, which {index.name} lists"
        if (problem := _weights_defect(index.parent / shard)) is not None:
            return problem
    return None


def _weights_defect(file: Path) -> str | None:
    """A safetensors file is eight bytes (the header's length), a JSON header, and the tensors it describes."""
    size_bytes = file.stat().st_size
    with file.open("rb") as stream:
        header_bytes = int.from_bytes(stream.read(8), "little")
        if not 2 <= header_bytes <= min(size_bytes - 8, _HEADER_LIMIT_BYTES):
            return f"has a {file.name} that is no safetensors file"
        try:
            header = json.loads(stream.read(header_bytes))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return f"has a {file.name} that is no safetensors file"
    wanted_bytes = 8 + header_bytes + max(ends, default=0)
    if size_bytes != wanted_bytes:
        return f"has a damaged {file.name}: {size_bytes:,} bytes instead of {wanted_bytes:,}"
    return None
