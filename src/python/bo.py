"""The business operations: thin hosts over the features."""

# No `from __future__ import annotations` here: iop reads the annotations of handlers.
import base64
import os
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar, cast

import iris
from iop import BusinessOperation, controls, handler, setting
from iop.messages.serialization import serialize_message

import experiment
import handover
import inference.bundled
import inference.isolation
import inference.library
import inference.newitem
import inference.pipeline
import inference.source
import msg
import paths
import search
import sentiment
import streamlink
import tuning
from energy import Meter, book, unavailable
from energy.meter import turned_on
from inference import effort, streaming
from inference.answer import Answer
from inference.hosted.hosting import Hosting
from inference.hosted.rules import ALLOWED_HOSTS, ROUTER
from settinglines import typed

# torch's threads spin at their barriers unless told otherwise, before it is loaded; a second busy process on the same
# cores then slows a training many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ENERGY = "false: answers do not say what they cost. See docs/energy.md."
_COUNTRY = "The ISO code of the country whose electricity this is, for carbon; wants the package codecarbon."
_FACTOR = "Grams of CO2 equivalent per kWh of your electricity; empty: by energy_country, or the world's average."

_TEXT_MODEL = "The model for titles and descriptions: bundled (MiniLM), or a folder in src/model; empty: none."

_WithImages = TypeVar("_WithImages", msg.MLResponse, msg.SearchResponse)

# torch's random generators are the process's: of two trainings at a time neither would come to what it comes to alone.
_stepping = threading.Lock()

# What iop itself sets on an instance; everything else that is set and not declared is an option.
_IOP_ATTRIBUTES = frozenset({"iris_handle", "DISPATCH", "Adapter", "adapter", "logger", "log_to_console"})

# What the book of energy keeps of a training's report.
_ABOUT_TRAINING = ("method", "task", "data", "rows", "steps", "outcome", "candidate_id")

# The settings of MLOperation that say where and how a model runs.
_PLACEMENT = ("backend", "device", "dtype", "batch_size", "max_wait_ms", "calibration")


class HFOperation(BusinessOperation):
    """Calls a model that is hosted elsewhere, over HTTP. See docs/hosted.md."""

    timeout = setting("60", description="Seconds to wait for the model's whole answer; a message may say its own.")
    failure_timeout = setting(
        "120", description="Seconds from the first try within which a busy or loading model is called again; 0: never."
    )
    credential = setting(
        "",
        control=controls.credentials(),
        description="The named key of messages that carry none: an entry of IRIS's credentials, or HF_TOKEN_NAME.",
    )
    allowed_hosts = setting(ALLOWED_HOSTS, description="The hosts that may be called, and that the key may be sent to.")
    router = setting(ROUTER, description="Where models are called by name; another speaks the same protocol.")
    rewrite_old_host = setting("true", description="false refuses api-inference.huggingface.co, which is closed.")
    energy = setting("true", description=_ENERGY)

    def on_init(self) -> None:
        self._hosting = Hosting.parse(
            timeout=self.timeout,
            failure_timeout=self.failure_timeout,
            allowed_hosts=self.allowed_hosts,
            credential=self.credential,
            router=self.router,
            rewrite_old_host=self.rewrite_old_host,
        )
        self._cost = (
            unavailable("a hosted model: what it costs is known to its provider") if turned_on(self.energy) else None
        )

    @handler(msg.HFRequest)
    def on_hf_request(self, request: msg.HFRequest) -> msg.MLResponse:
        """Ask the model at `api_url`, or the one named `model`, and answer what came back."""
        if request.api_key and not request.api_key.strip("*"):
            raise ValueError("The key of this message was not kept, as no key ever is: send the message again with it.")
        answer = self._hosting.call(_fields(request), vault=_credential, log=self.log_info, pause=_pause(self))
        if self._cost is not None:
            book.of().add(self.iris_handle._ConfigName, request.model, book.ANSWER, self._cost)
        return _response(answer, self._cost)


class MLOperation(BusinessOperation):
    """Runs a local model. A setting that is not declared here goes to the transformers pipeline."""

    name = setting("", required=True, description="The model's folder, as it is called in src/model.")
    task = setting("", required=True, description="The pipeline's task, as in text-classification.")
    model_url = setting("", description="Where the folder is downloaded from if it is not there: see docs/models.md.")
    repo_id = setting("", description="The same for a model of the hub, as owner/name.")
    revision = setting("", description="The branch, tag or commit of the hub that is wanted; empty: main.")
    allow_pickle = setting("false", description="true converts weights at download that can run code; only if trusted.")
    path = setting("", description="The folder that holds the model folders; the default is src/model.")
    backend = setting(
        "auto",
        description="What computes: auto (measures, keeps the fastest that agrees), torch, torch-bf16, openvino or "
        "openvino-int8; see docs/inference.md.",
    )
    device = setting("auto", description="Where it computes: auto (a GPU if there is one), cpu, or cuda:0.")
    dtype = setting("", description="The number format, as in float32 or bfloat16; empty: what suits the backend.")
    batch_size = setting("", description="How many inputs run together at most; empty: as many as pay off; 1: none.")
    max_wait_ms = setting("0", description="Milliseconds that a request waits for company, at most.")
    isolation = setting(
        "auto",
        description="process runs the model in a process that all items with it share, none in this one; "
        "auto: process on IRIS, where every member is a process, none on irislite. See docs/inference.md.",
    )
    calibration = setting("", description="A file with texts like yours, one a line, for the backend openvino-int8.")
    shadow_percent = setting(
        "0", description="The percentage of requests that the candidate answers too, for the record: docs/promotion.md."
    )
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._runner = _runner(self.isolation)
        self._meter = _meter(self, self.name, book.ANSWER)
        self._shadow = tuning.Shadow(
            paths.from_container(self.path) if self.path else paths.model_root(),
            self.name,
            self.shadow_percent,
            self.task,
            handover.engine(_options(self)),
            self.log_warning,
            item=self.iris_handle._ConfigName,
        )
        with self._meter.measure("auto", apart=True) as spent, effort.borne_by(spent):
            self._model = self._runner.open(
                self.name,
                self.task,
                path=self.path or None,
                model_url=self.model_url or None,
                repo_id=self.repo_id or None,
                revision=self.revision or None,
                allow_pickle=typed(self.allow_pickle) is True,
                options=_options(self) | {name: value for name in _PLACEMENT if (value := getattr(self, name)) != ""},
                log=self.log_info,
                warn=self.log_warning,
                watch=_watch(self),
            )

    def on_tear_down(self) -> None:
        self._shadow.close()
        self._runner.close(self._model)
        book.of().write()

    @classmethod
    def examples(cls, settings: Any) -> dict[type, list[tuple[str, dict[str, Any]]]]:
        """The requests that a test page starts from, for an item of these settings: what each shows, and its fields."""
        known, task = msg.MLRequest.EXAMPLES, settings.get("task", "")
        fitting = [(label, example) for tasks, label, example in known if task.startswith(tasks)]
        return {msg.MLRequest: fitting or [("a text", msg.MLRequest.EXAMPLE)]}

    @classmethod
    def item_form(cls) -> dict[str, dict[str, Any]]:
        """What a new item is asked for, beside its name."""
        return {
            "model": {
                "help": "A folder in src/model, or an address of the hub, which is downloaded when the item starts.",
                "choices": inference.newitem.folders(),
            },
            "task": {"help": "What the model is to do: see docs/tasks.md.", "choices": inference.newitem.TASKS},
        }

    @classmethod
    def item_settings(cls, answers: Any) -> dict[str, str]:
        """The settings that the answers come to."""
        return inference.newitem.settings(answers["model"], answers["task"])

    @handler(msg.MLRequest)
    def on_ml_request(self, request: msg.MLRequest) -> msg.MLResponse:
        """Run the model on the request's fields."""
        with self._meter.measure(self._model.device) as spent, effort.borne_by(spent):
            answer = self._runner.run(self._model, _fields(request), log=self.log_info)
        self._shadow.offer(_fields(request), answer.output, self.iris_handle._SessionId)
        return _response(answer, spent.result)

    @handler(msg.StreamRequest)
    def on_stream_request(self, request: msg.StreamRequest) -> msg.MLResponse:
        """The same for a text that somebody reads while it is written."""
        with streaming.open_stream(paths.socket_root(), request.stream) as stream:
            with self._meter.measure(self._model.device) as spent, effort.borne_by(spent):
                answer = self._runner.run(self._model, request.request, log=self.log_info, pieces=stream.pieces)
            response = _response(answer, spent.result)
            stream.end(vars(response))
        return response


class TuningOperation(BusinessOperation):
    """Tunes a model on the rows of a SQL table, and promotes the outcome when it is told to."""

    path = setting("", description="The folder that holds the model folders; the default is src/model.")
    model_name = setting("", required=True, description="The folder of the model to tune.")
    num_labels = setting("2", required=True, description="How many labels there are.")
    model_url = setting("", description="Where the folder is downloaded from if it is not there: see docs/models.md.")
    repo_id = setting("", description="The same for a model of the hub, as owner/name.")
    revision = setting("", description="The branch, tag or commit of the hub that is wanted; empty: main.")
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._meter = _meter(self, self.model_name, book.TRAINING)
        self._root = paths.from_container(self.path) if self.path else paths.model_root()
        for line in (
            *tuning.recover(self._root, self.model_name),
            *tuning.unfinished(self._root, self.model_name),
        ):
            self.log_warning(line)
        tuning.warm()
        if self.model_url or self.repo_id:
            inference.library.find(
                self.model_name,
                path=self.path or None,
                model_url=self.model_url or None,
                repo_id=self.repo_id or None,
                revision=self.revision or None,
                log=self.log_info,
                warn=self.log_warning,
                watch=_watch(self),
            )

    @handler(msg.TrainRequest)
    def on_train_request(self, request: msg.TrainRequest) -> msg.MLResponse:
        """Train on the table's rows; the answer holds the metrics of the old and the new model."""
        connection = iris.dbapi.connect()
        try:
            with self._meter.measure("auto") as spent:
                report = tuning.train(
                    connection,
                    self._root,
                    self.model_name,
                    self.num_labels,
                    _fields(request),
                    self.log_info,
                    spent=spent.so_far if self._meter.on else None,
                    bear=spent.bear,
                )
        except tuning.Cancelled as cancelled:  # somebody wanted it so: no failure
            self.log_warning(str(cancelled))
            return msg.MLResponse(output={"cancelled": self.model_name}, note=str(cancelled), energy=spent.result)
        finally:
            connection.close()
        if spent.result is not None:
            told = {name: value for name, value in report.items() if name in _ABOUT_TRAINING}
            book.of().add_training(self.iris_handle._ConfigName, self.model_name, spent.result, told)
        return msg.MLResponse(output=dict(report), note=report["verdict"], energy=spent.result)

    @handler(msg.CancelRequest)
    def on_cancel_request(self, request: msg.CancelRequest) -> msg.MLResponse:
        """Stop the training that another member of this item's pool is busy with."""
        tuning.cancel(self._root, self.model_name, request.keep_best)
        line = f"The training of {self.model_name} stops at its next step."
        self.log_info(line)
        return msg.MLResponse(output={"cancelling": self.model_name, "keep_best": request.keep_best}, note=line)

    @handler(msg.OverrideRequest)
    def on_override_request(self, request: msg.OverrideRequest) -> msg.MLResponse:
        """Move the model of the last training into its place."""
        promotion = tuning.promote(self._root, self.model_name, _fields(request), *_asked(self))
        return self._changed(promotion, "promoted")

    @handler(msg.RollbackRequest)
    def on_rollback_request(self, _request: msg.RollbackRequest) -> msg.MLResponse:
        """Put the model before the last promotion back into its place."""
        return self._changed(tuning.roll_back(self._root, self.model_name, *_asked(self)), "rolled_back")

    @handler(msg.CompareRequest)
    def on_compare_request(self, request: msg.CompareRequest) -> msg.MLResponse:
        """Ask champion and candidate the same, or tell what the candidate said to live requests."""
        engine = handover.engine({"num_labels": self.num_labels})
        with closing(iris.dbapi.connect()) as connection:
            found = tuning.compare(self._root, self.model_name, _fields(request), engine, connection)
        return msg.MLResponse(output=dict(found), note=found["verdict"])

    @handler(msg.HistoryRequest)
    def on_history_request(self, request: msg.HistoryRequest) -> msg.MLResponse:
        """Tell the last promotions and rollbacks."""
        return msg.MLResponse(output=tuning.history_of(self._root, self.model_name, request.limit))

    def _changed(self, promotion: tuning.Promotion, act: str) -> msg.MLResponse:
        self.log_info(promotion.line)
        output = {act: promotion.model, "report": promotion.report, "history": dict(promotion.entry)}
        return msg.MLResponse(output=output, note=promotion.line)


class SearchOperation(BusinessOperation):
    """Finds books by describing their covers, or what they are about. See docs/search.md."""

    path = setting("src/books", description="The folder of the index: what Python.IndexOperation made.")
    model = setting("", required=True, description="The CLIP model of the index: its folder in src/model.")
    model_url = setting("", description="Where the folder is downloaded from if it is not there: see docs/models.md.")
    text_model = setting("", description=_TEXT_MODEL)
    allow_pickle = setting("false", description="true converts weights at download that can run code; only if trusted.")
    covers = setting("", description="The folder of covers, if they are not in the index's own.")
    database = setting("", description="Where the collection lies: empty for the index's folder, or Milvus's address.")
    collection = setting("books", description="The collection's name.")
    credential = setting("", control=controls.credentials(), description="The named token of Milvus.")
    device = setting("auto", description="Where a question is embedded: auto (a GPU if there is one), cpu, or cuda:0.")
    dtype = setting("auto", description="The number format: auto, float32 or bfloat16.")
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._meter = _meter(self, self.model, book.ANSWER)
        self._asker = search.opened(_index(self), _token(self))

    def on_tear_down(self) -> None:
        self._asker.close()

    @handler(msg.SearchRequest)
    def on_search_request(self, request: msg.SearchRequest) -> msg.SearchResponse:
        """The books that answer the question, the best first."""
        if unknown := _fields(request).keys() - msg.SearchRequest.__dataclass_fields__.keys():
            raise search.BadRequest(f"There is no {', '.join(sorted(unknown))} in a SearchRequest. Correct the name.")
        question = search.Question(
            text=request.query,
            picture=inference.source.read(request.image) if request.image else b"",
            like=request.like,
            over=request.over,
            limit=request.limit,
            filter=search.Filter.parse(request.filter),
        )
        with self._meter.measure("auto") as spent:
            found = self._asker.ask(question, thumbnails=request.thumbnails)
        return _found(found, spent.result)

    @handler(msg.EmbedRequest)
    def on_embed_request(self, request: msg.EmbedRequest) -> msg.MLResponse:
        """A unit vector for each text, then for each picture."""
        images = [inference.source.read(reference) for reference in request.images or []]
        with self._meter.measure("auto") as spent:
            vectors, model = self._asker.embed(request.texts or [], images, request.over)
        output = {"model": model, "dimension": vectors.shape[1], "vectors": vectors.tolist()}
        return msg.MLResponse(output=output, energy=spent.result)


class IndexOperation(BusinessOperation):
    """Makes and renews an index of books and their covers. See docs/search.md."""

    path = setting("src/books", description="The folder of the index: catalogue, finished parts, collection.")
    dump = setting("", required=True, description="Open Library's dump of editions: a file or folder, plain or gz.")
    authors = setting("", description="Open Library's dump of authors, for their names.")
    covers = setting(
        "",
        description="A folder of pictures or bulk zips, or the address of a server of covers; empty: the index's own.",
    )
    model = setting("", required=True, description="The CLIP model: its folder in src/model.")
    model_url = setting("", description="Where the folder is downloaded from if it is not there: see docs/models.md.")
    text_model = setting("", description=_TEXT_MODEL)
    allow_pickle = setting("false", description="true converts weights at download that can run code; only if trusted.")
    database = setting("", description="Where the collection lies: empty for the index's folder, or Milvus's address.")
    collection = setting("books", description="The collection's name.")
    credential = setting("", control=controls.credentials(), description="The named token of Milvus.")
    master = setting("local[*]", description="Spark's master; none does the work in this process, without Spark.")
    part_rows = setting("512", description="Books of a part, which is done once and never again after a crash.")
    limit = setting("0", description="So many books at most; 0: all.")
    language = setting("eng", description="The language of the books, as Open Library calls it; empty: all.")
    subjects = setting("fiction", description="Words of which a subject must have one; empty: all.")
    without = setting("nonfiction,juvenile,children,childrens", description="Words that no subject may have.")
    min_pages = setting("100", description="So many pages at least; 0: all.")
    min_year = setting("2010", description="Published in this year or later; 0: all.")
    recent_years = setting("0", description="Instead of min_year: how many years back from this one.")
    allow_cut = setting("false", description="true takes what there is of a dump that was not downloaded to its end.")
    connections = setting("4", description="How many covers are fetched at a time.")
    covers_by_isbn = setting("100", description="Covers fetched by ISBN in five minutes; Open Library allows 100.")
    covers_by_id = setting("3000", description="Covers fetched by cover id in five minutes.")
    device = setting("auto", description="Where covers are embedded: auto (a GPU if there is one), cpu, or cuda:0.")
    dtype = setting("auto", description="The number format: auto, float32 or bfloat16.")
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._meter = _meter(self, self.model, book.ANSWER)
        self._options = _index(self)

    @handler(msg.IndexRequest)
    def on_index_request(self, request: msg.IndexRequest) -> msg.MLResponse:
        """Start the job and answer with its report when it is over; or tell of the running one, or cancel it."""
        if request.action == "report":
            return msg.MLResponse(output=search.state(self._options))
        if request.action == "cancel":
            return msg.MLResponse(output={"cancelling": search.cancel(self._options)}, note="The job stops soon.")
        if request.action != "start":
            raise ValueError(f"There is no action {request.action!r}. Write start, report or cancel.")
        try:
            with self._meter.measure("auto") as spent:
                report = search.index(self._options, self.log_info, _token(self))
        except search.Cancelled as cancelled:  # somebody wanted it so: no failure
            self.log_warning(str(cancelled))
            return msg.MLResponse(output={"cancelled": True}, note=str(cancelled), energy=spent.result)
        return msg.MLResponse(output=report, energy=spent.result)


class ExperimentOperation(BusinessOperation):
    """Does the steps of experiments, tells of them, stops them, hands their winners over. See docs/experiment.md."""

    path = setting("src/experiments", description="The folder that holds the experiments' folders.")
    candidate_of = setting(
        "", description="The model whose candidate a winner becomes; empty: winners are handed over when it is asked."
    )
    model_path = setting("", description="The folder that holds the model folders; the default is src/model.")
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._root = paths.from_container(self.path)
        self._models = paths.from_container(self.model_path) if self.model_path else paths.model_root()
        self._meter = _meter(self, "experiments", book.TRAINING)

    @handler(msg.ExperimentRequest)
    def on_experiment_request(self, request: msg.ExperimentRequest) -> msg.MLResponse:
        """Tell of an experiment, make, check or stop it; what starts one is Python.ExperimentProcess."""
        folder = self._root / experiment.checked_name(request.experiment, "an experiment")
        if request.action == "new":
            return _new_experiment(folder, request)
        if request.action == "validate":
            with closing(iris.dbapi.connect()) as connection:
                problems = [str(one) for one in experiment.validate(folder, connection)]
            return msg.MLResponse(output={"problems": problems}, note=f"{len(problems)} problems.")
        if request.action == "status":
            runs = experiment.runs(folder)
            return msg.MLResponse(output={"runs": [run for run in runs if request.run in (None, run["number"])]})
        if request.action == "compare":
            found = experiment.comparison(folder, request.run)
            return msg.MLResponse(output=found, note=found["sentence"])
        if request.action == "cancel":
            number = experiment.cancel(folder, request.run)
            return msg.MLResponse(output={"cancelling": number}, note=f"Run {number} of {folder.name} stops soon.")
        if request.action == "candidate":
            return self._hand_over(folder, request.run, request.model, request.candidate_of)
        raise ValueError(
            f"There is no action {request.action!r} here. Write new, validate, status, compare, cancel or candidate; "
            "start is for Python.ExperimentProcess."
        )

    @handler(msg.ExperimentStep)
    def on_experiment_step(self, request: msg.ExperimentStep) -> msg.MLResponse:
        """Do a step of a run; one that was cut short goes on."""
        folder = self._root / experiment.checked_name(request.experiment, "an experiment")
        if request.step == "candidate":
            try:
                return self._hand_over(folder, request.run, "", request.candidate_of)
            except (experiment.ExperimentError, tuning.TuningError) as error:  # the run is done all the same
                self.log_warning(str(error))
                return msg.MLResponse(output={}, note=str(error))
        try:
            with closing(iris.dbapi.connect()) as connection, self._meter.measure("auto") as spent:
                output = _step(self, folder, request, connection, spent.bear)
        except experiment.Cancelled as cancelled:  # somebody wanted it so: no failure
            self.log_warning(str(cancelled))
            return msg.MLResponse(output={"cancelled": True}, note=str(cancelled), energy=spent.result)
        except experiment.ExperimentError as error:
            if request.run is not None:
                experiment.fail(folder, request.run, str(error))
            raise
        cost = self._booked(folder.name, request, output, spent.result)
        return msg.MLResponse(output=output, note=str(output.get("sentence") or ""), energy=cost)

    def _booked(self, name: str, request: msg.ExperimentStep, record: dict[str, Any], cost: Any) -> Any:
        """What a step cost; a training is written into the book by itself."""
        if cost is None or record.get("launcher") in ("sagemaker", "kubernetes"):
            return cost and unavailable("a job elsewhere: what it cost is known there")
        if request.step.startswith(("training/", "tuning/")) and not record.get("reused"):
            about = {"method": f"{name}, run {request.run}: {request.step}", "task": "text-classification"}
            about["data"] = record.get("inputs", {}).get("data", "")
            book.of().add_training(self.iris_handle._ConfigName, name, cost, about)
        return cost

    def _hand_over(self, folder: Path, run: int | None, model: str, candidate_of: str) -> msg.MLResponse:
        name = candidate_of or self.candidate_of
        if not name:
            return msg.MLResponse(output={}, note="Nothing says whose candidate the winner is to be: set candidate_of.")
        winner = experiment.winner(folder, run, model)
        records = experiment.test_records(folder, winner.run)
        engine = handover.engine({"num_labels": str(len(winner.labels))})
        handed = handover.hand_over(winner, self._models, name, engine, self.log_info, records)
        return msg.MLResponse(output=vars(handed), note=handed.line)


def _new_experiment(folder: Path, request: msg.ExperimentRequest) -> msg.MLResponse:
    columns = [part.strip() for part in request.columns.split(",")]
    if not request.table or len(columns) != 2:
        raise ValueError('A new experiment needs a table and its columns, the label first: "ReviewLabel,ReviewText".')
    source = experiment.Source(table=request.table, label_column=columns[0], text_column=columns[1])
    made = experiment.new(folder, source=source)
    return msg.MLResponse(output={"folder": str(made)}, note=f"Look through {made / 'settings.ini'}, then start it.")


def _step(
    host: Any, folder: Path, request: msg.ExperimentStep, connection: Any, bear: Callable[[float], None]
) -> dict[str, Any]:
    """What a step, the first, or the last, has to tell."""
    if request.step == "validation":
        by = request.by or _asked(host)[0]
        return experiment.start(folder, connection=connection, told=host.log_info, by=by).dict()
    run = request.run
    if run is None:
        raise ValueError(f"The step {request.step!r} needs the number of its run.")
    if request.step == "comparison":
        return experiment.finish(folder, run, told=host.log_info)
    pause = _pause(host)

    def stop_asked() -> bool:
        if pause is not None:
            pause(0.0)  # a stop of the item ends it here, and the message is handled again after the next start
        return False

    while not _stepping.acquire(timeout=0.5):
        stop_asked()
    before_s = _children_s()
    try:
        return experiment.run_step(
            folder, run, request.step, connection=connection, told=host.log_info, stop_asked=stop_asked
        )
    finally:
        bear(_children_s() - before_s)
        _stepping.release()


def _children_s() -> float:
    """Seconds of processor time of the processes that this one has started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


class SentimentDelivery(BusinessOperation):
    """Publishes labelled posts to Redis, keeps them there, and acknowledges them. See docs/sentiment.md."""

    redis_url = setting("redis://127.0.0.1:6379/0", description="Redis, without a password: that is a credential.")
    credential = setting(
        "", control=controls.credentials(), description="The named account of Redis; empty: REDIS_USERNAME, _PASSWORD."
    )
    prefix = setting("evergreen:sentiment", description="How the keys in Redis begin.")
    group = setting("labellers", description="The consumer group that the posts are acknowledged to.")
    max_deliveries = setting("3", description="Tries after which a post is a dead letter.")
    keep_results = setting("100000", description="Labelled posts that Redis keeps, the newest ones.")
    keep_dead = setting("100000", description="Dead letters that Redis keeps.")

    def on_init(self) -> None:
        chosen = streamlink.options(self)
        self._delivery = sentiment.Delivery(streamlink.link(self, chosen), chosen)

    @handler(msg.DeliverRequest)
    def on_deliver_request(self, request: msg.DeliverRequest) -> msg.SentimentResponse:
        """Publish what of a batch is not published yet; what could not be labelled comes again, or is laid aside."""
        labelled = sentiment.Labelled.from_dict(request.labelled)
        done = self._delivery.deliver_labelled(labelled)
        failed = [{"id": one.post.id, "reason": one.reason} for one in labelled.failures]
        for one in failed:
            self.log_warning(f"The post {one['id']} could not be labelled: {one['reason']}")
        return msg.SentimentResponse(published=done.published, already=done.already, failed=failed)


def _credential(name: str) -> str | None:
    """The password of a named entry of the engine's credentials; None where there is none, or no engine."""
    try:
        entry = iris.cls("Ens.Config.Credentials")._OpenId(name)
    except LookupError:  # no engine has the class: environment variables take their place
        return None
    return str(entry.Password) if entry else None


def _pause(host: Any) -> Callable[[float], object] | None:
    """How a host waits where a stop of its item may end that; None on IRIS, which waits for the host."""
    return getattr(host.iris_handle, "Pause", None)


def _watch(host: Any) -> Callable[[int, int], None] | None:
    """What lets a stop of the host's item end a download; what has come is there for the next."""
    pause = _pause(host)

    def look(_done_bytes: int, _total_bytes: int) -> None:
        if pause is not None:
            pause(0.0)

    return look if pause is not None else None


def _asked(host: Any) -> tuple[str, str]:
    """Who sent the message at hand (the item, and the user of a test page), and which message it is."""
    header = getattr(host.iris_handle, "_RequestHeader", None)
    if not header:
        return "", ""
    description = f" ({header.Description})" if header.Description else ""
    return f"{header.SourceConfigName}{description}", f"{header._Id()} of {header.TimeCreated}"


def _index(host: Any) -> search.Options:
    """The index that a host's settings describe; its models are brought if they are not there."""
    given = {name: value for name in search.SETTINGS if (value := getattr(host, name, None)) is not None}
    given |= _options(host)  # those of Spark; any other is refused
    for name in ("path", "dump", "authors", "covers", "database"):
        if (text := given.get(name)) and "://" not in text:
            given[name] = str(paths.from_container(text))
    given["model"] = inference.library.find(
        host.model,
        model_url=host.model_url or None,
        allow_pickle=typed(host.allow_pickle) is True,
        log=host.log_info,
        warn=host.log_warning,
        watch=_watch(host),
    )
    if host.text_model == "bundled":
        given["text_model"] = inference.bundled.original()
    elif host.text_model:
        given["text_model"] = inference.library.find(host.text_model, log=host.log_info)
    return search.Options.parse(given)


def _token(host: Any) -> str:
    """Milvus's token: of the item's credential, or of the environment."""
    return (_credential(host.credential) if host.credential else None) or os.environ.get("MILVUS_TOKEN", "")


def _found(found: list[Any], cost: dict[str, Any] | None) -> msg.SearchResponse:
    """The hits, and the covers that can be shown."""
    hits: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for one in found:
        hits.append({**vars(one.hit), "image": len(images) if one.thumbnail else None})
        if one.thumbnail:
            data = base64.b64encode(one.thumbnail).decode("ascii")
            images.append({"media_type": "image/jpeg", "data": data, "title": one.hit.title})
    return _shown(msg.SearchResponse(hits=hits, images=images, note=f"{len(hits)} books", energy=cost))


def _runner(isolation: str) -> Any:
    """The module that opens, runs and closes a model: in this process, or in one that is shared."""
    chosen = isolation.strip().lower()
    if chosen not in ("auto", "none", "process"):
        raise ValueError(f"isolation is {isolation!r}: set it to auto, none or process.")
    apart = chosen == "process" or (chosen == "auto" and "irislite" not in sys.modules)
    return inference.isolation if apart else inference.pipeline


def _fields(request: Any) -> dict[str, Any]:
    """What the user typed: `iop` adds `_iris_id`, and a dataclass its defaults for what was left out."""
    return {name: value for name, value in vars(request).items() if not name.startswith("_") and value is not None}


def _options(host: Any) -> dict[str, Any]:
    """The settings that the host's class does not declare."""
    declared = {row[0] for row in type(host)._get_properties()}
    return {
        name: value
        for name, value in vars(host).items()
        if not name.startswith("_") and name not in _IOP_ATTRIBUTES and name not in declared
    }


def _meter(host: Any, model: str, kind: book.Kind) -> Meter:
    """What measures the work of an item, as its settings say, and writes it into the book."""
    item = host.iris_handle._ConfigName

    def note(cost: dict[str, Any], apart: bool) -> None:
        book.of().add(item, model, book.ASIDE if apart else kind, cost)

    return Meter.parse(
        energy=host.energy, country=host.energy_country, factor=host.grid_gco2_per_kwh, log=host.log_info, note=note
    )


def _response(answer: Answer, cost: dict[str, Any] | None = None) -> msg.MLResponse:
    images = [
        {
            "media_type": picture.media_type,
            "data": base64.b64encode(picture.data).decode("ascii"),
            "width": picture.width,
            "height": picture.height,
            "title": picture.title,
        }
        for picture in answer.images
    ]
    parts = [
        {
            "media_type": part.media_type,
            "encoding": part.encoding,
            "data": base64.b64encode(part.data).decode("ascii"),
            "title": part.title,
        }
        for part in answer.parts
    ]
    return _shown(msg.MLResponse(output=answer.output, images=images, note=answer.note, parts=parts, energy=cost))


def _shown(response: _WithImages) -> _WithImages:
    """The answer; on IRIS, one with pictures in the class whose trace shows them, which Python reads as the same."""
    if not response.images:
        return response
    try:
        if not iris.cls("%Dictionary.CompiledClass")._ExistsId("PEX.Msg.ImageDisplay"):
            return response
    except LookupError:  # irislite has no classes to ask for, and its trace shows pictures by itself
        return response
    body, plain = iris.cls("PEX.Msg.ImageDisplay")._New(), serialize_message(response)
    body.classname, body.json = plain.classname, plain.json
    return cast(_WithImages, body)
