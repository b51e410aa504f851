"""The labels of a model that is served elsewhere, over the Open Inference Protocol."""

import json
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import requests

from sentiment.errors import BadSetting, ModelFailed
from sentiment.options import Options

_CONNECT_S = 5.0
_READY_S = 5.0
_KEPT_S = 30.0


class RemoteModel:
    """A model by its address, as http://serving/v2/models/NAME. Threads may share it.

    The server cuts texts at the model's own length (`truncation`): nobody else has to know it. The key of
    `EVERGREEN_API_KEY` goes along if there is one.
    """

    def __init__(self, options: Options) -> None:
        self._url = options.model_url.rstrip("/")
        if not self._url.startswith(("http://", "https://")):
            raise BadSetting("model_url is no address: give that of a model, as http://serving:8000/v2/models/NAME.")
        self._timeout = (_CONNECT_S, options.model_timeout_s)
        self._own = threading.local()

    def __call__(self, texts: list[str]) -> Sequence[Any]:
        """A label for each text. Raises `ModelFailed`."""
        asked = {
            "inputs": [
                {"name": "input", "shape": [len(texts)], "datatype": "BYTES", "data": texts},
                {"name": "truncation", "shape": [1], "datatype": "BOOL", "data": [True]},
            ]
        }
        try:
            with self._session().post(f"{self._url}/infer", json=asked, timeout=self._timeout) as answer:
                if answer.status_code != 200:
                    raise ModelFailed(f"{self._url} answers {answer.status_code}: {answer.text[:300]}")
                told = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ModelFailed(f"{self._url} gives no answer ({error}): start it, or correct model_url.") from error
        return _labels(told)

    def ready(self) -> bool:
        """Whether the server says that the model takes requests."""
        try:
            with self._session().get(f"{self._url}/ready", timeout=_READY_S) as answer:
                return bool(answer.status_code == 200)
        except requests.RequestException:
            return False

    def _session(self) -> requests.Session:
        """This thread's connection, for a while: a Service chooses among its servers when one is made."""
        session: requests.Session | None = getattr(self._own, "session", None)
        if session is None or time.monotonic() - self._own.since_s > _KEPT_S:
            if session:
                session.close()
            session = self._own.session = requests.Session()
            self._own.since_s = time.monotonic()
            session.trust_env = False  # neither a proxy nor a netrc of the environment
            if key := os.environ.get("EVERGREEN_API_KEY"):
                session.headers["Authorization"] = f"Bearer {key}"
        return session


def _labels(told: Any) -> Sequence[Any]:
    """The labels in an answer: the tensor `label`, with `score` if it is there; else `output`, one JSON text each.

    Only the latter can say that a text failed."""
    try:
        tensors = {one["name"]: one["data"] for one in told["outputs"]}
        if None not in tensors.get("label", [None]):
            scores = tensors.get("score") or [None] * len(tensors["label"])
            return [{"label": one, "score": score} for one, score in zip(tensors["label"], scores, strict=True)]
        return [json.loads(one) for one in tensors["output"]]
    except (TypeError, KeyError, ValueError) as error:
        raise ModelFailed(
            f"The answer has neither an output `label` nor one `output` of JSON ({error!r}): ask a model that "
            "classifies texts, by the Open Inference Protocol."
        ) from error
