"""What lies in the folder of models: the task, size, licence, card and origin of each, read without loading any."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference import folder as folders
from inference import origin
from inference.origin import Origin

CARD = "README.md"
LONGEST_CARD = 200_000  # characters
_HEADER_LIMIT_BYTES = 100_000_000
_SIGNS = ("config.json", "modules.json", origin.NAME, "model.safetensors", "model.safetensors.index.json")
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)

# How the class of a model ends -> the task it was made for; the first that fits counts.
_TASKS = (
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForMaskedLM", "fill-mask"),
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForObjectDetection", "object-detection"),
    ("ForSegmentation", "image-segmentation"),
    ("ForUniversalSegmentation", "image-segmentation"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForImageClassification", "image-classification"),
    ("ForDepthEstimation", "depth-estimation"),
    ("ForVideoClassification", "video-classification"),
    ("ForAudioClassification", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("CLIPModel", "zero-shot-image-classification"),
    ("Model", "feature-extraction"),
)


@dataclass(frozen=True)
class Entry:
    """A model folder. What nothing says is empty, or None for numbers."""

    name: str
    task: str
    architecture: str
    licence: str
    size_bytes: int
    parameters: int | None
    labels: tuple[str, ...]
    origin: Origin | None
    problem: str
    """What is wrong with the folder, as the rest of a sentence; "" if it is whole."""
    changed_s: float
    """When its configuration was last written, in seconds since the epoch."""


def entries(root: Path) -> list[Entry]:
    """The models in `root`, by name. Folders that hold no part of a model are left out."""
    if not root.is_dir():
        return []
    found = (path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith("."))
    return [entry(path) for path in found if any((path / sign).is_file() for sign in _SIGNS)]


def entry(folder: Path) -> Entry:
    """What is known of the model in `folder`."""
    config, said = _config(folder), facts(folder)
    architecture = next(iter(_strings(config.get("architectures"))), "")
    labels = config.get("id2label")
    stated = said.get("pipeline_tag")
    return Entry(
        name=folder.name,
        task=stated if isinstance(stated, str) else _task_of(architecture, folder),
        architecture=architecture,
        licence=_licence(folder, said),
        size_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        parameters=_parameters(folder),
        labels=tuple(str(label) for label in labels.values()) if isinstance(labels, dict) else (),
        origin=origin.read(folder),
        problem=folders.defect(folder) or "",
        changed_s=_changed_s(folder),
    )


def card(folder: Path) -> str:
    """The model's card as Markdown, without the facts on its top; "" if it has none."""
    return _FRONT.sub("", _text(folder / CARD), count=1).strip()


def facts(folder: Path) -> dict[str, Any]:
    """The facts on top of the model's card: licence, pipeline_tag, language and so on; {} if there are none."""
    front = _FRONT.match(_text(folder / CARD))
    if front is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(front[1])
    except (yaml.YAMLError, ValueError, RecursionError):  # somebody's own card: it is shown all the same
        return {}
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


def _licence(folder: Path, said: dict[str, Any]) -> str:
    stated = ", ".join(_strings(said.get("license"))) or str(said.get("license_name") or "")
    if stated:
        return stated
    file = next((path for path in sorted(folder.glob("LICEN[CS]E*")) if path.is_file()), None)
    first = next((line.strip() for line in _text(file).splitlines() if line.strip()), "") if file else ""
    return f"{first[:80]} (of {file.name})" if file and first else ""


def _task_of(architecture: str, folder: Path) -> str:
    if not architecture:
        return "feature-extraction" if (folder / "modules.json").is_file() else ""
    return next((task for ending, task in _TASKS if architecture.endswith(ending)), "")


def _parameters(folder: Path) -> int | None:
    """How many numbers the weights are, as the headers of the files say; None if one of them cannot be read."""
    files = sorted(folder.glob("*.safetensors"))
    try:
        return sum(_count(file) for file in files) if files else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _count(file: Path) -> int:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(file.stat().st_size, _HEADER_LIMIT_BYTES):
            raise ValueError(f"{file} has no header")
        header = json.loads(stream.read(length))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            numbers = 1
            for side in tensor["shape"]:
                numbers *= int(side)
            total += numbers
    return total


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # what is wrong with it, the entry's problem says
        return {}
    return found if isinstance(found, dict) else {}


def _changed_s(folder: Path) -> float:
    try:
        return (folder / "config.json").stat().st_mtime
    except OSError:
        return 0.0


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(LONGEST_CARD)
    except OSError:
        return ""
