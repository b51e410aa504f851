"""What a training tells while it runs, in lines and as a curve; loaded with transformers, at the first training."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerState, TrainingArguments

from tuning import curve

_LINES = 20
_QUIET_S = 60.0


class Progress(TrainerCallback):
    """Writes a line about every 5 % of the steps, every minute of a slow training, and for each evaluation."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._loss: dict[str, float] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        self._began_s = self._spoke_s = time.monotonic()
        self._began_step = self._spoke_step = state.global_step
        precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"
        rows = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        several = f", in {args.world_size} processes" if args.world_size > 1 else ""
        self._log(f"training begins: {state.max_steps} steps of {rows} rows in {precision}{several}")

    def on_log(self, args: TrainingArguments, state: TrainerState, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if state.is_world_process_zero:
            curve.add(Path(str(args.output_dir)), state.global_step, state.max_steps, state.epoch, logs)
        if "loss" in logs:
            self._loss = logs
            finished = state.global_step == state.max_steps
            if finished or (state.global_step - self._spoke_step) * _LINES >= state.max_steps:
                self._speak(state)
        elif "eval_loss" in logs:
            self._log(f"evaluation at step {state.global_step}: {_figures(logs, 'eval_')}")

    def on_step_end(self, _: TrainingArguments, state: TrainerState, *__: Any, **___: Any) -> None:
        if time.monotonic() - self._spoke_s > _QUIET_S:
            self._speak(state)

    def _speak(self, state: TrainerState) -> None:
        now = time.monotonic()
        self._spoke_s, self._spoke_step = now, state.global_step
        steps_done = max(1, state.global_step - self._began_step)
        left_s = (now - self._began_s) / steps_done * (state.max_steps - state.global_step)
        figures = f", {_figures(self._loss)}" if self._loss else ""
        epoch = f", epoch {state.epoch:.2f}" if state.epoch is not None else ""
        self._log(f"step {state.global_step} of {state.max_steps}{figures}{epoch}, {duration(left_s)} left")


def duration(seconds: float) -> str:
    """`seconds` for people: 8 s, 2 min 05 s, 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _figures(logs: dict[str, float], prefix: str = "") -> str:
    words = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.3f}", "f1_macro": "F1 macro {:.3f}"}
    words["learning_rate"] = "learning rate {:.2e}"
    return ", ".join(text.format(logs[prefix + key]) for key, text in words.items() if prefix + key in logs)
