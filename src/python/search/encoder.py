"""Pictures and texts to unit vectors: CLIP for both, a sentence model for texts; each loaded once per process."""

import functools
import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import hardware
import libraries
from search.errors import ModelUnusable

Vectors = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PICTURES_AT_ONCE = 32
_TEXTS_AT_ONCE = 64
_MOST_TOKENS = 256
_FILES = ("*.json", "*.txt", "*.safetensors", "*.model")


@dataclass(frozen=True)
class Choice:
    """A model and how it runs: `model` is a folder, or owner/name of the hub."""

    model: str
    dtype: str = "auto"
    """auto: bfloat16 where the hardware computes in it, else float32."""
    device: str = "auto"


class Encoder(ABC):
    """Makes unit vectors of `dimension` numbers. `identity` names the model: only vectors of one model compare."""

    dimension: int
    identity: str

    @abstractmethod
    def texts(self, texts: Sequence[str]) -> Vectors:
        """One row for each text."""

    def view(self, picture: Image.Image) -> Pixels:  # noqa: ARG002 - for those that know pictures
        """A picture as the model sees it, of shape (height, width, 3). Raises `ModelUnusable` if it sees none."""
        raise ModelUnusable("This model knows texts alone. Name a CLIP model in the setting model.")

    def viewed(self, views: Sequence[Pixels]) -> Vectors:  # noqa: ARG002
        """One row for each view. Raises `ModelUnusable` for a model that knows texts alone."""
        raise ModelUnusable("This model knows texts alone. Name a CLIP model in the setting model.")

    def pictures(self, pictures: Sequence[Image.Image]) -> Vectors:
        """One row for each picture. Raises what `view` raises."""
        return self.viewed([self.view(picture) for picture in pictures])


def opened(choice: Choice) -> Encoder:
    """The encoder of a model; it is loaded when it is first asked for. Raises `ModelUnusable`."""
    with libraries.lock:
        return _opened(choice)


@functools.lru_cache(maxsize=4)
def _opened(choice: Choice) -> Encoder:
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = _folder(choice.model)
    kind = _configuration(folder).get("model_type", "")
    try:
        return (Clip if kind == "clip" else Sentences)(folder, choice)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelUnusable(
            f"The model in {folder} cannot be loaded: {error}. It must be a CLIP model, or a sentence model for texts, "
            "with its tokenizer and safetensors: copy or download it again."
        ) from error


def facts(choice: Choice) -> tuple[str, int]:
    """A model's identity and the dimension of its vectors, without loading it. Raises `ModelUnusable`."""
    folder = _folder(choice.model)
    found = _configuration(folder)
    dimension = found.get("projection_dim") or found.get("hidden_size")
    if not isinstance(dimension, int):
        raise ModelUnusable(f"{folder}/config.json names no dimension. Use CLIP, or a sentence model for texts.")
    return identity(folder), dimension


class Clip(Encoder):
    """A model that puts pictures and texts into one space."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        import torch
        from transformers import AutoTokenizer, CLIPModel

        self._device, dtype = _placed(choice)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model: Any = CLIPModel.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, use_safetensors=True
        )
        self._model.to(self._device).eval()
        self._view = View.read(folder)
        self.dimension = int(self._model.config.projection_dim)
        self.identity = identity(folder)

    def texts(self, texts: Sequence[str]) -> Vectors:
        most = int(self._model.config.text_config.max_position_embeddings)

        def forward(some: list[str]) -> Any:
            inputs = self._tokenizer(some, padding=True, truncation=True, max_length=most, return_tensors="pt")
            return self._model.get_text_features(
                input_ids=inputs["input_ids"].to(self._device),
                attention_mask=inputs["attention_mask"].to(self._device),
            ).pooler_output

        return _in_batches(forward, texts, self.dimension)

    def view(self, picture: Image.Image) -> Pixels:
        return self._view.cut(picture)

    def viewed(self, views: Sequence[Pixels]) -> Vectors:
        import torch

        found = [np.empty((0, self.dimension), np.float32)]
        for start in range(0, len(views), PICTURES_AT_ONCE):
            pixels = torch.from_numpy(self._view.normal(views[start : start + PICTURES_AT_ONCE]))
            with torch.inference_mode():
                placed = pixels.to(self._device, self._model.dtype)
                found.append(_units(self._model.get_image_features(pixel_values=placed).pooler_output))
        return np.concatenate(found)


class Sentences(Encoder):
    """A sentence model: the mean of its last layer over a text's tokens."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._device, dtype = _placed(choice)
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model: Any = AutoModel.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, use_safetensors=True
        )
        self._model.to(self._device).eval()
        self.dimension = int(self._model.config.hidden_size)
        self.identity = identity(folder)

    def texts(self, texts: Sequence[str]) -> Vectors:
        def forward(some: list[str]) -> Any:
            inputs = self._tokenizer(
                some, padding=True, truncation=True, max_length=_MOST_TOKENS, return_tensors="pt"
            ).to(self._device)
            states = self._model(**inputs).last_hidden_state
            mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
            return (states * mask).sum(1) / mask.sum(1)

        return _in_batches(forward, texts, self.dimension)


class View(NamedTuple):
    """How a CLIP model wants its pictures: resized, cut in the middle, normalised."""

    edge: int
    width: int
    height: int
    resample: int
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]

    @classmethod
    def read(cls, folder: Path) -> "View":
        """As preprocessor_config.json says it; without that file as CLIP's authors do."""
        from transformers import CLIPImageProcessorPil

        processor: Any = CLIPImageProcessorPil()
        if (folder / "preprocessor_config.json").is_file() or (folder / "processor_config.json").is_file():
            processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        mean, std = np.asarray(processor.image_mean, np.float32), np.asarray(processor.image_std, np.float32)
        return cls(
            edge=int(processor.size["shortest_edge"]),
            width=int(processor.crop_size["width"]),
            height=int(processor.crop_size["height"]),
            resample=int(processor.resample),
            scale=(1 / (255 * std)).astype(np.float32),
            shift=-mean / std,
        )

    def normal(self, views: Sequence[Pixels]) -> NDArray[np.float32]:
        """What the model computes with, of shape (views, 3, height, width)."""
        return np.ascontiguousarray((np.stack(views) * self.scale + self.shift).transpose(0, 3, 1, 2))

    def cut(self, picture: Image.Image) -> Pixels:
        """The middle of the picture, resized, of shape (height, width, 3)."""
        short = min(picture.size)
        size = tuple(max(1, int(side * self.edge / short)) for side in picture.size)
        small = picture.convert("RGB").resize((size[0], size[1]), Image.Resampling(self.resample))
        left, top = (small.width - self.width) // 2, (small.height - self.height) // 2
        return np.asarray(small.crop((left, top, left + self.width, top + self.height)))


@functools.lru_cache(maxsize=8)
def identity(folder: Path) -> str:
    """What tells this model from any other: a hash of its configuration and weights."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.name in ("config.json", "preprocessor_config.json", "tokenizer.json") or path.suffix == ".safetensors":
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _in_batches(forward: Any, texts: Sequence[str], dimension: int) -> Vectors:
    """The unit vectors of `forward`, in batches of texts of like lengths, in the order of the texts."""
    import torch

    found = np.empty((len(texts), dimension), np.float32)
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    for start in range(0, len(order), _TEXTS_AT_ONCE):
        some = order[start : start + _TEXTS_AT_ONCE]
        with torch.inference_mode():
            found[some] = _units(forward([texts[number] for number in some]))
    return found


def _units(features: Any) -> Vectors:
    import torch

    units: Vectors = torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy()
    return units


def _placed(choice: Choice) -> tuple[str, str]:
    """The device and the number format that `choice` means here."""
    import torch

    device = choice.device
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if choice.dtype != "auto":
        return device, choice.dtype
    return device, "bfloat16" if hardware.has_fast_bf16(device) else "float32"


def _folder(model: str) -> Path:
    if os.path.isdir(model):  # noqa: PTH112 - a name of the hub is no path
        return Path(model)
    if model.startswith(("/", ".")) or model.count("/") != 1:
        raise ModelUnusable(f"There is no model folder {model}. Correct the setting model, or copy the model there.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_FILES)))
    except (OSError, ValueError) as error:
        raise ModelUnusable(
            f"The model {model} cannot be brought from the hub: {error} Copy its folder here and name that."
        ) from error


def _configuration(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{folder} holds no model: {error}. Copy the whole model there.") from error
    return found if isinstance(found, dict) else {}
