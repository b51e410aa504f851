"""What trainings are measured with: a project root with MiniLM, a clock around transformers' loop, memory, energy."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parts.paths import SOURCES

MODEL = "all-MiniLM-L6-v2"
LABELS = 5
PACKAGES = ("torch", "transformers", "tokenizers", "accelerate", "peft", "numpy")


def in_process(part: str, asked: Mapping[str, Any], root: Path, threads: int) -> Any:
    """What `python -m parts.PART` prints as its last line of output, JSON, when it is asked for this."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(SOURCES),
        "EVERGREEN_ROOT": str(root),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "true",
    }
    command = [sys.executable, "-m", f"parts.{part}", json.dumps(asked)]
    done = subprocess.run(command, env=environment, cwd=root, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"parts.{part} failed with {json.dumps(asked)}: its words are above.")
    return json.loads(done.stdout.splitlines()[-1])


def make_root(root: Path) -> Path:
    """Give the empty folder `root` what a project has to train: MiniLM, and a place for files. Returns its models."""
    from inference import bundled

    models = root / "src" / "model"
    models.mkdir(parents=True)
    (root / "misc").mkdir()
    bundled.install(models, lambda line: None)
    return models


class Clock:
    """Wall and CPU seconds between two moments, CPU time of all threads of the process."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        """Begin; once begun, later starts do not count."""
        if self._began is None:
            self._began = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        assert self._began is not None, "a clock is started before it is stopped"  # noqa: S101
        self.wall_s, self.cpu_s = time.perf_counter() - self._began[0], time.process_time() - self._began[1]


class Loop:
    """transformers' training loop, timed whoever calls it: `whole`, and when its first step began and ended."""

    def __init__(self, at_first_step: Callable[[], None] = lambda: None) -> None:
        self.whole = Clock()
        self.first_step_began_s = self.first_step_ended_s = 0.0
        self._at_first_step = at_first_step

    @contextmanager
    def watched(self) -> Iterator["Loop"]:
        import transformers

        trainer = transformers.Trainer
        train, step = trainer.train, trainer.training_step

        def timed_train(this: Any, *values: Any, **named: Any) -> Any:
            self.whole.start()
            try:
                return train(this, *values, **named)
            finally:
                self.whole.stop()

        def timed_step(this: Any, *values: Any, **named: Any) -> Any:
            first = not self.first_step_began_s
            if first:
                self.first_step_began_s = time.perf_counter()
                self._at_first_step()
            try:
                return step(this, *values, **named)
            finally:
                if first:
                    self.first_step_ended_s = time.perf_counter()

        trainer.train, trainer.training_step = timed_train, timed_step
        try:
            yield self
        finally:
            trainer.train, trainer.training_step = train, step


def memory_mb(name: str) -> float:
    """`VmRSS`, what the process has in memory now, or `VmHWM`, its peak."""
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found, f"the kernel tells {name}"  # noqa: S101
    return int(found[1]) / 1024


class Peak:
    """The largest memory of the process from its start on, looked at every 20 ms (a kernel may not reset VmHWM)."""

    def __enter__(self) -> "Peak":
        self.began_mb = self.mb = memory_mb("VmRSS")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.mb = max(self.mb, memory_mb("VmRSS"))

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def quieten() -> None:
    """No bars of transformers on the console."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
