"""The business operations: thin hosts over `inference` and `tuning`."""

# No `from __future__ import annotations` here: iop reads the annotations of handlers.
import base64
import os
from typing import Any

import iris
from iop import BusinessOperation, handler, setting

import inference.endpoint
import inference.pipeline
import msg
import paths
import tuning
from inference.answer import Answer

# torch's threads spin at their barriers unless told otherwise, before it is loaded; a second busy process on the same
# cores then slows a training many times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# What iop itself sets on an instance; everything else that is set and not declared is an option.
_IOP_ATTRIBUTES = frozenset({"iris_handle", "DISPATCH", "Adapter", "adapter", "logger", "log_to_console"})


class HFOperation(BusinessOperation):
    """Calls a model that is hosted elsewhere, over HTTP."""

    timeout = setting("60", description="Seconds to wait for the hosted model's answer.")

    @handler(msg.HFRequest)
    def on_hf_request(self, request: msg.HFRequest) -> msg.MLResponse:
        """Post the payload to the address with the key, and answer what came back."""
        if request.api_key and not request.api_key.strip("*"):
            raise ValueError("The key of this message was not kept, as no key ever is: send the message again with it.")
        answer = inference.endpoint.post(
            request.api_url, request.payload, request.api_key, timeout_s=float(self.timeout), log=self.log_info
        )
        return _response(answer)


class MLOperation(BusinessOperation):
    """Runs a local model. A setting that is not declared here goes to the transformers pipeline."""

    name = setting("", required=True, description="The model's folder, as it is called in src/model.")
    task = setting("", required=True, description="The pipeline's task, as in text-classification.")
    model_url = setting("", description="Where the folder is downloaded from if it is not there.")
    path = setting("", description="The folder that holds the model folders; the default is src/model.")

    def on_init(self) -> None:
        self._model = inference.pipeline.open(
            self.name,
            self.task,
            path=self.path or None,
            model_url=self.model_url or None,
            options=_options(self),
            log=self.log_info,
            warn=self.log_warning,
        )

    def on_tear_down(self) -> None:
        inference.pipeline.close(self._model)

    @handler(msg.MLRequest)
    def on_ml_request(self, request: msg.MLRequest) -> msg.MLResponse:
        """Run the model on the request's fields."""
        return _response(inference.pipeline.run(self._model, _fields(request), log=self.log_info))


class TuningOperation(BusinessOperation):
    """Tunes a model on the rows of a SQL table, and promotes the outcome when it is told to."""

    path = setting("", description="The folder that holds the model folders; the default is src/model.")
    model_name = setting("", required=True, description="The folder of the model to tune.")
    num_labels = setting("2", required=True, description="How many labels there are.")

    def on_init(self) -> None:
        self._root = paths.from_container(self.path) if self.path else paths.model_root()
        for line in tuning.recover(self._root, self.model_name):
            self.log_warning(line)

    @handler(msg.TrainRequest)
    def on_train_request(self, request: msg.TrainRequest) -> msg.MLResponse:
        """Train on the table's rows; the answer holds the metrics of the old and the new model."""
        connection = iris.dbapi.connect()
        try:
            report = tuning.train(
                connection, self._root, self.model_name, self.num_labels, _fields(request), self.log_info
            )
        finally:
            connection.close()
        return msg.MLResponse(output=dict(report), note=report["verdict"])

    @handler(msg.OverrideRequest)
    def on_override_request(self, _request: msg.OverrideRequest) -> msg.MLResponse:
        """Move the model of the last training into its place."""
        promotion = tuning.promote(self._root, self.model_name)
        name = promotion.model
        line = f"{name} is now the model of the last training; the one before is kept as previous-{name}."
        self.log_info(line)
        return msg.MLResponse(output={"promoted": name, "report": promotion.report}, note=line)


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


def _response(answer: Answer) -> msg.MLResponse:
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
    return msg.MLResponse(output=answer.output, images=images, note=answer.note)
