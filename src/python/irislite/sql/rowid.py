"""`ID` and `%ID`: the number of a row, which every table of IRIS has and SQLite calls rowid."""

from sqlglot import exp

from irislite.sql.catalog import Catalog

_NAMES = ("id", "%id")


def name_row_ids(tree: exp.Expr, catalog: Catalog) -> None:
    """Where `ID` or `%ID` names no field of its table, let it mean the row's number."""
    for column in list(tree.find_all(exp.Column)):
        if column.name.lower() in _NAMES and (owner := _owner(column, catalog)):
            _rename(column, owner, catalog)


def _rename(column: exp.Column, owner: exp.Table, catalog: Catalog) -> None:
    typed = column.this.copy()
    table = catalog.find(owner.name)
    column.set("this", exp.to_identifier("ID" if table and table.is_view else "rowid", quoted=True))
    if not column.table and owner.alias:
        column.set("table", exp.to_identifier(owner.alias, quoted=True))
    if isinstance(column.parent, exp.Select) and column.arg_key == "expressions":
        column.replace(exp.alias_(column.copy(), "ID" if typed.name.startswith("%") else typed.name, quoted=True))


def _owner(column: exp.Column, catalog: Catalog) -> exp.Table | None:
    """The table whose row number is meant; None if a field of that name is meant, or nobody knows."""
    query = column.find_ancestor(exp.Select, exp.Update, exp.Delete)
    while query is not None:
        if _is_own_title(column, query):
            return None
        sources = [s for s in _sources(query) if not column.table or s.alias_or_name.lower() == column.table.lower()]
        tables = [source for source in sources if isinstance(source, exp.Table) and catalog.find(source.name)]
        if column.name.startswith("%") and tables:
            return tables[0]
        if len(tables) < len(sources) or any(_has_id(table, catalog) for table in tables):
            return None
        if tables:
            return tables[0]
        query = query.find_ancestor(exp.Select, exp.Update, exp.Delete)
    return None


def _is_own_title(column: exp.Column, query: exp.Expr) -> bool:
    """SELECT Name AS ID ... ORDER BY ID sorts by the title."""
    titles = {part.alias.lower() for part in query.expressions if isinstance(part, exp.Alias)}
    outside = column.find_ancestor(exp.Order, exp.Group, exp.Having)
    return outside is not None and not column.table and column.name.lower() in titles


def _sources(query: exp.Expr) -> list[exp.Expr]:
    """What stands after FROM and JOIN: tables and subqueries."""
    source = query.args.get("from_")
    first = [source.this] if source else [query.this] if isinstance(query.this, exp.Table) else []
    return [*first, *(join.this for join in query.args.get("joins") or [])]


def _has_id(table: exp.Table, catalog: Catalog) -> bool:
    known = catalog.find(table.name)
    return known is not None and (known.is_view or "id" in known.fields)
