"""The models at hand: finds the folder of one by its name, and downloads it when it is not there."""

from pathlib import Path

from inference import address as addresses
from inference import download, effort, origin
from inference.answer import Log
from inference.errors import ModelBroken, ModelNotFound, OriginUnreachable
from inference.folder import defect, plain, root
from inference.transfer import Watch


def find(
    name: str,
    *,
    path: str | None = None,
    model_url: str | None = None,
    repo_id: str | None = None,
    revision: str | None = None,
    token: str | None = None,
    allow_pickle: bool = False,
    log: Log,
    warn: Log | None = None,
    watch: Watch | None = None,
) -> Path:
    """The folder of the model `name`, brought from `model_url` or `repo_id` first if it is not there or not whole.

    `path` is the folder of folders (default: the project's `src/model`). `token` is the hub's; without it the
    environment variable `HF_TOKEN` is taken. A folder that is whole costs no request; one that was downloaded at
    another revision than `revision`, or from elsewhere, is replaced. `watch` hears how far a download is, and may stop
    it by raising: what has come is kept for the next try. Raises `ModelNotFound`, `ModelBroken` (only
    when there is no address to mend from) or `DownloadFailed`.
    """
    folder = root(path) / plain(name)
    address = addresses.chosen(model_url, repo_id, revision)
    known = origin.read(folder)
    problem = defect(folder)
    lacking = known.lacking(folder) if known and problem is None else []
    other = known is not None and address is not None and not known.is_of(address)
    if problem is None and not lacking and not other:
        return folder
    if address is None:
        if problem is None:
            (warn or log)(_lacks(folder, lacking))
            return folder
        raise _missing(folder, problem)
    if folder.exists():
        log(_why(folder, str(address), problem, lacking, known if other else None))
    try:
        with effort.aside(f"Downloading {folder.name}"):
            download.bring(address, folder, token=token, allow_pickle=allow_pickle, log=log, watch=watch)
    except OriginUnreachable as error:
        if other and problem is None:
            raise OriginUnreachable(
                f"{folder} holds {known}, and {address} is asked for. {error} To use what is there, set model_url and "
                "revision to it."
            ) from error
        if problem is not None:
            raise
        (warn or log)(f"{_lacks(folder, lacking)} It is used as it is, because: {error}")
    return folder


def _why(folder: Path, wanted: str, problem: str | None, lacking: list[str], other: origin.Origin | None) -> str:
    if other is not None:
        return f"{folder} holds {other}; downloading {wanted}, which is asked for now."
    if problem is not None:
        return f"{folder} is not whole ({problem}); bringing what is missing from {wanted}."
    return f"{_lacks(folder, lacking)} Bringing what is missing from {wanted}."


def _lacks(folder: Path, lacking: list[str]) -> str:
    return f"{folder} lacks {', '.join(lacking)}, which came with the model."


def _missing(folder: Path, problem: str) -> ModelBroken | ModelNotFound:
    if folder.is_dir():
        return ModelBroken(
            f"The model folder {folder} {problem}. Copy the whole model there, or give model_url to download it."
        )
    return ModelNotFound(
        f"There is no model folder {folder}. {_neighbours(folder.parent)} Correct the setting name, copy the model "
        "into that folder, or give model_url to download it (for example https://huggingface.co/gpt2)."
    )


def _neighbours(parent: Path) -> str:
    if not parent.is_dir():
        return f"Even {parent} does not exist."
    names = sorted(entry.name for entry in parent.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    return f"There are: {', '.join(names)}." if names else f"{parent} holds no model yet."
