"""What the benchmark of search works with: ViT-B/32 with weights drawn at random, covers of usual size, vectors."""

import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from search import collection
from search.options import Options
from search.samples import library, shapes

DIMENSION = 512
COVER_SCALE = 400 / shapes.WIDTH  # 400 x 600, as Open Library's middle size
_DISTINCT = 200


def vit(folder: Path) -> Path:
    """A CLIP ViT-B/32 whose weights are random: as much work as the trained one."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel
    from transformers.utils import logging

    from search.samples import clip

    logging.disable_progress_bar()
    tokenizer = clip._tokenizer(clip.Lesson())  # of few words; a text still fills as many tokens as it has words
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = CLIPConfig()
        config.text_config.eos_token_id = tokenizer.eos_token_id
        for part in (CLIPModel(config), tokenizer, CLIPImageProcessorPil()):
            part.save_pretrained(folder)
    return folder


def covers(scale: float = COVER_SCALE) -> list[bytes]:
    """Distinct covers, to be used again and again."""
    draw, scenes = random.Random(0), shapes.scenes()  # noqa: S311
    return [shapes.jpeg(draw.choice(scenes), draw, scale) for _ in range(_DISTINCT)]


def shelve(folder: Path, count: int, pictures: list[bytes], zips: bool) -> Path:
    """A dump of `count` books, and their covers as files or bulk zips."""
    folder.mkdir(parents=True)
    made = list(library.volumes(count))
    library.write_dump(folder / "editions.txt", made)
    (folder / "covers").mkdir()
    if not zips:
        for volume in made:
            (folder / "covers" / f"{volume.cover_id}.jpg").write_bytes(pictures[volume.cover_id % len(pictures)])
        return folder
    for block in sorted({volume.cover_id // 10_000 for volume in made}):
        with zipfile.ZipFile(folder / "covers" / f"m_covers_{block // 100:04d}_{block % 100:02d}.zip", "w") as archive:
            for volume in made:
                if volume.cover_id // 10_000 == block:
                    data = pictures[volume.cover_id % len(pictures)]
                    archive.writestr(f"{volume.cover_id:010d}-M.jpg", data)
    return folder


def vectors(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    """Unit vectors in clusters, as those of covers lie: 1,000 centres, and each vector a step away from one."""
    draw = np.random.default_rng(seed)
    centres = _units(np.random.default_rng(12345).normal(size=(1_000, dimension)).astype(np.float32))
    steps = draw.normal(size=(count, dimension)).astype(np.float32) * (0.7 / dimension**0.5)
    return _units(centres[draw.integers(0, len(centres), count)] + steps)


def rows(vectors: np.ndarray, first: int = 0) -> Any:
    """Rows of a collection for these vectors."""
    books = [
        {"key": f"/books/OL{first + number}M", "title": f"Book {first + number}", "authors": ["Ana Silva"],
         "year": 2010 + number % 15, "pages": 100 + number % 500, "subjects": ["Fiction", f"Subject {number % 50}"]}
        for number in range(len(vectors))
    ]  # fmt: skip
    return collection.rows(books, [""] * len(vectors), vectors)


def options(folder: Path, shelf: Path, model: Path, **more: Any) -> Options:
    """The options of an index of this shelf, in one process."""
    given = {"path": str(folder / "index"), "dump": str(shelf / "editions.txt"), "covers": str(shelf / "covers"),
             "model": str(model), "master": "none"}  # fmt: skip
    return Options.parse(given | more)


def started(made: Options) -> subprocess.Popen[str]:
    """The job in a process of its own."""
    names = ("path", "dump", "covers", "model", "master", "part_rows")
    arguments = [text for name in names for text in (f"--{name.replace('_', '-')}", str(getattr(made, name)))]
    command = [sys.executable, "-m", "search", *arguments]
    return subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )


def in_process(made: Options) -> dict[str, Any]:
    """The same to its end; its report."""
    process = started(made)
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"The job on {made.path} failed: run it by hand with python -m search.")
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def fill(books: collection.Collection, vectors: np.ndarray, first: int = 0) -> None:
    """Put vectors into a collection."""
    for start in range(0, len(vectors), 10_000):
        books.add(rows(vectors[start : start + 10_000], first + start))


def say(line: str) -> None:
    """Tell how far a part is, beside its figures."""
    print(line, file=sys.stderr, flush=True)


def _units(found: np.ndarray) -> np.ndarray:
    units: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return units
