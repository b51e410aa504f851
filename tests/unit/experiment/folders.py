"""Experiments for tests of what is around them: tiny models, few records, settings that make a run short."""

import re
from pathlib import Path

import tiny_models

MODELS = ("tiny-one", "tiny-two")
QUICK = {
    "MODEL_NAMES": ", ".join(MODELS), "EPOCHS": "1", "MAX_ROWS": "160", "BATCH_ROWS": "16", "LEARNING_RATE": "1e-3",
    "MAX_TOKENS": "32", "OVERLAP_TOKENS": "4", "RESAMPLES": "100", "CHECKPOINT_S": "0",
}  # fmt: skip


def write_models(root: Path) -> None:
    """Two tiny models in the folder of models."""
    for seed, name in enumerate(MODELS):
        tiny_models.build("bert-base-cased", root / name, seed=seed)


def set_keys(folder: Path, **keys: str) -> None:
    """Write values into an experiment's settings.ini, whose keys all stand there, perhaps behind a comment's sign."""
    file = folder / "settings.ini"
    text = file.read_text()
    for name, value in keys.items():
        text, count = re.subn(rf"(?m)^[#;]?\s*{name}\s*=.*$", f"{name} = {value}", text, count=1)
        assert count == 1, name
    file.write_text(text)
