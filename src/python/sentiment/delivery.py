"""Results go out: to the channels, to the stream of results, and off the pending list, all at once or not at all."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sentiment.labelling import Failure, Labelled, Result
from sentiment.link import Link
from sentiment.names import CHANNELS, Names
from sentiment.options import Options
from sentiment.post import Entry

COUNTED_S = 25 * 3600
"""The counts of a minute are kept for so long."""

KEPT_BYTES = 1 << 16
"""Of a dead letter's body. One that is longer cannot be put back."""

# A script of Redis runs alone. An entry that is not pending any more has been delivered, by whoever it was, and is
# passed over; what was typed by hand has no entry. Redis does not take back what a script did before it failed:
# therefore an entry is acknowledged last.
_DELIVER = """
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local done = 0
for i = 5, #ARGV, 9 do
  local entry, message = ARGV[i], ARGV[i + 1]
  if entry == '' or #redis.call('XPENDING', KEYS[1], ARGV[1], entry, entry, 1) > 0 then
    redis.call('XADD', KEYS[2], '*', 'entry', entry, 'message', message, 'post', ARGV[i + 2], 'text', ARGV[i + 3],
      'keyword', ARGV[i + 4], 'sentiment', ARGV[i + 5], 'label', ARGV[i + 6], 'score', ARGV[i + 7],
      'accepted_ms', ARGV[i + 8], 'published_ms', now)
    redis.call('PUBLISH', ARGV[3], message)
    redis.call('PUBLISH', ARGV[4], message)
    redis.call('HINCRBY', KEYS[3], ARGV[i + 4] .. '|' .. ARGV[i + 5], 1)
    if entry ~= '' then redis.call('XACK', KEYS[1], ARGV[1], entry) end
    done = done + 1
  end
end
if done > 0 then redis.call('EXPIRE', KEYS[3], ARGV[2]) end
return done
"""

_BURY = """
local done = 0
for i = 3, #ARGV, 6 do
  local entry = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], entry, entry, 1) > 0 then
    redis.call('XADD', KEYS[2], '*', 'entry', entry, 'post', ARGV[i + 1], 'cut', ARGV[i + 2], 'reason', ARGV[i + 3],
      'deliveries', ARGV[i + 4], 'origin', ARGV[i + 5], 'consumer', ARGV[2])
    redis.call('XACK', KEYS[1], ARGV[1], entry)
    done = done + 1
  end
end
return done
"""


@dataclass(frozen=True)
class Delivered:
    """What a delivery did."""

    published: int
    already: int = 0
    """Another had delivered them."""
    buried: int = 0
    left: int = 0
    """Failed, and to come again."""


class Delivery:
    """Publishes results, and buries what can never be one. Any number may work at once."""

    def __init__(self, link: Link, options: Options) -> None:
        self._link = link
        self._names = Names(options.prefix)
        self._group = options.group
        self._most_deliveries = options.max_deliveries

    def deliver_labelled(self, labelled: Labelled, consumer: str = "") -> Delivered:
        """`deliver` the results; of the failures `bury` those that came often enough. Raises `RedisUnreachable`."""
        published = self.deliver(labelled.results)
        worn = [one for one in labelled.failures if one.post.entry and one.post.deliveries >= self._most_deliveries]
        buried = self.bury([(_entry_of(one), one.reason) for one in worn], consumer)
        left = len(labelled.failures) - len(worn)
        return Delivered(published, len(labelled.results) - published, buried, left)

    def deliver(self, results: Sequence[Result]) -> int:
        """Publish results; how many of them nobody had delivered. May be repeated. Raises `RedisUnreachable`."""
        if not results:
            return 0
        keys = (self._names.posts, self._names.results, self._names.counts(int(time.time() // 60)))
        values = [value for result in results for value in _values(result)]
        with self._link.reached() as redis:
            return int(redis.eval(_DELIVER, 3, *keys, self._group, COUNTED_S, *CHANNELS, *values))

    def bury(self, entries: Sequence[tuple[Entry, str]], consumer: str = "") -> int:
        """Make dead letters of entries, each with its reason; how many nobody had. Raises `RedisUnreachable`."""
        if not entries:
            return 0
        values: list[str | bytes | int] = []
        for entry, reason in entries:
            body = entry.body[:KEPT_BYTES]
            values += [entry.id, body, int(len(body) < len(entry.body)), reason, entry.deliveries, entry.origin]
        with self._link.reached() as redis:
            return int(redis.eval(_BURY, 2, self._names.posts, self._names.dead, self._group, consumer, *values))


def message_of(result: Result) -> str:
    """The message in the form that listeners know."""
    told = {"tweet": result.post.text, "returns": 1, "filter": result.post.keyword, "sentiment": result.sentiment}
    return json.dumps(told, ensure_ascii=False)


def _values(result: Result) -> tuple[str | int, ...]:
    post = result.post
    score = "" if result.score is None else str(result.score)
    return (
        post.entry, message_of(result), post.id, post.original, post.keyword, result.sentiment, result.label, score,
        post.accepted_ms,
    )  # fmt: skip


def _entry_of(failure: Failure) -> Entry:
    post = failure.post
    told = {"id": post.id, "text": post.original, "lang": post.language}
    body = json.dumps({name: value for name, value in told.items() if value}, ensure_ascii=False).encode()
    return Entry(post.entry, body, post.accepted_ms, post.deliveries, origin=post.origin)
