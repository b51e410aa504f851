"""Where and how a model runs: settings, conversions on disk, how far a backend agrees, and what is put in place."""

import importlib.util
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import tiny_models
from inference import pipeline, placement
from inference.backends import agreement, choice, converted, doubt, samples
from inference.backends.agreement import Agreement
from inference.backends.shelf import FOLDER, Shelf
from inference.errors import OptionUnknown

PATIENCE_S = 120.0
with_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
with_nncf = pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_models", type(pipeline._models)())


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "CALIBRATING", 16)
    monkeypatch.setattr(samples, "JUDGING", 32)


@pytest.fixture
def folder(model_root: Path, tmp_path: Path) -> Path:
    """A copy of the classifier in a folder of its own."""
    return Path(shutil.copytree(model_root / "bert-classifier", tmp_path / "champion"))


# What the settings say.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("torch", "cpu", "")),
        ({"backend": "auto"}, ("auto", "cpu", "")),
        ({"backend": "auto", "dtype": "float32"}, ("torch", "cpu", "float32")),
        ({"backend": "torch-bf16"}, ("torch-bf16", "cpu", "bfloat16")),
        ({"backend": "openvino"}, ("openvino", "cpu", "")),
        ({"backend": "openvino", "dtype": "float32"}, ("openvino", "cpu", "float32")),
        ({"device": "cpu", "torch_dtype": "torch.bfloat16"}, ("torch", "cpu", "bfloat16")),
        ({"device": -1}, ("torch", "cpu", "")),
        ({"device": "auto"}, ("torch", "cpu", "")),
        ({"backend": "auto", "device_map": "cpu"}, ("torch", "cpu", "")),
    ],
)
def test_settings_that_go_together(
    options: dict[str, Any], expected: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    placed = placement.read(options)
    assert (placed.backend, placed.device, placed.dtype) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "onnx"}, r"no backend 'onnx'\. Set backend to one of: auto, torch"),
        ({"dtype": "int8"}, r"'int8' is no number format\. Set dtype to float32"),
        ({"backend": "torch-bf16", "dtype": "float32"}, "does not compute in float32"),
        ({"backend": "openvino", "dtype": "float16"}, "does not compute in float16"),
        ({"backend": "openvino", "device": "cuda:0"}, "runs on the processor, not on cuda:0"),
        ({"device": "warp:9"}, "'warp:9' is no device"),
        ({"device": "cuda:77"}, r"cuda:77 is not there: .* Set device=auto"),
        ({"batch_size": 0}, "batch_size=0 is no whole number"),
        ({"batch_size": "many"}, "batch_size='many' is no whole number"),
        ({"max_wait_ms": -1}, "max_wait_ms=-1 is no number"),
        ({"max_wait_ms": True}, "max_wait_ms=True is no number"),
    ],
)
def test_settings_that_do_not(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionUnknown, match=message):
        placement.read(options)


def test_limits_of_a_batch() -> None:
    limits = placement.read({"batch_size": 5, "max_wait_ms": 20}).limits()
    assert (limits.rows, limits.wait_s) == (5, 0.02)


def test_a_setting_is_refused_before_anything_is_loaded(folder: Path) -> None:
    with pytest.raises(OptionUnknown, match="There is no backend 'tensorrt'"):
        pipeline.open("champion", "text-classification", path=str(folder.parent), options={"backend": "tensorrt"})
    with pytest.raises(OptionUnknown, match="Did you mean max_wait_ms"):
        pipeline.open("champion", "text-classification", path=str(folder.parent), options={"max_wait": "5"})


@pytest.mark.parametrize("backend", ["openvino", "openvino-int8"])
def test_a_package_that_is_missing_is_named(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionUnknown, match=rf"The backend {backend} needs openvino.* set backend=torch"):
        pipeline.open("champion", "text-classification", path=str(folder.parent), options={"backend": backend})


# Conversions on disk.


def test_a_conversion_is_found_for_the_same_weights_only(folder: Path) -> None:
    shelf = Shelf(folder, "text-classification", {})
    assert shelf.find("openvino") is None
    shelf.put("openvino", lambda staging: {"size": (staging / "model.xml").write_text("<net/>")})
    found = Shelf(folder, "text-classification", {}).find("openvino")
    assert found is not None
    assert (found[0] / "model.xml").read_text() == "<net/>"
    assert found[1]["size"] == 6
    assert found[0].parent == folder.parent / FOLDER
    assert Shelf(folder, "feature-extraction", {}).find("openvino") is None
    assert (
        Shelf(folder, "text-classification", {"model_kwargs": {"attn_implementation": "eager"}}).find("openvino")
        is None
    )
    assert Shelf(folder, "text-classification", {"top_k": 3}).find("openvino") is not None


def test_promotion_and_rollback_find_what_was_converted_for_each(folder: Path) -> None:
    Shelf(folder, "text-classification", {}).put("openvino", lambda _: {"model": "first"})
    previous = folder.rename(folder.with_name("previous-champion"))
    tiny_models.build("bert-classifier", folder, seed=7)
    assert Shelf(folder, "text-classification", {}).find("openvino") is None
    folder.rename(folder.with_name("temp-champion"))
    previous.rename(folder)
    found = Shelf(folder, "text-classification", {}).find("openvino")
    assert found is not None
    assert found[1]["model"] == "first"


def test_half_a_conversion_is_never_found(folder: Path) -> None:
    shelf = Shelf(folder, "text-classification", {})

    def cut(staging: Path) -> dict[str, Any]:
        (staging / "model.xml").write_text("<ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        shelf.put("openvino", cut)
    assert shelf.find("openvino") is None
    assert list((folder.parent / FOLDER).iterdir()) == []


def test_what_was_used_longest_ago_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.backends.shelf.KEPT", 2)
    shelf = Shelf(folder, "text-classification", {})
    for backend in ("one", "two", "three"):
        shelf.put(backend, lambda _: {})
    assert [shelf.find(backend) is not None for backend in ("one", "two", "three")] == [False, True, True]


def test_a_pick_is_remembered_on_this_machine_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(folder, "text-classification", {})
    assert shelf.remembered() is None
    shelf.remember({"backend": "torch-bf16"})
    remembered = shelf.remembered()
    assert remembered is not None
    assert remembered["backend"] == "torch-bf16"
    monkeypatch.setattr("inference.backends.shelf._processor", lambda: "another")
    assert shelf.remembered() is None


# How far a backend agrees.


def agreed(one: Any, other: Any, mask: Any = None, name: str = "logits") -> Agreement:
    import torch

    found = Agreement()
    inputs = {} if mask is None else {"attention_mask": torch.tensor(mask)}
    found.add({name: torch.tensor(one)}, {name: torch.tensor(other)}, inputs)
    return found


def test_labels_that_are_equal_are_counted() -> None:
    found = agreed([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]], [[1.0, 2.1], [3.0, 0.0], [1.0, 0.0]])
    assert (found.equal, found.total) == (2, 3)
    assert found.largest == pytest.approx(0.4621, abs=1e-3)
    assert "2 of 3 labels equal to fp32 (66.67%)" in str(found)


def test_padding_does_not_count() -> None:
    found = agreed([[[1.0, 2.0], [1.0, 2.0]]], [[[1.0, 2.0], [9.0, 2.0]]], mask=[[1, 0]])
    assert (found.equal, found.total, found.largest) == (1, 1, 0.0)


def test_vectors_are_compared_by_their_angle() -> None:
    found = agreed([[[1.0, 0.0], [1.0, 0.0]]], [[[1.0, 0.0], [0.0, 1.0]]], [[1, 1]], "last_hidden_state")
    assert found.cosine == pytest.approx(0.7071, abs=1e-3)
    assert "smallest cosine 0.707" in str(found)


@pytest.mark.parametrize(
    ("equal", "total", "backend", "expected"),
    [
        (400, 400, "openvino", True),
        (399, 400, "openvino", True),  # one in doubt: the sample is too small to tell 99.9 % from 99.8 %
        (398, 400, "openvino", False),
        (398, 400, "openvino-int8", True),
        (397, 400, "openvino-int8", False),
    ],
)
def test_how_many_labels_must_be_equal(equal: int, total: int, backend: str, expected: bool) -> None:
    assert Agreement(equal, total).enough(backend) is expected


def test_no_number_is_no_agreement() -> None:
    assert not agreed([[1.0, 2.0]], [[float("nan"), 2.0]]).enough("openvino-int8")


# What it is judged by.


def test_texts_that_calibrate_do_not_judge(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(f"text number {number}" for number in range(100)) + "\n\n")
    calibrating, judging = samples.texts(str(file))
    assert (len(calibrating), len(judging)) == (16, 32)
    assert not set(calibrating) & set(judging)


def test_a_table_gives_its_longest_column(tmp_path: Path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("label,text\n" + "".join(f'{n},"a long, long text {n}"\n' for n in range(40)))
    assert all(text.startswith("a long, long") for half in samples.texts(str(file)) for text in half)


@pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), ("one\ntwo\n", "holds 2 different texts")])
def test_too_few_texts_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "texts.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(OptionUnknown, match=message):
        samples.texts(str(file))


# What is put in place.


def opened(folder: Path, lines: list[str], task: str = "text-classification", **options: Any) -> pipeline.Model:
    model = pipeline.open(folder.name, task, path=str(folder.parent), options=options, log=lines.append)
    pipeline._follow(model, lines.append, lines.append)  # early answers are test_early.py's
    if model._settling is not None:
        model._settling.join(PATIENCE_S)
        assert not model._settling.is_alive()
    return model


def answers(model: pipeline.Model, texts: Any = tiny_models.LINES, **options: Any) -> Any:
    return json.loads(json.dumps([pipeline.run(model, {"inputs": text, **options}).output for text in texts]))


def alike(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float):
        return abs(one - other) <= tolerance
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name], tolerance) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(alike(*pair, tolerance) for pair in zip(one, other, strict=True))
    return bool(one == other)


@pytest.mark.parametrize(
    ("kind", "task", "texts"),
    [
        ("bert-classifier", "text-classification", tiny_models.LINES),
        ("bert-classifier", "feature-extraction", tiny_models.LINES),
        ("bert-base-uncased", "fill-mask", ["George Washington lived in [MASK].", "It was [MASK]."]),
        ("camembert-ner", "token-classification", ["George Washington lived in washington"]),
    ],
)
@with_openvino
def test_openvino_answers_as_torch(model_root: Path, tmp_path: Path, kind: str, task: str, texts: list[str]) -> None:
    folder = Path(shutil.copytree(model_root / kind, tmp_path / kind))
    lines: list[str] = []
    expected = answers(opened(folder, lines, task), texts)
    model = opened(folder, lines, task, backend="openvino", dtype="float32")
    assert model.backend == "openvino", lines
    assert alike(answers(model, texts), expected, 1e-4)
    together = pipeline.run(model, {"inputs": list(texts) * 3}).output
    assert len(together) == 3 * len(texts)
    assert f"{kind} is being converted for openvino; until that is done torch answers." in lines
    assert any(f"{kind} now runs with openvino" in line and "times as fast as torch" in line for line in lines)


@pytest.mark.parametrize(
    ("kind", "task", "fields"),
    [
        ("vit", "image-classification", {"top_k": 3}),
        ("clip", "zero-shot-image-classification", {"candidate_labels": ["cats", "a red car", "two people"]}),
    ],
)
@with_openvino
def test_openvino_sees_as_torch(tmp_path: Path, kind: str, task: str, fields: dict[str, Any]) -> None:
    folder, lines = tiny_models.build(kind, tmp_path / kind), []
    picture = str(tiny_models.PICTURE)
    expected = pipeline.run(opened(folder, lines, task), {"url": picture, **fields}).output
    model = opened(folder, lines, task, backend="openvino", dtype="float32")
    assert model.backend == "openvino", lines
    assert alike(pipeline.run(model, {"url": picture, **fields}).output, expected, 1e-4)
    several = pipeline.run(model, {"url": [picture] * 2, **fields}).output
    assert alike(several, [expected] * 2, 1e-4)


@with_openvino
def test_close_decisions_are_those_of_fp32(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a margin beyond every lead all rows run again; the next start remembers it."""
    monkeypatch.setattr(doubt, "_SPARE", 1e9)
    monkeypatch.setattr(doubt, "_NOTHING", 0.0)
    lines: list[str] = []
    expected = answers(opened(folder, lines), top_k=None)
    for _ in range(2):
        model = opened(folder, lines, backend="openvino", dtype="bfloat16")
        assert model.backend == "openvino", lines
        assert answers(model, top_k=None) == expected
        pipeline._models.clear()
    assert any("runs with openvino, as found best before" in line for line in lines)


@with_openvino
def test_a_conversion_is_made_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    first = answers(opened(folder, lines, backend="openvino", dtype="float32"))
    pipeline._models.clear()
    monkeypatch.setattr(converted, "convert", lambda *_: pytest.fail("converted again"))
    model = opened(folder, lines, backend="openvino", dtype="float32")
    assert model._settling is None
    assert model.backend == "openvino"
    assert answers(model) == first


@with_openvino
def test_a_promoted_model_is_not_answered_from_the_old_conversion(folder: Path) -> None:
    lines: list[str] = []
    model = opened(folder, lines, backend="openvino", dtype="float32")
    before = answers(model)
    folder.rename(folder.with_name("previous-champion"))
    tiny_models.build("bert-classifier", folder, seed=7)
    after = answers(model)
    assert not alike(after, before, 1e-4)
    assert model._settling is not None
    model._settling.join(PATIENCE_S)
    assert model.backend == "openvino"
    assert alike(answers(model), after, 1e-4)


@with_openvino
def test_a_damaged_conversion_is_made_anew(folder: Path) -> None:
    lines: list[str] = []
    opened(folder, lines, backend="openvino", dtype="float32")
    pipeline._models.clear()
    (file,) = (folder.parent / FOLDER).glob("*/model.xml")
    file.write_text("<net")
    model = opened(folder, lines, backend="openvino", dtype="float32")
    assert model.backend == "openvino"
    assert any("cannot be used" in line and "made anew" in line for line in lines)


@with_openvino
def test_what_does_not_agree_is_refused_with_the_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(agreement.REQUIRED, "openvino", 1.1)
    lines: list[str] = []
    model = opened(folder, lines, backend="openvino", dtype="float32")
    assert model.backend == "torch"
    (refusal,) = [line for line in lines if "does not agree as required" in line]
    assert "labels equal to fp32" in refusal
    assert "Set backend to another" in refusal
    assert not list((folder.parent / FOLDER).glob("*/model.xml"))
    assert answers(model)


@with_openvino
def test_what_was_refused_is_not_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the next start, but for other texts to judge by, and once what remembers it is deleted."""
    monkeypatch.setitem(agreement.REQUIRED, "openvino", 1.1)
    made: list[str] = []
    convert = converted.convert

    def counted(*arguments: Any) -> Any:
        made.append("")
        return convert(*arguments)

    monkeypatch.setattr(converted, "convert", counted)

    def started(**options: Any) -> list[str]:
        pipeline._models.clear()
        lines: list[str] = []
        assert opened(folder, lines, backend="openvino", dtype="float32", **options).backend == "torch"
        return lines

    (judged,) = [line for line in started() if "does not agree as required" in line]
    (again,) = [line for line in started() if "stays with torch" in line]
    assert len(made) == 1
    numbers = judged.partition("required: ")[2].partition(";")[0]
    assert f"was refused before, and is not tried again: {numbers};" in again
    (file,) = (folder.parent / FOLDER).glob("*-openvino-refused.json")
    assert again.endswith(f"or delete {file}.")

    texts = folder.parent / "texts.txt"
    texts.write_text("\n".join(f"{line} {number}" for number in range(4) for line in tiny_models.LINES))
    started(calibration=str(texts))
    assert len(made) == 2
    file.unlink()
    started()
    assert len(made) == 3


@with_openvino
@with_nncf
@pytest.mark.parametrize(("recipe", "word"), [("dynamic", 'element_type="i8"'), ("static", "FakeQuantize")])
def test_eight_bits_are_judged_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, word: str) -> None:
    """That eight bits agree is shown with a real model by benchmarks/inference.py; a tiny one only shows the way."""
    monkeypatch.setitem(agreement.REQUIRED, "openvino-int8", 0.0)
    monkeypatch.setattr(choice, "_RECIPES", (recipe,))
    file = folder.parent / "texts.txt"
    file.write_text("\n".join(f"{line} {number}" for number in range(4) for line in tiny_models.LINES))
    lines: list[str] = []
    model = opened(folder, lines, backend="openvino-int8", calibration=str(file))
    assert model.backend == "openvino-int8", lines
    weights = next((folder.parent / FOLDER).glob("*/model.xml")).read_text()
    assert word in weights
    expected = answers(opened(folder, lines), top_k=None)
    assert alike(answers(model, top_k=None), expected, 0.2)
    pipeline._models.clear()
    again = opened(folder, lines, backend="openvino-int8", calibration=str(file))
    assert again._settling is None
    assert answers(again) == answers(model)


@with_openvino
@with_nncf
def test_where_eight_bits_do_not_agree_some_layers_are_spared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two tries are refused; in the third the layers that make many numbers into few keep theirs."""
    monkeypatch.setitem(agreement.REQUIRED, "openvino-int8", 1.1)
    quantized: list[int] = []
    save = converted.save

    def counted(model: Any, target: Path) -> None:
        save(model, target)
        quantized.append((target / "model.xml").read_text().count('type="FakeQuantize"'))

    monkeypatch.setattr(converted, "save", counted)
    file = folder.parent / "texts.txt"
    file.write_text("\n".join(f"{line} {number}" for number in range(4) for line in tiny_models.LINES))
    model = opened(folder, [], backend="openvino-int8", calibration=str(file))
    assert model.backend == "torch"
    weights_alone, everything, some = quantized
    assert weights_alone == 0 < some < everything


@with_openvino
def test_other_inputs_than_those_converted_for_are_refused_with_a_cure(folder: Path) -> None:
    import torch

    backend = opened(folder, [], backend="openvino", dtype="float32")._loaded.pipeline.model  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"takes input_ids.*, not input_ids; set backend=torch"):
        backend(input_ids=torch.ones(1, 4, dtype=torch.long))


@pytest.mark.parametrize(
    ("kind", "task", "line"),
    [
        ("gpt2", "text-generation", "The task text-generation is not run with OpenVINO; torch answers"),
        ("bert-base-cased", "text-classification", "stays with torch until it is trained"),
    ],
)
@with_openvino
def test_what_openvino_is_not_for_stays_with_torch(model_root: Path, kind: str, task: str, line: str) -> None:
    lines: list[str] = []
    model = opened(model_root / kind, lines, task, backend="openvino")
    assert model.backend == "torch"
    assert model._settling is None
    assert any(line in one for one in lines)


def test_half_the_bits(folder: Path) -> None:
    model = opened(folder, [], backend="torch-bf16")
    assert model.backend == "torch-bf16"
    assert answers(model)
    assert str(model._loaded.pipeline.model.dtype) == "torch.bfloat16"  # type: ignore[union-attr]


def test_a_small_model_is_not_measured(folder: Path) -> None:
    model = opened(folder, [], backend="auto")
    assert model._settling is None
    assert model.backend == "torch"


@with_openvino
def test_auto_measures_tells_and_remembers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_WORTH_PARAMETERS", 0)
    monkeypatch.setattr(choice, "_MEASURED", 40)
    lines: list[str] = []
    expected = answers(opened(folder, lines))
    model = opened(folder, lines, backend="auto")
    (line,) = [line for line in lines if "picked by measuring" in line]
    assert f"champion runs with {model.backend}, " in line
    assert "torch-bf16" in line
    assert "openvino" in line
    assert alike([one[0]["score"] for one in answers(model)], [one[0]["score"] for one in expected], 0.02)
    pipeline._models.clear()
    again = opened(folder, lines, backend="auto")
    assert again._settling is None
    assert again.backend == model.backend


def test_answers_do_not_wait_for_a_conversion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_WORTH_PARAMETERS", 0)
    gate, entered = threading.Event(), threading.Event()

    def slow(*_: Any) -> Any:
        entered.set()
        assert gate.wait(PATIENCE_S)
        raise RuntimeError("no conversion\nof this one")

    monkeypatch.setattr(choice, "_inputs", slow)
    lines: list[str] = []
    model = pipeline.open(
        "champion", "text-classification", path=str(folder.parent), options={"backend": "auto"}, log=lines.append
    )
    assert entered.wait(PATIENCE_S)
    assert answers(model)
    gate.set()
    assert model._settling is not None
    model._settling.join(PATIENCE_S)
    assert model.backend == "torch"
    (line,) = [line for line in lines if "stays with torch" in line]
    assert "(RuntimeError: no conversion). Set backend=torch" in line


def test_a_model_that_was_replaced_is_measured_no_further(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_WORTH_PARAMETERS", 0)
    model = pipeline.open("champion", "text-classification", path=str(folder.parent))
    fresh = model._loaded
    assert fresh is not None
    measured: list[str] = []
    subject = choice.Subject(
        fresh.engine, folder, model.task, {}, placement.read({"backend": "auto"}), lambda _: None, lambda: False
    )
    monkeypatch.setattr(choice, "_measure", lambda *_: measured.append("measured"))
    thread = choice.settle(subject, measured.append, measured.append)
    assert thread is not None
    thread.join(PATIENCE_S)
    assert measured == []
