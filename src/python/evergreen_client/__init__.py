"""A client of the application API, which needs httpx and nothing else of this project.

    from evergreen_client import Evergreen

    with Evergreen("http://localhost:52795", key="egk_...") as evergreen:
        print(evergreen.predict("all-MiniLM-L6-v2", inputs="This was a really bad experience").output)

`AsyncEvergreen` is the same for asyncio. See docs/api.md.
"""

from evergreen_client.answers import Answer, Event, Item, LogLine, Message, Model, Session
from evergreen_client.client import AsyncEvergreen, Evergreen
from evergreen_client.errors import Busy, EvergreenError, ItemFailed, KeyRefused, NotFound, TimedOut, Unreachable

__all__ = [
    "Answer",
    "AsyncEvergreen",
    "Busy",
    "Event",
    "Evergreen",
    "EvergreenError",
    "Item",
    "ItemFailed",
    "KeyRefused",
    "LogLine",
    "Message",
    "Model",
    "NotFound",
    "Session",
    "TimedOut",
    "Unreachable",
]
