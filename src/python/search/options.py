"""What an index is made of and where it lies: the settings of the items, typed."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from search.errors import BadRequest
from settinglines import typed

LOCAL_SPARK = "local[*]"
_NO_SPARK = ("", "none")


@dataclass(frozen=True)
class Options:
    """The settings of an index. Texts are split at commas where a setting is a list."""

    path: str
    """The folder of the job: catalogue, plans, finished parts, collection; a path or an address of an object store."""
    dump: str = ""
    """Open Library's dump of editions: a file or a folder, plain or gz."""
    authors: str = ""
    """Open Library's dump of authors, for their names; empty: names as the editions state them."""
    covers: str = ""
    """A folder of pictures or bulk zips, or the address of a server of covers; empty: the folder covers in `path`."""
    model: str = ""
    """The CLIP model: a folder, or owner/name of the hub."""
    text_model: str = ""
    """A sentence model, for texts over titles and descriptions; empty: no such search."""
    dtype: str = "auto"
    device: str = "auto"
    database: str = ""
    """Where the collection lies (`collection.Address`); empty: the folder collection in `path`."""
    collection: str = "books"
    master: str = LOCAL_SPARK
    """Spark's master, as local[*] or k8s://...; none: no Spark, everything in one process."""
    part_rows: int = 512
    limit: int = 0
    """So many books at most; 0: all."""
    allow_cut: bool = False
    language: str = "eng"
    subjects: tuple[str, ...] = ("fiction",)
    without: tuple[str, ...] = ("nonfiction", "juvenile", "children", "childrens")
    min_pages: int = 100
    min_year: int = 2010
    recent_years: int = 0
    connections: int = 4
    covers_by_isbn: int = 100
    """Requests by ISBN in five minutes."""
    covers_by_id: int = 3_000
    """Requests by cover id in five minutes."""
    spark: Mapping[str, str] = field(default_factory=dict)
    """Settings of Spark itself: those whose names begin with spark."""

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "Options":
        """The options that these settings mean, texts or typed. Raises `BadRequest`."""
        known = {one.name: one for one in fields(cls)}
        spark = {name: str(value) for name, value in given.items() if name.startswith("spark.")}
        found: dict[str, Any] = {"spark": spark}
        for name, value in given.items():
            if name in spark:
                continue
            if name not in known or name == "spark":
                near = difflib.get_close_matches(name, known, 1)
                raise BadRequest(f"There is no setting {name}.{f' {near[0]} is one.' if near else ''} Correct it.")
            found[name] = _typed(name, value, getattr(cls, name, ""))
        options = cls(**found)
        if not options.path:
            raise BadRequest("The setting path is empty: name the folder of the index.")
        return options

    @property
    def workers_master(self) -> str:
        """The master for `work.Workers`: "" for none."""
        return "" if self.master.strip().lower() in _NO_SPARK else self.master.strip()


def _typed(name: str, value: Any, default: Any) -> Any:
    """A setting's value in the type of its default."""
    if isinstance(default, tuple):
        several = value.split(",") if isinstance(value, str) else value
        return tuple(text for one in several if (text := str(one).strip()))
    found = typed(value)
    if isinstance(default, str):
        return str(value).strip()
    if found == "" or found is None:
        return default
    if isinstance(default, bool):
        if isinstance(found, bool):
            return found
        raise BadRequest(f"{name}={value!r} is neither true nor false. Correct it.")
    if isinstance(found, int) and not isinstance(found, bool) and found >= 0:
        return found
    raise BadRequest(f"{name}={value!r} is no whole number. Correct it.")
