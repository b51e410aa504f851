"""Conversions of models, kept in the hidden folder `.converted` beside theirs, and found again only for the same."""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = ".converted"
KEPT = 16
"""How many conversions are kept beside the models of a folder."""

_HALF_DONE_S = 3600.0  # no conversion takes longer; what is older was left by a process that ended
_PACKAGES = ("torch", "transformers", "tokenizers", "openvino", "nncf")
_DECIDING = ("config", "model_kwargs", "trust_remote_code", "num_labels")  # options that make another model


class Shelf:
    """The conversions of the weights that lie in a model folder now, for one task and these package versions.

    The key is what identifies the weights and not the folder's name: promotion and rollback rename folders, and what
    was converted for a model is found again after both.
    """

    def __init__(self, folder: Path, task: str, options: Mapping[str, Any]) -> None:
        weights = [
            (file.name, (status := file.stat()).st_size, status.st_mtime_ns)
            for file in sorted(folder.iterdir())
            if file.suffix in (".safetensors", ".json") and file.is_file()
        ]
        self._versions = {name: _version(name) for name in _PACKAGES}
        deciding = {name: options[name] for name in _DECIDING if name in options}
        what = json.dumps([task, deciding, weights, self._versions], sort_keys=True, default=str)
        self._root = folder.parent / FOLDER
        self._name = f"{task}-{hashlib.sha256(what.encode()).hexdigest()[:16]}"

    def find(self, backend: str) -> tuple[Path, dict[str, Any]] | None:
        """The folder of a conversion and what was noted of it; None if there is none that is whole."""
        folder = self._root / f"{self._name}-{backend}"
        try:
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
            os.utime(folder)
        except (OSError, ValueError):
            return None
        return folder, about

    def put(self, backend: str, write: Callable[[Path], Mapping[str, Any]]) -> tuple[Path, dict[str, Any]]:
        """Let `write` fill an empty folder and return what to note of it; rename that into place when it is whole."""
        self._root.mkdir(exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self._root))
        try:
            about = {"versions": self._versions, **write(staging)}
            (staging / "about.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            folder = self._root / f"{self._name}-{backend}"
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        self._make_room()
        return folder, about

    def _make_room(self) -> None:
        """Remove what was used longest ago, and what an ended process left half done."""
        entries = sorted((one for one in self._root.iterdir() if one.is_dir()), key=lambda one: -one.stat().st_mtime)
        halves = [one for one in entries if one.name.startswith(".staging-")]
        whole = [one for one in entries if one not in halves]
        old_s = time.time() - _HALF_DONE_S
        for folder in [*whole[KEPT:], *(one for one in halves if one.stat().st_mtime < old_s)]:
            shutil.rmtree(folder, ignore_errors=True)

    def drop(self, backend: str) -> None:
        """Remove a conversion that cannot be used."""
        shutil.rmtree(self._root / f"{self._name}-{backend}", ignore_errors=True)

    def remember(self, pick: Mapping[str, Any]) -> None:
        """Note what was picked on this machine, so that the next start need not measure again."""
        self._note("pick", pick)

    def remembered(self) -> dict[str, Any] | None:
        """What was picked on this machine; None if nothing was."""
        return self._noted("pick")

    def refuse(self, backend: str, judged: Mapping[str, Any], numbers: str) -> None:
        """Note that a conversion does not agree, so that the next start need not make it again.

        `judged` is what the judgement hangs on beside the model: the texts, the number format, what is required.
        """
        self._note(f"{backend}-refused", {"judged": dict(judged), "numbers": numbers})

    def refused(self, backend: str, judged: Mapping[str, Any]) -> tuple[str, Path] | None:
        """The numbers with which the conversion was refused before, and the file that says so; None if it was not."""
        note = self._noted(f"{backend}-refused")
        if note is None or note.get("judged") != json.loads(json.dumps(judged)):
            return None
        return str(note.get("numbers")), self._file(f"{backend}-refused")

    def note_margin(self, backend: str, margin: float) -> None:
        """Note how near two labels must be for fp32 to have the say, as found on this machine."""
        self._note(f"{backend}-margin", {"margin": margin})

    def margin(self, backend: str) -> float | None:
        """What `note_margin` noted; None if nothing was, so that the backend must be judged first."""
        note = self._noted(f"{backend}-margin")
        return None if note is None else float(note["margin"])

    def note_early(self, options: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        """Note what an early start of an item with these options needs beside the conversion."""
        self._note(_early(options), note)

    def early(self, options: Mapping[str, Any]) -> dict[str, Any] | None:
        """What `note_early` noted on this machine; None if nothing was."""
        return self._noted(_early(options))

    def _file(self, what: str) -> Path:
        return self._root / f"{self._name}-{what}.json"

    def _note(self, what: str, note: Mapping[str, Any]) -> None:
        self._root.mkdir(exist_ok=True)
        staging = self._root / f".staging-{what}-{os.getpid()}"
        staging.write_text(json.dumps({"machine": _machine(), **note}, indent=2) + "\n", encoding="utf-8")
        staging.replace(self._file(what))

    def _noted(self, what: str) -> dict[str, Any] | None:
        try:
            note = json.loads(self._file(what).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) and note.get("machine") == _machine() else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _early(options: Mapping[str, Any]) -> str:
    what = json.dumps(options, sort_keys=True, default=str)
    return f"early-{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def _machine() -> dict[str, Any]:
    """What decides which backend is fastest: the processor, how many threads torch will take, the GPUs. Without torch,
    for which an early start does not wait."""
    return {
        "processor": f"{platform.machine()} {_processor()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "quota": _start_of(Path("/sys/fs/cgroup/cpu.max")).strip(),
        "gpus": len(list(Path("/dev").glob("nvidia[0-9]*"))),
    }


def _processor() -> str:
    """A word for the first processor and what it can do; '' where the system does not say."""
    lines = _start_of(Path("/proc/cpuinfo")).splitlines()
    told = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
    return hashlib.sha256("\n".join(told[:2]).encode()).hexdigest()[:16] if told else ""


def _start_of(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(8192)
    except OSError:
        return ""
