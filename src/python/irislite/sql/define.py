"""CREATE TABLE: IRIS's types, which a value must fit, as declarations that SQLite keeps to."""

from sqlglot import exp

from irislite.sql.dialect import INTEGERS, NUMBERS, STRINGS, TYPES
from irislite.sql.errors import SqlNotSupported


def declare(schema: exp.Expr) -> None:
    """Rewrite the column definitions and the keys of a CREATE TABLE in place."""
    if not isinstance(schema, exp.Schema):
        return  # CREATE TABLE ... AS SELECT takes its columns from the query
    for part in schema.expressions:
        if isinstance(part, exp.Identifier):
            raise _no_type(part.name, "nothing")
    columns = [part for part in schema.expressions if isinstance(part, exp.ColumnDef)]
    keys = [part for part in schema.expressions if not isinstance(part, exp.ColumnDef)]
    schema.set("expressions", [*columns, *keys])  # SQLite wants the keys last
    if any(_is_identity(column) for column in columns):
        _replace_primary_keys(schema)
    for column in columns:
        if _is_identity(column):
            _declare_identity(column)
        else:
            _declare_column(column)
    _require_keys(schema, columns)


def declare_added(column: exp.ColumnDef) -> None:
    """Rewrite the column of an ALTER TABLE ... ADD in place."""
    if _is_identity(column):
        raise SqlNotSupported("An IDENTITY cannot be added: every table has ID, or CREATE a new table with one.")
    _declare_column(column)


def _is_identity(column: exp.ColumnDef) -> bool:
    """IDENTITY, whether it stands for the type or behind it: the row's number, given by the table."""
    if column.kind and column.kind.sql().upper() == "IDENTITY":
        return True
    return any(
        isinstance(part.kind, exp.AutoIncrementColumnConstraint | exp.GeneratedAsIdentityColumnConstraint)
        for part in column.constraints
    )


def _declare_identity(column: exp.ColumnDef) -> None:
    column.set("kind", exp.DataType.build("INT"))
    keys = (exp.PrimaryKeyColumnConstraint(), exp.AutoIncrementColumnConstraint())
    column.set("constraints", [exp.ColumnConstraint(kind=kind) for kind in keys])


def _declare_column(column: exp.ColumnDef) -> None:
    kind = column.kind
    if kind is None or kind.this not in TYPES:
        raise _no_type(column.name, kind.sql() if kind else "nothing")
    name = exp.column(column.this.copy())
    if kind.this in INTEGERS:
        _check(column, "an integer", _type_of(name, "integer"))
    elif kind.this in NUMBERS:
        _check(column, "a number", _type_of(name, "integer", "real"))
    elif kind.this in (exp.DType.BIT, exp.DType.BOOLEAN):
        _check(column, "0 or 1", name.isin(0, 1))
    elif kind.this in STRINGS:
        if kind.expressions:
            length = kind.expressions[0].copy()
            _check(column, f"at most {length.sql()} characters", exp.LTE(this=exp.Length(this=name), expression=length))
        # IRIS compares texts without case (SQLUPPER) unless it is told otherwise.
        _constrain(column, exp.CollateColumnConstraint(this=exp.var("NOCASE")))


def _no_type(field: str, written: str) -> SqlNotSupported:
    known = ", ".join(sorted({*TYPES.values(), "IDENTITY"}))
    return SqlNotSupported(f"The type of field {field!r} is {written}: write one of {known}.")


def _type_of(column: exp.Column, *types: str) -> exp.Expr:
    return exp.func("typeof", column).isin(*types, "null")


def _check(column: exp.ColumnDef, must_be: str, condition: exp.Expr) -> None:
    """The constraint's name is the message that SQLite gives when a value breaks it."""
    name = exp.to_identifier(f"{column.name} must be {must_be}", quoted=True)
    column.append("constraints", exp.ColumnConstraint(this=name, kind=exp.CheckColumnConstraint(this=condition)))


def _constrain(column: exp.ColumnDef, kind: exp.Expr) -> None:
    column.append("constraints", exp.ColumnConstraint(kind=kind))


def _replace_primary_keys(schema: exp.Schema) -> None:
    """Beside an IDENTITY, which SQLite wants as the key, another primary key becomes UNIQUE."""
    for key in list(schema.find_all(exp.PrimaryKey)):
        unique = exp.UniqueColumnConstraint(this=exp.Schema(expressions=key.expressions))
        key.replace(unique)
        _not_null(schema, unique.this.expressions)
    for inline in list(schema.find_all(exp.PrimaryKeyColumnConstraint)):
        column = inline.find_ancestor(exp.ColumnDef)
        inline.replace(exp.UniqueColumnConstraint())
        if column is not None:
            _constrain(column, exp.NotNullColumnConstraint())


def _require_keys(schema: exp.Schema, columns: list[exp.ColumnDef]) -> None:
    """A primary key has a value; SQLite alone would take NULL."""
    for key in schema.find_all(exp.PrimaryKey):
        _not_null(schema, key.expressions)
    for column in columns:
        if column.find(exp.PrimaryKeyColumnConstraint) and not _is_identity(column):
            _constrain(column, exp.NotNullColumnConstraint())


def _not_null(schema: exp.Schema, names: list[exp.Expr]) -> None:
    wanted = {name.name.lower() for name in names}
    for column in schema.expressions:
        if isinstance(column, exp.ColumnDef) and column.name.lower() in wanted:
            _constrain(column, exp.NotNullColumnConstraint())
