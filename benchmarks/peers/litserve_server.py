"""LitServe: one worker; BENCH_BATCH=1 for no batches."""

from typing import Any

import litserve
from peers import classifier


class Sentiment(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002 - it is called so
        self._classify = classifier.make()

    def decode_request(self, request: dict[str, Any]) -> str:
        return request["inputs"]  # type: ignore[no-any-return]

    def predict(self, texts: Any) -> Any:
        return self._classify(texts) if isinstance(texts, list) else self._classify([texts])[0]

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    wait_s = classifier.BATCH_WAIT_S if classifier.BATCH > 1 else 0.0
    api = Sentiment(max_batch_size=classifier.BATCH, batch_timeout=wait_s)
    server = litserve.LitServer(api, accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=classifier.PORT, log_level="error", generate_client_file=False)
