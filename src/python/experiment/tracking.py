"""Who hears of a step: the local tracker always, wandb and MLflow by setting. All of them work without a network.

They mirror the storage: the group is the experiment, the job type run_N, the name the step.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from experiment import records
from experiment.journal import Run
from experiment.records import Step

FILE = "tracking.jsonl"


class Tracker(Protocol):
    """What a tracker is told; figures are numbers by their names."""

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """Something was measured at a step of a training."""

    def end(self, figures: Mapping[str, float]) -> None:
        """The step is done, with these metrics."""


class Local:
    """Lines of JSON in the run's folder."""

    def __init__(self, run: Run, step: Step, settings: Mapping[str, str]) -> None:
        self._run, self._step = run, step
        self._add("start", settings=dict(settings))

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self._add("point", step=step, **figures)

    def end(self, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self._add("end", **figures)
        self._run.store.publish(self._run.folder, [FILE])

    def _add(self, event: str, **facts: Any) -> None:
        line = {"when": records.now(), "job": self._step.key, "event": event, **facts}
        self._run.store.append(f"{self._run.folder}/{FILE}", json.dumps(line, ensure_ascii=False))


class Wandb:
    """A run of Weights & Biases; offline it is a folder that `wandb sync` brings up later."""

    def __init__(self, run: Run, step: Step, settings: Mapping[str, str], folder: Path) -> None:
        import wandb

        os.environ.setdefault("WANDB_SILENT", "true")
        folder.mkdir(parents=True, exist_ok=True)
        mode: Any = run.settings.get("tracking.WANDB_MODE") if os.getenv("WANDB_API_KEY") else "offline"
        self._run = wandb.init(
            project=run.settings.get("tracking.PROJECT"), group=run.settings.name, job_type=run.folder, name=step.key,
            config=dict(settings), dir=str(folder), mode=mode, reinit="create_new",
            settings=wandb.Settings(console="off", x_disable_stats=True, disable_git=True),
        )  # fmt: skip

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self._run.log(dict(figures), step=step)

    def end(self, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        self._run.summary.update(dict(figures))

    def close(self) -> None:
        """Write what is left."""
        self._run.finish()


class Mlflow:
    """A run of MLflow, on its server or in a store of its own."""

    def __init__(self, run: Run, step: Step, settings: Mapping[str, str], folder: Path) -> None:
        from mlflow import MlflowClient

        folder.mkdir(parents=True, exist_ok=True)
        address = run.settings.get("tracking.MLFLOW_URI") or f"sqlite:///{folder.resolve()}/mlflow.db"
        self._client = MlflowClient(tracking_uri=address)
        known = self._client.get_experiment_by_name(run.settings.name)
        place = None if "://" in address and not address.startswith("sqlite") else (folder / "mlartifacts").as_uri()
        number = known.experiment_id if known else self._client.create_experiment(run.settings.name, place)
        tags = {"group": run.settings.name, "job_type": run.folder, "mlflow.runName": f"{run.folder}/{step.key}"}
        self._id = self._client.create_run(number, tags=tags).info.run_id
        for name, text in settings.items():
            self._client.log_param(self._id, name, text[:500])

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        for name, number in figures.items():
            self._client.log_metric(self._id, name, number, step=step)

    def end(self, figures: Mapping[str, float]) -> None:
        """See `Tracker`."""
        for name, number in figures.items():
            self._client.log_metric(self._id, name, number)

    def close(self) -> None:
        """Mark it as ended."""
        self._client.set_terminated(self._id)


class Trackers:
    """All trackers of a step."""

    def __init__(self, trackers: list[Tracker]) -> None:
        self._trackers = trackers

    def point(self, step: int, figures: Mapping[str, float]) -> None:
        """Tell all of them."""
        for tracker in self._trackers:
            tracker.point(step, figures)

    def end(self, figures: Mapping[str, float]) -> None:
        """Tell all of them."""
        for tracker in self._trackers:
            tracker.end(figures)


@contextmanager
def opened(run: Run, step: Step) -> Iterator[Trackers]:
    """The trackers of a step, for as long as it runs."""
    sections = ("user.", "space.", "sagemaker.", "kubernetes.")
    told = {name: text for name, text in run.settings.texts().items() if text and not name.startswith(sections)}
    found: list[Tracker] = [Local(run, step, told)]
    folder = run.store.folder("")
    with ExitStack() as open_ones:
        for name in run.settings.get("tracking.TRACKERS"):
            if name == "wandb":
                one: Wandb | Mlflow = Wandb(run, step, told, folder / run.folder / "wandb")
            else:
                one = Mlflow(run, step, told, folder)
            open_ones.callback(one.close)
            found.append(one)
        yield Trackers(found)


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among values, for trackers that take nothing else."""
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
