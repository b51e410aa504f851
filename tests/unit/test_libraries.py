"""Parts of heavy libraries are imported by one thread at a time, whoever needs them."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import libraries
import tiny_models

SOURCES = Path(__file__).parents[2] / "src" / "python"

# What a production does at its start: a model is loaded and the trainer's libraries are warmed, and a training comes at
# once. Without turns this fails now and then where nothing is compiled yet.
AT_ONCE = """
import sys, threading
sys.path.insert(0, {tests!r})
import inference.pipeline, tiny_models, libraries
from pathlib import Path
from tuning import arguments, warming

entered, overlapped = [], []
import builtins, importlib._bootstrap as bootstrap
HEAVY = ("transformers", "torch", "sklearn", "accelerate")
at_it = {{}}
guard = threading.Lock()
original = bootstrap._find_and_load

def watched(name, import_):
    if name.partition(".")[0] not in HEAVY:
        return original(name, import_)
    own = threading.get_ident()
    with guard:
        at_it[own] = at_it.get(own, 0) + 1
        if len([one for one, count in at_it.items() if count]) > 1:
            overlapped.append(name)
    try:
        return original(name, import_)
    finally:
        with guard:
            at_it[own] -= 1

bootstrap._find_and_load = watched
errors = []

def run(work):
    try:
        work()
    except BaseException as error:
        errors.append(repr(error))

works = [
    lambda: inference.pipeline.open("bert-classifier", "text-classification", path={models!r}),
    warming.load,
    lambda: (warming.load(), arguments.translate({{"learning_rate": 0.1}})),
]
threads = [threading.Thread(target=run, args=(work,)) for work in works]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(errors, overlapped[:5])
"""


def test_a_start_imports_in_turns(tmp_path: Path) -> None:
    tiny_models.build("bert-classifier", tmp_path / "bert-classifier")
    script = AT_ONCE.format(models=str(tmp_path), tests=str(Path(__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=SOURCES, timeout=200, check=False
    )
    assert done.stdout.strip() == "[] []", done.stdout + done.stderr


def test_a_training_waits_for_a_model_that_is_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    from tuning import warming

    monkeypatch.setattr(warming, "_MODULES", ("json",))
    trainer = threading.Thread(target=warming.load)
    with libraries.lock:
        trainer.start()
        trainer.join(0.1)
        assert trainer.is_alive()
    trainer.join(60)
    assert not trainer.is_alive()
