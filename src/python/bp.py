"""The business processes: what takes several messages, and in which order."""

# No `from __future__ import annotations` here: iop reads the annotations of handlers.
import json
from typing import Any, ClassVar

from iop import BusinessProcess, handler, setting, target

import msg
import sentiment

_ANSWER = "answer"
_TOLD = ("seconds", "reused", "metrics", "launcher")  # of a step's record; all of it is in the answer of the step


class ExperimentProcess(BusinessProcess):
    """Runs an experiment: a message for each step, the comparison, and the winner as a candidate.

    After a crash, or a stop in the middle, the message at hand is handled again, and its step goes on where it was.
    """

    Experiments = target("Python.ExperimentOperation", description="The item that does the steps.")

    PERSISTENT_PROPERTY_LIST: ClassVar[list[str]] = ["run", "left"]
    run: int = 0
    left: str = "[]"

    @handler(msg.ExperimentRequest)
    def on_experiment_request(self, request: msg.ExperimentRequest) -> None:
        """Begin with the first step; what is no start is answered by the item that does the steps."""
        self.run, self.left = 0, "[]"
        if request.action == "start":
            self._send(request, "validation")
        else:
            self.send_request_async(self.Experiments, request, request.action, _ANSWER)

    def on_response(
        self,
        request: Any,
        response: Any,
        _call_request: Any,
        call_response: Any,
        completion_key: str,
    ) -> Any:
        """Send the step after the one that was done; the answer grows with each."""
        if completion_key == _ANSWER:
            return call_response
        done = call_response.output
        so_far = response.output if response else {"experiment": request.experiment, "steps": {}}
        if done.get("cancelled"):
            return msg.MLResponse(output={**so_far, "run": self.run, "cancelled": True}, note=call_response.note)
        if completion_key == "validation":
            self.run, self.left = done["number"], json.dumps([*done["steps"], "comparison", "candidate"])
            answer = {**so_far, "run": self.run}
        elif completion_key in ("comparison", "candidate"):
            answer = {**so_far, completion_key: done}
        else:
            told = {name: done[name] for name in _TOLD if name in done}
            answer = {**so_far, "steps": {**so_far["steps"], completion_key: told}}
        if left := json.loads(self.left):
            self.left = json.dumps(left[1:])
            self._send(request, left[0])
        notes = [response.note if response else "", call_response.note]
        kept = notes if completion_key in ("comparison", "candidate") else notes[:1]
        return msg.MLResponse(output=answer, note=" ".join(filter(None, kept)))

    def _send(self, request: msg.ExperimentRequest, step: str) -> None:
        message = msg.ExperimentStep(request.experiment, step, self.run or None, request.candidate_of, request.by)
        self.send_request_async(self.Experiments, message, f"{request.experiment}: {step}", step)


class SentimentProcess(BusinessProcess):
    """Lets a model label the posts of a batch, and has them delivered. See docs/sentiment.md."""

    model = target("Python.MLOperation", description="The item whose model labels: a text-classification.")
    delivery = target("Python.SentimentDelivery", description="The item that publishes what was labelled.")
    positive = setting("", description="The model's labels that mean 1, with commas; empty: guessed by their names.")
    timeout = setting("120", description="Seconds to wait for the model, and for the delivery.")

    def on_init(self) -> None:
        self._polarity = sentiment.Polarity(sentiment.Options.parse({"positive": self.positive}).positive)

    @handler(msg.SentimentRequest)
    def on_sentiment_request(self, request: msg.SentimentRequest) -> msg.SentimentResponse:
        """Label a batch and deliver it; the answer comes when it is published."""
        batch = sentiment.batch_of(request.texts) if request.texts else sentiment.Batch.from_dict(request.batch)
        labelled = sentiment.label_batch(batch, self._labels, self._polarity)
        delivery = msg.DeliverRequest(labelled=labelled.as_dict())
        answer: msg.SentimentResponse = self._asked(self.delivery, delivery, len(batch.posts))
        return answer

    def _labels(self, texts: list[str]) -> list[Any]:
        """What the model says of each text; it cuts what is too long for it."""
        request = msg.MLRequest()
        request.__dict__.update(inputs=texts, truncation=True)
        output: list[Any] = self._asked(self.model, request, len(texts)).output
        return output

    def _asked(self, item: str, request: Any, posts: int) -> Any:
        return self.send_request_sync(item, request, float(self.timeout), f"{posts} posts")
