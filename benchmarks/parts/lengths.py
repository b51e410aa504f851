"""Any number of reviews as long as people's: half have fewer than 60 tokens, 95 % fewer than 220, none more than 512.

The shipped reviews are shorter, so each of these joins sentences of shipped reviews with the same label. The same seed
gives the same reviews.
"""

import csv
import math
import random
import re
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from parts.machine import PROJECT

MEDIAN, P95, LONGEST = 60, 220, 512
REVIEWS = PROJECT / "misc" / "reviews.csv"
_SPREAD = math.log(0.97 * P95 / MEDIAN) / statistics.NormalDist().inv_cdf(0.95)
_SPECIAL = 2  # tokens before and after each text
_SHORTEST = 8
_SEED = 5


def tokenizer(model_folder: Path) -> Any:
    """The model's tokenizer by itself, without torch."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(model_folder / "tokenizer.json"))


def reviews(count: int, model_folder: Path, seed: int = _SEED) -> Iterator[tuple[str, str]]:
    """`count` pairs of label and text."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    by_label = _sentences(tokenizer(model_folder))
    labels = sorted(by_label)
    for _ in range(count):
        label = chance.choice(labels)
        wanted = min(max(chance.lognormvariate(math.log(MEDIAN), _SPREAD), _SHORTEST), LONGEST) - _SPECIAL
        parts: list[str] = []
        tokens = 0
        while not parts or tokens < wanted:
            sentence, size = chance.choice(by_label[label])
            # The sentence at the end is there as often as it brings the length nearer.
            if parts and (tokens + size > LONGEST - _SPECIAL or tokens + size / 2 > wanted):
                break
            parts.append(sentence)
            tokens += size
        yield label, " ".join(parts)


def write(file: Path, count: int, model_folder: Path) -> None:
    """Write so many reviews into a CSV file with the columns of the shipped one."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("ReviewLabel", "ReviewText"))
        writer.writerows(reviews(count, model_folder))


def measured(texts: Sequence[str], model_folder: Path) -> dict[str, float]:
    """Median, 95th percentile and largest number of tokens."""
    counts = [len(one.ids) for one in _unbounded(model_folder).encode_batch(list(texts))]
    return {
        "median": statistics.median(counts),
        "p95": statistics.quantiles(counts, n=20)[18],
        "longest": max(counts),
        "below_p95": round(sum(count < P95 for count in counts) / len(counts), 3),
    }


def _unbounded(model_folder: Path) -> Any:
    found = tokenizer(model_folder)
    found.no_truncation()
    found.no_padding()
    return found


def _sentences(known: Any) -> dict[str, list[tuple[str, int]]]:
    """The sentences of the shipped reviews by label, each with its number of tokens."""
    known.no_truncation()
    known.no_padding()
    found: dict[str, list[tuple[str, int]]] = {}
    with REVIEWS.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            sentences = re.findall(r"[^.!?]+[.!?]+", row["ReviewText"]) or [row["ReviewText"]]
            sizes = known.encode_batch([one.strip() for one in sentences], add_special_tokens=False)
            pairs = zip(sentences, sizes, strict=True)
            found.setdefault(row["ReviewLabel"], []).extend((one.strip(), len(size.ids)) for one, size in pairs)
    return found
