"""How fast the job of search makes an index, how it grows with workers and size, and what a kill costs it."""

import json
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parts import librarian

import search
from search import collection, encoder, job, pictures
from search.encoder import Choice
from search.options import Options
from search.samples import clip, dump

# -- the filter ------------------------------------------------------------------------------------------------------


def filtering(folder: Path, quick: bool) -> dict[str, Any]:
    """MB/s of the catalogue's filter, beside a reader that parses every line, and one that only reads."""
    mb = 30 if quick else 1_000
    path = folder / "editions.txt"
    dump.write(path, mb * 1_000_000)
    size_mb = path.stat().st_size / 1e6
    found: dict[str, Any] = {"mb": round(size_mb)}
    for name, way in (("lines alone", _lines), ("json.loads of every line", _plain), ("ours", _ours),
                      ("ours on Spark, two workers, with its start", _spread)):  # fmt: skip
        began_s = time.perf_counter()
        books = way(path, folder / name.replace(" ", "-"))
        took_s = time.perf_counter() - began_s
        found[name] = {"mb_per_s": round(size_mb / took_s, 1), "books": books}
    return found


def _lines(path: Path, _: Path) -> int:
    count = 0
    with path.open("rb") as file:
        for _line in file:
            count += 1
    return count


def _plain(path: Path, _: Path) -> int:
    """As one writes it: parse, then look."""
    books = 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                record = json.loads(line.split("\t", 4)[4])
            except (ValueError, IndexError):
                continue
            subjects = record.get("subjects") or []
            eng = any(
                isinstance(one, dict) and one.get("key") == "/languages/eng" for one in record.get("languages") or []
            )
            books += eng and any("fiction" in str(subject).lower() for subject in subjects)
    return books


def _ours(path: Path, out: Path) -> int:
    return _catalogue(path, out, "none")


def _spread(path: Path, out: Path) -> int:
    return _catalogue(path, out, "local[2]")


def _catalogue(path: Path, out: Path, master: str) -> int:
    from search.progress import Watch

    made = Options.parse({"path": str(out), "dump": str(path), "model": "none/none", "master": master})
    work = job.Job(made, Watch(librarian.say))
    with work._workers:
        return work._catalogue()["books"]


# -- the embedding ---------------------------------------------------------------------------------------------------


def embedding(folder: Path, quick: bool) -> dict[str, Any]:
    """Pictures per second of each way, on one thread."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel

    torch.set_num_threads(1)
    model = librarian.vit(folder / "vit")
    count, rows, loads = (64, 12, 2) if quick else (512, 64, 5)
    shelf = librarian.shelve(folder / "shelf", count, librarian.covers(), zips=True)
    files = librarian.covers()[:rows]

    def row(network: Any, processor: Any, data: bytes) -> None:
        with torch.inference_mode():
            network.get_image_features(**processor(pictures.decode(data), return_tensors="pt"))

    def loaded() -> tuple[Any, Any]:
        return CLIPModel.from_pretrained(model), CLIPImageProcessorPil.from_pretrained(model)

    def per_row() -> int:
        for data in files[:loads]:
            row(*loaded(), data)
        return loads

    network, processor = loaded()
    row(network, processor, files[0])

    def one_at_a_time() -> int:
        for data in files:
            row(network, processor, data)
        return len(files)

    made = librarian.options(folder, shelf, model)
    choice = Choice(str(model))
    bare_model = encoder.opened(choice)
    pixels = torch.randn(32, 3, 224, 224).to(bare_model._model.dtype)  # type: ignore[attr-defined]

    def bare() -> int:
        with torch.inference_mode():
            for _ in range(max(1, count // 128)):
                bare_model._model.get_image_features(pixel_values=pixels)  # type: ignore[attr-defined]
        return max(1, count // 128) * 32

    bare()

    def ours() -> int:
        report = search.index(made, librarian.say)
        stage = next(stage for stage in report["stages"] if stage["stage"] == "pictures")
        figures["ours"].update(steps=stage["steps"], seconds=stage["seconds"])
        return report["covers"]

    figures: dict[str, Any] = {"ours": {}}
    ways = {
        "model loaded per row": per_row,
        "one row at a time": one_at_a_time,
        "bare model, batches": bare,
        "ours": ours,
    }
    for name, way in ways.items():
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        done = way()
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        if name == "ours":  # of the whole job, the embedding alone is compared
            wall_s = figures["ours"].pop("seconds")
        figures.setdefault(name, {}).update(per_s=round(done / wall_s, 2), per_cpu_s=round(done / cpu_s, 2))
    mine = figures["ours"]["per_s"]
    figures["times one row at a time"] = round(mine / figures["one row at a time"]["per_s"], 2)
    figures["times model per row"] = round(mine / figures["model loaded per row"]["per_s"], 2)
    figures["share of the bare model"] = round(mine / figures["bare model, batches"]["per_s"], 3)
    return figures


def workers(folder: Path, quick: bool) -> dict[str, Any]:
    """Seconds of the embedding on Spark with one and with two workers, ViT-B/32."""
    model = librarian.vit(folder / "vit")
    shelf = librarian.shelve(folder / "shelf", 128 if quick else 1_024, librarian.covers(), zips=True)
    found = {}
    for master in ("local[1]", "local[2]"):
        made = librarian.options(
            folder / master.strip("l[]oca"), shelf, model, master=master, part_rows=32 if quick else 64
        )
        report = librarian.in_process(made)
        found[master] = next(stage["seconds"] for stage in report["stages"] if stage["stage"] == "pictures")
    found["times"] = round(found["local[1]"] / found["local[2]"], 2)
    return found


# -- the whole job ---------------------------------------------------------------------------------------------------


def whole(folder: Path, quick: bool) -> dict[str, Any]:
    """All covers of a library from dump to collection, and the memory meanwhile. The model is the small one."""
    count = 3_000 if quick else 70_000
    model = clip.train(folder / "clip", clip.Lesson(steps=20, pictures=200))
    shelf = librarian.shelve(folder / "shelf", count, librarian.covers(1.0), zips=True)
    made = librarian.options(folder, shelf, model)
    samples: list[float] = []
    with _sampling(samples):
        report = search.index(made, librarian.say)
    parts = [samples[int(len(samples) * share)] for share in (0.25, 0.5, 0.75)] if len(samples) > 8 else []
    return {
        "covers": report["vectors"],
        "seconds": report["seconds"],
        "stages": {stage["stage"]: stage["seconds"] for stage in report["stages"]},
        "memory_mb": {"quarter": parts[0], "half": parts[1], "three quarters": parts[2]} if parts else {},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


@contextmanager
def _sampling(samples: list[float]) -> Iterator[None]:
    """Appends the resident megabytes of this process, five times a second."""
    stop = threading.Event()

    def sample() -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not stop.wait(0.2):
            samples.append(round(int(Path("/proc/self/statm").read_text().split()[1]) * page / 1e6))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def killed(folder: Path, quick: bool) -> dict[str, Any]:
    """Kill the job at random moments, in one process and on Spark, until it is done."""
    kills, count = (2, 600) if quick else (10, 3_000)
    model = clip.train(folder / "clip", clip.Lesson(steps=20, pictures=200))
    shelf = librarian.shelve(folder / "shelf", count, librarian.covers(1.0), zips=True)
    wanted = {f"/books/OL{number}M" for number in range(1, count + 1)}
    found: dict[str, Any] = {}
    for master in ("none", "local[2]"):
        made = librarian.options(folder / f"killed-{master[:5]}", shelf, model, master=master, part_rows=16)
        draw, done, again, lost = random.Random(1), dict[str, int](), 0, 0  # noqa: S311
        for _ in range(kills):
            process = librarian.started(made)
            until = len(_parts(made)) + draw.randrange(8)  # before the first part of this try, or some parts later
            while len(_parts(made)) < until and process.poll() is None:
                time.sleep(0.01)
            time.sleep(draw.uniform(0, 0.5))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            now = _parts(made)
            again += sum(now.get(name, stamp) != stamp for name, stamp in done.items())
            lost += len(done.keys() - now.keys())
            done = now
        report = librarian.in_process(made)
        books = collection.opened(job.address(made), made.collection)
        there = set(books.vectors(sorted(wanted)))
        found[master] = {
            "kills": kills,
            "parts done again": again,
            "parts lost": lost,
            "missing": len(wanted - there),
            "doubled": books.count() - len(there),
            "covers kept by the last try": report["stages"][2]["again"],
        }
    return found


def _parts(made: Options) -> dict[str, int]:
    """The finished parts, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in Path(made.path, "pictures").glob("[!.]*")}
