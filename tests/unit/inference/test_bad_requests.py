"""Some hundred requests that nobody would send; `benchmarks/bad_inputs.py` sends thousands of them."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

import bad_requests
import tiny_models
from inference import pipeline
from inference.errors import InferenceError
from paths import PathNotAllowed


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pipeline.Model]]:
    root = tmp_path_factory.mktemp("models")
    opened = {}
    for task, (kind, options, _) in bad_requests.GOOD.items():
        if not (root / kind).exists():
            tiny_models.build(kind, root / kind)
        opened[task] = pipeline.open(kind, task, path=str(root), options=options)
    yield opened
    for model in opened.values():
        pipeline.close(model)


@pytest.mark.parametrize("seed", [1, 2])
def test_each_is_answered_or_told_what_is_wrong(models: dict[str, pipeline.Model], seed: int) -> None:
    seen: Counter[str] = Counter()
    for request in bad_requests.generated(200, seed):
        try:
            json.dumps(pipeline.run(models[request.task], request.fields).output, allow_nan=False)
            seen["answered"] += 1
        except (InferenceError, PathNotAllowed) as error:
            assert len(str(error)) > 15
            assert request.kind != "good", error
            seen[type(error).__name__] += 1
    assert seen["answered"] > 25
    assert seen["PipelineFailed"] < 25


def test_the_same_seed_gives_the_same_requests() -> None:
    assert repr(list(bad_requests.generated(200, 5))) == repr(list(bad_requests.generated(200, 5)))
    assert {request.task for request in bad_requests.generated(50, 5)} == set(bad_requests.GOOD)
