"""What a source of posts must do to be fed into the stream; `file.FileSource` is one."""

from typing import Protocol

from sentiment.post import Entry


class Source(Protocol):
    """Reads posts from somewhere, in an order that another run repeats. `feeding.Feeder` does the rest."""

    name: str
    """Its position is kept under this name: the same for the same posts."""

    ended: bool
    """Whether the last `read` found nothing because there is no more."""

    def seek(self, position: str) -> None:
        """Go on behind what a source of this name had read when it said this; "" is the beginning."""

    def read(self, most: int, wait_s: float) -> list[Entry]:
        """At most `most` entries; none if none came within `wait_s` seconds. Raises `SourceUnreadable`."""

    @property
    def position(self) -> str:
        """Where another one would go on: behind all that was read."""

    def close(self) -> None:
        """Let go of what is open."""
