"""Brings a model from the hub into a model folder: staged beside it, renamed in when whole."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from inference.answer import Log
from inference.errors import DownloadFailed
from inference.folder import defect, put_in_place

HUB = "https://huggingface.co"
_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_NEEDED_ENDINGS = (".json", ".txt", ".jinja", ".model", ".tiktoken", ".safetensors")
_PICKLED_ENDINGS = (".bin", ".pt", ".pth", ".h5", ".msgpack", ".ckpt")
_REPORT_EVERY_S = 5.0

_locks: dict[Path, threading.Lock] = {}
_locks_guard = threading.Lock()


@dataclass(frozen=True)
class Address:
    """A model on the hub; `revision` is None for its main branch."""

    repository: str
    revision: str | None = None


def endpoint() -> str:
    """The hub's address; the environment variable `HF_ENDPOINT` names a mirror."""
    return os.environ.get("HF_ENDPOINT", HUB).rstrip("/")


def parse(model_url: str) -> Address:
    """The address that `https://huggingface.co/owner/name[/tree/revision]` means; raises `DownloadFailed`."""
    text = model_url.strip()
    parts = urlsplit(text if "://" in text else f"https://{text}")
    steps = [unquote(step) for step in parts.path.split("/") if step]
    mirror = urlsplit(endpoint())
    if parts.netloc not in (*_HUB_HOSTS, mirror.netloc):
        raise DownloadFailed(
            f"{model_url!r} is not an address of the hub ({endpoint()}). Give model_url as {HUB}/owner/name; for a "
            "mirror set the environment variable HF_ENDPOINT; or copy the model's folder into src/model yourself."
        )
    revision = None
    if "tree" in steps[1:-1]:
        at = steps.index("tree", 1)
        steps, revision = steps[:at], "/".join(steps[at + 1 :])
    if len(steps) not in (1, 2) or steps[0] in ("datasets", "spaces", "models", "docs"):
        raise DownloadFailed(f"{model_url!r} does not name a model. Give model_url as {HUB}/owner/name.")
    return Address("/".join(steps), revision)


def download(model_url: str, folder: Path, *, revision: str | None = None, token: str | None = None, log: Log) -> None:
    """Put the model at `model_url` into `folder`, unless a whole one is there; on any failure `folder` stays as it was.

    A folder that was there is kept as `.replaced-<name>`. The files that a cut
    download has brought stay in `.partial-<name>` for the next try. Raises `DownloadFailed`.
    """
    address = parse(model_url)
    address = Address(address.repository, revision or address.revision)
    with _lock(folder):
        if defect(folder) is None:
            return  # another host wanted it too and was first
        staging = _staging(folder, address)
        commit, files = _listing(address, token)
        total_bytes = sum(files.values())
        log(f"Downloading {address.repository} from {endpoint()}: {len(files)} files, {_size(total_bytes)}.")
        began_s = time.monotonic()
        _fetch(address.repository, commit, files, staging, token, log)
        origin = {"endpoint": endpoint(), "repository": address.repository, "commit": commit}
        (staging / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(staging / ".cache", ignore_errors=True)
        put_in_place(staging, folder)
        log(f"Downloaded {address.repository} to {folder} in {time.monotonic() - began_s:.0f} s.")


def _lock(folder: Path) -> threading.Lock:
    with _locks_guard:
        return _locks.setdefault(folder, threading.Lock())


def _staging(folder: Path, address: Address) -> Path:
    """The folder to download into: what an earlier try of the same address left, or an empty one."""
    staging = folder.with_name(f".partial-{folder.name}")
    marker, wanted = staging / ".cache" / "address", f"{endpoint()} {address.repository} {address.revision}"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(staging, ignore_errors=True)
        marker.parent.mkdir(parents=True)
        marker.write_text(wanted, encoding="utf-8")
    return staging


def _listing(address: Address, token: str | None) -> tuple[str, dict[str, int]]:
    """The commit that the address stands for, and the needed files with their sizes in bytes."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        info = HfApi(endpoint=endpoint(), token=token).model_info(
            address.repository, revision=address.revision, files_metadata=True, timeout=30
        )
    except (HTTPError, OSError, HFValidationError) as error:
        raise DownloadFailed(_explain(error, address)) from error
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    return str(info.sha), {name: sizes[name] for name in needed(sizes, address)}


def needed(names: Iterable[str], address: Address) -> list[str]:
    """The files among `names` that transformers reads; raises `DownloadFailed` if no weights are safetensors."""
    top = sorted(name for name in names if "/" not in name)
    if "config.json" not in top:
        raise DownloadFailed(
            f"{address.repository} has no config.json, so transformers cannot run it. Choose a model whose page on "
            "the hub names the library transformers."
        )
    whole = "model.safetensors" in top
    weights = [name for name in top if name.endswith(".safetensors") and _is_weights(name, whole)]
    if not weights:
        pickled = ", ".join(name for name in top if name.endswith(_PICKLED_ENDINGS)) or "none"
        raise DownloadFailed(
            f"{address.repository} has no weights in the safetensors format (others: {pickled}; those can run code "
            "and are not loaded). Look for a revision with safetensors on its page (often refs/pr/1) and set "
            "revision, or choose another model."
        )
    rest = [name for name in top if name.endswith(_NEEDED_ENDINGS) and not name.endswith(".safetensors")]
    skip = {"model.safetensors.index.json"} if whole else set()
    cards = [name for name in top if name == "README.md" or name.upper().startswith("LICENSE")]
    return [*dict.fromkeys(name for name in [*rest, *cards] if name not in skip), *weights]


def _is_weights(name: str, whole: bool) -> bool:
    return name == "model.safetensors" if whole else name.startswith("model-")


def _fetch(repository: str, commit: str, files: dict[str, int], staging: Path, token: str | None, log: Log) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    progress = _progress(sum(files.values()), log)
    for name in files:
        try:
            hf_hub_download(
                repository,
                name,
                revision=commit,
                local_dir=staging,
                endpoint=endpoint(),
                token=token,
                tqdm_class=progress,
            )
        except (HTTPError, OSError) as error:
            raise DownloadFailed(_explain(error, Address(repository, commit), name)) from error


def _progress(total_bytes: int, log: Log) -> type[Any]:
    """A progress bar for `hf_hub_download` that writes log lines: at most one every few seconds."""
    done_bytes, reported_s = 0, time.monotonic()

    class Progress:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            self.update(initial)

        def update(self, more_bytes: float | None = 0) -> None:
            nonlocal done_bytes, reported_s
            done_bytes += int(more_bytes or 0)
            if time.monotonic() - reported_s >= _REPORT_EVERY_S:
                reported_s = time.monotonic()
                share = done_bytes / total_bytes if total_bytes else 1.0
                log(f"Downloaded {_size(done_bytes)} of {_size(total_bytes)} ({share:.0%}).")

        def __enter__(self) -> "Progress":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None  # a bar has many ways to look nice; a log line has none

    return Progress


def _explain(error: Exception, address: Address, file: str = "") -> str:
    from huggingface_hub import errors

    what = f"{address.repository}{f' ({file})' if file else ''} could not be downloaded from {endpoint()}"
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{what}: its owner asks readers to accept terms. Accept them on the model's page, then give a token in "
            "the setting token or the environment variable HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{what}: it has no revision {address.revision!r}. Correct the setting revision, or leave it out."
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return (
            f"{what}: there is no such model, or it is private. Check the spelling of model_url; for a private model "
            "give a token in the setting token or the environment variable HF_TOKEN."
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{what}: HF_HUB_OFFLINE is set. Unset it, or copy the model's folder into src/model yourself."
    if isinstance(error, OSError) and error.errno is not None:
        return f"{what}: {error.strerror or error}. Make room or give the right to write, then try again."
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return (
        f"{what}: {reason} Check the network and try again (files that arrived whole are kept), or copy the model's "
        "folder into src/model yourself."
    )


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
