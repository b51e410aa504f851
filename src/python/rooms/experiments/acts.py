"""What can be done with experiments, through the items that do it; what there is to read is read from their folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import experiment
import paths
from irislite.actor import acting
from irislite.director import Director
from rooms import items
from rooms.errors import NobodyCan, told_as_ours
from rooms.items import Done
from rooms.models import acts as models
from tuning import places

PROCESS, OPERATION = "ExperimentProcess", "ExperimentOperation"
REQUEST = "msg.ExperimentRequest"
ANSWER_TIMEOUT_S = 180.0  # to validate, a tiny forward pass is made, which loads the libraries
_FOLDER = "src/experiments"


@dataclass(frozen=True)
class Place:
    """Where the experiments are, and who becomes what their winners are candidates of."""

    root: Path
    model_name: str
    """"" if the item's settings name none."""
    models: Path


@dataclass(frozen=True)
class Deployed:
    """What became of a run's model: `candidate_id` if it waits for its promotion, `answers` if it is the champion."""

    model_name: str
    candidate: str = ""
    """The name of the candidate, where it is of this run: EXP-3333-longformer-run_1-MiniLM."""
    candidate_id: str = ""
    answers: str = ""


def place(director: Director) -> Place:
    """Where the item of the production keeps its experiments. Raises `NobodyCan`."""
    settings = items.settings(items.at_work(director, OPERATION))
    path = settings.get("path", "").strip() or _FOLDER
    own = settings.get("model_path", "").strip()
    models = paths.from_container(own) if own else paths.model_root()
    return Place(paths.from_container(path), settings.get("candidate_of", "").strip(), models)


def folder(director: Director, name: str) -> Path:
    """The folder of an experiment. Raises `Refused` for what is no name of one, or where there is none."""
    with told_as_ours():
        found = place(director).root / experiment.checked_name(name, "an experiment")
        if not (found / "settings.ini").is_file():
            raise experiment.RunUnknown(f"There is no experiment {name!r}: make it, or choose another.")
        return found


def new(director: Director, name: str, table: str, columns: str) -> Done:
    """Make the folder of an experiment."""
    return _ask(director, {"action": "new", "experiment": name, "table": table, "columns": columns})


def validate(director: Director, name: str) -> list[str]:
    """What is wrong with an experiment, a sentence each."""
    return [str(one) for one in _ask(director, {"action": "validate", "experiment": name}).output["problems"]]


def start(director: Director, name: str) -> Done:
    """Start a run; its session is that of all its steps."""
    folder(director, name)
    item = items.at_work(director, PROCESS)
    session_id = items.tell(director, item.name, REQUEST, {"experiment": name, "by": acting.get().name})
    return Done(item.name, session_id, {"note": f"{item.name} begins."})


def failure(director: Director, session_id: int) -> str | None:
    """Why a start has failed; "" if it has not so far, None once it is over without a failure."""
    headers = director.store.session(session_id)
    for header in headers:
        if header.is_error:
            return header.error_text
    first = next((header for header in headers if header.id == session_id), None)
    return "" if first is not None and not first.corresponding_message_id else None


def cancel(director: Director, name: str, run: int) -> Done:
    """Stop a run."""
    return _ask(director, {"action": "cancel", "experiment": name, "run": run})


def hand_over(director: Director, name: str, run: int, model: str = "") -> Done:
    """Make the winner of a run, or another model of it, a candidate."""
    return _ask(director, {"action": "candidate", "experiment": name, "run": run, "model": model})


def promote(director: Director, name: str, run: int, expect: str) -> Done:
    """Let the candidate of a run be the champion; `expect` is the candidate's id, as it was shown."""
    found = deployed(director, name, run)
    if not found.candidate_id or found.candidate_id != expect:
        raise NobodyCan(f"No such model of run {run} of {name} waits as a candidate any more: hand it over again.")
    return models.promote(director, found.model_name, expect)


def deployed(director: Director, name: str, run: int) -> Deployed:
    """Whether a model of this run is the candidate or the champion of the model that winners are for."""
    here = place(director)
    if not here.model_name:
        return Deployed("")
    with told_as_ours():
        at = places.places(here.models, here.model_name)
    waits, answers = places.report(at.candidate), places.report(at.champion)

    def of_run(report: Mapping[str, Any]) -> str:
        return str(report.get("name", "")) if (report.get("experiment"), report.get("run")) == (name, run) else ""

    candidate = of_run(waits)
    identity = str(waits.get("candidate_id", "")) if candidate else ""
    return Deployed(here.model_name, candidate, identity, of_run(answers))


def _ask(director: Director, fields: Mapping[str, Any]) -> Done:
    item = items.at_work(director, OPERATION)
    return items.ask(director, item.name, REQUEST, fields, ANSWER_TIMEOUT_S)
