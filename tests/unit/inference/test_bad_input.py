"""Bad settings and bad requests: each is refused with a message that says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import paths
import tiny_models
from inference import pipeline
from inference.errors import (
    ImageNotReadable,
    InputRefused,
    ModelBroken,
    ModelNotFound,
    OptionUnknown,
    SourceRefused,
    TaskMismatch,
    TaskUnknown,
)


@pytest.mark.parametrize(
    ("name", "builtin", "message"),
    [
        (
            "gpt3",
            FileNotFoundError,
            r"no model folder .*/gpt3\. There are: bert-base-cased, .*, gpt2\. Correct .*model_url",
        ),
        ("../gpt2", FileNotFoundError, r"'\.\./gpt2' is not the plain name of a folder\. Set name"),
        ("a/b", FileNotFoundError, r"plain name"),
        ("a\\b", FileNotFoundError, r"plain name"),
        ("..", FileNotFoundError, r"plain name"),
        ("gpt2\0", FileNotFoundError, r"plain name"),
        (".partial-gpt2", FileNotFoundError, r"plain name"),
        ("", FileNotFoundError, r"plain name"),
    ],
)
def test_a_name_without_a_folder(model_root: Path, name: str, builtin: type[Exception], message: str) -> None:
    with pytest.raises(ModelNotFound, match=message) as caught:
        pipeline.open(name, "text-generation", path=str(model_root))
    assert isinstance(caught.value, builtin)


def test_an_empty_or_missing_folder_of_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="holds no model yet"):
        pipeline.open("gpt2", "text-generation", path=str(tmp_path))
    with pytest.raises(ModelNotFound, match="does not exist"):
        pipeline.open("gpt2", "text-generation", path=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("", r"No task is set\. Set task to one of: any-to-any, "),
        (
            "text-clasification",
            r"no task 'text-clasification'\. Did you mean text-classification or .*Set task to one of",
        ),
        ("sumarization", r"Did you mean summarization"),
        ("summarization", r"removed the task summarization\. Use task=text-generation"),
        ("translation", r"Use task=text-generation"),
        ("translation_en_to_fr", r"removed the task translation_en_to_fr\. Use task=text-generation"),
        ("text2text-generation", r"Use task=text-generation"),
        ("question-answering", r"Use task=text-generation .*document-question-answering"),
        ("image-to-text", r"Use task=image-text-to-text"),
        ("visual-question-answering", r"Use task=image-text-to-text"),
        ("image-to-image", r"Use a diffusion library"),
    ],
)
def test_unknown_and_removed_tasks(model_root: Path, task: str, message: str) -> None:
    with pytest.raises(TaskUnknown, match=message):
        pipeline.open("gpt2", task, path=str(model_root))


def test_a_task_that_the_model_cannot_do(model_root: Path) -> None:
    with pytest.raises(
        TaskMismatch, match=r"is a gpt2 and cannot do the task object-detection\. Set .*text-generation"
    ):
        pipeline.open("gpt2", "object-detection", path=str(model_root))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"agregation_strategy": "simple"},
            r"takes no setting 'agregation_strategy'\. Did you mean aggregation_strategy\?",
        ),
        ({"model_ur": "x"}, r"Did you mean model_url or model_kwargs\?"),
        ({"max_length": 3}, r"takes no setting 'max_length'.* options are: aggregation_strategy, delimiter, "),
        ({"dtype": "float31"}, r"dtype='float31' is no number format\. Set dtype to float32"),
        ({"model_kwargs": "fast"}, r"model_kwargs must be a JSON object"),
    ],
)
def test_settings_that_the_pipeline_does_not_take(model_root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionUnknown, match=message):
        pipeline.open("camembert-ner", "ner", path=str(model_root), options=options)


def test_a_setting_with_a_value_that_makes_no_sense(model_root: Path) -> None:
    with pytest.raises(ModelBroken, match=r"KeyError: 'SIMPEL'.*settings aggregation_strategy=simpel"):
        pipeline.open("camembert-ner", "ner", path=str(model_root), options={"aggregation_strategy": "simpel"})
    for labels in ("many", 0):
        with pytest.raises(OptionUnknown, match="no whole number above 0"):
            pipeline.open(
                "bert-base-cased", "text-classification", path=str(model_root), options={"num_labels": labels}
            )


def cut_weights(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])


def empty_tensors(folder: Path) -> None:
    """Whole as a file, but with tensors of other shapes."""
    from safetensors.torch import load_file, save_file

    weights = {name: tensor[..., :1].contiguous() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8") and None


def remove(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_weights, r"damaged model\.safetensors: [\d,]+ bytes instead of [\d,]+"),
        (write("model.safetensors", "these are no weights"), r"model\.safetensors that is no safetensors file"),
        (write("model.safetensors", ""), r"model\.safetensors that is no safetensors file"),
        (empty_tensors, r"could not be set up for the task text-classification"),
        (write("config.json", "{not json"), r"config\.json that is no JSON \(Expecting"),
        (write("config.json", "[1]"), r"config\.json that is no JSON object"),
        (write("config.json", '{"model_type": "beart"}'), r"could not be set up.*beart"),
        (write("config.json", "{}"), r"could not be set up"),
        (remove("config.json"), r"has no config\.json"),
        (remove("model.safetensors"), r"has no model\.safetensors"),
        (remove("tokenizer.json"), r"has no vocabulary \(.*tokenizer\.json.*\)"),
        (write("tokenizer.json", "{}"), r"could not be set up"),
        (only_pickled, r"only in pytorch_model\.bin, a format that can run code; safetensors"),
    ],
)
def test_damaged_model_folders(model_root: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(Path(shutil.copytree(model_root / "bert-classifier", tmp_path / "broken")))
    with pytest.raises(ModelBroken, match=message) as caught:
        pipeline.open("broken", "text-classification", path=str(tmp_path))
    assert str(tmp_path / "broken") in str(caught.value)


@pytest.fixture
def run(model_root: Path) -> Callable[[str, dict[str, Any]], Any]:
    tasks = {
        "gpt2": "text-generation",
        "camembert-ner": "ner",
        "bert-base-uncased": "fill-mask",
        "bert-classifier": "text-classification",
        "detr-resnet-50": "object-detection",
    }

    def run(name: str, fields: dict[str, Any]) -> Any:
        return pipeline.run(pipeline.open(name, tasks[name], path=str(model_root)), fields)

    return run


LONG = "bad " * 600


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("bert-classifier", {"inputs": ""}, r"The text is empty\. Send"),
        ("bert-classifier", {"inputs": " \n\t "}, r"The text is empty"),
        ("bert-classifier", {"inputs": []}, r"not an empty list\. Send"),
        ("bert-classifier", {"inputs": 5}, r"takes a text or a list of texts, not int \(5\)\. Send"),
        ("bert-classifier", {"inputs": {"review": "good"}}, r"not dict"),
        ("bert-classifier", {}, r"needs its input in one of the fields inputs, text_inputs, text,.*Send for example"),
        ("bert-classifier", {"inputs": None}, r"needs its input"),
        ("bert-classifier", {"inputs": "good", "text": "bad"}, r"inputs and text both hold the input\. Send one"),
        ("bert-classifier", {"inputs": LONG}, r"has 602 tokens and this model reads at most 512\..*truncation=true"),
        ("camembert-ner", {"inputs": LONG}, r"reads at most 512\..*stride=64"),
        ("bert-base-uncased", {"inputs": "no mask here"}, r"has no \[MASK\].*Write \[MASK\]"),
        ("gpt2", {"text_inputs": ""}, r"The text is empty"),
        ("gpt2", {"text_inputs": "x " * 600}, r"has \d+ tokens and this model reads and writes at most 128"),
        ("gpt2", {"text_inputs": LONG[:200], "max_length": 10}, r"has \d+ tokens and max_length=10 .* max_new_tokens"),
        ("gpt2", {"text_inputs": "a", "max_length": "10"}, r"max_length='10' is no whole number above 0"),
        ("gpt2", {"text_inputs": "a", "max_new_tokens": 0}, r"max_new_tokens=0 is no whole number above 0"),
        ("gpt2", {"text_inputs": "a", "num_return_sequences": -1}, r"num_return_sequences=-1 is no whole number"),
        (
            "gpt2",
            {"text_inputs": "a", "num_return_sequences": 3, "do_sample": False},
            r"Without sampling there are 1 different texts, not 3\. Leave out do_sample, or set num_beams=3",
        ),
        ("detr-resnet-50", {"url": ""}, r"An address, a path or a data URI is needed, not str"),
        ("detr-resnet-50", {"url": []}, r"The list is empty\. Send at least one"),
        ("detr-resnet-50", {"url": "/irisdev/app/misc/nowhere.jpg"}, r"There is no file .*nowhere\.jpg"),
        ("detr-resnet-50", {"url": "/irisdev/app/misc/000000039769.jpg", "timeout": -1}, r"timeout=-1 is no number"),
    ],
)
def test_requests_that_make_no_sense(
    run: Callable[[str, dict[str, Any]], Any], name: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputRefused, match=message) as caught:
        run(name, fields)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("gpt2", {"text_inputs": "a", "max_lenght": 5}, r"takes no field 'max_lenght'\. Did you mean max_length"),
        ("bert-classifier", {"inputs": "a", "dtype": "x"}, r"can be given in the item's settings only"),
        ("bert-classifier", {"inputs": "a", "num_workers": 9}, r"takes no field 'num_workers'.*settings only"),
        ("detr-resnet-50", {"urll": "a"}, r"needs its input in one of the fields"),
        ("detr-resnet-50", {"url": "a", "treshold": 0.1}, r"Did you mean threshold"),
    ],
)
def test_fields_that_no_request_carries(
    run: Callable[[str, dict[str, Any]], Any], name: str, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises((OptionUnknown, InputRefused), match=message):
        run(name, fields)


def test_a_picture_that_is_none(run: Callable[[str, dict[str, Any]], Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("EVERGREEN_ALLOWED_PATHS", str(tmp_path))
    (tmp_path / "text.jpg").write_text("I am a text.")
    with pytest.raises(ImageNotReadable, match=r"text\.jpg is no picture that can be read .*Give a JPEG"):
        run("detr-resnet-50", {"url": str(tmp_path / "text.jpg")})


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/irisdev/app/misc/../../../../etc/passwd", "/irisdev/app/src/python/bo.py"]
)
def test_a_path_outside_the_allowed_folders(run: Callable[[str, dict[str, Any]], Any], path: str) -> None:
    with pytest.raises(paths.PathNotAllowed, match="outside the allowed folders"):
        run("detr-resnet-50", {"url": path})


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/cat.jpg", "http://127.0.0.1:1/cat.jpg", "http://169.254.169.254/latest"]
)
def test_an_address_that_may_not_be_read(run: Callable[[str, dict[str, Any]], Any], url: str) -> None:
    with pytest.raises(SourceRefused):
        run("detr-resnet-50", {"url": url})


def test_lengths_beyond_the_model_are_lowered_and_said(run: Callable[[str, dict[str, Any]], Any]) -> None:
    answer = run("gpt2", {"text_inputs": "a", "max_length": 5000, "do_sample": False})
    assert answer.note == "max_length was lowered from 5000 to 128, the model's limit."
    answer = run("gpt2", {"text_inputs": LONG[: 4 * 100], "max_new_tokens": 5000, "do_sample": False})
    assert "max_new_tokens was lowered from 5000 to" in answer.note
    run("gpt2", {"text_inputs": LONG[: 4 * 100], "do_sample": False})


def test_a_long_text_is_cut_where_that_is_asked(run: Callable[[str, dict[str, Any]], Any]) -> None:
    assert len(run("bert-classifier", {"inputs": LONG, "truncation": True}).output) == 1


def test_one_bad_element_of_a_list_fails_alone(run: Callable[[str, dict[str, Any]], Any]) -> None:
    answer = run("bert-classifier", {"inputs": ["good", "", 5, LONG, "bad"], "top_k": 1})
    good, empty, number, long, bad = answer.output
    assert good[0]["label"].startswith("LABEL_")
    assert bad[0]["label"].startswith("LABEL_")
    assert empty == {"error": "The text is empty. Send a text with at least one word."}
    assert number["error"].startswith("The task text-classification takes a text")
    assert "reads at most 512" in long["error"]
    assert answer.note == "3 of 5 elements failed; each tells why at its place."
    picture = "/irisdev/app/misc/000000039769.jpg"
    answer = run("detr-resnet-50", {"url": [picture, "/etc/passwd", picture]})
    assert [type(one) for one in answer.output] == [list, dict, list]
    assert "outside the allowed folders" in answer.output[1]["error"]
    assert len(answer.images) == 2


def test_several_texts_in_one_request(run: Callable[[str, dict[str, Any]], Any]) -> None:
    answer = run("bert-classifier", {"inputs": list(tiny_models.LINES[:3])})
    assert len(answer.output) == 3
    json.dumps(answer.output)


def test_nothing_found_is_said(run: Callable[[str, dict[str, Any]], Any]) -> None:
    answer = run("detr-resnet-50", {"url": "/irisdev/app/misc/000000039769.jpg", "threshold": 0.99999})
    assert answer.output == []
    assert answer.note == "Nothing was found above the threshold; a lower threshold shows more."
    assert len(answer.images) == 1


def test_a_backbone_that_needs_timm_says_so(model_root: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model_root / "detr-resnet-50", tmp_path / "detr"))
    config = json.loads((folder / "config.json").read_text())
    del config["backbone_config"]
    (folder / "config.json").write_text(json.dumps(config | {"backbone": "resnet50", "use_timm_backbone": True}))
    with pytest.raises(ModelBroken, match=r"needs the package timm; set revision=no_timm and download it anew"):
        pipeline.open("detr", "object-detection", path=str(tmp_path))
