"""What tables there are: those of the namespace, and the runtime's own that can be read as tables."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

DEFAULT_SCHEMA = "SQLUser"


def qualified(name: str) -> str:
    """`schema.table` for a name that may come without its schema."""
    return name if "." in name else f"{DEFAULT_SCHEMA}.{name}"


# IRIS's name of each runtime table -> the table of messages.db, and IRIS's name of each column.
RUNTIME_TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "Ens.MessageHeader": (
        "message_header",
        {
            "ID": "id",
            "SessionId": "session_id",
            "Type": "type",
            "Invocation": "invocation",
            "Status": "status",
            "Priority": "priority",
            "SourceConfigName": "source_config_name",
            "TargetConfigName": "target_config_name",
            "SourceBusinessType": "source_business_type",
            "TargetBusinessType": "target_business_type",
            "TargetQueueName": "target_queue_name",
            "ReturnQueueName": "return_queue_name",
            "BusinessProcessId": "business_process_id",
            "MessageBodyClassName": "message_body_class_name",
            "MessageBodyId": "message_body_id",
            "Description": "description",
            "TimeCreated": "time_created",
            "TimeProcessed": "time_processed",
            "IsError": "is_error",
            "ErrorText": "error_text",
            "CorrespondingMessageId": "corresponding_message_id",
        },
    ),
    "Ens_Util.Log": (
        "event_log",
        {
            "ID": "id",
            "ConfigName": "config_name",
            "Job": "job",
            "MessageId": "message_id",
            "SessionId": "session_id",
            "SourceClass": "source_class",
            "SourceMethod": "source_method",
            "Stack": "stack",
            "StatusValue": "''",
            "Text": "text",
            "TimeLogged": "time_logged",
            "TraceCat": "trace_cat",
            "Type": "type",
        },
    ),
}

# A table is called `schema.table` in the file; its schema is what stands before the dot.
_DOT = "instr(m.name, '.')"
_SPLIT = f"substr(m.name, 1, {_DOT} - 1) AS TABLE_SCHEMA, substr(m.name, {_DOT} + 1) AS TABLE_NAME"
INFORMATION_SCHEMA: dict[str, tuple[tuple[str, ...], str]] = {
    "INFORMATION_SCHEMA.TABLES": (
        ("TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE"),
        f"SELECT {_SPLIT}, CASE m.type WHEN 'view' THEN 'VIEW' ELSE 'BASE TABLE' END AS TABLE_TYPE "
        "FROM main.sqlite_master m WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    ),
    "INFORMATION_SCHEMA.COLUMNS": (
        ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "DATA_TYPE", "IS_NULLABLE"),
        f"SELECT {_SPLIT}, c.name AS COLUMN_NAME, c.cid + 1 AS ORDINAL_POSITION, "
        "lower(substr(c.type, 1, instr(c.type || '(', '(') - 1)) AS DATA_TYPE, "
        "CASE WHEN c.\"notnull\" OR c.pk THEN 'NO' ELSE 'YES' END AS IS_NULLABLE "
        "FROM main.sqlite_master m, pragma_table_info(m.name) c "
        "WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!'",
    ),
}


@dataclass(frozen=True)
class Column:
    """One field of a table. `type` is as it was declared, `VARCHAR(50)`."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table or view, named `schema.table`. `sql` is a view's own statement, in SQLite's words."""

    name: str
    columns: tuple[Column, ...]
    is_view: bool = False
    of_runtime: bool = False
    sql: str = ""

    @cached_property
    def fields(self) -> dict[str, Column]:
        """The columns by lower-case name."""
        return {column.name.lower(): column for column in self.columns}


@dataclass(frozen=True, eq=False)
class Catalog:
    """All tables at one moment. Equal catalogs are one object: `catalog_of` makes them."""

    tables: tuple[Table, ...]

    @cached_property
    def _by_name(self) -> dict[str, Table]:
        return {table.name.lower(): table for table in (*self.tables, *_RUNTIME)}

    def __iter__(self) -> Iterator[Table]:
        return iter(self._by_name.values())

    def find(self, name: str) -> Table | None:
        """The table called `schema.table`, in whatever case."""
        return self._by_name.get(name.lower())

    @cached_property
    def names(self) -> list[str]:
        """Every name that can stand after FROM."""
        return sorted(table.name for table in self)


_RUNTIME = (
    *(
        Table(name, tuple(Column(column, "") for column in columns), is_view=True, of_runtime=True)
        for name, (_, columns) in RUNTIME_TABLES.items()
    ),
    *(
        Table(name, tuple(Column(column, "") for column in columns), is_view=True, of_runtime=True)
        for name, (columns, _) in INFORMATION_SCHEMA.items()
    ),
)
RESERVED_SCHEMAS = {"ens", "ens_util", "information_schema", "sqlite"}


@lru_cache(maxsize=8)
def catalog_of(tables: tuple[Table, ...]) -> Catalog:
    """The catalog of these tables of the namespace; the runtime's own are added."""
    return Catalog(tables)


def read_catalog(connection: sqlite3.Connection) -> Catalog:
    """The catalog of an open file."""
    columns: dict[str, list[Column]] = {}
    for table, *column in connection.execute(_COLUMNS.format("m.type = 'table'")):
        columns.setdefault(table, []).append(Column(*column))
    tables = [Table(name, tuple(fields)) for name, fields in columns.items()]
    for name, sql in connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'").fetchall():
        tables.append(Table(name, _columns_of_view(connection, name), is_view=True, sql=sql))
    return catalog_of(tuple(tables))


_COLUMNS = """
    SELECT m.name, c.name, c.type, NOT (c."notnull" OR c.pk) FROM main.sqlite_master m, pragma_table_info(m.name) c
    WHERE {} AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.cid
"""


def _columns_of_view(connection: sqlite3.Connection, name: str) -> tuple[Column, ...]:
    try:
        rows = connection.execute(_COLUMNS.format("m.name = ?"), (name,)).fetchall()
    except sqlite3.OperationalError:  # another process dropped what the view reads: it can only be dropped
        return ()
    return tuple(Column(*column) for _, *column in rows)


def create_information_schema(connection: sqlite3.Connection) -> None:
    """Make INFORMATION_SCHEMA readable on this connection."""
    for name, (_, query) in INFORMATION_SCHEMA.items():
        connection.execute(f"CREATE TEMP VIEW `{name}` AS {query}")


def create_runtime_views(connection: sqlite3.Connection, schema: str) -> None:
    """Make the runtime's tables readable on this connection; their file is attached as `schema`."""
    for name, (table, columns) in RUNTIME_TABLES.items():
        fields = ", ".join(f"{column} AS `{title}`" for title, column in columns.items())
        connection.execute(f"CREATE TEMP VIEW `{name}` AS SELECT {fields} FROM {schema}.{table}")
