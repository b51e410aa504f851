"""What a search finds and how long it takes: recall of the indices, times through the operation, language."""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from parts import librarian

import search
from search import collection, encoder
from search.collection import Address
from search.encoder import Choice
from search.samples import clip, library, shapes

# -- the search ------------------------------------------------------------------------------------------------------


def recall(folder: Path, quick: bool) -> dict[str, Any]:
    """Recall@10 of the index against all vectors compared, for LanceDB and Milvus Lite."""
    count, questions = (20_000, 50) if quick else (100_000, 200)
    found: dict[str, Any] = {"vectors": count}
    made, asked = librarian.vectors(count), librarian.vectors(questions, seed=9)
    truth = [set(np.argpartition(-(made @ question), 10)[:10].tolist()) for question in asked]
    for kind, address in (("LanceDB", Address(str(folder / "lance"))), ("Milvus Lite", Address(str(folder / "m.db")))):
        books = collection.made(address, "books", librarian.DIMENSION, "benchmark")
        librarian.fill(books, made)
        began_s = time.perf_counter()
        index = books.index()
        built_s = time.perf_counter() - began_s
        right, times_ms = 0, []
        for question, best in zip(asked, truth, strict=True):
            began_s = time.perf_counter()
            hits = books.search(question, 10)
            times_ms.append((time.perf_counter() - began_s) * 1000)
            right += len(best & {int(hit.key[9:-1]) for hit in hits})
        books.close()
        found[kind] = {
            "index": index,
            "built_s": round(built_s, 1),
            "recall": round(right / (10 * questions), 4),
            "p50_ms": round(statistics.median(times_ms), 2),
        }
    return found


def asked(folder: Path, quick: bool) -> dict[str, Any]:
    """p50 and p99 of a search through the operation, at 70,000 and 1,000,000 vectors."""
    model = librarian.vit(folder / "src" / "model" / "vit")
    os.environ["EVERGREEN_ROOT"] = str(folder)
    identity, dimension = encoder.facts(Choice(str(model)))
    found: dict[str, Any] = {}
    for count in (5_000, 20_000) if quick else (70_000, 1_000_000):
        path = folder / f"books{count}"
        books = collection.made(Address(str(path / "collection")), "books", dimension, identity)
        began_s = time.perf_counter()
        for start in range(0, count, 50_000):
            librarian.fill(books, librarian.vectors(min(50_000, count - start), seed=start), start)
        filled_s = time.perf_counter() - began_s
        index = books.index()
        figures = {"filled_s": round(filled_s), "index": index, "ready_s": round(time.perf_counter() - began_s)}
        found[f"{count:,}"] = figures | _through_the_operation(path, 50 if quick else 300, books)
        books.close()
    return found


def _through_the_operation(path: Path, times: int, books: collection.Collection) -> dict[str, Any]:
    from iop import Production

    import bo
    import msg
    from irislite.testing import running

    made = Production("Benchmark.Search")
    made.operation("Search", bo.SearchOperation, settings={"%settings": f"path={path}\nmodel=vit"})
    requests = {
        "text": lambda number: msg.SearchRequest(query=f"a {_word(number)} {_shape(number)}"),
        "text with a filter": lambda number: msg.SearchRequest(
            query=f"a {_word(number)} {_shape(number)}",
            filter={"year": {"from": 2015}, "subjects": [f"subject {number % 50}"]},
        ),
        "like a book": lambda number: msg.SearchRequest(like=f"/books/OL{number * 7}M"),
    }
    found: dict[str, Any] = {}
    with running(made) as production:
        for name, request in requests.items():
            found[name] = _timed(
                lambda number, request=request: production.send("Search", request(number), timeout=60), times
            )
    questions = librarian.vectors(times + 5, seed=77)
    found["collection alone"] = _timed(lambda number: books.search(questions[number], 10), times)
    return found


def _timed(do: Callable[[int], object], times: int) -> dict[str, float]:
    took_ms = []
    for number in range(times + 5):
        began_s = time.perf_counter()
        do(number)
        took_ms.append((time.perf_counter() - began_s) * 1000)
    ranked = sorted(took_ms[5:])  # the first ones load
    return {"p50_ms": round(ranked[len(ranked) // 2], 1), "p99_ms": round(ranked[int(len(ranked) * 0.99)], 1)}


def _word(number: int) -> str:
    return list(shapes.COLOURS)[number % len(shapes.COLOURS)]


def _shape(number: int) -> str:
    return shapes.SHAPES[number % len(shapes.SHAPES)]


# -- language --------------------------------------------------------------------------------------------------------


def language(folder: Path, quick: bool) -> dict[str, Any]:
    """Precision@10 of a CLIP trained on shapes and colours, on covers it has not seen."""
    lesson = clip.Lesson(steps=60, pictures=500) if quick else clip.Lesson()
    began_s = time.perf_counter()
    model = clip.train(folder / "clip", lesson, librarian.say)
    trained_s = time.perf_counter() - began_s
    made = list(library.volumes(500 if quick else 4_000, seed=99))
    (folder / "shelf").mkdir()
    library.write_dump(folder / "shelf" / "editions.txt", made)
    library.write_covers(folder / "shelf" / "covers", made, zips=True, seed=98)
    options = librarian.options(folder, folder / "shelf", model)
    search.index(options, librarian.say)
    asker = search.opened(options)
    scenes = {volume.key: volume.scene for volume in made}
    kinds: dict[str, tuple[Callable[[shapes.Scene], str], Callable[[shapes.Scene, shapes.Scene], bool]]] = {
        "a colour and a shape": (
            lambda scene: f"a {scene.colour} {scene.shape}",
            lambda one, other: (one.colour, one.shape) == (other.colour, other.shape),
        ),
        "everything": (lambda scene: scene.caption, lambda one, other: one == other),
    }
    found: dict[str, Any] = {"trained_s": round(trained_s, 1), "covers": len(made)}
    for name, (words, same) in kinds.items():
        questions = {words(scene): scene for scene in sorted(set(scenes.values()), key=str)}
        right = total = chance = 0.0
        for text, scene in questions.items():
            there = sum(same(scene, other) for other in scenes.values())
            hits = asker.ask(search.Question(text=text, limit=10), thumbnails=False)
            right += sum(same(scene, scenes[one.hit.key]) for one in hits) / min(10, there)
            chance += there / len(made)
            total += 1
        found[name] = {
            "questions": int(total),
            "precision": round(right / total, 3),
            "chance": round(chance / total, 4),
        }
    asker.close()
    return found
