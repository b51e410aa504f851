"""BentoML with its adaptive batching: the wait is learnt from the times that batches take."""

from typing import Any

import bentoml
from peers import classifier


@bentoml.service(workers=1, traffic={"timeout": 120, "max_concurrency": 256})
class Sentiment:
    def __init__(self) -> None:
        self._classify = classifier.make()

    @bentoml.api(batchable=True, max_batch_size=classifier.BATCH, max_latency_ms=60_000, route="/predict")
    def predict(self, inputs: list[str]) -> list[dict[str, Any]]:
        return self._classify(inputs)  # type: ignore[no-any-return]
