"""Find pictures and texts by meaning: read a catalogue of books, embed their covers, ask in plain language.

`index` makes or renews an index, `cancel` stops that, `state` tells how far it is; an `Asker` answers questions.
Nothing heavy is imported before the first of them is called.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import BadRequest, Cancelled, CoverUnreadable, JobRunning, NotRunning, PackageMissing, SearchError
from search.options import Options
from search.query import Filter, Question

if TYPE_CHECKING:
    from search.ask import Asker

__all__ = [
    "SETTINGS",
    "BadRequest",
    "Cancelled",
    "CoverUnreadable",
    "Filter",
    "JobRunning",
    "NotRunning",
    "Options",
    "PackageMissing",
    "Question",
    "SearchError",
    "cancel",
    "index",
    "opened",
    "state",
]

SETTINGS = tuple(one.name for one in fields(Options) if one.name != "spark")
"""The settings of an index; those of Spark go by their own names."""

_PACKAGES = ("numpy", "orjson", "pyarrow")


def index(options: Options, log: Callable[[str], None], token: str = "") -> dict[str, Any]:
    """Make or renew the index that `options` describe; what each stage did, as a report.

    `token` is Milvus's. Raises `SearchError`; what is finished is kept, and the next call goes on with it.
    """
    _check_packages()
    from search import runs
    from search.job import Job
    from search.place import Place
    from search.progress import Watch

    folder = Place(options.path).local
    if folder is None:  # on a cluster it is the cluster that knows the job, and stops it
        return Job(options, Watch(log), token).run()
    with runs.turn(folder) as run:
        report = Job(options, Watch(log, run.check, run.keep), token).run()
        run.write(report=report)
        return report


def state(options: Options) -> dict[str, Any]:
    """How the last job of an index stands, and its report."""
    from search import runs

    return runs.state(_local(options))


def cancel(options: Options) -> str:
    """Stop the running job of an index; its id. Raises `NotRunning`."""
    from search import runs

    return runs.cancel(_local(options))


def opened(options: Options, token: str = "") -> "Asker":
    """What answers questions about an index. Raises `PackageMissing`."""
    _check_packages()
    from search.ask import Asker

    return Asker(options, token)


def _local(options: Options) -> Path:
    from search.place import Place

    folder = Place(options.path).local
    if folder is None:
        raise BadRequest(f"A job on {options.path} is followed and cancelled where it was submitted.")
    return folder


def _check_packages() -> None:
    lacking = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise PackageMissing(f"Search needs {', '.join(lacking)}: pip install 'evergreen[search]'.")
