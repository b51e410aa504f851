"""Where a time lies among the ids of a table whose rows come in the order of time."""

import sqlite3


def ends(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    """The lowest and the highest id of a table; 1 and 0 for an empty one."""
    # Asked for both at once, SQLite would read the whole table.
    low, high = connection.execute(f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})").fetchone()
    return low or 1, high or 0


def last_before(connection: sqlite3.Connection, table: str, column: str, time: str) -> int:
    """The highest id that is older than `time`; 0 or less if none is.

    Ids are in the order of time, so it is found by halves. Where a clock was set back the place is
    near the right one: whoever needs it exactly looks at each row's own time as well.
    """
    low, high = ends(connection, table)
    while low <= high:
        middle = (low + high) // 2
        row = connection.execute(
            f"SELECT id, {column} FROM {table} WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if row is not None and row[1] < time:
            low = row[0] + 1
        else:
            high = middle - 1
    return int(low) - 1
