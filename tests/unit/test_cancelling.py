"""The requests of docs/tuning.md that stop and go on with a training, in a production."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from iop import Production

import bo
import msg
import tiny_models
from irislite.errors import RequestFailed
from irislite.testing import Running, running
from waiting import eventually

NAME = "bert"
ROWS = "".join(f'{number % 2},"This was a really {("bad", "good")[number % 2]} experience."\n' for number in range(40))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    tiny_models.build("bert-classifier", tmp_path / "model" / NAME)
    (tmp_path / "model" / "rows.csv").write_text("label,text\n" + ROWS)
    return tmp_path / "model"


@pytest.fixture
def production(root: Path, tmp_path: Path) -> Iterator[Running]:
    made = Production("Cancelling.Production")
    settings = {"%settings": f"path={root}\nmodel_name={NAME}\nnum_labels=2"}
    made.operation("Tuning", bo.TuningOperation, settings=settings, pool_size=2)
    with running(made, home=tmp_path / "home") as started:
        yield started


def request(root: Path, **fields: object) -> msg.TrainRequest:
    made = msg.TrainRequest(columns="label,text", p_of_train=0.8)
    for name, value in {"file": str(root / "rows.csv"), "bf16": False, **fields}.items():
        setattr(made, name, value)
    return made


def test_a_running_training_hears_a_cancel_request(production: Running, root: Path) -> None:
    answers: list[msg.MLResponse] = []
    worker = threading.Thread(
        target=lambda: answers.append(production.send("Tuning", request(root, num_train_epochs=100_000)))
    )
    worker.start()
    eventually(lambda: (root / f".training-{NAME}" / "current").exists() or not worker.is_alive())
    assert worker.is_alive()
    answer = production.send("Tuning", msg.CancelRequest())
    assert "stops at its next step" in answer.note
    worker.join(timeout=60)
    assert answers[0].output == {"cancelled": NAME}
    assert "Nothing was saved" in answers[0].note
    assert not list(root.glob("temp-*"))
    with pytest.raises(RequestFailed, match="nothing to cancel"):
        production.send("Tuning", msg.CancelRequest())
