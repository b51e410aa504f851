"""A model card says what its report says, and nothing of what it lacks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuning import card, metrics, report

NAMES = ("bad", "good|<b>")


@pytest.fixture
def whole() -> dict[str, Any]:
    truth = [0, 1] * 50
    old, new = (np.eye(2, dtype=np.float32)[guess] * 3 for guess in ([0] * 100, truth))
    compared = metrics.compare(truth, old, new, NAMES)
    return dict(
        report.Report(
            verdict=compared.verdict,
            outcome=compared.outcome,
            difference=compared.difference,
            old_metrics=metrics.measure(truth, old, NAMES) | {"note": "The old head is untrained."},
            new_metrics=metrics.measure(truth, new, NAMES),
            model="bert-base-cased",
            base="sha256:ba5e",
            candidate="/models/temp-bert-base-cased",
            candidate_id="sha256:cand",
            task="text-classification",
            method="lora",
            labels=list(NAMES),
            rows={
                "table": "iris.Review",
                "columns": ["ReviewLabel", "ReviewText"],
                "read": 503,
                "skipped": {"no text": 3},
                "train": 400,
                "held_out": 100,
                "notes": ["2 of 100 held-out rows have a text that is also trained on."],
            },
            data="sha256:da7a",
            seed=42,
            steps=75,
            resumed_from_step=None,
            stopped=None,
            arguments={"learning_rate": 2e-4, "hub_token": "***", "output_dir": "/srv/models/checkpoints"},
            notes=["evaluation_strategy is called eval_strategy."],
            versions=report.versions(),
            created=report.now(),
            duration_s=12.3,
            energy={"joules": 512.0, "carbon_g": 0.05, "method": "estimated"},
        )
    )


def test_the_card_of_a_whole_report(whole: dict[str, Any]) -> None:
    lines = card.text(whole).splitlines()
    assert lines[:6] == [
        "---",
        "library_name: transformers",
        "pipeline_tag: text-classification",
        "tags:",
        "- evergreen",
        "---",
    ]
    for line in (
        "# bert-base-cased",
        "Fine-tuned with low-rank adapters (LoRA) for text classification.",
        f"**{whole['verdict']}**",
        "| Table | iris.Review |",
        "| Columns | ReviewLabel, ReviewText |",
        "| Rows read | 503 |",
        "| Skipped: no text | 3 |",
        "| Hash of the rows | `sha256:da7a` |",
        "| Accuracy | 0.5000 | 1.0000 |",
        "| bad | 1.0000 | 1.0000 | 1.0000 | 50 |",
        "| **bad** | 50 | 0 |",
        "| Trained from | sha256:ba5e |",
        "| Energy in joules | 512.0 |",
        "- The old head is untrained.",
        "- 2 of 100 held-out rows have a text that is also trained on.",
    ):
        assert line in lines
    text = "\n".join(lines)
    assert "<b>" not in text
    assert "good\\|&lt;b>" in text
    assert "/srv/models" not in text
    assert '"learning_rate": 0.0002' in text


def test_what_the_report_lacks_is_left_out(whole: dict[str, Any]) -> None:
    bare = card.text({"model": "m", "labels": []})
    assert "None" not in bare
    assert "## Metrics" not in bare
    assert "## Data" not in bare
    for key in whole:
        assert card.text({name: value for name, value in whole.items() if name != key})


def test_the_card_of_a_regression_and_of_words() -> None:
    truth = np.arange(20, dtype=np.float32)
    measured = metrics.measure(truth, truth + 1, (), task="regression")
    told = metrics.compare(truth, truth + 3, truth + 1, task="regression")
    text = card.text(
        {
            "model": "m",
            "task": "regression",
            "labels": [],
            "old_metrics": measured | {"spearman": None},
            "new_metrics": measured,
            "difference": told.difference,
        }
    )
    assert "| Mean absolute error (lower is better) | 1.0000 | 1.0000 |" in text
    assert "| Spearman's rank correlation |  | 1.0000 |" in text
    assert "95 % interval -2.0000 to -2.0000 (paired bootstrap)" in text
    assert "pipeline_tag: token-classification" in card.text({"task": "token-classification"})


def test_many_labels_do_not_flood_the_card() -> None:
    names = [str(number) for number in range(50)]
    logits = np.eye(50, dtype=np.float32)
    text = card.text({"labels": names, "new_metrics": metrics.measure(range(50), logits, names), "old_metrics": {}})
    assert "and 30 more" in text
    assert "Which label" not in text


def test_versions_are_those_that_are_installed() -> None:
    found = report.versions()
    assert {"python", "torch", "transformers", "numpy"} <= set(found)
    assert report.now().endswith("+00:00")


def test_every_key_of_the_report_is_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tuning-data.md").read_text()
    assert [key for key in report.Report.__annotations__ if f"`{key}`" not in page] == []
