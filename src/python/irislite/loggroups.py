"""Log entries that say the same, counted together: numbers, addresses and quoted names may differ."""

import re
from dataclasses import dataclass

from irislite.eventlog import LogEntry, LogType

LONGEST_PATTERN = 300  # characters of a text that are compared
_VARIES = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|0x[0-9A-Fa-f]+|\d+(?:[.,:]\d+)*")


@dataclass(slots=True)
class LogGroup:
    """Entries of one type, item and place that say the same. `newest` is the last of them, `first_time` the first's."""

    newest: LogEntry
    first_time: str
    count: int = 1

    @property
    def type(self) -> LogType:
        """The type of all of them."""
        return self.newest.type

    @property
    def last_time(self) -> str:
        """When the newest was written."""
        return self.newest.time_logged


def pattern(text: str) -> str:
    """What is the same in texts that say the same: the first line, with marks for what varies."""
    return _VARIES.sub("…", text.split("\n", 1)[0][:LONGEST_PATTERN])


class LogGroups:
    """Groups that grow while entries are added, the newest entry first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[LogType, str, str, str, str], LogGroup] = {}

    def add(self, entry: LogEntry) -> None:
        """Count an entry that is older than those before."""
        key = (entry.type, entry.config_name, entry.source_class, entry.source_method, pattern(entry.text))
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = LogGroup(entry, entry.time_logged)
        else:
            group.count += 1
            group.first_time = entry.time_logged

    def newest_first(self) -> list[LogGroup]:
        """All groups."""
        return sorted(self._groups.values(), key=lambda group: group.newest.id, reverse=True)
