"""SQL under /api/irislite/sql: tables, statements, exports, imports. Reading is for all, rows and tables for some."""

import base64
import binascii
import math
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from irislite import audit
from irislite.actor import Role
from irislite.director import Director
from irislite.errors import BadRequest
from irislite.sql.catalog import RUNTIME_TABLES, qualified
from irislite.sql.desk import LONGEST_STATEMENT, LONGEST_TIMEOUT_S, MOST_ROWS, TIMEOUT_S, Desk, Stop
from irislite.sql.load import TYPES
from irislite.sql.statements import Kind
from irislite.web import roles
from irislite.web.api import Engine
from irislite.web.failures import Failure
from irislite.web.models import Text
from irislite.web.roles import needs

LARGEST_FILE = 24_000_000  # bytes of an import; larger ones are for `irislite load`
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
ROLES: dict[Kind, Role] = {"rows": Role.VIEWER, "write": Role.OPERATOR, "define": Role.ADMINISTRATOR}
"""Who may run what: read rows, change rows, change tables."""

Statement = Annotated[Text, Field(min_length=1, max_length=LONGEST_STATEMENT)]
router = APIRouter(
    prefix="/api/irislite/sql",
    tags=["SQL"],
    responses={status: {"model": Failure} for status in (400, 403, 404, 409, 422, 500, 504)},
)


class SqlColumn(BaseModel):
    """A field of a table, its type as it was declared; "" for the runtime's own tables."""

    name: str
    type: str
    nullable: bool


class SqlTable(BaseModel):
    """A table or view. Those of the runtime can be read, and not changed."""

    name: str
    of_runtime: bool
    columns: list[SqlColumn]


class Query(BaseModel):
    """A statement, and which of its rows are wanted. Each call runs it anew."""

    statement: Statement
    limit: int = Field(1_000, ge=1, le=MOST_ROWS)
    offset: int = Field(0, ge=0, le=2**31)
    timeout_s: float = Field(TIMEOUT_S, gt=0, le=LONGEST_TIMEOUT_S)


class QueryAnswer(BaseModel):
    """The rows of a query, bytes as hexadecimal text; or, for another statement, how many rows it changed."""

    columns: list[str]
    rows: list[list[Any]]
    more: bool
    rowcount: int
    took_ms: float


class Export(BaseModel):
    """A query whose rows are all wanted, as a file."""

    statement: Statement
    format: Literal["csv", "jsonl", "parquet"] = "csv"


class File(BaseModel):
    """A CSV file with a header row, or a Parquet file; the name's ending says which. `data` is base64."""

    name: str = Field(pattern=r"(?i)^[^/\\\x00]{1,200}\.(csv|parquet)$")
    data: str = Field(max_length=LARGEST_FILE * 4 // 3 + 4)


class Preview(BaseModel):
    """How a file would be loaded. `types` can be changed when it is; `choices` says to what."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    faults: list[str]
    choices: list[str]


class Import(BaseModel):
    """A file to load. `types` are for a new table, by column; what is not named is inferred."""

    table: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$", max_length=120)
    file: File
    mode: Literal["append", "replace"] = "append"
    types: dict[str, str] = {}


class Imported(BaseModel):
    """What was loaded. `bad` tells of the first rows that were left out, by line."""

    table: str
    rows: int
    bad_rows: int
    bad: list[str]


@router.get("/tables")
def tables(director: Engine) -> list[SqlTable]:
    """The tables that can be read, with their fields."""
    return tables_of(director)


@router.post("/query")
@needs(Role.VIEWER)
def query(director: Engine, asked: Query) -> QueryAnswer:
    """Run a SQL statement."""
    desk = Desk(director.tables)
    kind = desk.kind(asked.statement)
    roles.check(ROLES[kind])
    answer = desk.run(asked.statement, asked.limit, asked.offset, Stop(asked.timeout_s))
    audit.tell(told(kind, asked.statement, answer.rowcount, len(answer.rows)))
    return QueryAnswer(
        columns=list(answer.columns),
        rows=[list(map(plain, row)) for row in answer.rows],
        more=answer.more,
        rowcount=answer.rowcount,
        took_ms=round(answer.took_s * 1000, 2),
    )


@router.post("/export", response_class=FileResponse)
@needs(Role.VIEWER)
def export(director: Engine, asked: Export) -> FileResponse:
    """Export the rows of a query."""
    folder = tempfile.TemporaryDirectory(prefix="irislite-export-")
    file = Path(folder.name) / f"rows.{asked.format}"
    try:
        count = Desk(director.tables).export(asked.statement, asked.format, file)
    except BaseException:
        folder.cleanup()
        raise
    audit.tell(f"{count:,} rows as {asked.format}")
    return FileResponse(
        file, media_type=MEDIA_TYPES[asked.format], filename=file.name, background=BackgroundTask(folder.cleanup)
    )


@router.post("/preview")
@needs(Role.VIEWER)
def preview(director: Engine, file: File) -> Preview:
    """Show how a file would be loaded."""
    with _stored(file) as path:
        found = Desk(director.tables).preview(path)
    rows = [list(map(plain, row)) for row in found.rows]
    return Preview(columns=found.columns, types=found.types, rows=rows, faults=found.faults, choices=list(TYPES))


@router.post("/import")
@needs(Role.OPERATOR)
def load(director: Engine, asked: Import) -> Imported:
    """Import a file into a table."""
    roles.check(needed_to_load(director, asked.table))
    with _stored(asked.file) as path:
        report = Desk(director.tables).load(asked.table, path, asked.mode, asked.types)
    audit.tell(f"{report.rows:,} rows", target=report.table)
    bad = [f"Line {row.line}: {row.reason}" for row in report.bad[:100]]
    return Imported(table=report.table, rows=report.rows, bad_rows=report.bad_rows, bad=bad)


def tables_of(director: Director) -> list[SqlTable]:
    """The tables of the namespace, then the runtime's."""
    found = director.tables
    return [
        SqlTable(
            name=name,
            of_runtime=name in RUNTIME_TABLES,
            columns=[SqlColumn(name=c.name, type=c.type, nullable=bool(c.nullable)) for c in found.columns(name)],
        )
        for name in (*sorted(found.tables()), *RUNTIME_TABLES)
    ]


def needed_to_load(director: Director, table: str) -> Role:
    """Who may import into a table: making a new one is changing the tables."""
    known = {name.lower() for name in director.tables.tables()}
    return ROLES["write" if qualified(table).lower() in known else "define"]


def told(kind: Kind, statement: str, rowcount: int, rows: int) -> str:
    """What the audit says of a statement: what it did and to how many rows, not its values."""
    verb = statement.split(None, 1)[0][:20].upper()
    return f"{verb}: {f'{rows:,} rows read' if kind == 'rows' else f'{rowcount:,} rows changed'}"


def plain(value: Any) -> Any:
    """A value of a table as JSON can carry it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


@contextmanager
def _stored(file: File) -> Iterator[Path]:
    """An upload as a file with the same ending and a name of our own, for as long as the block lasts."""
    try:
        data = base64.b64decode(file.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The data of {file.name!r} is no base64: encode the file's bytes.") from error
    with tempfile.TemporaryDirectory(prefix="irislite-import-") as folder:
        path = Path(folder) / f"upload{Path(file.name).suffix.lower()}"
        path.write_bytes(data)
        yield path
