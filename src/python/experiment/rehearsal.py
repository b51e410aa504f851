"""All of a run on two records, before anything costs: the user's functions one after the other, and a forward pass.

Loads torch, so it is imported where a run begins and nowhere else.
"""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from experiment import bases, preparation, reconciliation
from experiment.errors import ExperimentError
from experiment.functions import FILE, Config, Functions
from experiment.reading import Reader
from experiment.settings import Problem, Settings
from experiment.storage import Store
from experiment.world import World

_LOOKED_AT = 200  # records, to find two labels among
_CHARACTERS = 2_000  # of a text


def rehearse(
    settings: Settings, functions: Functions, store: Store, config: Config, collected: Path | None
) -> Iterator[Problem]:
    """What goes wrong with two records; nothing if all is well. They are those of `reconcile`, or of `collected`."""
    try:
        source = functions.reconcile(config) if collected is None else reconciliation.read(collected)
        records, labels = _two(source, settings)
    except ExperimentError as error:
        yield Problem(0, "", str(error))
        return
    if len(records) < 2:
        yield Problem(0, "", "reconcile gave fewer than two records with text and label: see to [data].")
        return
    prepares = settings.get("steps.RUN_PREPARATION")
    learns = settings.get("steps.RUN_TRAINING") or settings.get("steps.RUN_TUNING")
    told: set[str] = set()
    for model in settings.models if prepares else []:
        try:
            base = bases.find(settings, model, store)
            about = {"model_name": model, "model_folder": base.folder(store), "layers": base.layers}
            _pass(functions, config.of(labels=tuple(labels), **about), records, learns)
        except ExperimentError as error:
            if str(error) not in told:  # one mistake, and not one for each model
                told.add(str(error))
                yield Problem(0, "", f"{FILE}, tried with {model} on two records: {error}")


def _two(source: Iterable[Any], settings: Settings) -> tuple[list[dict[str, Any]], list[str]]:
    """Two records, of two labels if there are two among the first ones; and two labels."""
    found: list[dict[str, Any]] = []
    gathering = reconciliation.Gathering(settings)
    for number, record in enumerate(itertools.islice(source, _LOOKED_AT), start=1):
        kept = gathering.take(record, number)
        if kept is None or (len(found) == 2 and kept["label"] == found[0]["label"]):
            continue
        found = [*found[:1], {**kept, "text": kept["text"][:_CHARACTERS], "row": min(len(found), 1)}]
        if len(found) == 2 and found[0]["label"] != found[1]["label"]:
            break
    labels = sorted({record["label"] for record in found})
    return found, labels if len(labels) > 1 else [*labels, "another label"]


def _pass(functions: Functions, config: Config, records: list[dict[str, Any]], learns: bool) -> None:
    """Encode, load, and ask once."""
    names = ("id", "text", "label", "row")
    batch = {name: [record.get(name, number) for number, record in enumerate(records)] for name in names}
    features = functions.get_dataset_features(config)
    columns = preparation.encoded(functions, config, features, batch)
    preparation.table_of(columns, features.arrow_schema)
    if not learns:
        return
    model = functions.load_model(config).eval()
    keys = functions.ordered_model_input_keys(config)
    reader = Reader(model, keys, len(config.labels), World(), torch.float32, "mean")
    with torch.inference_mode():
        reader.windows({name: values[:2] for name, values in columns.items()})
