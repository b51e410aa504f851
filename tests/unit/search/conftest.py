"""What the tests of search share: a small trained CLIP, a library with covers, one Spark session."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from search.options import Options
from search.samples import clip, library, shapes

LESSON = clip.Lesson(
    shapes=("square", "cross", "ring"),
    colours=("red", "green", "blue", "white"),
    steps=220,
    batch=64,
    edge=32,
    patch=32,
    width=96,
    layers=1,
    pictures=1_000,
    rate=2e-3,
)
SCENES = shapes.scenes(LESSON.shapes, LESSON.colours)
SOURCES = Path(__file__).parents[3] / "src" / "python"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP that knows three shapes in four colours."""
    return clip.train(tmp_path_factory.mktemp("models") / "shapes-clip", LESSON)


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of 240 books and their covers: some of them missing, empty, HTML."""
    folder = tmp_path_factory.mktemp("library")
    made = list(library.volumes(240, known=SCENES))
    library.write_dump(folder / "editions.txt", made)
    library.write_covers(folder / "covers", made)
    covers = sorted((folder / "covers").glob("*.jpg"))
    covers[10].unlink()
    covers[20].write_bytes(b"")
    covers[30].write_bytes(b"<!DOCTYPE html><html><body>Too many requests</body></html>")
    covers[40].write_bytes(covers[40].read_bytes()[:200])
    covers[50].write_bytes(b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
                           b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")  # fmt: skip
    return folder


@pytest.fixture
def options(model: Path, books: Path, tmp_path: Path) -> Callable[..., Options]:
    """The options of an index of these books, in one process, with changes."""

    def made(**changes: Any) -> Options:
        given = {
            "path": str(tmp_path / "index"),
            "dump": str(books / "editions.txt"),
            "covers": str(books / "covers"),
            "model": str(model),
            "master": "none",
            "part_rows": 32,
            "dtype": "float32",
        }
        return Options.parse(given | changes)

    return made


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """The one session of Spark that all tests share: two workers."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]")
        .appName("tests")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.executorEnv.PYTHONPATH", str(SOURCES))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
