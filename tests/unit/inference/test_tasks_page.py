"""docs/tasks.md is true: every task of transformers is on it, and every request on it is answered by a tiny model."""

import base64
import gzip
import importlib.util
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import bad_requests
import settinglines
import tiny_models
from inference import pipeline, tasks

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("taskpages", ROOT / "scripts" / "taskpages.py")
TASK_PAGES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(TASK_PAGES)
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (`[^|]+`) \| (`name=[^|]+`) \| `(\{.+?\})` \| [^|]+ \|", re.MULTILINE)
ROWS = {names: (lines.replace("`", "").replace("<br>", "\n"), request) for names, lines, request in ROW.findall(PAGE)}
OTHER_MODELS = {"automatic-speech-recognition": "whisper", "any-to-any": "qwen2-audio"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path_factory.mktemp("page")
    torch.set_num_threads(threads)


def test_every_task_is_on_the_page() -> None:
    from transformers.pipelines import PIPELINE_REGISTRY

    named = {name for names in ROWS for name in re.findall(r"`([^`]+)`", names)}
    assert named == set(PIPELINE_REGISTRY.get_supported_tasks())
    gone = PAGE.partition("## Tasks that are gone")[2]
    assert all(f"`{name}`" in gone for name in tasks._REMOVED)


@pytest.mark.parametrize("names", ROWS)
def test_a_row_works_as_it_stands(root: Path, names: str) -> None:
    lines, request = ROWS[names]
    options: dict[str, Any] = settinglines.parse_lines(lines)
    task = options.pop("task")
    known = tasks.lookup(task)
    options.pop("model_url", None), options.pop("name")
    kind = bad_requests.GOOD[known.name][0]
    if not (root / kind).exists():
        tiny_models.build(kind, root / kind)
    model = pipeline.open(kind, task, path=str(root), options=options)
    answer = pipeline.run(model, json.loads(request))
    pipeline.close(model)
    json.dumps(answer.output, allow_nan=False)
    page = (TASK_PAGES.FOLDER / f"{re.findall(r'`([^`]+)`', names)[0]}.md").read_text(encoding="utf-8")
    shown = TASK_PAGES.shape(TASK_PAGES.example_of(page))
    assert TASK_PAGES.shape(TASK_PAGES.example(answer)) == shown, "run: python scripts/taskpages.py"
    drawn = ("detection", "segmentation", "mask-", "depth", "keypoint")
    assert bool(answer.images) == any(word in known.name for word in drawn)


def test_the_lines_that_read_a_part(root: Path) -> None:
    import numpy

    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    buffer = io.BytesIO()
    numpy.save(buffer, numpy.arange(6))
    for media_type, encoding, data in (
        ("application/x-npy", "gzip", gzip.compress(buffer.getvalue())),
        ("application/json", "gzip", gzip.compress(b"[0, 1, 2, 3, 4, 5]")),
    ):
        part = {"media_type": media_type, "encoding": encoding, "data": base64.b64encode(data).decode()}
        known: dict[str, Any] = {"part": part}
        exec(block, known)
        assert list(known["value"]) == [0, 1, 2, 3, 4, 5]


def test_the_limits_are_those_of_the_code() -> None:
    from inference import audio, bounds, forms, images, inputs, source, video

    for number in (inputs.LIMIT_ELEMENTS, bounds.LIMIT_TEXT, forms.LIMIT_CELLS, bounds.LIMIT_LABELS):
        assert f"{number:,}" in PAGE
    for size in (source.LIMIT_BYTES, audio.LIMIT_BYTES, video.LIMIT_BYTES):
        assert f"{size // 1_000_000} MB" in PAGE
    for millions in (images.LIMIT_PIXELS, audio.LIMIT_SAMPLES, video.LIMIT_PIXELS_AT_ONCE):
        assert f"{millions // 1_000_000} million" in PAGE
