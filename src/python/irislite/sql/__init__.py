"""IRIS SQL on SQLite: the namespace's tables, the runtime's read as tables, CSV files loaded."""

from irislite.sql.catalog import Column
from irislite.sql.errors import (
    AlreadyExists,
    AmbiguousField,
    ConstraintFailed,
    DatabaseFailed,
    FieldNotFound,
    FunctionNotFound,
    InUse,
    InvalidSql,
    LoadFailed,
    NotAllowed,
    NoTransaction,
    SqlError,
    SqlNotSupported,
    TableBusy,
    TableNotFound,
    WrongParameters,
)
from irislite.sql.load import BadRow, LoadReport
from irislite.sql.session import Result
from irislite.sql.tables import Tables

__all__ = [
    "AlreadyExists",
    "AmbiguousField",
    "BadRow",
    "Column",
    "ConstraintFailed",
    "DatabaseFailed",
    "FieldNotFound",
    "FunctionNotFound",
    "InUse",
    "InvalidSql",
    "LoadFailed",
    "LoadReport",
    "NoTransaction",
    "NotAllowed",
    "Result",
    "SqlError",
    "SqlNotSupported",
    "TableBusy",
    "TableNotFound",
    "Tables",
    "WrongParameters",
]
