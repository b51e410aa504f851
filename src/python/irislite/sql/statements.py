"""The statements that are understood, and what each needs to become SQLite's."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from sqlglot import exp

from irislite.sql import define
from irislite.sql.catalog import DEFAULT_SCHEMA, Catalog
from irislite.sql.dialect import Lite
from irislite.sql.errors import InUse, InvalidSql, SqlNotSupported
from irislite.sql.names import name_of, own

Kind = Literal["rows", "write", "define", "begin", "commit", "rollback", "nothing"]


def _as_it_is(tree: exp.Expr, _: Catalog) -> exp.Expr:
    return tree


def _insert(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    own(tree.this, catalog)
    return tree


def _delete(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    named = tree.args.get("tables")
    if named and not tree.this and len(named) == 1:  # DELETE iris.Review, without FROM
        tree.set("this", named[0].pop())
        tree.set("tables", None)
    elif named or tree.args.get("using"):
        raise SqlNotSupported("DELETE takes one table: choose its rows with WHERE ... IN (SELECT ...).")
    own(tree.this, catalog)
    return tree


def _truncate(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    if len(tree.expressions) != 1:
        raise SqlNotSupported("TRUNCATE TABLE takes one table: write one statement for each.")
    return exp.Delete(this=own(tree.expressions[0], catalog))


def _create(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    kind = tree.args["kind"]
    if kind not in ("TABLE", "VIEW", "INDEX") or tree.args.get("properties") or tree.args.get("replace"):
        raise SqlNotSupported("CREATE makes a TABLE, a VIEW or an INDEX here, without further options: leave them out.")
    if kind == "INDEX":
        return _create_index(tree, catalog)
    own(tree.this, catalog, may_be_new=True)
    if kind == "TABLE":
        define.declare(tree.this)
    else:
        _refuse_unkeepable_view(tree, catalog)
    return tree


def _create_index(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    index = tree.this
    table = own(index.args.get("table"), catalog)
    index.set("this", _index_name(table, index.name, catalog))
    return tree


def _index_name(table: exp.Table, name: str, catalog: Catalog) -> exp.Identifier:
    """In IRIS an index belongs to its table, in SQLite to the file: it is called schema.table.index."""
    known = catalog.find(name_of(table))
    return exp.to_identifier(f"{known.name if known else name_of(table)}.{name}", quoted=True)


def _refuse_unkeepable_view(tree: exp.Expr, catalog: Catalog) -> None:
    for table in tree.expression.find_all(exp.Table):
        known = catalog.find(f"{table.db or DEFAULT_SCHEMA}.{table.name}")
        if known and known.of_runtime:
            raise SqlNotSupported(f"A view cannot be kept over {known.name}, of the runtime: SELECT from it directly.")
    if tree.find(exp.Placeholder):
        raise SqlNotSupported("A view takes no parameters: write the value, or filter in the SELECT from the view.")


def _drop(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    kind, tables = tree.args["kind"], tree.args.get("tables") or []
    if kind not in ("TABLE", "VIEW", "INDEX") or len(tables) != 1:
        raise SqlNotSupported("DROP takes away one TABLE, VIEW or INDEX: write one statement for each.")
    if kind == "INDEX":
        return _drop_index(tree, tables[0], catalog)
    name = name_of(own(tables[0], catalog, may_be_new=bool(tree.args.get("exists"))))
    views = [view.name for view in catalog if view.sql and name.lower() in _tables_of(view.sql) - {view.name.lower()}]
    if views:
        raise InUse(f"{name} is used by {', '.join(views)}: DROP VIEW these first.")
    tree.set("cascade", False)
    tree.set("restrict", False)
    return tree


def _drop_index(tree: exp.Expr, index: exp.Table, catalog: Catalog) -> exp.Expr:
    on = tree.args.get("cluster")  # DROP INDEX name ON iris.Review
    table = on.this if on else exp.Table(this=index.args.get("db"), db=index.args.get("catalog"))
    if not isinstance(table, exp.Table) or not table.this:
        raise InvalidSql(f"Whose index is {index.name!r}? Write DROP INDEX {index.name} ON schema.table.")
    node = exp.Table(this=_index_name(own(table, catalog), index.name, catalog))
    node.meta["is_index"] = True
    return exp.Drop(kind="INDEX", exists=tree.args.get("exists"), tables=[node])


@lru_cache(maxsize=64)
def _tables_of(view_sql: str) -> set[str]:
    """The tables, in lower case, that a stored view reads."""
    return {table.name.lower() for tree in Lite().parse(view_sql) if tree for table in tree.find_all(exp.Table)}


def _alter(tree: exp.Expr, catalog: Catalog) -> exp.Expr:
    actions = tree.args.get("actions") or []
    if tree.args.get("kind") != "TABLE" or len(actions) != 1 or not isinstance(actions[0], exp.ColumnDef):
        raise SqlNotSupported(
            "ALTER TABLE adds one column here: for other changes CREATE a new table and INSERT ... SELECT the rows."
        )
    own(tree.this, catalog)
    define.declare_added(actions[0])
    return tree


def _set(tree: exp.Expr, _: Catalog) -> exp.Expr:
    if not all(item.args.get("kind") == "TRANSACTION" for item in tree.expressions):
        raise SqlNotSupported("SET takes TRANSACTION here, nothing else: leave it out.")
    return tree


_Rewrite = Callable[[exp.Expr, Catalog], exp.Expr]
STATEMENTS: dict[type[exp.Expr], tuple[Kind, _Rewrite]] = {
    exp.Select: ("rows", _as_it_is),
    exp.Union: ("rows", _as_it_is),
    exp.Except: ("rows", _as_it_is),
    exp.Intersect: ("rows", _as_it_is),
    exp.Insert: ("write", _insert),
    exp.Update: ("write", _insert),
    exp.Delete: ("write", _delete),
    exp.TruncateTable: ("write", _truncate),
    exp.Create: ("define", _create),
    exp.Drop: ("define", _drop),
    exp.Alter: ("define", _alter),
    exp.Transaction: ("begin", _as_it_is),
    exp.Commit: ("commit", _as_it_is),
    exp.Rollback: ("rollback", _as_it_is),
    exp.Set: ("nothing", _set),
}
