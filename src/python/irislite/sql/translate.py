"""One statement of IRIS SQL becomes one statement of SQLite, by way of its syntax tree."""

from dataclasses import dataclass
from functools import lru_cache

from sqlglot import ErrorLevel, exp
from sqlglot.errors import ParseError, SqlglotError, UnsupportedError

from irislite.sql.catalog import Catalog
from irislite.sql.dialect import Iris, Lite
from irislite.sql.errors import InvalidSql, SqlNotSupported
from irislite.sql.names import bind_tables
from irislite.sql.rowid import name_row_ids
from irislite.sql.statements import STATEMENTS, Kind

LONGEST_KEPT = 20_000  # characters; a longer statement is translated each time


@dataclass(frozen=True)
class Plan:
    """What to run. Placeholder `?n` takes the n-th value, wherever it stands in `sql`."""

    sql: str
    kind: Kind
    parameters: int
    reads_runtime: bool  # needs the runtime's messages.db
    view: str  # the query of a CREATE VIEW, which SQLite would not look at before it is used
    fields: dict[str, tuple[str, ...]]  # of each table in the statement, for messages about errors


def translate(statement: str, catalog: Catalog) -> Plan:
    """The plan for a statement. Raises an `SqlError` that says what is wrong with it."""
    if len(statement) > LONGEST_KEPT:
        return _translate(statement, catalog)
    return _translate_once(statement, catalog)


def _translate(statement: str, catalog: Catalog) -> Plan:
    try:
        tree = _parse(statement)
        kind, rewrite = STATEMENTS.get(type(tree), (None, None))
        if kind is None or rewrite is None:
            raise SqlNotSupported(_unknown(statement))
        parameters = _number_parameters(tree)
        tree = rewrite(tree, catalog)
        _refuse_the_unreadable(tree)
        tables = bind_tables(tree, catalog)
        name_row_ids(tree, catalog)
        _name_expressions(tree)
        _unwrap_set_operands(tree)
        if kind in ("begin", "commit", "rollback", "nothing"):
            tree = exp.select("1").where("0")  # the connection does it, there is nothing for SQLite to run
        sql = _written(tree)
        view = _written(tree.expression) if isinstance(tree, exp.Create) and tree.args["kind"] == "VIEW" else ""
    except UnsupportedError as error:
        raise SqlNotSupported(f"{error}. Write the statement another way.") from error
    except RecursionError:
        raise InvalidSql("The statement is nested too deeply: split it, or use a temporary result.") from None
    fields = {table.name: tuple(column.name for column in table.columns) for table in tables}
    reads_runtime = any(table.of_runtime and table.name.startswith("Ens") for table in tables)
    return Plan(sql, kind, parameters, reads_runtime, view, fields)


_translate_once = lru_cache(maxsize=512)(_translate)


def _parse(statement: str) -> exp.Expr:
    try:
        trees = [tree for tree in Iris().parse(statement) if tree is not None]
    except ParseError as error:
        what = error.errors[0] if error.errors else {"description": str(error), "line": 1, "col": 1, "highlight": ""}
        near = f" near {what['highlight']!r}" if what["highlight"] else ""
        raise InvalidSql(
            f"Invalid SQL in line {what['line']}, column {what['col']}{near}: {what['description']}. Correct it."
        ) from error
    except SqlglotError as error:
        raise InvalidSql(f"Invalid SQL: {error}. Check quotes and brackets.") from error
    if not trees:
        raise InvalidSql("The statement is empty: write one, like SELECT TOP 10 * FROM iris.Review.")
    if len(trees) > 1:
        raise SqlNotSupported("There is more than one statement: run them one by one, each in its own call.")
    return trees[0]


def _written(tree: exp.Expr) -> str:
    return Lite().generate(tree, identify=True, unsupported_level=ErrorLevel.RAISE, comments=False)


def _unknown(statement: str) -> str:
    words = statement.split(None, 1)
    return (
        f"{words[0][:40].upper()!r} begins no statement that runs here: use SELECT, INSERT, UPDATE, DELETE, "
        "TRUNCATE TABLE, CREATE or DROP TABLE, VIEW, INDEX, ALTER TABLE, or START TRANSACTION, COMMIT, ROLLBACK."
    )


def _number_parameters(tree: exp.Expr) -> int:
    """Number the question marks as they were typed; TOP ? will stand last in SQLite."""
    placeholders = sorted(tree.find_all(exp.Placeholder), key=lambda mark: int(mark.name))
    for number, placeholder in enumerate(placeholders, start=1):
        placeholder.set("this", str(number))
    return len(placeholders)


_UNREADABLE = (exp.Command, exp.Parameter, exp.SessionParameter, exp.Into, exp.Returning, exp.Pragma)


def _refuse_the_unreadable(tree: exp.Expr) -> None:
    for node in tree.find_all(*_UNREADABLE):
        raise SqlNotSupported(f"{node.sql()[:60]!r} cannot be used here: leave it out.")


def _name_expressions(tree: exp.Expr) -> None:
    """Give a column without a name the one IRIS gives it: Expression_2, Aggregate_1."""
    for select in list(tree.find_all(exp.Select)):
        for position, projection in enumerate(select.expressions, start=1):
            if not isinstance(projection, exp.Alias | exp.Column | exp.Star):
                title = f"{_kind_of(projection)}_{position}"
                projection.replace(exp.alias_(projection.copy(), title, quoted=True))


_TITLES = (
    (exp.AggFunc, "Aggregate"),
    (exp.Subquery, "Subquery"),
    (exp.Literal, "Literal"),
    (exp.Placeholder, "HostVar"),
)


def _kind_of(projection: exp.Expr) -> str:
    return next((title for kind, title in _TITLES if isinstance(projection, kind)), "Expression")


def _unwrap_set_operands(tree: exp.Expr) -> None:
    """SQLite takes no brackets around the sides of a UNION: a query of the query says the same."""
    for operation in list(tree.find_all(exp.SetOperation)):
        for side in (operation.left, operation.right):
            if isinstance(side, exp.Subquery) and not side.alias:
                side.replace(exp.select("*").from_(side.this.subquery(copy=True)))
