"""The step tuning: training repeated with changed hyperparameters, through the same code; the best trial's model stays.

Loads torch, so it is imported where the first step needs it and nowhere else.
"""

import json
import statistics
from collections.abc import Callable, Mapping
from typing import Any

from experiment import space
from experiment.checkpoints import Progress
from experiment.errors import StepFailed
from experiment.learning import GoesOn, Plan
from experiment.settings import Settings
from experiment.storage import Store
from experiment.world import World

FILE = "trials.jsonl"

Trial = dict[str, Any]
"""number, state (done, pruned), changes, values (the metric after each epoch), best, best_epoch, seconds, measured."""


class Search:
    """Which trial comes next, and what those before came to. In several processes the first decides for all."""

    def __init__(self, settings: Settings, store: Store, place: str, world: World) -> None:
        self.settings, self.store, self.name, self.world = settings, store, f"{place}/{FILE}", world
        self.kind = settings.get("tuning.SEARCH")
        self.axes = space.axes(settings.section("space"))
        self.seed = settings.get("experiment.SEED")
        self.plan = Plan.of(settings)
        self.trials: list[Trial] = self._known()
        self._grid = list(space.grid(self.axes)) if self.kind == "grid" else []
        self.count = len(self._grid) or int(settings.get("tuning.TRIALS"))
        self._study: Any = None
        self._asked: Any = None

    def next(self) -> tuple[int, dict[str, Any]] | None:
        """The number of the next trial and what it changes; None when there is none."""
        number = len(self.trials) + 1
        if number > self.count:
            return None
        return number, self.world.same(self._changes(number) if self.world.first else None)

    def goes_on(self, values: list[float]) -> bool:
        """Whether a trial with these values after its epochs is worth another: of PRUNE, the median decides."""
        if not self.settings.get("tuning.PRUNE"):
            return True
        others = [trial["values"][len(values) - 1] for trial in self.trials if len(trial["values"]) >= len(values)]
        if len(others) < 2:
            return True
        return not self.plan.better(statistics.median(others), values[-1])

    def add(self, trial: Trial) -> None:
        """Keep what a trial came to."""
        self.trials.append(trial)
        if self.world.first:
            self.store.append(self.name, json.dumps(trial))
            if self._asked is not None:
                self._study.tell(self._asked, trial["best"])

    def best(self) -> Trial | None:
        """The best trial so far."""
        found: Trial | None = None
        for trial in self.trials:
            if found is None or self.plan.better(trial["best"], found["best"]):
                found = trial
        return found

    def _changes(self, number: int) -> dict[str, Any]:
        if self.kind == "grid":
            return self._grid[number - 1]
        if self.kind == "random":
            return space.drawn(self.axes, number, self.seed)
        self._study = self._study or self._optuna()
        self._asked = self._study.ask()
        return {axis.name: axis.suggest(self._asked) for axis in self.axes}

    def _optuna(self) -> Any:
        """A study that knows of all trials that are done."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        direction = "minimize" if self.plan.metric == "loss" else "maximize"
        # By the number of trials: after a crash it must not suggest again what it suggested first.
        seed, first = self.seed + len(self.trials), min(5, self.count // 2)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=first)
        study = optuna.create_study(direction=direction, sampler=sampler)
        distributions = {axis.name: axis.distribution() for axis in self.axes}
        for trial in self.trials:
            study.add_trial(optuna.trial.create_trial(
                params=trial["changes"], distributions=distributions, value=trial["best"]
            ))  # fmt: skip
        return study

    def _known(self) -> list[Trial]:
        """The trials of a step that was interrupted; a last line that a crash cut short is none."""
        content = (self.store.read(self.name) or b"").decode("utf-8", "replace")
        found = []
        for line in content.splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
        if content and not content.endswith("\n"):
            lines = "".join(json.dumps(trial) + "\n" for trial in found)
            self.store.write(self.name, lines.encode())
        return found


def run(search: Search, train: Callable[[int, Plan, GoesOn], Progress],
        keep: Callable[[], None], told: Callable[[str], None]) -> Trial:  # fmt: skip
    """All trials; `train` does one, `keep` puts its model in the best one's place. The best trial."""
    while (found := search.next()) is not None:
        number, changes = found
        plan = Plan.of(search.settings, changes)
        told(f"trial {number} of {search.count}: {_shown(changes)}")
        progress = train(number, plan, search.goes_on)
        assert progress.best is not None  # noqa: S101 - every training has an epoch
        pruned = progress.epoch < int(plan.values["EPOCHS"]) and not search.goes_on(progress.values)
        trial: Trial = {
            "number": number, "state": "pruned" if pruned else "done", "changes": changes, "values": progress.values,
            "best": progress.best, "best_epoch": progress.best_epoch, "seconds": round(progress.seconds, 3),
            "measured": progress.measured,
        }  # fmt: skip
        known = search.best()
        if known is None or search.plan.better(trial["best"], known["best"]):
            keep()  # before the line that says so: a crash between the two repeats the trial, and loses nothing
        search.add(trial)
        told(f"trial {number}: {search.plan.metric} {trial['best']:.4f} after epoch {trial['best_epoch']}")
    best = search.best()
    if best is None:
        raise StepFailed("There was no trial: set TRIALS to 1 or more.")
    told(f"the best is trial {best['number']}: {_shown(best['changes'])}")
    return best


def _shown(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in changes.items())  # fmt: skip
