"""What the keys and channels in Redis are called."""

from dataclasses import dataclass

CHANNELS = ("stream", "STREAM")
"""Each result is published on both: listeners of old know one or the other."""


@dataclass(frozen=True)
class Names:
    """The keys below a prefix."""

    prefix: str

    @property
    def posts(self) -> str:
        """The stream of what was accepted and is not delivered yet."""
        return f"{self.prefix}:posts"

    @property
    def results(self) -> str:
        """The stream of labelled posts."""
        return f"{self.prefix}:results"

    @property
    def dead(self) -> str:
        """The stream of dead letters."""
        return f"{self.prefix}:dead"

    @property
    def feeder(self) -> str:
        """The lease of the one who fills the stream."""
        return f"{self.prefix}:feeder"

    @property
    def position(self) -> str:
        """The hash of how far each source was read into the stream."""
        return f"{self.prefix}:position"

    def seen(self, digest: str) -> str:
        """The key that says which entry was the first of a post."""
        return f"{self.prefix}:seen:{digest}"

    def counts(self, minute: int) -> str:
        """The hash of how many posts of each keyword were negative and positive in a minute of the epoch."""
        return f"{self.prefix}:counts:{minute}"

    def worker(self, consumer: str) -> str:
        """The hash of a worker's own numbers."""
        return f"{self.prefix}:worker:{consumer}"
