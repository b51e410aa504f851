"""Train a model on encoded rows: the loop, its checkpoints, its curve.

Which records make a step depends on the seed alone and not on how many processes share it, and every step's random
numbers begin anew from seed and step: two processes come to what one comes to, and a training that goes on after a
crash comes to what it would have come to.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from experiment import checkpoints, models, scores
from experiment.checkpoints import Progress
from experiment.errors import StepFailed
from experiment.preparation import Rows
from experiment.reading import Reader, predict
from experiment.records import Watch
from experiment.settings import Settings
from experiment.storage import Store

CURVE = "curve.jsonl"

_ALIKE = 50  # batches whose records are sorted by length together
_POINTS = 100  # of the curve, beside the evaluations
_LEAST_S = 20.0  # between the checkpoints of short epochs

GoesOn = Callable[[list[float]], bool]
"""Given the metric after each epoch so far: whether the training is worth another."""


@dataclass(frozen=True)
class Plan:
    """The hyperparameters of one training, as settings.ini calls them."""

    values: Mapping[str, Any]
    """[training], and what a trial changed of it."""
    seed: int
    metric: str
    train_windows: int

    @classmethod
    def of(cls, settings: Settings, changes: Mapping[str, Any] | None = None) -> "Plan":
        """What the settings say, with the changes of a trial."""
        values = {**settings.section("training"), **(changes or {})}
        return cls(values, settings.get("experiment.SEED"), settings.get("experiment.METRIC"),
                   settings.get("text.TRAIN_WINDOWS"))  # fmt: skip

    def better(self, one: float, than: float | None) -> bool:
        """Whether one value of the metric is better than another."""
        if than is None:
            return True
        return one < than if self.metric == "loss" else one > than


class Training:
    """One training of one model, from where it was left to its end."""

    def __init__(
        self,
        reader: Reader,
        train: Rows,
        held_out: Rows,
        plan: Plan,
        store: Store,
        place: str,
        watch: Watch,
        goes_on: GoesOn = lambda values: True,
    ) -> None:
        self.reader, self.world, self.model = reader, reader.world, reader.model
        self.train, self.held_out, self.plan = train, held_out, plan
        self.store, self.place, self.watch, self.goes_on = store, place, watch, goes_on
        self.batch_rows = int(plan.values["BATCH_ROWS"])
        self.steps_per_epoch = math.ceil(len(train) / self.batch_rows)
        self.steps = self.steps_per_epoch * int(plan.values["EPOCHS"])
        self.weights = _class_weights(train.labels, reader.labels, plan.values["CLASS_WEIGHTS"]).to(self.world.device)
        self.progress, self.best = Progress(), dict[str, torch.Tensor]()
        self.optimizer = torch.optim.AdamW(_groups(self.model, plan.values), fused=True)
        self._kept_s = time.monotonic()

    def run(self) -> Progress:
        """Train; the model has the weights of its best epoch then. Raises `Cancelled` and `StepFailed`."""
        self._resume()
        epochs, patience = int(self.plan.values["EPOCHS"]), int(self.plan.values["PATIENCE"])
        began_s, before_s = time.monotonic(), self.progress.seconds
        while self.progress.epoch < epochs:
            self._epoch()
            self.progress.seconds = before_s + time.monotonic() - began_s
            goes_on = self._evaluate()
            waited = self.progress.epoch - self.progress.best_epoch
            if not goes_on or (patience and waited >= patience):
                self.watch.told(f"stopped after epoch {self.progress.epoch}: the best was {self.progress.best_epoch}")
                break
            if self.progress.epoch < epochs:
                self._checkpoint(min(_LEAST_S, float(self.plan.values["CHECKPOINT_S"])))
        self.progress.seconds = before_s + time.monotonic() - began_s
        models.put(self.model, self.best)
        return self.progress

    def _epoch(self) -> None:
        """The steps of an epoch that are not done yet."""
        at = self.progress
        losses: list[float] = []
        every = max(1, self.steps // _POINTS)
        self.model.train()
        for batch in list(batches(self.train, self.batch_rows, self.plan, at.epoch))[at.in_epoch :]:
            losses.append(self._step(batch))
            at.step += 1
            at.in_epoch += 1
            if at.step % every == 0 or at.in_epoch == self.steps_per_epoch:
                mean = self._mean(losses)
                self._point(loss=mean, learning_rate=self.optimizer.param_groups[0]["lr"])
                if not math.isfinite(mean):
                    raise StepFailed(
                        f"The loss was {mean} at step {at.step}. Lower LEARNING_RATE, or set PRECISION to float32."
                    )
                losses.clear()
            self.watch.progress(at.step / self.steps, f"step {at.step} of {self.steps}")
            if at.in_epoch < self.steps_per_epoch:
                self._checkpoint(float(self.plan.values["CHECKPOINT_S"]))
        at.epoch, at.in_epoch = at.epoch + 1, 0

    def _step(self, batch: npt.NDArray[np.int64]) -> float:
        """One step on these records, shared by all processes; this process's part of the loss."""
        at, world, values = self.progress, self.world, self.plan.values
        torch.manual_seed((self.plan.seed * 1_000_003 + at.step) * world.size + world.rank)
        factor = _rate(values["SCHEDULE"], at.step, self.steps, float(values["WARMUP_SHARE"]))
        for group in self.optimizer.param_groups:
            group["lr"] = group["highest"] * factor
        # All processes divide by the same number, so that their gradients add up to those of the whole batch.
        whole = self.weights[torch.from_numpy(self.train.labels[batch]).to(world.device)].sum()
        self.optimizer.zero_grad(set_to_none=True)
        lost = 0.0
        for part in self._parts(batch[world.rank :: world.size]):
            rows = np.concatenate([windows for _, windows in part])
            of = np.repeat(np.arange(len(part)), [len(windows) for _, windows in part])
            logits = self.reader.documents(self.train.read(rows.tolist()), of.tolist(), len(part))
            labels = torch.from_numpy(self.train.labels[[record for record, _ in part]]).to(world.device)
            loss = torch.nn.functional.cross_entropy(logits, labels, self.weights, reduction="sum") / whole
            loss.backward()  # type: ignore[no-untyped-call]
            lost += float(loss.detach())
        world.sum_gradients(self.model)
        if clip := float(values["CLIP_NORM"]):
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.optimizer.step()
        return lost

    def _parts(self, records: npt.NDArray[np.int64]) -> Iterator[list[tuple[int, npt.NDArray[np.int64]]]]:
        """Records with the windows to train on, so many at a time as memory allows."""
        at_once, part, count = int(self.plan.values["WINDOWS_AT_ONCE"]), list[Any](), 0
        for record in records:
            windows = self.train.windows(int(record))
            if len(windows) > self.plan.train_windows:
                generator = np.random.default_rng((self.plan.seed, self.progress.epoch, int(record)))
                windows = np.sort(generator.choice(windows, self.plan.train_windows, replace=False))
            if part and count + len(windows) > at_once:
                yield part
                part, count = [], 0
            part.append((int(record), windows))
            count += len(windows)
        if part:
            yield part

    def _mean(self, losses: list[float]) -> float:
        """Of the steps since the last point, over all processes."""
        together = self.world.gather([sum(losses)])
        return float(sum(together) / len(losses))

    def _evaluate(self) -> bool:
        """Measure on the validation rows; whether the training is to go on."""
        at, at_once = self.progress, 2 * int(self.plan.values["WINDOWS_AT_ONCE"])
        logits = predict(self.reader, self.held_out, at_once, lambda share: self.watch.check())
        measured = scores.brief(self.held_out.labels, logits)
        value = measured[self.plan.metric]
        self._point(**{f"eval_{name}": number for name, number in measured.items()})
        self.watch.told(f"epoch {at.epoch}: " + ", ".join(f"{name} {number:.4f}" for name, number in measured.items()))
        if self.plan.better(value, at.best):
            at.best, at.best_epoch, at.measured = value, at.epoch, measured
            self.best = {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}
        at.values.append(value)
        return self.goes_on(at.values)

    def _point(self, **figures: float) -> None:
        if not self.world.first:
            return
        at = self.progress
        epoch = at.epoch + at.in_epoch / self.steps_per_epoch
        point = {"step": at.step, "of": self.steps, "epoch": round(epoch, 4), **figures}
        self.store.append(f"{self.place}/{CURVE}", json.dumps(point))
        self.watch.point(at.step, {"epoch": epoch, **figures})

    def _checkpoint(self, every_s: float) -> None:
        """Keep how far it is, if the last time is so long ago; the first process's clock decides."""
        if not self.world.same(time.monotonic() - self._kept_s >= every_s):
            return
        if self.world.first:
            checkpoints.keep(self.store, self.place, self.model, self.optimizer, self.progress, self.best)
        self.world.wait()
        self._kept_s = time.monotonic()

    def _resume(self) -> None:
        """Go on where the last whole checkpoint was left, if there is one."""
        name = checkpoints.last(self.store, self.place) if self.world.first else None
        name = self.world.same(name)
        if name is None:
            self.world.share_weights(self.model)
            return
        from safetensors.torch import load_file

        folder = self.store.folder(f"{self.place}/{checkpoints.FOLDER}/{name}")
        models.put(self.model, load_file(folder / "weights.safetensors"))
        self.best = load_file(folder / "best.safetensors") if (folder / "best.safetensors").is_file() else {}
        self.optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
        self.progress = Progress(**json.loads((folder / "progress.json").read_text(encoding="utf-8")))
        self.watch.told(f"goes on at step {self.progress.step} of {self.steps}, from a checkpoint")


def batches(rows: Rows, batch_rows: int, plan: Plan, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
    """The records of each step of an epoch: drawn anew, and those of like length together, which saves padding."""
    generator = np.random.default_rng((plan.seed, epoch))
    order = generator.permutation(len(rows))
    longest = np.maximum.reduceat(rows.lengths, rows.starts)
    cost = longest * np.minimum(rows.ends - rows.starts, plan.train_windows)
    found = []
    for start in range(0, len(order), _ALIKE * batch_rows):
        alike = order[start : start + _ALIKE * batch_rows]
        alike = alike[np.argsort(-cost[alike], kind="stable")]
        found += [alike[first : first + batch_rows] for first in range(0, len(alike), batch_rows)]
    yield from (found[number] for number in generator.permutation(len(found)))


def _groups(model: Any, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The weights by rate and decay: a new head learns faster than its encoder, and biases and norms do not decay."""
    encoder = getattr(model, getattr(model, "base_model_prefix", "") or "", None)
    known = {id(weight) for weight in encoder.parameters()} if isinstance(encoder, torch.nn.Module) else set()
    rate, factor = float(values["LEARNING_RATE"]), float(values["HEAD_FACTOR"]) if known else 1.0
    by_kind: dict[tuple[float, float], list[Any]] = {}
    for weight in model.parameters():
        if weight.requires_grad:
            highest = rate if id(weight) in known or not known else rate * factor
            decay = float(values["WEIGHT_DECAY"]) if weight.ndim > 1 else 0.0
            by_kind.setdefault((highest, decay), []).append(weight)
    if not by_kind:
        raise StepFailed("The model of load_model has no weight that learns: set requires_grad on some.")
    return [
        {"params": weights, "lr": highest, "highest": highest, "weight_decay": decay}
        for (highest, decay), weights in by_kind.items()
    ]


def _rate(schedule: str, step: int, steps: int, warmup_share: float) -> float:
    """The share of the highest learning rate at a step."""
    warmup = round(warmup_share * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if schedule == "constant":
        return 1.0
    done = (step - warmup) / max(1, steps - warmup)
    return 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def _class_weights(labels: npt.NDArray[np.int64], count: int, kind: str) -> torch.Tensor:
    """What a record of each label counts; 1 on average over the records."""
    if kind == "none":
        return torch.ones(count)
    rows = np.bincount(labels, minlength=count)
    return torch.tensor(len(labels) / (np.maximum(rows, 1) * count), dtype=torch.float32)
