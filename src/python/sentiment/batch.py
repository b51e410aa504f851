"""Posts that are labelled together: cut by size or by age, whichever comes first."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from sentiment.cleaning import clean
from sentiment.keywords import NONE
from sentiment.post import Post


@dataclass(frozen=True)
class Batch:
    """Posts in the order in which they came."""

    posts: tuple[Post, ...]

    @property
    def id(self) -> str:
        """The entries that it begins and ends with, and how many it has."""
        return f"{self.posts[0].entry}+{len(self.posts)}" if self.posts else "none"

    @property
    def texts(self) -> list[str]:
        """What the model reads."""
        return [post.text for post in self.posts]

    def as_dict(self) -> dict[str, Any]:
        """For a message."""
        return {"posts": [post.as_dict() for post in self.posts]}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Batch":
        """The inverse of `as_dict`."""
        return cls(tuple(Post(**one) for one in told["posts"]))


def batch_of(texts: Sequence[str]) -> Batch:
    """Texts that somebody typed, cleaned, as a batch that no stream waits for. One that is empty then is left out."""
    now_ms = time.time_ns() // 1_000_000
    cleaned = [(text, clean(text)) for text in texts]
    return Batch(tuple(Post("", "", short, text, NONE, "", now_ms) for text, short in cleaned if short))


class Batcher:
    """Gathers posts until they are `size`, or until the oldest has waited `max_age_s`."""

    def __init__(self, size: int, max_age_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._max_age_s = max_age_s
        self._clock = clock
        self._posts: list[Post] = []
        self._oldest_s = inf

    def add(self, post: Post) -> None:
        """One more."""
        if not self._posts:
            self._oldest_s = self._clock()
        self._posts.append(post)

    @property
    def free(self) -> int:
        """So many more make it full."""
        return max(0, self._size - len(self._posts))

    @property
    def due_s(self) -> float:
        """Seconds until the batch is to go, 0 if it is now, infinite while there is none."""
        if not self._posts:
            return inf
        return max(0.0, self._oldest_s + self._max_age_s - self._clock()) if self.free else 0.0

    def take(self) -> Batch:
        """What there is, due or not."""
        taken, self._posts, self._oldest_s = Batch(tuple(self._posts)), [], inf
        return taken
