"""What can be done with books, through the items that do it: ask for some, start, follow and stop the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paths
import search
from irislite.director import Director
from rooms import items
from search import runs

SEARCHER, INDEXER = "SearchOperation", "IndexOperation"
ANSWER_TIMEOUT_S = 60.0
_FOLDER = "src/books"


@dataclass(frozen=True)
class Answer:
    """The hits, the covers as data URIs by the hits' `image`, and the session that holds the trace."""

    item: str
    session_id: int
    hits: list[dict[str, Any]]
    images: list[dict[str, Any]]
    note: str


@dataclass(frozen=True)
class JobState:
    """How the job of an item stands; `state` as of `search.state`. `done` of `total` parts, books or vectors."""

    item: str
    state: str
    stage: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    books: int = 0
    vectors: int = 0
    problems: int = 0


def ask(director: Director, fields: Mapping[str, Any]) -> Answer:
    """What the item answers to the fields of a msg.SearchRequest. Raises `NobodyCan`, and what the item refuses."""
    item = items.at_work(director, SEARCHER)
    found = items.ask(director, item.name, "msg.SearchRequest", fields, ANSWER_TIMEOUT_S)
    return Answer(item.name, found.session_id, found.body["hits"], found.body["images"], found.note)


def start(director: Director) -> str:
    """Start the job; the item that does it, and the log tells of it."""
    item = items.at_work(director, INDEXER)
    items.tell(director, item.name, "msg.IndexRequest", {"action": "start"})
    return item.name


def cancel(director: Director) -> str:
    """Stop the job; the item that does it."""
    item = items.at_work(director, INDEXER)
    items.ask(director, item.name, "msg.IndexRequest", {"action": "cancel"}, ANSWER_TIMEOUT_S)
    return item.name


def job(director: Director) -> JobState | None:
    """How the job stands, as its folder says; None if no item makes an index."""
    indexers = items.of(director, INDEXER)
    if not indexers:
        return None
    item = indexers[0]
    folder = items.settings(item).get("path", "").strip() or _FOLDER
    if "://" in folder:
        elsewhere = "The index lies in an object store: see where the job was started."
        return JobState(item.name, "elsewhere", error=elsewhere)
    found = runs.state(paths.from_container(folder))
    report = found.get("report") or {}
    return JobState(
        item=item.name,
        state=found["state"],
        stage=found.get("stage", ""),
        done=found.get("done", 0),
        total=found.get("total", 0),
        error=found.get("error", ""),
        books=report.get("books", 0),
        vectors=report.get("vectors", 0),
        problems=report.get("problems", 0),
    )


def filter_of(years: tuple[int | None, int | None], pages: tuple[int | None, int | None], subjects: list[str]) -> Any:
    """The filter of a msg.SearchRequest; None for none. Raises `search.BadRequest`."""
    spans = {"year": years, "pages": pages}
    made: dict[str, Any] = {
        name: {key: end for key, end in zip(("from", "to"), ends, strict=True) if end is not None}
        for name, ends in spans.items()
        if ends != (None, None)
    }
    if subjects:
        made["subjects"] = subjects
    search.Filter.parse(made)
    return made or None
