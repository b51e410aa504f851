"""Parts of work done one after the other in this process, or by the workers of a Spark cluster."""

import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Self

from search import errors
from search.embedding import Outcome
from search.errors import BadRequest, JobFailed, PackageMissing, SearchError

_POLL_S = 0.5
_RAISED = re.compile(r"search\.errors\.(\w+): (.*)")
_SOURCES = Path(__file__).resolve().parents[1]
SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""The environment variable that is there when spark-submit has started this program: the master is known then."""


class Workers:
    """Who does the parts: `master` is one of Spark's, or "" for this process alone.

    Spark starts with the first parts, and ends with the block; a session that is already there is used and left.
    """

    def __init__(self, master: str = "", settings: Mapping[str, str] | None = None) -> None:
        self._master, self._settings = master, settings or {}
        self._spark: Any = None
        self._is_ours = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours:
            self._spark.stop()

    def run(self, do: Callable[[int], Outcome], parts: Sequence[int], each: Callable[[int], None]) -> list[Outcome]:
        """Do all `parts`; `each` hears how many are done, and may raise to stop the rest. Raises `JobFailed`."""
        if self._master and parts:
            return _spread(self._session(), do, parts, each)
        outcomes = []
        for number in parts:
            outcomes.append(do(number))
            each(len(outcomes))
        return outcomes

    def _session(self) -> Any:
        if self._spark is None:
            _check_installed()
            from pyspark.sql import SparkSession

            there = SparkSession.getActiveSession()
            self._spark, self._is_ours = there or _started(self._master, self._settings), there is None
        return self._spark


def _spread(
    spark: Any, do: Callable[[int], Outcome], parts: Sequence[int], each: Callable[[int], None]
) -> list[Outcome]:
    """Do the parts on Spark, one partition for each: how long a part takes is not to be seen in its bytes."""
    context, group = spark.sparkContext, uuid.uuid4().hex

    def collect() -> list[Outcome]:
        context.setJobGroup(group, "search", interruptOnCancel=True)
        found: list[Outcome] = context.parallelize(parts, len(parts)).map(do).collect()
        return found

    with ThreadPoolExecutor(1, "spark") as thread:
        job = thread.submit(collect)
        try:
            while not wait([job], _POLL_S).done:
                each(_finished(context, group))
        except BaseException:
            context.cancelJobGroup(group)
            raise
        if error := job.exception():
            raise _told(error) from error
        each(len(parts))
        return job.result()


def _finished(context: Any, group: str) -> int:
    tracker = context.statusTracker()
    done = 0
    for job in tracker.getJobIdsForGroup(group):
        info = tracker.getJobInfo(job)
        for stage in info.stageIds if info else ():
            found = tracker.getStageInfo(stage)
            done += found.numCompletedTasks if found else 0
    return done


def _told(error: BaseException) -> SearchError:
    """The error that a worker raised; if it is none of ours, what Spark says of it."""
    found = _RAISED.search(str(error))
    if found and issubclass(kind := getattr(errors, found[1], JobFailed), SearchError):
        return kind(found[2])
    return JobFailed(
        f"A part failed in a worker: {_first_line(error)} What is finished is kept: see to it, and start the job again."
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _started(master: str, settings: Mapping[str, str]) -> Any:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("evergreen search")
    submitted = SUBMITTED in os.environ
    ours = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.PYTHONPATH": str(_SOURCES),
    }
    if not submitted:
        builder = builder.master(master)
    for name, value in ({} if submitted else ours | dict(settings)).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except (PySparkException, RuntimeError) as error:
        raise BadRequest(
            f"Spark does not start with master={master}: {_first_line(error)} Correct the setting master."
        ) from error
    if not submitted and not master.startswith("local"):
        spark.sparkContext.addPyFile(str(_packed()))
    return spark


def _check_installed() -> None:
    lacking = []
    if importlib.util.find_spec("pyspark") is None:
        lacking.append("the package pyspark (pip install 'evergreen[spark]')")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        lacking.append("a Java 17 (openjdk-17-jre-headless)")
    if lacking:
        raise PackageMissing(
            f"Spark needs {' and '.join(lacking)}. Install that, or set master=none to do the work in one process."
        )


def _packed() -> Path:
    """This package as a zip, for workers on other machines that have the libraries but not us."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((_SOURCES / "search").rglob("*.py")):
            archive.write(path, path.relative_to(_SOURCES))
        for name in ("filelocks.py", "hardware.py", "libraries.py", "settinglines.py"):
            archive.write(_SOURCES / name, name)
    packed = Path(tempfile.mkdtemp(prefix="evergreen-")) / "search.zip"
    packed.write_bytes(buffer.getvalue())
    return packed
