"""Data files of a data set on Hugging Face's hub, or on a mirror of it (HF_ENDPOINT): no script of it ever runs."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tuning.errors import BadRequest, DatasetUnavailable

_HUB = "https://huggingface.co"
_KINDS = ((".parquet",), (".csv",), (".jsonl", ".json"))
"""The endings that are read; of several kinds that hold the same rows the first is taken."""
_SPLITS = ("train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval")
_NO_ROWS = ("dataset_infos.json", "dataset_info.json", "state.json", "config.json")


@dataclass(frozen=True)
class Files:
    """The files of one split, on this machine."""

    paths: tuple[Path, ...]
    commit: str


def bring(name: str, split: str, subset: str | None, revision: str | None, log: Callable[[str], None]) -> Files:
    """Download the data files of a split, unless the hub's cache on this machine has them.

    Raises `DatasetUnavailable`, and `BadRequest` where the split or the subset is not there.
    """
    from huggingface_hub import HfApi, hf_hub_download

    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    with _refusals(name, endpoint, revision):
        info = HfApi(endpoint=endpoint).dataset_info(name, revision=revision, timeout=30.0)
        commit = str(info.sha)
        chosen = choose([file.rfilename for file in info.siblings or ()], name, split, subset)
        log(f"Reading {len(chosen)} file{'s' * (len(chosen) > 1)} of the data set {name} at {commit[:12]}.")
        paths = [
            hf_hub_download(name, file, repo_type="dataset", revision=commit, endpoint=endpoint) for file in chosen
        ]
    return Files(tuple(Path(path) for path in paths), commit)


def choose(names: Sequence[str], repository: str, split: str, subset: str | None) -> list[str]:
    """The files of the split, by the words in their names: `data/train-00000-of-00001.parquet`, `train.csv`.

    Where no file is named after a split, all of them together are "train".
    """
    data = [name for name in names if not PurePosixPath(name).name.startswith(".") and name not in _NO_ROWS]
    data = [name for name in data if _kind(name) is not None]
    if not data:
        script = any(name.endswith(".py") for name in names)
        raise BadRequest(
            f"The data set {repository} has no Parquet, CSV or JSON file{', but a script, which is not run' * script}. "
            "Choose another, or bring the rows into a table."
        )
    if subset is not None:
        inside = [name for name in data if subset in PurePosixPath(name).parts[:-1]]
        if not inside:
            raise BadRequest(f"The data set {repository} has no subset {subset!r}. {_offer(_folders(data), 'subset')}")
        data = inside
    by_split = {word: [name for name in data if word in _words(name)] for word in (*_SPLITS, split)}
    found = by_split[split]
    if not found and split == "train" and not any(by_split.values()):
        found = data
    if not found:
        there = [word for word, files in by_split.items() if files]
        raise BadRequest(f"The data set {repository} has no split {split!r}. {_offer(there, 'dataset_split')}")
    found = [name for name in found if _kind(name) == min(_kind(name) or 0 for name in found)]
    folders = _folders(found)
    if len(folders) > 1 and subset is None:
        raise BadRequest(f"The data set {repository} has several subsets. {_offer(folders, 'dataset_subset')}")
    return sorted(found)


def _kind(name: str) -> int | None:
    return next((place for place, endings in enumerate(_KINDS) if name.lower().endswith(endings)), None)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z0-9]+", name.lower()))


def _folders(names: Sequence[str]) -> list[str]:
    """The folders that hold files of rows, but for those that are named after a split."""
    return sorted(
        {str(PurePosixPath(name).parent.name) for name in names if PurePosixPath(name).parent.name not in _SPLITS}
    )


def _offer(there: Sequence[str], field: str) -> str:
    words = [word for word in there if word]
    return f"Set {field} to one of {', '.join(words)}." if words else f"Leave {field} out."


@contextmanager
def _refusals(name: str, endpoint: str, revision: str | None) -> Iterator[None]:
    from huggingface_hub import errors

    what = f"The data set {name} could not be read from {endpoint}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise DatasetUnavailable(
            f"{what}: its owner asks readers to accept terms. Accept them on its page, and give a token of that "
            "account in the environment variable HF_TOKEN."
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DatasetUnavailable(
            f"{what}: there is no such data set, or it is private. Check the spelling of dataset; for a private one "
            "give a token in the environment variable HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DatasetUnavailable(
            f"{what}: it has no revision {revision!r}. Correct dataset_revision, or leave it out."
        ) from error
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:  # type: ignore[attr-defined]
        raise DatasetUnavailable(
            f"{what}: {str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__}. Check the "
            "network and HF_ENDPOINT and try again, or bring the rows here as a file or a table."
        ) from error
