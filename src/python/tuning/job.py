"""One training from request to report: check, read, evaluate the old model, train, evaluate the new one, save."""

import platform
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import paths
from tuning import dataset, metrics, registry, request, table

if TYPE_CHECKING:
    from tuning.trainer import Classifier

DEFAULT_SEED = 42

# accelerate and the random generators keep their state once per process, so two trainings would mix.
_training = threading.Lock()


class Report(TypedDict):
    """What a training did and what came of it; JSON-safe, and saved beside the candidate."""

    verdict: str
    """One sentence: better, worse or not distinguishable, by how much, on how many rows."""
    outcome: str
    """"better", "worse" or "not distinguishable"."""
    old_metrics: dict[str, Any]
    """Of the champion on the held-out rows (see `metrics.measure`); `note` if its head is untrained."""
    new_metrics: dict[str, Any]
    """Of the candidate, on the same rows."""
    model: str
    candidate: str
    """The candidate's folder."""
    labels: list[str]
    rows: dict[str, Any]
    """table, columns, read, skipped (reason -> rows), train, held_out."""
    seed: int
    steps: int
    arguments: dict[str, Any]
    """The training arguments, given and chosen; the others are transformers' defaults. Secrets are masked."""
    notes: list[str]
    """A sentence for each old name of an argument that was translated or left out."""
    versions: dict[str, str]
    duration_s: float


def train(
    connection: table.Connection,
    model_root: str | Path,
    model_name: str,
    num_labels: int | str,
    fields: Mapping[str, object],
    log: Callable[[str], None],
) -> Report:
    """Train the champion `model_name` on rows of a SQL table and save the outcome as its candidate.

    `fields` are those of a TrainRequest; values may be text. `log` is called with a line at a
    time, from this thread. A second training waits for the first. The champion is not changed.
    Raises a `TuningError`, `paths.PathNotAllowed`, or the database driver's own error.
    """
    began_s = time.monotonic()
    root = paths.from_container(str(model_root))
    labels = request.whole_number("num_labels", num_labels, at_least=2)
    asked = request.parse(fields, root)
    with registry.champion(root, model_name, log):
        pass  # there is one: nothing else needs to be read to say so
    for note in asked.notes:
        log(note)
    data, rows = _read(connection, asked, labels, log)
    if not _training.acquire(blocking=False):
        log("Another training is running: this one waits for it.")
        _training.acquire()
    try:
        return _train(root, model_name, asked, data, rows, log, began_s)
    finally:
        _training.release()


def _read(
    connection: table.Connection, asked: request.Request, num_labels: int, log: Callable[[str], None]
) -> tuple[dataset.Dataset, dict[str, Any]]:
    source = table.find_table(connection, asked.table)
    columns = [source.column(asked.label_column), source.column(asked.text_column)]
    rows = table.read_rows(connection, source, columns, asked.limit, _seed(asked))
    data = dataset.prepare(rows, num_labels, asked.train_share, _seed(asked))
    described: dict[str, Any] = {"table": str(source), "columns": columns, "read": data.rows_read}
    described |= {"skipped": data.skipped, "train": len(data.train), "held_out": len(data.held_out)}
    named = f"{data.label_names[0]} to {data.label_names[-1]}"
    skipped = "".join(f", {count} skipped ({reason})" for reason, count in data.skipped.items())
    drawn = ", drawn at random" if asked.limit else ""
    log(
        f"{data.rows_read} rows of {source} read{drawn}{skipped}: "
        f"{len(data.train)} to train on, {len(data.held_out)} held out; labels {named}."
    )
    if not data.stratified:
        log("Some label has too few rows for a stratified split: the rows were split at random.")
    return data, described


def _train(
    root: Path,
    name: str,
    asked: request.Request,
    data: dataset.Dataset,
    rows: dict[str, Any],
    log: Callable[[str], None],
    began_s: float,
) -> Report:
    from tuning import trainer

    with registry.champion(root, name, log) as folder:
        classifier = trainer.load(folder, data.label_names, _seed(asked))
    note = _note(classifier, data.label_names)
    if note:
        log(note)
    encoded, held_out = trainer.Encoded(classifier, data.train), trainer.Encoded(classifier, data.held_out)
    keywords = trainer.suited(asked.arguments, asked.output_dir, encoded, classifier.model.config)
    arguments = trainer.training_arguments(keywords)
    old_logits = trainer.predict(classifier, held_out, arguments)
    old_metrics = metrics.measure(data.held_out.labels, old_logits, data.label_names)
    log(f"old model on {len(held_out)} held-out rows: accuracy {old_metrics['accuracy']:.3f}")
    steps = trainer.fit(classifier, encoded, held_out, arguments, log)
    new_logits = trainer.predict(classifier, held_out, arguments)
    outcome, verdict = metrics.verdict(data.held_out.labels, old_logits, new_logits)
    report = Report(
        verdict=verdict,
        outcome=outcome,
        old_metrics=old_metrics | ({"note": note} if note else {}),
        new_metrics=metrics.measure(data.held_out.labels, new_logits, data.label_names),
        model=name,
        candidate=str(registry.places(root, name).candidate),
        labels=list(data.label_names),
        rows=rows,
        seed=_seed(asked),
        steps=steps,
        arguments={key: "***" if key.endswith("_token") else value for key, value in keywords.items()},
        notes=list(asked.notes),
        versions=_versions(),
        duration_s=round(time.monotonic() - began_s, 2),
    )
    registry.save_candidate(root, name, classifier.save, dict(report))
    log(f"{verdict} Saved as {report['candidate']} after {report['duration_s']:.0f} s.")
    return report


def _seed(asked: request.Request) -> int:
    return int(str(asked.arguments.get("seed", DEFAULT_SEED)))


def _note(classifier: "Classifier", names: tuple[str, ...]) -> str:
    """What one must know to read the old model's metrics; "" if nothing."""
    if classifier.untrained:
        return (
            f"The old model's classification head is untrained ({', '.join(classifier.untrained)} are new): "
            "its metrics are those of chance."
        )
    if classifier.old_names != names:
        return f"The old model calls its labels {', '.join(classifier.old_names)}: they are compared by position."
    return ""


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "tokenizers", "accelerate", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
