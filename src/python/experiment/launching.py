"""Where steps run: the protocol of a launcher, and the one that starts processes on this machine.

The code of a step is the same everywhere: `python -m experiment ADDRESS RUN STEP`. A launcher starts that, tells what
it says, and stops it when it is asked to; what came of it stands in the experiment's place.
"""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from experiment.errors import Cancelled, LaunchFailed
from experiment.records import TRAINING, TUNING
from experiment.settings import Settings

SPOKEN = "evergreen: "
"""What the lines of a step begin with that are meant for people; the others are noise of libraries."""

PARENT = "EVERGREEN_EXPERIMENT_PARENT"
"""The variable that says which process waits for a step's."""

_LOOK_S = 0.5
_GRACE_S = 10.0
_LAST_LINES = 12


@dataclass(frozen=True)
class Job:
    """A step, as a command."""

    name: str
    """a-z, 0-9 and '-', at most 63: a job may be called so."""
    step: str
    """reconciliation, preparation, training, tuning or inference."""
    command: list[str]
    """python -m experiment ADDRESS RUN STEP."""
    environment: dict[str, str] = field(default_factory=dict)
    sources: Path = Path(__file__).resolve().parents[1]
    """The folder of this package, for processes on this machine."""
    processes: int = 1
    """How many processes share the step."""


class Launcher(Protocol):
    """What starts a step somewhere, and waits for its end."""

    def launch(self, job: Job, told: Callable[[str], None], stop_asked: Callable[[], bool]) -> None:
        """Returns when the step has ended well. Raises `LaunchFailed`, and `Cancelled` when it was stopped."""


class Local:
    """Processes on this machine; several of them by `accelerate launch`."""

    def launch(self, job: Job, told: Callable[[str], None], stop_asked: Callable[[], bool]) -> None:
        """See `Launcher`."""
        last: deque[str] = deque(maxlen=_LAST_LINES)
        started = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command(job), env=environment(job), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            encoding="utf-8", errors="replace", start_new_session=True,
        )  # fmt: skip
        reader = threading.Thread(target=_listen, args=(started, told, last), name="experiment step", daemon=True)
        reader.start()
        try:
            while not _ended(started):
                if stop_asked():
                    raise Cancelled("The run was cancelled. What is finished is kept: run it again to go on.")
        finally:
            _end(started)
            reader.join()
        if started.returncode:
            words = "\n".join(last)
            raise LaunchFailed(
                f"{job.step} ended with code {started.returncode}. Run it again to go on from what is kept. Its last "
                f"words:\n{words}"
            )


def of(settings: Settings) -> Launcher | None:
    """The launcher that the settings name; None: steps run in the calling process."""
    name = settings.get("launch.LAUNCHER")
    if name == "accelerate":
        return Local()
    if name == "sagemaker":
        from experiment.sagemaker import SageMaker

        return SageMaker(settings)
    if name == "kubernetes":
        from experiment.kubernetes_job import KubernetesJob

        return KubernetesJob(settings)
    return None


def command(job: Job) -> list[str]:
    """The command line on this machine."""
    arguments = job.command[1:]
    if job.processes == 1 or job.step not in (TRAINING, TUNING):
        return [sys.executable, *arguments]
    # accelerate calls several processes --multi_gpu; ACCELERATE_USE_CPU says on what. Its --cpu would start one.
    return [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1", "--num_processes",
        str(job.processes), "--main_process_port", "0", "--mixed_precision", "no", "--dynamo_backend", "no",
        "--num_cpu_threads_per_process", str(_threads(job)), *arguments,
    ]  # fmt: skip


def environment(job: Job) -> dict[str, str]:
    """The variables on this machine."""
    known: Mapping[str, str] = os.environ
    return {
        **known,
        **job.environment,
        "PYTHONPATH": os.pathsep.join([str(job.sources), known.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "OMP_NUM_THREADS": str(_threads(job)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false" if job.processes > 1 else "true",
        "ACCELERATE_USE_CPU": str(not _has_gpu()).lower(),
        PARENT: str(os.getpid()),
    }


def parent_lives() -> bool:
    """Whether the process that waits for this one is still there; True if nobody said which."""
    parent = os.environ.get(PARENT)
    try:
        if parent:
            os.kill(int(parent), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _threads(job: Job) -> int:
    learns = job.step in (TRAINING, TUNING)
    return max(1, len(os.sched_getaffinity(0)) // (job.processes if learns else 1))


def _has_gpu() -> bool:
    return Path("/dev/nvidia0").exists() or Path("/dev/kfd").exists()


def _listen(started: "subprocess.Popen[str]", told: Callable[[str], None], last: "deque[str]") -> None:
    assert started.stdout is not None  # noqa: S101 - it was asked for
    for line in started.stdout:
        if line.startswith(SPOKEN):
            told(line[len(SPOKEN) :].rstrip())
        elif line.strip():
            last.append(line.rstrip())


def _ended(started: "subprocess.Popen[str]") -> bool:
    """Whether it has ended, after a short wait for that."""
    try:
        started.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(started: "subprocess.Popen[str]") -> None:
    """No process of the step outlives this: first they are asked, then they are ended."""
    if started.poll() is not None:
        return
    os.killpg(started.pid, signal.SIGTERM)
    try:
        started.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
