"""Components of the tests of the application API: what answers without a model."""

# No `from __future__ import annotations` here: iop reads the annotations of handlers.
import time

from iop import BusinessOperation, handler

import msg


class Labels(BusinessOperation):
    """Answers as a classifier does, and does what it is told."""

    @handler(msg.MLRequest)
    def on_ml_request(self, request: msg.MLRequest) -> msg.MLResponse:
        inputs = request.inputs
        if inputs == "raise":
            raise ValueError("it was asked to raise")
        if inputs == "sleep":
            time.sleep(1.5)
        texts = inputs if isinstance(inputs, list) else [inputs]
        if getattr(request, "top_k", 1) == 2:
            found = [[{"label": "good", "score": 0.75}, {"label": "bad", "score": 0.25}] for _ in texts]
        else:
            found = [{"label": "good" if "good" in text else "bad", "score": 0.75} for text in texts]
        self.log_info(f"labelled {len(texts)}")
        return msg.MLResponse(output=found if isinstance(inputs, list) else found[0])


class Search(BusinessOperation):
    """Finds what it is asked for."""

    @handler(msg.SearchRequest)
    def on_search_request(self, request: msg.SearchRequest) -> msg.MLResponse:
        return msg.MLResponse(output=[{"title": request.query, "limit": request.limit, "filter": request.filter}])


class Tuner(BusinessOperation):
    """Trains nothing, and tells its steps as a training does."""

    @handler(msg.TrainRequest)
    def on_train_request(self, request: msg.TrainRequest) -> msg.MLResponse:
        for step in range(1, 4):
            self.log_info(f"step {step} of 3")
            time.sleep(0.2)
        return msg.MLResponse(output={"verdict": "better"}, note=request.table)

    @handler(msg.OverrideRequest)
    def on_override_request(self, request: msg.OverrideRequest) -> msg.MLResponse:
        return msg.MLResponse(output={"promoted": "labels"})

    @handler(msg.HistoryRequest)
    def on_history_request(self, request: msg.HistoryRequest) -> msg.MLResponse:
        return msg.MLResponse(output=[{"limit": request.limit}])
