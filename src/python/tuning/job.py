"""One training from request to report: check, read, train, evaluate the old model and the new one, save."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paths
from tuning import card, curve, launch, metrics, places, registry, request, runs, source, table, warming
from tuning.cache import Cache, digest
from tuning.dataset import Dataset
from tuning.errors import BadRequest, Cancelled, TrainingFailed
from tuning.report import Report, now, versions

if TYPE_CHECKING:
    from tuning.classifier import Classifier
    from tuning.encoding import Encoded
    from tuning.trainer import Fitted

DEFAULT_SEED = 42
Log = Callable[[str], None]


def train(
    connection: table.Connection,
    model_root: str | Path,
    model_name: str,
    num_labels: int | str,
    fields: Mapping[str, object],
    log: Log,
    spent: Callable[[], Mapping[str, Any]] | None = None,
    bear: Callable[[float], None] = lambda cpu_s: None,
) -> Report:
    """Train the champion `model_name` on rows of a SQL table and save the outcome as its candidate.

    `fields` are those of a TrainRequest; values may be text. `log` is called with a line at a time, from this
    thread; `spent` says what the work cost until then, and `bear` takes the seconds of processor time of processes
    that were started for it. A second training waits for the first. The champion is not
    changed. Raises a `TuningError` (`Cancelled` when a message stopped it), `paths.PathNotAllowed`, or the database
    driver's own error.
    """
    began_s = time.monotonic()
    root = paths.from_container(str(model_root))
    labels = request.whole_number("num_labels", num_labels, at_least=1)
    warming.load()
    asked_fields = _completed(root, model_name, fields)
    asked = request.parse(asked_fields, root)
    with registry.champion(root, model_name, log) as folder:
        known = _label_names(folder)
    for note in asked.notes:
        log(note)
    seed = _seed(asked)
    data = source.read(connection, asked, labels, seed=seed, task=asked.training.task, known=known, log=log)
    for line in data.lines():
        log(line)
    with runs.turn(root, model_name, log) as run:
        return _Job(root, model_name, asked, asked_fields, data, run, log, bear).work(began_s, spent)


class _Job:
    """A training whose turn it is."""

    def __init__(
        self,
        root: Path,
        name: str,
        asked: request.Request,
        fields: Mapping[str, object],
        data: Dataset,
        run: runs.Run,
        log: Log,
        bear: Callable[[float], None],
    ) -> None:
        self._root, self._name, self._asked, self._fields = root, name, asked, fields
        self._data, self._run, self._log, self._bear = data, run, log, bear
        self._options, self._seed = asked.training, _seed(asked)
        self._cache = Cache(root / ".cache-tuning")
        self._notes = list(asked.notes)

    def work(self, began_s: float, spent: Callable[[], Mapping[str, Any]] | None) -> Report:
        run, data = self._run, self._data
        with registry.champion(self._root, self._name, self._log) as champion:
            run.take(champion)
        base = places.read(run.base).id
        classifier = self._load()
        note = _note(classifier, data.label_names)
        if note:
            self._log(note)
        train, held_out = self._encode(classifier)
        keywords, unfinished = self._plan(classifier, train, base)
        if keywords.get("load_best_model_at_end"):
            self._notes.append(
                "The held-out rows also chose the best model of the evaluations: its metrics flatter it a little."
            )
        with self._recorded(keywords, base, unfinished) as checkpoint:
            fitted, old, new = self._fit(classifier, train, held_out, keywords, checkpoint)
            report = self._report(base, held_out, old, new, fitted, keywords)
            report["old_metrics"] |= {"note": note} if note else {}
            report["resumed_from_step"] = _step(checkpoint)
            report["duration_s"] = round(time.monotonic() - began_s, 2)
            report["energy"] = dict(spent()) if spent else None
            report["candidate_id"] = registry.save_candidate(
                self._root, self._name, lambda folder: _save(classifier, folder, report), dict(report)
            )
        self._log(f"{report['verdict']} Saved as {report['candidate']} after {report['duration_s']:.0f} s.")
        return report

    def _load(self) -> "Classifier":
        from tuning import classifier

        return classifier.load(self._run.base, self._data.label_names, self._seed, self._options.task)

    def _encode(self, classifier: "Classifier") -> "tuple[Encoded, Encoded]":
        from tuning.encoding import encode

        run = self._run
        train, held_out = (
            encode(classifier, examples, run.base, self._cache, run.check)
            for examples in (self._data.train, self._data.held_out)
        )
        return train, held_out

    def _plan(
        self, classifier: "Classifier", train: "Encoded", base: str
    ) -> tuple[dict[str, Any], runs.Unfinished | None]:
        """The keywords of this training, and the unfinished one that it goes on with."""
        from tuning import trainer

        self._options = trainer.with_head_rate(self._options, classifier, self._asked.arguments)
        checkpoints = self._asked.output_dir / f"{self._name}-{self._run.id}"
        keywords = trainer.suited(self._asked.arguments, self._options, checkpoints, train, classifier.model.config)
        found = runs.resumable(self._run, self._same(keywords, base), self._options.resume)
        if found is not None:
            keywords["output_dir"] = str(found.checkpoints)
            self._log(f"Going on with the training that began at {found.began}, from {found.progress}.")
        return keywords, found

    def _same(self, keywords: Mapping[str, Any], base: str) -> runs.Plan:
        left_out = {"output_dir", *(name for name in keywords if name.endswith("_token"))}
        arguments = {name: value for name, value in keywords.items() if name not in left_out}
        options = asdict(replace(self._options, resume=None))
        text = json.dumps([arguments, options, self._data.label_names], sort_keys=True, default=str)
        return runs.Plan(data=self._data.sha256, base=base, arguments=digest([text]))

    @contextmanager
    def _recorded(
        self, keywords: Mapping[str, Any], base: str, unfinished: runs.Unfinished | None
    ) -> Iterator[Path | None]:
        """Written down while it lasts; the checkpoint to begin from. Both stay when a checkpoint outlives a failure."""
        checkpoints = Path(keywords["output_dir"])
        plan = self._same(keywords, base)
        self._run.record(plan, self._fields, checkpoints)
        if unfinished is not None:
            unfinished.record.unlink(missing_ok=True)
            shutil.rmtree(unfinished.record.with_name(f"base-{unfinished.id}"), ignore_errors=True)
        keep = False
        try:
            yield unfinished.checkpoint if unfinished else None
            keep = "save_strategy" in self._asked.arguments
            self._forget_others()
            self._run.over(None if keep else checkpoints)
        except (Cancelled, BadRequest, TrainingFailed):
            self._run.over(checkpoints)
            raise
        finally:
            left = next((one for one in runs.records(self._run) if one.id == self._run.id), None)
            if left is not None and left.checkpoint is None:
                self._run.over(checkpoints)

    def _forget_others(self) -> None:
        for other in runs.records(self._run):
            if other.id != self._run.id:
                self._log(f"The unfinished training that began at {other.began} is given up: this one is complete.")
                other.forget()

    def _fit(
        self,
        classifier: "Classifier",
        train: "Encoded",
        held_out: "Encoded",
        keywords: Mapping[str, Any],
        checkpoint: Path | None,
    ) -> "tuple[Fitted, Any, Any]":
        """What came of the training, and what the old and the new model say of the held-out rows."""
        from tuning import steering, trainer

        options, run = self._options, self._run
        arguments = trainer.training_arguments(keywords)
        own_saves = steering.saves_of_its_own(arguments, "save_strategy" in self._asked.arguments)
        control = steering.Steering(run.stop_asked, own_saves)
        if options.method == "head":
            return trainer.fit_head(
                classifier, train, held_out, arguments, options, self._log, control, self._cache, run.check, checkpoint
            )
        if options.processes > 1:
            fitted = launch.fit(
                run, classifier, train, held_out, keywords, options, self._seed, own_saves, self._log, checkpoint,
                self._bear,
            )  # fmt: skip
        else:
            fitted = trainer.fit(classifier, train, held_out, arguments, options, self._log, control, checkpoint)
        new = trainer.predict(classifier, held_out, arguments)
        return fitted, trainer.predict(self._load(), held_out, arguments), new

    def _report(
        self, base: str, held_out: "Encoded", old: Any, new: Any, fitted: "Fitted", keywords: Mapping[str, Any]
    ) -> Report:
        data, task = self._data, self._options.task
        labels, lengths = held_out.truths()
        arguments = {key: "***" if key.endswith("_token") else value for key, value in keywords.items()}
        if self._options.head_learning_rate is not None:
            arguments["head_learning_rate"] = self._options.head_learning_rate

        def measured(outputs: Any) -> dict[str, Any]:
            return metrics.measure(labels, outputs, data.label_names, task=task, lengths=lengths)

        compared = metrics.compare(labels, old, new, data.label_names, task=task, lengths=lengths, seed=self._seed)
        return Report(
            verdict=compared.verdict,
            outcome=compared.outcome,
            difference=compared.difference,
            old_metrics=measured(old),
            new_metrics=measured(new),
            model=self._name,
            candidate=str(places.places(self._root, self._name).candidate),
            candidate_id="",
            base=base,
            labels=list(data.label_names),
            rows=data.described(),
            data=data.sha256,
            method=self._options.method,
            task=task,
            seed=self._seed,
            steps=fitted.steps,
            curve=curve.read(Path(keywords["output_dir"])),
            stopped=f"by a message, at step {fitted.stopped_at}" if fitted.stopped_at is not None else None,
            resumed_from_step=None,
            arguments=arguments,
            notes=self._notes,
            versions=versions(),
            created=now(),
            duration_s=0.0,
            energy=None,
        )


def _completed(root: Path, name: str, fields: Mapping[str, object]) -> dict[str, object]:
    """The fields that were given; `resume` without a source of rows means those of the unfinished training."""
    given = {key: value for key, value in fields.items() if value is not None}
    asks = str(given.get("resume", "")).strip().casefold() in {"true", "1"}
    if asks and not any(given.get(key) for key in request.SOURCES):
        found = [one for one in runs.unfinished(root, name) if one.checkpoint is not None]
        if not found:
            raise BadRequest("There is no unfinished training to go on with. Send a request with columns and table.")
        return {**found[0].fields, "resume": True}
    return given


def _save(classifier: "Classifier", folder: Path, report: Report) -> None:
    classifier.save(folder)
    (folder / places.CARD).write_text(card.text(report), encoding="utf-8")


def _label_names(champion: Path) -> tuple[str, ...]:
    """What the champion calls its labels, by id; () if its configuration does not say."""
    try:
        names = json.loads((champion / "config.json").read_text(encoding="utf-8")).get("id2label") or {}
        return tuple(str(names[key]) for key in sorted(names, key=int))
    except ValueError:  # the model is loaded later, and its loading says what is wrong with it
        return ()


def _step(checkpoint: Path | None) -> int | None:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else None


def _seed(asked: request.Request) -> int:
    return int(str(asked.arguments.get("seed", DEFAULT_SEED)))


def _note(classifier: "Classifier", names: tuple[str, ...]) -> str:
    """What one must know to read the old model's metrics; "" if nothing."""
    if classifier.untrained:
        return (
            f"The old model's classification head is untrained ({', '.join(classifier.untrained)} are new): "
            "its metrics are those of chance."
        )
    if names and classifier.old_names != names:
        return f"The old model calls its labels {', '.join(classifier.old_names)}: they are compared by position."
    return ""
