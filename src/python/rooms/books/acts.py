"""What can be done with books, through the items that do it: ask for some, start, follow and stop the job."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import paths
import search
from irislite.actor import acting
from irislite.config import Item, options
from irislite.director import Director
from irislite.views import ItemState
from rooms.errors import NobodyCan
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
    item = _item(director, SEARCHER)
    found = director.test(item.name, "msg.SearchRequest", json.dumps(dict(fields)), ANSWER_TIMEOUT_S, acting.get().name)
    body = json.loads(found.body) if found.body else {}
    return Answer(item.name, found.session_id, body["hits"], body["images"], body["note"])


def start(director: Director) -> str:
    """Start the job; the item that does it, and the log tells of it."""
    item = _item(director, INDEXER)
    director.test_async(item.name, "msg.IndexRequest", '{"action": "start"}', acting.get().name)
    return item.name


def cancel(director: Director) -> str:
    """Stop the job; the item that does it."""
    item = _item(director, INDEXER)
    director.test(item.name, "msg.IndexRequest", '{"action": "cancel"}', ANSWER_TIMEOUT_S, acting.get().name)
    return item.name


def job(director: Director) -> JobState | None:
    """How the job stands, as its folder says; None if no item makes an index."""
    items = _items(director, INDEXER)
    if not items:
        return None
    item = items[0]
    folder = _settings(item).get("path", "").strip() or _FOLDER
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


def _item(director: Director, kind: str) -> Item:
    """The item of this class that runs, or the first that does not."""
    found = _items(director, kind)
    if not found:
        raise NobodyCan(f"No item of the production is a {kind}: add one, as production.py does, then ask again.")
    states = {view.name: view.state for view in director.items()}
    return next((item for item in found if states.get(item.name) == ItemState.RUNNING), found[0])


def _items(director: Director, kind: str) -> list[Item]:
    production = director.productions.production(director.status()["production"])
    return [item for item in production.items if item.class_name.rpartition(".")[2] == kind]


def _settings(item: Item) -> dict[str, str]:
    own = {name: text for (target, name), text in item.settings.items() if target == "Host"}
    return {**own, **options(own.get("%settings"))}
