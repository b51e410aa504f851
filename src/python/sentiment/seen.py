"""Which posts were there before: a key in Redis for each, that expires."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b

from sentiment.link import Link
from sentiment.names import Names
from sentiment.options import Options
from sentiment.post import Entry, Post


class Seen:
    """The first entries of posts.

    The key's value is the entry that came first. So an entry that is handed out again, because a worker died with it,
    is not a duplicate of itself; nor is a dead letter that was put back, whatever its new id.
    """

    def __init__(self, link: Link, options: Options) -> None:
        self._link = link
        self._names = Names(options.prefix)
        self._by = options.duplicates
        self._window_s = options.duplicate_window_s

    def first(self, found: Sequence[tuple[Entry, Post]]) -> list[bool]:
        """Whether each entry is the first of its post; one exchange with Redis. Raises `RedisUnreachable`."""
        if self._by == "none" or not found:
            return [True] * len(found)
        with self._link.reached() as redis, redis.pipeline(transaction=False) as pipe:
            for entry, post in found:
                key = self._names.seen(self._digest(entry, post))
                pipe.set(key, entry.first_id, nx=True, get=True, ex=self._window_s)
            before = pipe.execute()
        return [
            was is None or was.decode() == entry.first_id for was, (entry, _) in zip(before, found, strict=True)
        ]  # fmt: skip

    def _digest(self, entry: Entry, post: Post) -> str:
        """96 bits: among a thousand million posts two meet by chance once in a thousand million tries."""
        by_id = self._by == "post" and post.id
        what = f"id {post.id}" if by_id else f"text {entry.lap} {post.text.casefold()}"
        return urlsafe_b64encode(blake2b(what.encode(), digest_size=12).digest()).decode()
