"""Where records come from: files, tables, and labels that are joined with them. What `reconcile` calls by default."""

import csv
import glob
import hashlib
import json
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiment import storage, tables, texts
from experiment.errors import RecordsUnusable, SourceUnreadable
from experiment.functions import Config
from experiment.settings import Settings

_LONGEST_CELL = 1 << 28  # characters
_cells = threading.Lock()
ROWS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
"""Files that hold one record a row; the others, `texts.SUFFIXES`, are one record each."""

FOLDERS = "folders"

Record = dict[str, Any]


@dataclass(frozen=True)
class File:
    """A file of records. `shown` is its path below the folder that all have in common, which names it."""

    address: str
    shown: str
    test: bool

    @property
    def suffix(self) -> str:
        """In lower case: ".pdf"."""
        return Path(self.address).suffix.lower()

    @property
    def remote(self) -> bool:
        """Whether it lies behind an address."""
        return "://" in self.address


def records(config: Config) -> Iterator[Record]:
    """The records that [data] describes: {"id", "text", "label"}, and "split": "test" for those of TEST_FILES.

    Records without a label are left out when labels are joined. Raises `SourceUnreadable`, `TableUnknown`,
    `RecordsUnusable` and `TextUnreadable`.
    """
    labels = labels_of(config)
    for record in _unlabelled(config):
        config.check()
        if labels is not None:
            if record["id"] not in labels:
                continue
            record["label"] = labels[record["id"]]
        yield record


def files(settings: Settings) -> list[File]:
    """The files of FILES and TEST_FILES, sorted. Raises `SourceUnreadable` for a pattern that nothing fits."""
    endpoint = str(settings.get("storage.ENDPOINT_URL"))
    found: dict[str, bool] = {}
    for key, test in (("data.FILES", False), ("data.TEST_FILES", True)):
        for pattern in settings.get(key):
            addresses = _matching(settings.place(pattern), endpoint)
            if not addresses:
                raise SourceUnreadable(f"{pattern} fits no file. Paths are relative to {settings.folder}.")
            found |= dict.fromkeys(addresses, test)
    for address in found:
        suffix = Path(address).suffix.lower()
        if suffix not in (*ROWS, *texts.SUFFIXES):
            raise SourceUnreadable(
                f"{address} is of no kind that can be read: there are {', '.join((*ROWS, *texts.SUFFIXES))}."
            )
    root = _common(list(found))
    return [File(address, address[len(root) :], test) for address, test in sorted(found.items())]


def fingerprint(config: Config) -> str:
    """sha256 of everything that [data] names, as it is now: every byte of the files, every row of the tables."""
    settings, digest = config.settings, hashlib.sha256()
    endpoint = str(settings.get("storage.ENDPOINT_URL"))
    for file in files(settings):
        digest.update(f"{file.shown} {file.test} {_content_hash(file.address, endpoint)}\n".encode())
    if (labels_file := settings.get("data.LABELS_FILE")) and labels_file != FOLDERS:
        digest.update(_content_hash(settings.place(labels_file), endpoint).encode())
    for key, columns in (("data.TABLE", _record_columns(config)), ("data.LABELS_TABLE", _label_columns(config))):
        if name := settings.get(key):
            with tables.opened(name, _database(settings), config.connection) as table:
                digest.update(f"{table} {columns}\n".encode())
                for row in table.rows(columns):
                    digest.update(f"{row!r}\n".encode())
    return digest.hexdigest()


def lies_here(settings: Settings) -> bool:
    """Whether the data can be read by this machine alone: local files, or tables."""
    data = settings.section("data")
    places = [*data["FILES"], *data["TEST_FILES"], data["LABELS_FILE"]]
    return bool(data["TABLE"] or data["LABELS_TABLE"]) or any(
        place and place != FOLDERS and "://" not in place for place in places
    )


def labels_of(config: Config) -> dict[str, str] | None:
    """The labels by record that LABELS_FILE or LABELS_TABLE gives; None if the records have them."""
    settings = config.settings
    columns = _label_columns(config)
    found: dict[str, str] = {}
    if name := settings.get("data.LABELS_TABLE"):
        with tables.opened(name, _database(settings), config.connection) as table:
            rows: Iterator[tuple[Any, ...]] = table.rows(columns)
            return _joined(found, rows, str(table))
    name = settings.get("data.LABELS_FILE")
    if not name or name == FOLDERS:
        return None
    file = File(settings.place(name), name, False)
    return _joined(found, (tuple(row[column] for column in columns) for row in _rows(file, columns, config)), name)


def _joined(found: dict[str, str], rows: Iterator[tuple[Any, ...]], owner: str) -> dict[str, str]:
    for identity, label in rows:
        if identity is None or label is None or str(label).strip() == "":
            continue
        if found.setdefault(str(identity), str(label)) != str(label):
            raise RecordsUnusable(f"{owner} gives {identity} two labels, {found[str(identity)]} and {label}: keep one.")
    return found


def _unlabelled(config: Config) -> Iterator[Record]:
    """The records, with the labels that they have themselves."""
    settings, number = config.settings, 0
    identity, text, label = (settings.get(f"data.{name}_COLUMN") for name in ("ID", "TEXT", "LABEL"))
    columns = _record_columns(config)
    for file in files(settings):
        test = {"split": "test"} if file.test else {}
        if file.suffix in ROWS:
            for row in _rows(file, columns, config):
                number += 1
                yield {"id": str(row[identity]) if identity else str(number), "text": row[text],
                       "label": row.get(label), **test}  # fmt: skip
        else:
            parent = Path(file.address).parent.name
            by_folder = {"label": parent} if settings.get("data.LABELS_FILE") == FOLDERS else {}
            with _local(file, config) as path:
                yield {"id": file.shown, "text": "\n\n".join(texts.pages(path)), **by_folder, **test}
    if name := settings.get("data.TABLE"):
        with tables.opened(name, _database(settings), config.connection) as table:
            for values in table.rows(columns):
                number += 1
                one = dict(zip(columns, values, strict=True))
                name_of = str(one[identity]) if identity else str(number)
                yield {"id": name_of, "text": one[text], "label": one.get(label)}


def _rows(file: File, columns: list[str], config: Config) -> Iterator[Mapping[str, Any]]:
    """The rows of a file of rows, each with at least these columns."""
    read = {".csv": _csv, ".tsv": _csv, ".parquet": _parquet}.get(file.suffix, _jsonl)
    with _local(file, config) as path:
        try:
            for row in read(path):
                lacking = [column for column in columns if column not in row]
                if lacking:
                    raise RecordsUnusable(
                        f"{file.shown} has no column {lacking[0]!r}: it has {', '.join(map(str, row))}. Set "
                        "TEXT_COLUMN, LABEL_COLUMN and ID_COLUMN to what there is."
                    )
                yield row
        except (OSError, ValueError, csv.Error) as error:
            if isinstance(error, RecordsUnusable):
                raise
            raise SourceUnreadable(f"{file.shown} cannot be read: {error}. Correct the file, and try again.") from error


def _csv(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        while (row := _with_long_cells(rows)) is not None:
            yield {name: value for name, value in row.items() if name is not None}


def _with_long_cells(rows: "csv.DictReader[str]") -> dict[Any, Any] | None:
    """The next row, None at the end: a document in a cell is longer than the module csv expects."""
    with _cells:  # the limit is the whole process's, and others want it as it was
        before = csv.field_size_limit(_LONGEST_CELL)
        try:
            return next(rows, None)
        finally:
            csv.field_size_limit(before)


def _jsonl(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError(f"line {number} is no JSON object")
                yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(1_000):
            yield from batch.to_pylist()


@contextmanager
def _local(file: File, config: Config) -> Iterator[Path]:
    """The file on this machine; what lies behind an address is brought for as long as it is read."""
    if not file.remote:
        yield Path(file.address)
        return
    fs, path = storage.opened(file.address, str(config["storage.ENDPOINT_URL"]))
    with tempfile.TemporaryDirectory(prefix="evergreen-") as folder:
        target = Path(folder) / Path(path).name
        fs.get_file(path, str(target))
        yield target


def _matching(pattern: str, endpoint_url: str) -> list[str]:
    if "://" in pattern:
        fs, path = storage.opened(pattern, endpoint_url)
        protocol = pattern.partition("://")[0]
        return [f"{protocol}://{one}" for one in (fs.glob(path) if glob.has_magic(path) else [path])]
    if glob.has_magic(pattern):
        found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - the pattern may be absolute
        return [path for path in found if Path(path).is_file()]
    return [pattern] if Path(pattern).is_file() else []


def _content_hash(address: str, endpoint_url: str) -> str:
    if "://" in address:
        fs, path = storage.opened(address, endpoint_url)
        return str(fs.ukey(path))  # the service's own: it changes with the content
    file = Path(address)
    if not file.is_file():
        raise SourceUnreadable(f"There is no file {file}. Put it there, or correct the setting.")
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _database(settings: Settings) -> Path | None:
    name = settings.get("data.DATABASE")
    return Path(settings.place(name)) if name else None


def _record_columns(config: Config) -> list[str]:
    joined = config["data.LABELS_FILE"] or config["data.LABELS_TABLE"]
    names = [config["data.ID_COLUMN"], config["data.TEXT_COLUMN"], "" if joined else config["data.LABEL_COLUMN"]]
    return [name for name in names if name]


def _label_columns(config: Config) -> list[str]:
    return [config["data.ID_COLUMN"] or "id", config["data.LABEL_COLUMN"]]


def _common(addresses: list[str]) -> str:
    """What all addresses begin with, up to a slash."""
    if not addresses:
        return ""
    first, last = min(addresses), max(addresses)
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), 0)
    return first[: first[: shared or len(first)].rfind("/") + 1]
