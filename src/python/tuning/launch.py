"""The same training in several processes, on as many processors or GPUs of this machine: `python -m tuning.launch JOB`.

The one that asks writes what is to be done into a folder, and torchrun starts the processes, which accelerate joins
(gloo on a CPU). Each takes its share of every batch; the first alone writes checkpoints, log and outcome.
"""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning import errors, runs
from tuning.options import Options

if TYPE_CHECKING:
    from tuning.classifier import Classifier
    from tuning.encoding import Encoded
    from tuning.trainer import Fitted

_LOG = "evergreen: "
_LAST_LINES = 12
_SECRETS = "EVERGREEN_TRAINING_SECRETS"


def fit(
    run: runs.Run,
    classifier: "Classifier",
    train: "Encoded",
    held_out: "Encoded",
    keywords: Mapping[str, Any],
    options: Options,
    seed: int,
    own_saves: bool,
    log: Callable[[str], None],
    checkpoint: Path | None,
    bear: Callable[[float], None],
) -> "Fitted":
    """Train in `options.processes` processes; the classifier has the outcome's weights then.

    `bear` takes their processor time in seconds, however they end. Raises what the processes raised of this package's
    errors, and `TrainingFailed` when one of them died.
    """
    from tuning import classifier as classifiers
    from tuning import trainer

    folder = run.folder / f"job-{run.id}"
    job = {
        "base": str(run.base),
        "names": classifier.names,
        "task": classifier.task,
        "seed": seed,
        "keywords": {name: value for name, value in keywords.items() if not name.endswith("_token")},
        "options": asdict(options),
        "own_saves": own_saves,
        "checkpoint": str(checkpoint) if checkpoint else None,
        "flag": str(run.flag),
        "run": run.id,
        "parent": os.getpid(),
    }
    try:
        _write(folder, job, train, held_out)
        secrets = {name: value for name, value in keywords.items() if name.endswith("_token")}
        before_s = _children_s()
        try:
            _start(folder, options.processes, bool(keywords.get("use_cpu")), secrets, log)
        finally:
            bear(_children_s() - before_s)
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        if "error" in outcome:
            raise getattr(errors, outcome["error"])(outcome["message"])
        classifier.model = classifiers.load(folder / "outcome", classifier.names, seed, classifier.task).model
        return trainer.Fitted(outcome["steps"], outcome["stopped_at"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(folder: Path) -> None:
    """One of the processes: train on what the folder says."""
    from tuning import classifier as classifiers
    from tuning import steering, trainer

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    first = os.getenv("RANK", "0") == "0"

    def stop_asked() -> bool | None:
        if not steering.parent_lives(job["parent"]):
            raise SystemExit("The process that asked for this training is gone.")
        return runs.stop_asked(Path(job["flag"]), job["run"])

    def log(line: str) -> None:
        if first:
            print(f"{_LOG}{line}", flush=True)

    try:
        classifier = classifiers.load(Path(job["base"]), job["names"], job["seed"], job["task"])
        arguments = trainer.training_arguments(job["keywords"] | json.loads(os.environ.pop(_SECRETS, "{}")))
        fitted = trainer.fit(
            classifier,
            _read(folder, "train", job["task"]),
            _read(folder, "held_out", job["task"]),
            arguments,
            Options(**job["options"]),
            log,
            steering.Steering(stop_asked, job["own_saves"]),
            Path(job["checkpoint"]) if job["checkpoint"] else None,
        )
        outcome: dict[str, Any] = asdict(fitted)
        if first:
            classifier.save(folder / "outcome")
    except errors.TuningError as error:
        outcome = {"error": type(error).__name__, "message": str(error)}
    if first:
        (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


def _start(folder: Path, processes: int, on_cpu: bool, secrets: Mapping[str, Any], log: Callable[[str], None]) -> None:
    sources = str(Path(__file__).resolve().parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([sources, os.getenv("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // processes)),
        "ACCELERATE_USE_CPU": str(on_cpu).lower(),
        _SECRETS: json.dumps(dict(secrets)),
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "tuning.launch", str(folder)]
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with subprocess.Popen(  # noqa: S603  (our own interpreter and module)
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as started:
        assert started.stdout is not None  # noqa: S101
        try:
            for line in started.stdout:
                if line.startswith(_LOG):
                    log(line[len(_LOG) :].rstrip())
                else:
                    last.append(line.rstrip())
        finally:
            if started.poll() is None and sys.exc_info()[0] is not None:
                os.killpg(started.pid, signal.SIGKILL)
    if started.returncode or not (folder / "outcome.json").is_file():
        told = "\n".join(last)
        raise errors.TrainingFailed(
            f"The {processes} processes of the training ended with code {started.returncode}. Nothing was saved; send "
            f"it again, or without processes. Their last words:\n{told}"
        )


def _children_s() -> float:
    """The processor time of all processes that this one started and that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _write(folder: Path, job: Mapping[str, Any], *parts: "Encoded") -> None:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(job, default=list), encoding="utf-8")
    for name, part in zip(("train", "held_out"), parts, strict=True):
        save_file(part.arrays, folder / f"{name}.safetensors")
        (folder / f"{name}.json").write_text(json.dumps(part.labels), encoding="utf-8")


def _read(folder: Path, name: str, task: str) -> "Encoded":
    from safetensors.numpy import load_file

    from tuning.encoding import Encoded

    labels = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Encoded(load_file(folder / f"{name}.safetensors"), labels, task)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
