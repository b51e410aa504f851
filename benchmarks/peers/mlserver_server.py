"""MLServer with a runtime of our own for the model, and its adaptive batching."""

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from peers import classifier


class Sentiment(MLModel):
    async def load(self) -> bool:
        self._classify = classifier.make()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        found = self._classify(StringCodec.decode_input(payload.inputs[0]))
        labels = StringCodec.encode_output("labels", [one["label"] for one in found])
        return InferenceResponse(model_name=self.name, outputs=[labels])
