"""What an operator does with a model: download, promote, take back, stop a training, try; through its item."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paths
from inference import trial
from inference.downloads import Download, Downloads, folder_name
from irislite.actor import acting
from irislite.director import Director
from irislite.eventlog import LogType
from irislite.views import ItemState
from rooms import items
from rooms.errors import NobodyCan, told_as_ours
from rooms.items import Done
from rooms.models import shelf
from tuning import places

ANSWER_TIMEOUT_S = 120.0
_ASKS = "msg.MLRequest"


@dataclass(frozen=True)
class Tried:
    """What a model answered. Without an item there is no session: it was loaded for this one question."""

    item: str
    session_id: int
    output: Any
    note: str
    images: list[dict[str, Any]]


def promote(director: Director, name: str, expect: str) -> Done:
    """Put the candidate into the champion's place; `expect` is the candidate's id, so that no other one is promoted."""
    return _tell_tuner(director, name, "msg.OverrideRequest", {"expect": expect} if expect else {})


def roll_back(director: Director, name: str) -> Done:
    """Put the previous model back into its place."""
    return _tell_tuner(director, name, "msg.RollbackRequest", {})


def stop_training(director: Director, name: str, keep_best: bool) -> Done:
    """Ask the training at work to stop at its next step."""
    return _tell_tuner(director, name, "msg.CancelRequest", {"keep_best": keep_best})


def ask(director: Director, name: str, task: str, fields: Mapping[str, Any]) -> Tried:
    """What the model answers to a request's fields: by an item that runs it, else loaded for this one question."""
    model = shelf.find(director, name)
    item = next((use.item for use in model.uses if use.answers), "")
    if item:
        found = items.ask(director, item, _ASKS, fields, ANSWER_TIMEOUT_S)
        images = [image for image in found.body.get("images") or [] if isinstance(image, dict)]
        return Tried(item, found.session_id, found.output, found.note, images)
    with told_as_ours():
        answer = trial.ask(paths.model_root(), name, task or model.entry.task, fields)
    director.eventlog.add(LogType.INFO, f"{name} was tried for {acting.get().name or 'the runtime'}.", "Models", "ask")
    return Tried("", 0, answer["output"], answer["note"], answer["images"])


def download(director: Director, address: str, name: str) -> Download:
    """Begin to bring a model; the names that the folders of trainings have for themselves are refused."""
    with told_as_ours():
        places.places(paths.model_root(), folder_name(address, name))
        return downloads(director).start(address, name)


def _tell_tuner(director: Director, name: str, classname: str, fields: Mapping[str, Any]) -> Done:
    tuners = [use for use in shelf.uses(director).get(name, ()) if use.how == "tunes"]
    if not tuners:
        raise NobodyCan(
            f"No item of the production tunes {name}: give a TuningOperation the setting model_name={name}, then ask "
            "again."
        )
    item = next((use.item for use in tuners if use.state == ItemState.RUNNING), tuners[0].item)
    return items.ask(director, item, classname, fields, ANSWER_TIMEOUT_S)


_guard = threading.Lock()
_downloads: dict[Director, Downloads] = {}


def downloads(director: Director) -> Downloads:
    """The downloads into the folder of models; the engine's log hears how they end."""
    with _guard:
        if director not in _downloads:
            _downloads.clear()  # one engine runs in a process; another one's are over

            def log(line: str) -> None:
                director.eventlog.add(LogType.INFO, line, "Models", "download")

            _downloads[director] = Downloads(paths.model_root(), log)
        return _downloads[director]
