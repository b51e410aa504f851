"""How a running training is stopped by a message and keeps checkpoints; the same decision in each of its processes."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from tuning import disk
from tuning.errors import Cancelled
from tuning.runs import WHOLE

CHECKPOINT_S = 300.0


class Steering(TrainerCallback):
    """Looks after each step whether the training is to stop, and saves a checkpoint every five minutes.

    A `save_strategy` that the request names takes the place of the five minutes.
    """

    def __init__(self, stop_asked: Callable[[], bool | None], own_saves: bool) -> None:
        self._stop_asked = stop_asked
        self._own_saves = own_saves
        self.stopped_at: int | None = None
        """The step after which the training was stopped and kept."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._saved_s = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        asked = self._stop_asked()
        due = self._own_saves and time.monotonic() - self._saved_s > CHECKPOINT_S
        stop, keep, save = _agreed(args, asked is not None, bool(asked), due)
        if stop and not keep:
            raise _cancelled(state)
        if stop:
            self.stopped_at = state.global_step
            control.should_training_stop = True
        elif save:
            self._saved_s = time.monotonic()
            control.should_save = True
        return control

    def on_prediction_step(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        if args.world_size == 1 and self._stop_asked() is False:
            raise _cancelled(state)

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir() and not args.save_only_model:
            for path in sorted(folder.iterdir()):
                disk.sync(path)
            disk.write(folder / WHOLE, "")


def saves_of_its_own(arguments: TrainingArguments, given: bool) -> bool:
    """Whether the training saves checkpoints by the clock: it was `given` no other way."""
    return not given and arguments.save_strategy == SaveStrategy.NO


def _agreed(args: TrainingArguments, *decisions: bool) -> list[bool]:
    """What any of the training's processes decided; all have to do the same, or they would wait for each other."""
    if args.world_size == 1:
        return list(decisions)
    together = torch.tensor([float(decision) for decision in decisions], device=args.device)
    torch.distributed.all_reduce(together, op=torch.distributed.ReduceOp.MAX)
    return [bool(decision) for decision in together.tolist()]


def _cancelled(state: TrainerState) -> Cancelled:
    return Cancelled(
        f"The training was cancelled at step {state.global_step} of {state.max_steps}. Nothing was saved; send it "
        "again to begin anew."
    )


def parent_lives(parent: int) -> bool:
    """Whether the process that started this training is still there."""
    try:
        os.kill(parent, 0)
    except ProcessLookupError:
        return False
    return True
