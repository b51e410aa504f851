"""The models at hand: finds the folder of one by its name, and brings it from the hub when it is not there."""

from pathlib import Path

from inference import hub
from inference.answer import Log
from inference.errors import ModelBroken, ModelNotFound
from inference.folder import defect, plain, root


def find(
    name: str,
    *,
    path: str | None = None,
    model_url: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    log: Log,
) -> Path:
    """The folder of the model `name`, downloaded from `model_url` first if it is not there or not whole.

    `path` is the folder of folders (default: the project's `src/model`). Raises `ModelNotFound`,
    `ModelBroken` (only when there is no `model_url` to repair from) or `DownloadFailed`.
    """
    folder = root(path) / plain(name)
    problem = defect(folder)
    if problem is None:
        return folder
    if model_url:
        if folder.exists():
            log(f"{folder} is not whole ({problem}); downloading it again from {model_url}.")
        hub.download(model_url, folder, revision=revision, token=token, log=log)
        if problem := defect(folder):
            raise ModelBroken(f"{model_url} was downloaded to {folder}, but it {problem}. Choose another model.")
        return folder
    if folder.is_dir():
        raise ModelBroken(
            f"The model folder {folder} {problem}. Copy the whole model there, or give model_url to download it."
        )
    raise ModelNotFound(
        f"There is no model folder {folder}. {_neighbours(folder.parent)} Correct the setting name, copy the model "
        "into that folder, or give model_url to download it (for example https://huggingface.co/gpt2)."
    )


def _neighbours(parent: Path) -> str:
    if not parent.is_dir():
        return f"Even {parent} does not exist."
    names = sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return f"There are: {', '.join(names)}." if names else f"{parent} holds no model yet."
