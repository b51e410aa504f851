"""A library to try a search on: a dump of books whose titles say what their covers show, and the covers."""

import random
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.samples import dump, shapes
from search.samples.shapes import Scene

FIRST_COVER = 8_230_000


@dataclass(frozen=True)
class Volume:
    """A book and what is on its cover."""

    key: str
    cover_id: int
    scene: Scene


def volumes(count: int, seed: int = 0, known: Sequence[Scene] | None = None) -> Iterator[Volume]:
    """So many books, their scenes drawn at random."""
    draw = random.Random(seed)  # noqa: S311 - nothing here is secret
    scenes = known or shapes.scenes()
    for number in range(1, count + 1):
        yield Volume(f"/books/OL{number}M", FIRST_COVER + number, draw.choice(scenes))


def write_dump(path: Path, made: Sequence[Volume], seed: int = 0) -> None:
    """The dump of these books."""
    draw = random.Random(seed)  # noqa: S311 - nothing here is secret
    with path.open("wb") as file:
        for number, volume in enumerate(made, start=1):
            scene = volume.scene
            record = dump.good(number, draw) | {
                "title": f"The {scene.colour} {scene.shape}",
                "covers": [volume.cover_id],
                "description": f"A story of {scene.caption}.",
                "subjects": ["Fiction", _several(scene.shape), f"{scene.colour.capitalize()} things"],
            }
            file.write(dump.line(record) + b"\n")


def _several(shape: str) -> str:
    return f"{shape.capitalize()}{'es' if shape.endswith('s') else 's'}"


def write_covers(folder: Path, made: Sequence[Volume], zips: bool = False, seed: int = 0, scale: float = 1.0) -> None:
    """Their covers, as files or as Open Library's bulk zips of ten thousand."""
    draw = random.Random(seed)  # noqa: S311 - nothing here is secret
    folder.mkdir(parents=True, exist_ok=True)
    if not zips:
        for volume in made:
            (folder / f"{volume.cover_id}.jpg").write_bytes(shapes.jpeg(volume.scene, draw, scale))
        return
    blocks: dict[int, list[Volume]] = {}
    for volume in made:
        blocks.setdefault(volume.cover_id // 10_000, []).append(volume)
    for block, several in blocks.items():
        with zipfile.ZipFile(folder / f"m_covers_{block // 100:04d}_{block % 100:02d}.zip", "w") as archive:
            for volume in several:
                archive.writestr(f"{volume.cover_id:010d}-M.jpg", shapes.jpeg(volume.scene, draw, scale))
