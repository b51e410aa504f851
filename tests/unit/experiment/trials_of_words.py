"""A small experiment that can be learnt: which of two kinds of words a text has."""

import csv
import json
import random
from pathlib import Path

import tiny_models
from experiment import making
from unit.experiment.folders import set_keys

KINDS = {"good": ("great", "kind", "fair", "clean"), "bad": ("bad", "never", "not", "Unfortunately")}
MODELS = ("tiny-one", "tiny-two")
QUICK = {
    "EPOCHS": "2", "BATCH_ROWS": "8", "LEARNING_RATE": "1e-2", "HEAD_FACTOR": "1", "RESAMPLES": "100",
    "CHECKPOINT_S": "0", "TEST_SHARE": "0.2", "VALIDATION_SHARE": "0.2", "SEED": "7",
}  # fmt: skip


def write_models(root: Path) -> Path:
    """Two models that know nothing, without dropout, so that two trainings can be compared number by number."""
    from safetensors.torch import load_file, save_file

    for seed, name in enumerate(MODELS):
        file = tiny_models.build("bert-base-cased", root / name, seed=seed) / "config.json"
        # Words that differ as much as those of a model that has learnt, so that a few steps tell them apart.
        weights = load_file(root / name / "model.safetensors")
        (words,) = (key for key in weights if key.endswith("word_embeddings.weight"))
        save_file(weights | {words: weights[words] * 50}, root / name / "model.safetensors", metadata={"format": "pt"})
        config = json.loads(file.read_text())
        file.write_text(
            json.dumps(
                config | {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.2}
            )
        )
    return root


def write_rows(file: Path, rows: int, seed: int = 0) -> Path:
    """A CSV of texts, each with words of one kind among words of none."""
    generator = random.Random(seed)
    filler = "we will never come back to the room with people and food in the price of it".replace("never ", "").split()
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for number in range(rows):
            label = ("good", "bad")[number % 2]
            words = generator.sample(filler, 5) + generator.choices(KINDS[label], k=2)
            generator.shuffle(words)
            writer.writerow([f"{' '.join(words)} {number}", label])
    return file


def make(folder: Path, models: Path, rows: int = 120, **keys: str) -> Path:
    """The folder of an experiment on such texts."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    data = write_rows(folder.parent / f"{folder.name}.csv", rows)
    making.new(folder, making.Source(files=(str(data),), models=MODELS))
    set_keys(folder, MODELS_PATH=str(models), **{**QUICK, **keys})
    return folder
