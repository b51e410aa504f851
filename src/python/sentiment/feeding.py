"""Filling the stream of posts from a source, each of its entries once, whoever does it and however often it dies."""

import uuid
from collections.abc import Callable, Sequence

from sentiment.errors import RedisUnreachable, SentimentError, SourceUnreadable, Stopped
from sentiment.link import Link, patiently
from sentiment.names import Names
from sentiment.options import Options
from sentiment.post import Entry
from sentiment.source import Source

_MOST = 500
_WAIT_S = 0.5
_FULL_PAUSE_S = 1.0
LEASE_MS = 10_000

# The entries go into the stream, and the position behind them with it, unless another has fed meanwhile.
_FEED = """
local at = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if at ~= ARGV[2] then return 0 end
for i = 4, #ARGV, 2 do redis.call('XADD', KEYS[1], '*', 'post', ARGV[i], 'lap', ARGV[i + 1]) end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
return 1
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"


class Lease:
    """The right to do what only one should do, for `LEASE_MS` at a time."""

    def __init__(self, link: Link, key: str) -> None:
        self._link, self._key, self._token = link, key, uuid.uuid4().hex

    def held(self) -> bool:
        """Take it, or keep it; False while another has it. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            if redis.eval(_RENEW, 1, self._key, self._token, LEASE_MS):
                return True
            return bool(redis.set(self._key, self._token, nx=True, px=LEASE_MS))

    def release(self) -> None:
        """Let another have it at once. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            redis.eval(_RENEW, 1, self._key, self._token, 1)


class Feeder:
    """Moves a source's entries into the stream, while it holds the lease."""

    def __init__(self, source: Source, link: Link, options: Options, log: Callable[[str], None]) -> None:
        self._source = source
        self._link = link
        self._names = Names(options.prefix)
        self._limit = options.backlog_limit
        self._lease = Lease(link, self._names.feeder)
        self._log = log
        self._from: str | None = None  # the position that Redis has, as far as we know; None: not asked yet
        self._read: list[Entry] = []
        self.fed = 0
        self.ended = False
        """Whether the source has no more."""

    def run(self, wait: Callable[[float], bool], to_the_end: bool = False) -> None:
        """Feed until `wait`, as `threading.Event.wait`, returns True, or until there is no more."""
        errors = (RedisUnreachable, SourceUnreadable)
        try:
            while not (wait(0.0) or (to_the_end and self.ended)):
                if not patiently(self.step, wait, self._log, errors):
                    wait(_FULL_PAUSE_S)
        except Stopped:
            return
        finally:
            self._source.close()
        try:
            self._lease.release()
        except SentimentError as error:  # it expires by itself
            self._log(str(error))

    def step(self) -> bool:
        """Feed what is due; False if there is nothing to do for a while.

        Raises `RedisUnreachable` and `SourceUnreadable`.
        """
        if not self._lease.held():
            self._from = None
            return False
        if self._from is None:
            self._begin()
        if not self._read:
            with self._link.reached() as redis:
                if redis.xlen(self._names.posts) >= self._limit:
                    return False
            self._read = self._source.read(_MOST, _WAIT_S)
            self.ended = self._source.ended
        if self._read:
            self._feed(self._read, self._source.position)
        return True

    def _begin(self) -> None:
        """Go on where whoever fed before us has come to."""
        with self._link.reached() as redis:
            at = (redis.hget(self._names.position, self._source.name) or b"").decode()
        self._source.seek(at)
        self._from, self._read = at, []

    def _feed(self, entries: Sequence[Entry], position: str) -> None:
        values = [value for entry in entries for value in (entry.body, entry.lap)]
        with self._link.reached() as redis:
            done = redis.eval(
                _FEED, 2, self._names.posts, self._names.position, self._source.name, str(self._from), position, *values
            )
        # If not: another fed meanwhile, or Redis did not tell us that it had done what we asked. Its word counts.
        self._from = position if done else None
        self._read = []
        self.fed += len(entries) if done else 0
