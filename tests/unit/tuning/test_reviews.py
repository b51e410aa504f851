"""The shipped review table is what its generator writes, and worth training on."""

import collections
import csv
import importlib.util
import statistics
from pathlib import Path
from types import ModuleType

import pytest

MISC = Path(__file__).resolve().parents[3] / "misc"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reviews", MISC / "make_reviews.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_the_generators_output(generator: ModuleType) -> None:
    assert (MISC / "reviews.csv").read_text(encoding="utf-8") == generator.csv_text()


def test_rows_are_many_varied_and_balanced() -> None:
    with (MISC / "reviews.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2_400
    assert len({row["ReviewText"] for row in rows}) == len(rows)
    counts = collections.Counter(int(row["ReviewLabel"]) for row in rows)
    assert sorted(counts) == [1, 2, 3, 4, 5]
    assert min(counts.values()) > 0.17 * len(rows)
    words = sorted(len(row["ReviewText"].split()) for row in rows)
    assert 15 < statistics.median(words) < 30
    assert words[-1] > 100


def test_no_single_word_gives_the_label_away() -> None:
    with (MISC / "reviews.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    seen: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row in rows:
        for word in set(row["ReviewText"].lower().replace(".", "").replace(",", "").split()):
            seen[word][row["ReviewLabel"]] += 1
    frequent = [counts for counts in seen.values() if counts.total() >= 100]
    assert max(max(counts.values()) / counts.total() for counts in frequent) < 0.8
