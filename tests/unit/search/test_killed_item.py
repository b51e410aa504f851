"""The job as an item: its production is killed in the middle, and the next one goes on by itself."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from iop import Production

import bo
import msg
from irislite.testing import running
from search.samples import library
from unit.search.conftest import SCENES

BOOKS = 120
JOB = "path=src/books\nmodel=shapes-clip\nmaster=none\ndump=src/books/editions.txt\npart_rows=4"
IN_A_PROCESS = """
import signal, sys
from iop import Production
import bo, msg
from irislite.testing import running
made = Production("Killed.Production")
made.operation("Index", bo.IndexOperation, settings={"%settings": sys.argv[2]})
with running(made, home=sys.argv[1]) as production:
    production.send_async("Index", msg.IndexRequest())
    signal.pause()
"""


def parts(books: Path) -> list[Path]:
    """The finished ones; what is being written has a point before its name."""
    return list(books.glob("pictures/[!.]*.parquet"))


def test_the_next_production_goes_on(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(model, tmp_path / "src" / "model" / "shapes-clip")
    made = list(library.volumes(BOOKS, known=SCENES))
    books = tmp_path / "src" / "books"
    books.mkdir()
    library.write_dump(books / "editions.txt", made)
    library.write_covers(books / "covers", made)
    monkeypatch.setenv("EVERGREEN_ROOT", str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, tmp_path / "home", JOB],
        env=os.environ | {"PYTHONPATH": str(Path(bo.__file__).parent)},
    )
    try:
        until_s = time.monotonic() + 60
        while len(parts(books)) < 3:
            assert process.poll() is None and time.monotonic() < until_s
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    finished = {part: part.stat().st_mtime_ns for part in parts(books)}
    assert len(finished) < BOOKS / 4, "in the middle of it"
    production = Production("Killed.Production")
    production.operation("Index", bo.IndexOperation, settings={"%settings": JOB})
    with running(production, home=tmp_path / "home") as again:  # the request is in its queue still
        again.wait_idle(60)
        state = again.send("Index", msg.IndexRequest("report")).output
    assert (state["state"], state["report"]["vectors"]) == ("done", BOOKS)
    assert finished == {part: part.stat().st_mtime_ns for part in finished}, "what is finished is never done again"
