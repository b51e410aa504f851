"""Opening, sharing, replacing and closing models."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from inference import loading, pipeline
from inference.errors import InferenceError, ModelNotFound, PipelineFailed

REVIEW = {"inputs": "This was a really bad experience"}


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_models", type(pipeline._models)())


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that were really loaded, in order."""
    names: list[str] = []
    load = pipeline.load

    def counted(folder: Path, *rest: Any) -> loading.Loaded:
        names.append(folder.name)
        return load(folder, *rest)

    monkeypatch.setattr(pipeline, "load", counted)
    return names


@pytest.fixture
def folder(model_root: Path, tmp_path: Path) -> Path:
    """A copy of the classifier that a test may change."""
    return Path(shutil.copytree(model_root / "bert-classifier", tmp_path / "champion"))


def open_champion(folder: Path, lines: list[str] | None = None, **options: Any) -> pipeline.Model:
    log = [] if lines is None else lines
    return pipeline.open(folder.name, "text-classification", path=str(folder.parent), options=options, log=log.append)


def scores(model: pipeline.Model, lines: list[str] | None = None) -> Any:
    log = [] if lines is None else lines
    return pipeline.run(model, REVIEW | {"top_k": None}, log=log.append).output


def rounded(output: Any) -> str:
    """The output without the last digits, in which a batch may differ from a request alone."""
    return json.dumps(json.loads(json.dumps(output), parse_float=lambda text: round(float(text), 5)))


def test_a_model_is_loaded_once_for_all_who_open_it(folder: Path, loads: list[str]) -> None:
    models: list[pipeline.Model] = []
    threads = [threading.Thread(target=lambda: models.append(open_champion(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["champion"]
    assert all(model is models[0] for model in models)
    assert models[0].users == 8


def test_a_restart_finds_the_model_in_memory(folder: Path, loads: list[str]) -> None:
    pipeline.close(open_champion(folder))
    open_champion(folder)
    assert loads == ["champion"]


def test_settings_as_text_and_as_values_are_the_same_model(folder: Path, loads: list[str]) -> None:
    assert open_champion(folder, top_k="2") is open_champion(folder, top_k=2)
    assert len(pipeline.run(open_champion(folder, top_k="2"), REVIEW).output) == 2


def test_other_settings_replace_a_model_that_nobody_has_open(folder: Path) -> None:
    old = open_champion(folder, top_k=2)
    in_use = open_champion(folder, top_k=3)
    pipeline.close(old)
    new = open_champion(folder, top_k=4)
    assert pipeline.loaded() == [in_use, new]
    assert len(scores(old)) == 5, "who still holds the old one is answered"


def test_few_unused_models_stay_in_memory(model_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "KEPT_UNUSED", 1)
    for name in ("bert-classifier", "bert-base-cased", "bert-base-uncased"):
        pipeline.close(pipeline.open(name, "feature-extraction", path=str(model_root)))
    assert [model.folder.name for model in pipeline.loaded()] == ["bert-base-cased", "bert-base-uncased"]


def test_concurrent_calls_get_their_own_answers(model_root: Path) -> None:
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root), options={"top_k": None})
    texts = [line * (1 + n % 3) for n, line in enumerate(tiny_models.LINES * 4)]
    alone = [pipeline.run(model, {"inputs": text}).output for text in texts]
    together: list[Any] = [None] * len(texts)

    def ask(place: int) -> None:
        together[place] = pipeline.run(model, {"inputs": texts[place]}).output

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rounded(together) == rounded(alone)


def promote(folder: Path, candidate: Path) -> None:
    folder.rename(folder.with_name("previous"))
    candidate.rename(folder)


def test_a_promotion_is_noticed_at_the_next_request(folder: Path, loads: list[str]) -> None:
    model, lines = open_champion(folder), list[str]()
    before = scores(model)
    promote(folder, tiny_models.build("bert-classifier", folder.with_name("temp-champion"), seed=7))
    after = scores(model, lines)
    assert after != before
    assert loads == ["champion", "champion"]
    assert [line.split(";")[0] for line in lines] == [
        f"Another model is in {folder}",
        "Loaded champion for text-classification.",
    ]
    assert scores(model) == after
    assert len(loads) == 2


def test_between_the_renames_of_a_promotion_the_old_model_answers(folder: Path, loads: list[str]) -> None:
    model = open_champion(folder)
    before = scores(model)
    folder.rename(folder.with_name("previous"))
    assert scores(model) == before
    assert loads == ["champion"]


def test_promotions_during_requests_never_fail_one(folder: Path) -> None:
    """Requests run all the time while the folder is swapped: each is answered by the one model or the other."""
    other = tiny_models.build("bert-classifier", folder.with_name("other"), seed=7)
    model = open_champion(folder)
    known = [rounded(scores(model))]
    promote(folder, other)
    known.append(rounded(scores(model)))
    stop, seen, failures = threading.Event(), set[str](), list[Exception]()

    def ask() -> None:
        while not stop.is_set():
            try:
                seen.add(rounded(scores(model)))
            except (InferenceError, OSError) as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    previous, spare = folder.with_name("previous"), folder.with_name("spare")
    for _ in range(25):
        folder.rename(spare)
        previous.rename(folder)
        spare.rename(previous)
        stop.wait(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen <= set(known)


def test_a_broken_successor_leaves_the_old_model_answering(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, lines = open_champion(folder), list[str]()
    before = scores(model)
    candidate = tiny_models.build("bert-classifier", folder.with_name("temp-champion"), seed=7)
    whole = (candidate / "model.safetensors").read_bytes()
    (candidate / "model.safetensors").write_bytes(whole[:-100])
    promote(folder, candidate)
    answer = pipeline.run(model, REVIEW | {"top_k": None}, log=lines.append)
    assert answer.output == before
    assert "was replaced, but the new one cannot be loaded" in answer.note
    assert any("goes on answering" in line for line in lines)
    (folder / "model.safetensors").write_bytes(whole)
    assert scores(model) == before, "it is not tried again at once"
    monkeypatch.setattr(model, "_retry_at_s", 0.0)
    answer = pipeline.run(model, REVIEW | {"top_k": None})
    assert answer.output != before
    assert answer.note == ""


def test_a_folder_that_is_gone_for_good_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_RENAME_S", 0.05)
    model = open_champion(folder)
    shutil.rmtree(folder)
    scores(model)
    pipeline.unload(model)
    with pytest.raises(ModelNotFound, match=r"champion is gone\. Restore it"):
        scores(model)


def test_an_untrained_head_says_so_in_the_log_and_in_every_answer(model_root: Path) -> None:
    lines, warnings = list[str](), list[str]()
    model = pipeline.open(
        "bert-base-cased", "text-classification", path=str(model_root), log=lines.append, warn=warnings.append
    )
    (warning,) = warnings
    assert warning.startswith("bert-base-cased: The classification head of this model is untrained")
    assert "run a training first" in warning
    assert lines == ["Loaded bert-base-cased for text-classification."]
    for _ in range(2):
        assert pipeline.run(model, REVIEW).note in warning
    assert len(warnings) == 1


@pytest.mark.parametrize(("labels", "expected"), [(None, 2), ("5", 5), (3, 3)])
def test_an_untrained_head_has_as_many_labels_as_asked(model_root: Path, labels: Any, expected: int) -> None:
    options = {} if labels is None else {"num_labels": labels}
    model = pipeline.open("bert-base-cased", "text-classification", path=str(model_root), options=options)
    assert len(scores(model)) == expected
    assert "untrained" in model.note


def test_a_trained_head_keeps_its_labels(model_root: Path) -> None:
    lines: list[str] = []
    model = open_champion(model_root / "bert-classifier", lines, num_labels="3")
    assert len(scores(model)) == 5
    assert model.note == ""
    assert "num_labels=3 is not used: bert-classifier is trained for 5 labels." in lines


def test_a_pooler_that_a_task_does_not_use_is_no_untrained_head(model_root: Path) -> None:
    model = pipeline.open("bert-base-cased", "feature-extraction", path=str(model_root))
    assert model.note == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "float32"), ({"dtype": "bfloat16"}, "bfloat16"), ({"torch_dtype": "torch.float16"}, "float16")],
)
def test_the_number_format(folder: Path, given: dict[str, str], expected: str) -> None:
    model = open_champion(folder, **given)
    assert str(model._loaded.pipeline.model.dtype) == f"torch.{expected}"  # type: ignore[union-attr]


def test_what_a_pipeline_raises_is_told_with_the_request(model_root: Path) -> None:
    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root))
    with pytest.raises(
        PipelineFailed, match=r"failed at this request with function_to_apply: KeyError: 'FOO'"
    ) as caught:
        pipeline.run(model, REVIEW | {"function_to_apply": "foo"})
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("inputs", ["Good.", ["Good.", "Bad."]])
def test_a_name_that_transformers_never_bound_is_told_with_the_request(
    model_root: Path, inputs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its tokenizer for tables does where a loop finds nothing: an UnboundLocalError."""

    def postprocess(_: Any, **__: Any) -> Any:
        for piece in ():
            found = piece
        return found

    model = pipeline.open("bert-classifier", "text-classification", path=str(model_root))
    monkeypatch.setattr(model._loaded.pipeline, "postprocess", postprocess)  # type: ignore[union-attr]
    if isinstance(inputs, list):
        output = pipeline.run(model, {"inputs": inputs, "top_k": 1}).output
        assert all("UnboundLocalError" in one["error"] for one in output)
        return
    with pytest.raises(PipelineFailed, match="failed at this request with top_k: UnboundLocalError"):
        pipeline.run(model, {"inputs": inputs, "top_k": 1})


def test_models_need_no_hub(model_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a name is resolved while a model that is there is loaded."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *_: pytest.fail("a name was resolved"))
    for kind, task in (("gpt2", "text-generation"), ("detr-resnet-50", "object-detection")):
        pipeline.open(kind, task, path=str(model_root))


def test_the_token_is_not_kept(folder: Path) -> None:
    model = open_champion(folder, token="hf_secret")
    assert "hf_secret" not in repr(model)
    assert "hf_secret" not in repr(pipeline._models)


def test_a_relative_path_is_the_projects(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERGREEN_ROOT", os.fspath(folder.parents[1]))
    container = f"/irisdev/app/{folder.parent.name}/"
    model = pipeline.open("champion", "text-classification", path=container)
    assert model.folder == folder
