"""What lies in the folder of models, read without loading any."""

import json
import shutil
from pathlib import Path

from inference import catalog, origin

CARD = """---
license: apache-2.0
pipeline_tag: token-classification
language: [en, fr]
---

# A card

<b>Not bold</b>
"""


def put(root: Path, name: str, **files: str) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file.replace("__", ".")).write_text(content)
    return folder


def test_entries_say_what_is_there(model_root: Path, tmp_path: Path) -> None:
    shutil.copytree(model_root / "bert-classifier", tmp_path / "bert")
    shutil.copytree(model_root / "camembert-ner", tmp_path / "ner")
    shutil.copytree(model_root / "detr-resnet-50", tmp_path / "detr")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".partial-x").mkdir()
    (tmp_path / "a-file").write_text("no folder")
    bert, detr, ner = catalog.entries(tmp_path)
    assert (bert.name, bert.task, bert.architecture) == (
        "bert", "text-classification", "BertForSequenceClassification",
    )  # fmt: skip
    assert (ner.task, detr.task) == ("token-classification", "object-detection")
    assert len(bert.labels) == 5 and bert.licence == "" and bert.origin is None and bert.problem == ""
    import safetensors

    with safetensors.safe_open(tmp_path / "bert" / "model.safetensors", "np") as weights:
        counted = sum(weights.get_tensor(name).size for name in weights.keys())  # noqa: SIM118
    assert bert.parameters == counted
    assert bert.size_bytes == sum(path.stat().st_size for path in (tmp_path / "bert").iterdir())


def test_a_card_is_told_apart_from_its_facts(tmp_path: Path) -> None:
    folder = put(tmp_path, "ner", config__json=json.dumps({"architectures": ["BertModel"]}), README__md=CARD)
    entry = catalog.entry(folder)
    assert (entry.task, entry.licence) == ("token-classification", "apache-2.0")
    assert catalog.facts(folder)["language"] == ["en", "fr"]
    assert catalog.card(folder) == "# A card\n\n<b>Not bold</b>"


def test_a_licence_file_counts_where_no_card_says_it(tmp_path: Path) -> None:
    folder = put(tmp_path, "bert", config__json="{}", LICENSE="\n  MIT License\n\nCopyright")
    assert catalog.entry(folder).licence == "MIT License (of LICENSE)"


def test_what_is_broken_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    put(tmp_path, "no-json", config__json="{")
    put(tmp_path, "odd", config__json='["a list"]', README__md="---\na: [\n---\ntext")
    odd = put(tmp_path, "weights", config__json='{"architectures": 7, "id2label": 3}')
    (odd / "model.safetensors").write_bytes(b"\xff" * 64)
    entries = {entry.name: entry for entry in catalog.entries(tmp_path)}
    assert "no JSON" in entries["no-json"].problem and "no JSON object" in entries["odd"].problem
    assert entries["weights"].parameters is None and "no safetensors file" in entries["weights"].problem
    assert catalog.facts(tmp_path / "odd") == {} and catalog.card(tmp_path / "odd") == "text"
    assert catalog.entries(tmp_path / "nowhere") == []


def test_where_it_came_from(tmp_path: Path) -> None:
    folder = put(tmp_path, "gpt2", config__json="{}")
    origin.write(folder, origin.Origin("https://huggingface.co", "gpt2", "openai/gpt2", commit="abc"))
    found = catalog.entry(folder).origin
    assert found is not None and (found.repository, found.commit) == ("openai/gpt2", "abc")
