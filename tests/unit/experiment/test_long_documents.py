"""Documents longer than the model: windows, pooling, long models."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import experiment
from experiment import encoding, models, reading
from experiment.functions import Config, Functions
from experiment.preparation import Rows
from experiment.reading import Reader
from experiment.settings import Settings
from experiment.world import World
from unit.experiment.folders import set_keys
from unit.experiment.trials_of_words import make, write_models


@pytest.fixture(scope="module")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, models_root: Path) -> Path:
    """An experiment whose documents have up to forty windows of one model, and the label in their middle."""
    folder = make(tmp_path_factory.mktemp("long") / "EXP-1-long", models_root, MODEL_NAMES="tiny-one", MAX_TOKENS="32",
                  OVERLAP_TOKENS="8", TRAIN_WINDOWS="4", EPOCHS="1", RUN_INFERENCE="yes", POOLING="max")  # fmt: skip
    filler = " we will come back to the room with people and food"
    rows = [
        f'"{filler * (1 + number)} {("great kind", "bad never")[number % 2]} {filler * (1 + number)} {number}",{number % 2}'
        for number in range(40)
    ]
    (folder.parent / "EXP-1-long.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    experiment.run(folder)
    return folder


def config_of(folder: Path, models_root: Path) -> Config:
    return Config(
        Settings.load(folder), model_name="tiny-one", model_folder=models_root / "tiny-one", labels=("0", "1")
    )


def test_windows_hold_every_token_and_overlap(long: Path, models_root: Path) -> None:
    config = config_of(long, models_root)
    before, after = encoding.marks(config.model_folder)
    assert before and after
    for length in (0, 1, 29, 30, 31, 52, 53, 500):
        ids = list(range(1000, 1000 + length))
        found = encoding.windows(ids, config)
        bare = [window[len(before) : len(window) - len(after)] for window in found]
        assert all(len(window) <= 32 for window in found)
        assert sorted(set().union(*bare)) == ids
        for one, other in itertools.pairwise(bare):
            assert one[-8:] == other[: len(one[-8:])]
        # The last window always has something that the others have not.
        assert len(bare) == 1 or bare[-1][-1] not in bare[-2]


def test_a_long_text_is_read_in_pieces_to_the_same_ids(long: Path, models_root: Path) -> None:
    config = config_of(long, models_root)
    text = "we will come back to the room " * 5_000
    whole = encoding.tokenizer(config.model_folder)(text, add_special_tokens=False, verbose=False)["input_ids"]
    assert encoding.token_ids([text, "short"], config)[0] == whole


def test_a_document_is_judged_by_all_of_its_windows(long: Path, models_root: Path) -> None:
    prepared = long / experiment.record(long, 1, "preparation/tiny-one")["place"]
    rows = Rows(prepared, "test")
    assert max(rows.ends - rows.starts) > 20
    learned = long / experiment.record(long, 1, "training/tiny-one")["place"] / "model"
    config = config_of(long, models_root)
    functions = Functions(long / "src/user_defined_funcs.py")
    model = models.trained(functions, config, learned).eval()
    for pooling in ("mean", "max"):
        reader = Reader(model, encoding.KEYS, 2, World(), torch.float32, pooling)
        found = reading.predict(reader, rows, at_once=7)
        for record in range(len(rows)):
            with torch.inference_mode():
                one = reader.windows(rows.read(rows.windows(record).tolist())).numpy()
                both = reader.documents(
                    rows.read(rows.windows(record).tolist() + rows.windows(0).tolist()),
                    [0] * len(one) + [1] * len(rows.windows(0)), 2,
                ).numpy()  # fmt: skip
            expected = one.mean(axis=0) if pooling == "mean" else one.max(axis=0)
            np.testing.assert_allclose(found[record], expected, atol=1e-4)
            np.testing.assert_allclose(both[0], expected, atol=1e-4)
    statistics = experiment.statistics(long, 1, "tiny-one")
    assert statistics["longest_windows"] == max(rows.ends - rows.starts)


def test_cut_reads_the_beginning_alone(long: Path, models_root: Path, tmp_path: Path) -> None:
    shutil.copytree(long.parent, tmp_path / "cut", ignore=shutil.ignore_patterns("run_*", "data"))
    folder = tmp_path / "cut" / long.name
    set_keys(folder, LONG_DOCUMENTS="cut", RUN_INFERENCE="no", RUN_TRAINING="no")
    experiment.run(folder)
    rows = Rows(folder / experiment.record(folder, 1, "preparation/tiny-one")["place"], "train")
    assert set(rows.ends - rows.starts) == {1} and rows.lengths.max() == 32


def test_a_long_model_reads_a_long_text_at_once(models_root: Path, tmp_path: Path) -> None:
    import transformers

    root = tmp_path / "models"
    shutil.copytree(models_root / "tiny-one", root / "longformer", ignore=shutil.ignore_patterns("*.safetensors"))
    size = len(encoding.tokenizer(models_root / "tiny-one"))
    transformers.LongformerConfig(
        vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        attention_window=[64], max_position_embeddings=1026, pad_token_id=0,
    ).save_pretrained(root / "longformer")  # fmt: skip
    tokenizer = encoding.tokenizer(models_root / "tiny-one")
    tokenizer.save_pretrained(root / "longformer")
    settings = root / "longformer" / "tokenizer_config.json"
    settings.write_text(settings.read_text().replace('"model_max_length": 512', '"model_max_length": 1024'))
    folder = make(tmp_path / "EXP-2-longformer", root, rows=24, MODEL_NAMES="longformer", EPOCHS="1", BATCH_ROWS="8")
    file = tmp_path / "EXP-2-longformer.csv"
    words = "we will come back to the room with people and food " * 70
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *(f"{words}{line}" for line in lines[1:])]) + "\n")
    experiment.run(folder)
    rows = Rows(folder / experiment.record(folder, 1, "preparation/longformer")["place"], "test")
    assert set(rows.ends - rows.starts) == {1} and rows.lengths.max() > 512
    assert experiment.winner(folder).model == "longformer"
