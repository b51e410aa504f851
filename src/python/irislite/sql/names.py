"""The tables that a statement names: found, allowed, and called as they are in the file."""

from sqlglot import exp

from irislite.sql.catalog import DEFAULT_SCHEMA, RESERVED_SCHEMAS, Catalog, Table
from irislite.sql.errors import InvalidSql, NotAllowed, SqlNotSupported, table_not_found


def full_name(schema: str, name: str) -> str:
    """The name of a table in the file. Raises `InvalidSql` for a name that cannot be one."""
    if "." in name or "." in schema or not name:
        raise InvalidSql(f'"{name}" is no name of a table: write schema.table, without quotes around both.')
    return f"{schema or DEFAULT_SCHEMA}.{name}"


def name_of(table: exp.Table) -> str:
    """The file's name of a table as it is typed in a statement."""
    if not isinstance(table.this, exp.Identifier):
        raise SqlNotSupported(f"{table.sql()[:60]!r} is no table: name a table or view after FROM.")
    if table.catalog:
        raise InvalidSql(f"{table.sql()!r} has three parts: write schema.table.")
    return full_name(table.db, table.name)


def bind_tables(tree: exp.Expr, catalog: Catalog) -> list[Table]:
    """Put the file's name of each table in its place; answer which tables the statement names."""
    subqueries = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    nodes = [node for node in tree.find_all(exp.Table) if not node.meta.get("is_index")]
    new = {name_of(node).lower() for node in nodes if node.meta.get("may_be_new")}
    found = []
    for node in nodes:
        if not node.db and node.name.lower() in subqueries:
            continue
        name = name_of(node)
        table = catalog.find(name)
        if table is not None:
            found.append(table)
        elif name.lower() not in new:
            raise table_not_found(f"{node.db}.{node.name}" if node.db else name, catalog.names)
        if isinstance(node.parent, exp.From | exp.Join | exp.Update | exp.Delete) and not node.alias:
            node.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        node.set("this", exp.to_identifier(table.name if table else name, quoted=True))
        node.set("db", None)
    for column in tree.find_all(exp.Column):
        column.set("db", None)  # iris.Review.ReviewText: the table's alias is its name without the schema
    return found


def own(table: exp.Expr | None, catalog: Catalog, may_be_new: bool = False) -> exp.Table:
    """The table that a statement changes. Raises `NotAllowed` for the runtime's."""
    if isinstance(table, exp.Schema):
        table = table.this
    if not isinstance(table, exp.Table):
        raise SqlNotSupported("The statement changes no single table: name one.")
    name = name_of(table)
    known = catalog.find(name)
    schema = name.partition(".")[0].lower()
    if (known and known.of_runtime) or (known is None and (schema in RESERVED_SCHEMAS or schema.startswith("%"))):
        raise NotAllowed(f"{name} belongs to the runtime and can only be read: keep your rows in a table of your own.")
    table.meta["may_be_new"] = may_be_new
    return table
