"""The job that makes an index: catalogue, covers, pictures, texts, collection; what is finished is never done again."""

import functools
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from search import catalog, collection, dump, embedding, encoder, parts
from search.catalog import Rules
from search.collection import Address
from search.encoder import Choice
from search.errors import BadRequest, CoverUnreadable
from search.fetching import Fetcher, Manners, Wanted
from search.options import Options
from search.parts import Plan
from search.place import Place
from search.progress import Watch, duration
from search.shelf import Shelf
from search.work import Workers

CATALOG, PROBLEMS = "catalog.parquet", "problems.parquet"
NO_COVER = "no cover"
_WRITTEN_AT_ONCE = 4_096


class Stage(TypedDict):
    """What a stage did: `rows` in all, of which `again` were finished by an earlier job, and its steps' seconds."""

    stage: str
    seconds: float
    rows: int
    again: int
    steps: dict[str, float]
    processes: int


class Job:
    """One run of the job. `run` returns the report."""

    def __init__(self, options: Options, watch: Watch, token: str = "") -> None:
        self._options, self._watch = options, watch
        self._place = Place(options.path)
        self._workers = Workers(options.workers_master, options.spark)
        self._address = address(options, token)
        self._choice = Choice(options.model, options.dtype, options.device)
        self._stages: list[Stage] = []

    def run(self) -> dict[str, Any]:
        """Do every stage. Raises `SearchError`; what was finished until then is kept."""
        with self._workers:
            return self._run()

    def _run(self) -> dict[str, Any]:
        began_s = time.monotonic()
        if not self._options.model:
            raise BadRequest("The setting model is empty: name a CLIP model, as clip-vit-base-patch32.")
        self._place.sweep()
        model, dimension = encoder.facts(self._choice)
        # Before hours of work: is the database there, and the collection one of this model?
        collection.made(self._address, self._options.collection, dimension, model).close()
        counts = self._catalogue()
        books = _read(self._place, CATALOG)
        if self._options.limit:
            books = books.slice(0, self._options.limit)
        references, problems = self._covers(books)
        plan = self._plan_covers(books, references, model)
        folder = covers_place(self._options)
        self._embed("pictures", plan, functools.partial(embedding.covers, plan, self._choice, folder))
        report = {"books": books.num_rows, "counts": counts, "covers": plan.rows}
        report |= self._load(plan, books, references, self._options.collection, dimension, model, problems)
        if self._options.text_model:
            report["texts"] = self._texts(books, references)
        self._write_problems(problems)
        report |= {"problems": len(problems), "stages": self._stages, "seconds": round(time.monotonic() - began_s, 2)}
        self._watch.log(
            f"The index is ready: {report['books']:,} books, {report['vectors']:,} covers in the collection "
            f"{self._options.collection}, {len(problems):,} without one, in {duration(report['seconds'])}."
        )
        return report

    # -- stages --------------------------------------------------------------------------------------------------

    def _catalogue(self) -> dict[str, int]:
        """Filter the dump into one catalogue; what was counted."""
        options = self._options
        if not options.dump:
            raise BadRequest("The setting dump is empty: name Open Library's dump of editions, a file or a folder.")
        rules = Rules(
            options.language,
            options.subjects,
            options.without,
            options.min_pages,
            options.min_year,
            options.recent_years,
        )
        pieces, place = dump.pieces(options.dump), self._place / "books"
        names = [catalog.name(piece, rules) for piece in pieces]
        there = set(place.names())
        left = [number for number, name in enumerate(names) if name not in there]
        do = functools.partial(catalog.filter_piece, pieces, rules, options.allow_cut, place)
        with self._stage("catalogue", len(pieces)) as stage:
            self._do(stage, do, left, len(pieces), "pieces")
            data, counts = catalog.join(place, names, self._authors)
            self._place.write(CATALOG, data)
            for name in sorted(there - set(names)):
                place.remove(name)
        told = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
        self._watch.log(f"catalogue: {told}")
        return dict(counts)

    def _authors(self, keys: set[str]) -> dict[str, str]:
        return catalog.authors(self._options.authors, keys) if self._options.authors else {}

    def _covers(self, books: pa.Table) -> tuple[dict[str, str], dict[str, str]]:
        """The reference of each book's cover, and why others have none; fetched first where covers is a server."""
        wanted = list(
            zip(books["key"].to_pylist(), books["cover_id"].to_pylist(), books["isbn"].to_pylist(), strict=True)
        )
        with self._stage("covers", len(wanted)) as stage:
            if _is_server(self._options.covers):
                stage["steps"] = self._fetch([Wanted(cover_id, isbn) for _, cover_id, isbn in wanted])
            shelf = Shelf(covers_place(self._options))
            references, problems = {}, {}
            for number, (key, cover_id, isbn) in enumerate(wanted):
                try:
                    reference = shelf.find(cover_id, isbn)
                    if reference is None:
                        problems[key] = NO_COVER
                    else:
                        references[key] = reference
                except CoverUnreadable as error:
                    problems[key] = str(error)
                if number % 1_000 == 0:
                    self._watch.tell("covers", number, len(wanted), "books")
            shelf.close()
        self._watch.log(f"covers: {len(references):,} found, {len(problems):,} missing")
        return references, problems

    def _fetch(self, wanted: list[Wanted]) -> dict[str, float]:
        folder = covers_place(self._options).local
        if folder is None:
            raise BadRequest("Covers are fetched into a folder of this machine. Set path to one, or use the bulk zips.")
        options, done = self._options, 0
        manners = Manners(options.covers, options.connections, options.covers_by_isbn, options.covers_by_id)

        def each() -> None:
            nonlocal done
            done += 1
            self._watch.tell("fetching", done, len(wanted), "covers")

        began_s = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        counts = Fetcher(folder, manners, self._watch.log).fetch(wanted, each)
        self._watch.log("fetching: " + ", ".join(f"{count:,} {what}" for what, count in counts.most_common()))
        return {"fetch": time.monotonic() - began_s}

    def _plan_covers(self, books: pa.Table, references: dict[str, str], model: str) -> Plan:
        keys = [key for key in books["key"].to_pylist() if key in references]
        covers = [references[key] for key in keys]
        sizes = _sizes(covers_place(self._options), covers)
        table = pa.table([pa.array(keys, pa.string()), pa.array(covers, pa.string()), sizes], schema=embedding.COVERS)
        return parts.write(self._place, "pictures", table, self._recipe(model), self._options.part_rows)

    def _texts(self, books: pa.Table, references: dict[str, str]) -> dict[str, Any]:
        """Embed titles and descriptions, and put them in a collection of their own."""
        choice = Choice(self._options.text_model, self._options.dtype, self._options.device)
        model, dimension = encoder.facts(choice)
        pairs = zip(books["title"].to_pylist(), books["description"].to_pylist(), strict=True)
        texts = [f"{title}. {description}".strip() for title, description in pairs]
        table = pa.table([books["key"].combine_chunks(), pa.array(texts, pa.string())], schema=embedding.TEXTS)
        plan = parts.write(self._place, "texts", table, self._recipe(model), self._options.part_rows)
        self._embed("texts", plan, functools.partial(embedding.texts, plan, choice))
        return self._load(plan, books, references, texts_name(self._options), dimension, model, {})

    def _embed(self, name: str, plan: Plan, do: Callable[[int], embedding.Outcome]) -> None:
        with self._stage(name, plan.rows) as stage:
            left = plan.left()
            self._do(stage, do, left, len(plan.names), "parts")
            stage["again"] = plan.rows - sum(plan.sizes[number] for number in left)
            plan.sweep()

    def _load(
        self,
        plan: Plan,
        books: pa.Table,
        references: dict[str, str],
        name: str,
        dimension: int,
        model: str,
        problems: dict[str, str],
    ) -> dict[str, Any]:
        """Bring finished parts into a collection, and index it; covers that are none go to `problems`."""
        places = {key: place for place, key in enumerate(books["key"].to_pylist())}
        books = books.combine_chunks()
        target = collection.made(self._address, name, dimension, model)
        try:
            with self._stage(name, plan.rows) as stage:
                done = written = 0
                for table in _gathered(plan.finished()):
                    done += table.num_rows
                    written += target.upsert(_rows(table, books, places, references, problems))
                    self._watch.tell(name, done, plan.rows, "vectors")
                stage["again"] = plan.rows - written
                index = target.index()
                vectors = target.count()
        finally:
            target.close()
        self._watch.log(f"{name}: {written:,} written, {vectors:,} in the collection, index {index}")
        return {"vectors": vectors, "written": written, "index": index}

    # -- around stages ----------------------------------------------------------------------------------------------

    def _do(self, stage: Stage, do: Callable[[int], embedding.Outcome], left: list[int], total: int, unit: str) -> None:
        """Do the parts that are left, and add up what they say."""
        before = total - len(left)

        def each(done: int) -> None:
            self._watch.tell(stage["stage"], before + done, total, unit)

        self._watch.tell(stage["stage"], before, total, unit)
        outcomes = self._workers.run(do, left, each)
        for outcome in outcomes:
            for step, seconds in outcome["seconds"].items():
                stage["steps"][step] = round(stage["steps"].get(step, 0.0) + seconds, 3)
        stage["again"], stage["processes"] = before, len({outcome["process"] for outcome in outcomes})

    @contextmanager
    def _stage(self, name: str, rows: int) -> Iterator[Stage]:
        stage = Stage(stage=name, seconds=0.0, rows=rows, again=0, steps={}, processes=0)
        began_s = time.monotonic()
        self._watch.check()
        yield stage
        stage["seconds"] = round(time.monotonic() - began_s, 2)
        self._stages.append(stage)

    def _recipe(self, model: str) -> dict[str, Any]:
        return {"model": model, "dtype": self._options.dtype}

    def _write_problems(self, problems: dict[str, str]) -> None:
        buffer = io.BytesIO()
        pq.write_table(pa.table({"key": list(problems), "problem": list(problems.values())}), buffer)
        self._place.write(PROBLEMS, buffer.getvalue())


def address(options: Options, token: str = "") -> Address:
    """Where the collections of an index lie."""
    return Address(options.database or f"{options.path.rstrip('/')}/collection", token)


def covers_place(options: Options) -> Place:
    """The folder in which covers lie."""
    if not options.covers or _is_server(options.covers):
        return Place(options.path) / "covers"
    return Place(options.covers)


def texts_name(options: Options) -> str:
    """The collection of titles and descriptions."""
    return f"{options.collection}_texts"


def _is_server(covers: str) -> bool:
    return covers.startswith(("http://", "https://"))


def _read(place: Place, name: str) -> pa.Table:
    return pq.read_table(io.BytesIO(place.read(name)))


def _sizes(place: Place, references: list[str]) -> pa.Array:
    """What tells that a cover has changed, at the price of one look for each file: its size, or that of its zip."""
    known: dict[str, int | None] = {}
    sizes = []
    for reference in references:
        name = reference.partition("#")[0]
        if name not in known:
            known[name] = place.size(name)
        sizes.append(known[name])
    return pa.array(sizes, pa.int64())


def _gathered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in fewer tables: what is written at once is a version and a file of the database."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(one.num_rows for one in waiting) >= _WRITTEN_AT_ONCE:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _rows(
    table: pa.Table, books: pa.Table, places: dict[str, int], references: dict[str, str], problems: dict[str, str]
) -> pa.Table:
    """The rows of the collection that a finished part is; covers that are none go to `problems`."""
    keys, told = table["key"].to_pylist(), table["problem"].to_pylist()
    good = [number for number, problem in enumerate(told) if problem is None]
    problems.update({key: problem for key, problem in zip(keys, told, strict=True) if problem is not None})
    vectors = table["vector"].combine_chunks()
    flat = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(vectors), -1)[good]
    chosen = books.take([places[keys[number]] for number in good]).to_pylist()
    return collection.rows(chosen, [references.get(book["key"], "") for book in chosen], np.ascontiguousarray(flat))
