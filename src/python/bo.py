"""The business operations: thin hosts over `inference` and `tuning`."""

# No `from __future__ import annotations` here: iop reads the annotations of handlers.
import base64
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import iris
from iop import BusinessOperation, controls, handler, setting

import inference.library
import inference.pipeline
import msg
import paths
import tuning
from energy import Meter, unavailable
from energy.meter import turned_on
from inference import effort
from inference.answer import Answer
from inference.errors import InferenceError
from inference.hosted.hosting import Hosting
from inference.hosted.rules import ALLOWED_HOSTS, ROUTER
from settings import typed

# torch's threads spin at their barriers unless told otherwise, before it is loaded; a second busy process on the same
# cores then slows a training many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_ENERGY = "false: answers do not say what they cost. See docs/energy.md."
_COUNTRY = "The ISO code of the country whose electricity this is, for carbon; wants the package codecarbon."
_FACTOR = "Grams of CO2 equivalent per kWh of your electricity; empty: by energy_country, or the world's average."

# What iop itself sets on an instance; everything else that is set and not declared is an option.
_IOP_ATTRIBUTES = frozenset({"iris_handle", "DISPATCH", "Adapter", "adapter", "logger", "log_to_console"})

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
        return _response(self._hosting.call(_fields(request), vault=_credential, log=self.log_info), self._cost)


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
    calibration = setting("", description="A file with texts like yours, one a line, for the backend openvino-int8.")
    shadow_percent = setting(
        "0", description="The percentage of requests that the candidate answers too, for the record: docs/promotion.md."
    )
    energy = setting("true", description=_ENERGY)
    energy_country = setting("", description=_COUNTRY)
    grid_gco2_per_kwh = setting("", description=_FACTOR)

    def on_init(self) -> None:
        self._meter = _meter(self)
        self._shadow = tuning.Shadow(
            paths.from_container(self.path) if self.path else paths.model_root(),
            self.name,
            self.shadow_percent,
            self.task,
            _engine(_options(self)),
            self.log_warning,
            item=self.iris_handle._ConfigName,
        )
        with self._meter.measure("auto") as spent, effort.borne_by(spent):
            self._model = inference.pipeline.open(
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
            )

    def on_tear_down(self) -> None:
        self._shadow.close()
        inference.pipeline.close(self._model)

    @classmethod
    def examples(cls, settings: Any) -> dict[type, dict[str, Any]]:
        """The request that a test page starts from, for an item of these settings."""
        known, task = msg.MLRequest.EXAMPLES, settings.get("task", "")
        fitting = (example for name, example in known.items() if task.startswith(name))
        return {msg.MLRequest: next(fitting, msg.MLRequest.EXAMPLE)}

    @handler(msg.MLRequest)
    def on_ml_request(self, request: msg.MLRequest) -> msg.MLResponse:
        """Run the model on the request's fields."""
        with self._meter.measure(self._model.device) as spent, effort.borne_by(spent):
            answer = inference.pipeline.run(self._model, _fields(request), log=self.log_info)
        self._shadow.offer(_fields(request), answer.output, self.iris_handle._SessionId)
        return _response(answer, spent.result)


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
        self._meter = _meter(self)
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
                )
        except tuning.Cancelled as cancelled:  # somebody wanted it so: no failure
            self.log_warning(str(cancelled))
            return msg.MLResponse(output={"cancelled": self.model_name}, note=str(cancelled), energy=spent.result)
        finally:
            connection.close()
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
        engine = _engine({"num_labels": self.num_labels})
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


def _credential(name: str) -> str | None:
    """The password of an entry of IRIS's credentials; None where there is none, or no IRIS."""
    try:
        entry = iris.cls("Ens.Config.Credentials")._OpenId(name)
    except LookupError:  # irislite has no credentials: environment variables take their place
        return None
    return str(entry.Password) if entry else None


def _asked(host: Any) -> tuple[str, str]:
    """Who sent the message at hand (the item, and the user of a test page), and which message it is."""
    header = getattr(host.iris_handle, "_RequestHeader", None)
    if not header:
        return "", ""
    description = f" ({header.Description})" if header.Description else ""
    return f"{header.SourceConfigName}{description}", f"{header._Id()} of {header.TimeCreated}"


def _engine(options: dict[str, Any]) -> tuning.Engine:
    """How champion and candidate are run beside the items that answer: with torch, and not kept in memory."""

    def opened(folder: Path, task: str) -> inference.pipeline.Model:
        chosen = {**options, "backend": "torch"}
        return inference.pipeline.open(folder.name, task, path=str(folder.parent), options=chosen)

    def closed(model: inference.pipeline.Model) -> None:
        inference.pipeline.close(model)
        if not model.users:
            inference.pipeline.unload(model)

    return tuning.Engine(
        open=opened,
        ask=lambda model, fields: inference.pipeline.run(model, fields).output,
        close=closed,
        failures=(InferenceError, paths.PathNotAllowed),
    )


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


def _meter(host: Any) -> Meter:
    """What measures the work of an item, as its settings say."""
    return Meter.parse(
        energy=host.energy, country=host.energy_country, factor=host.grid_gco2_per_kwh, log=host.log_info
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
    return msg.MLResponse(output=answer.output, images=images, note=answer.note, parts=parts, energy=cost)
