"""The rooms of the portal, in the order in which they are shown. A new one is a file and a line.

A room that any production can use is a line below. A room that knows an application lies beside that application: its
module has a `ROOM`, and the settings file names the module in `ROOMS`, as it names the production in `PRODUCTIONS`.
"""

import importlib
import sys
from pathlib import Path

from irislite.errors import ProductionError
from irislite.web.portal import log, messages, production, sql, system, testing, trace
from irislite.web.portal.layout import Room

ROOMS = (
    Room("/production", "Production", "account_tree", production.page),
    Room("/test", "Test", "science", testing.page),
    Room("/messages", "Messages", "mail_outline", messages.page),
    Room("/trace", "Visual Trace", "swap_horiz", trace.page),
    Room("/log", "Event Log", "receipt_long", log.page),
    Room("/sql", "SQL", "table_chart", sql.page),
    Room("/system", "System", "tune", system.page),
)


def rooms_of(settings_file: Path) -> tuple[Room, ...]:
    """The rooms that a settings file adds to those of every portal, once the file is loaded.

    Raises `ProductionError` where a module cannot be imported or has no room, or takes another room's place.
    """
    found: list[Room] = []
    for name in getattr(sys.modules.get(settings_file.stem), "ROOMS", ()):
        try:
            room = importlib.import_module(name).ROOM
        except (ImportError, AttributeError) as error:
            raise ProductionError(
                f"{settings_file} names the room {name!r}, which cannot be had: {error}. Correct ROOMS: each name is "
                "that of a module with a ROOM."
            ) from error
        if any(room.path == other.path for other in (*ROOMS, *found)):
            raise ProductionError(f"The room {name!r} takes {room.path}, where another one is: give it its own path.")
        found.append(room)
    return tuple(found)
