"""A model that is open: what to load, what of it is in memory, and what does its forwards."""

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inference import tasks
from inference.backends.early import Early
from inference.folder import identity
from inference.loading import Loaded


@dataclass(eq=False)
class Model:
    """What to load, and, while it is kept, the loaded copy. Shared; made by `pipeline.open` alone."""

    folder: Path
    task_name: str
    options: Mapping[str, Any]
    users: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _loaded: Loaded | None = field(default=None, repr=False)
    _early: Early | None = field(default=None, repr=False)  # answers until the pipeline is loaded
    _identity: tuple[int, int, int] | None = field(default=None, repr=False)
    _problem: str = field(default="", repr=False)
    _retry_at_s: float = field(default=0.0, repr=False)
    _settling: threading.Thread | None = field(default=None, repr=False)

    @property
    def early(self) -> Early | None:
        """What answers without the pipeline, while the folder holds the model that it is for, or is away."""
        early = self._early
        return early if early is not None and identity(self.folder) in (None, early.identity) else None

    @functools.cached_property
    def task(self) -> tasks.Task:
        """What it does; the first look loads transformers."""
        return tasks.lookup(self.task_name)

    @property
    def device(self) -> str:
        """Where it runs, as torch calls it: `cpu`, `cuda:0`."""
        loaded = self._loaded
        return str(loaded.pipeline.device) if loaded else "cpu"

    @property
    def note(self) -> str:
        """What a reader of any answer should know (an untrained head, a failed reload), or ''."""
        return " ".join(part for part in (self._loaded.note if self._loaded else "", self._problem) if part)

    @property
    def backend(self) -> str:
        """What does the forwards now: `torch`, or what took its place; '' while it is not loaded."""
        working = self._loaded.engine if self._loaded else self._early
        return working.backend if working else ""
