"""Ray Serve: one replica, batches by its decorator."""

import os
import time
from typing import Any

import ray
from peers import classifier
from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class Sentiment:
    def __init__(self) -> None:
        self._classify = classifier.make()

    @serve.batch(max_batch_size=classifier.BATCH, batch_wait_timeout_s=classifier.BATCH_WAIT_S)
    async def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        return self._classify(texts)  # type: ignore[no-any-return]

    async def __call__(self, request: Request) -> dict[str, Any]:
        return await self.predict((await request.json())["inputs"])  # type: ignore[no-any-return]


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Replica and proxy are actors; what they may use is decided by the affinity that they inherit, not by this number.
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=str(classifier.FOLDER))
    serve.start(http_options={"host": "127.0.0.1", "port": classifier.PORT})
    serve.run(Sentiment.bind(), route_prefix="/predict")
    while True:
        time.sleep(3600)
