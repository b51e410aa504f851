"""The stream of posts in Redis, read by a consumer group: each entry is somebody's until it is delivered."""

import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from sentiment.link import Link
from sentiment.names import Names
from sentiment.options import Options
from sentiment.post import Entry

_numbers = count(1)
_LOOKS_IN_A_CLAIM = 4
_MOST_CLAIMED = 500
_GONE_MS = 3_600_000  # a consumer that did nothing for so long will not come back

# A consumer may go only if nothing is pending for it: what is would be forgotten with it.
_FORGET = """
local own = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
if #own == 0 then return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
return -1
"""

# After it was killed, Redis 7.0 may count fewer entries as read than it handed out. It tells of a lag for ever then,
# and a cluster keeps workers that have nothing to do. Where the group has come to the last entry, all were read.
_RECOUNT = """
local function told(list) local found = {}; for i = 1, #list, 2 do found[list[i]] = list[i + 1] end; return found end
local stream = told(redis.call('XINFO', 'STREAM', KEYS[1]))
for _, one in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = told(one)
  if group['name'] == ARGV[1] and group['last-delivered-id'] == stream['last-generated-id'] and group['lag'] ~= 0 then
    local at, added = group['last-delivered-id'], stream['entries-added']
    return redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], at, 'ENTRIESREAD', added)
  end
end
return 0
"""


class Inbox:
    """One consumer of the group.

    What it was handed in a life before comes first. What others were handed, and have given no sign of life for
    `claim_idle_s`, comes again too: the first time together, after that one by one, so that a post at which workers
    die is found out without dragging others along.
    """

    def __init__(self, options: Options, link: Link) -> None:
        self.stream = Names(options.prefix).posts
        self.group = options.group
        self.consumer = options.consumer or f"{socket.gethostname()}-{os.getpid()}-{next(_numbers)}"
        self._link = link
        self._idle_ms = int(options.claim_idle_s * 1000)
        self._most_deliveries = options.max_deliveries
        self._look_s = 0.0  # when to look for what others have left
        self._own: set[str] | None = set()  # what was ours in a life before and is handed out again; None: all of it is
        self._worn: list[Entry] = []

    def read(self, most: int, wait_s: float) -> list[Entry]:
        """At most `most` entries; none if none came within `wait_s` seconds. Raises `RedisUnreachable`."""
        if time.monotonic() >= self._look_s:
            if self._own is not None and (left := self._left(most)):
                return left
            if left := self._left(most):
                return left
            self._look_s = time.monotonic() + self._idle_ms / 1000 / _LOOKS_IN_A_CLAIM
        with self._link.reached() as redis:
            return self._new(redis, most, wait_s)

    def worn(self) -> list[Entry]:
        """What was handed out too often, found since the last call: dead letters, not to be tried again."""
        found, self._worn = self._worn, []
        return found

    def acknowledge(self, ids: Sequence[str]) -> None:
        """These are not to be labelled and need never come again. Raises `RedisUnreachable`."""
        if ids:
            with self._link.reached() as redis:
                redis.xack(self.stream, self.group, *ids)

    def renew(self, ids: Sequence[str]) -> None:
        """These are still worked at; it is no new delivery. Raises `RedisUnreachable`."""
        if ids:
            with self._link.reached() as redis:
                redis.xclaim(self.stream, self.group, self.consumer, 0, list(ids), justid=True)

    def join(self) -> None:
        """Make the stream and its group if they are not there. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            self._grouped(redis, lambda: redis.xinfo_consumers(self.stream, self.group))

    def recount(self) -> None:
        """Correct how many entries Redis believes are unread, where it is known. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            redis.eval(_RECOUNT, 1, self.stream, self.group)

    def leave(self) -> None:
        """Leave the group, unless something of ours is pending: that is claimed later. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            self._forget(redis, self.consumer)

    def forget_the_gone(self) -> None:
        """Workers of a cluster have names of their own: those of the past would pile up. Raises `RedisUnreachable`."""
        with self._link.reached() as redis:
            for one in redis.xinfo_consumers(self.stream, self.group):
                if not one["pending"] and one["idle"] > _GONE_MS:
                    self._forget(redis, one["name"])

    def _forget(self, redis: Any, consumer: str | bytes) -> None:
        self._grouped(redis, lambda: redis.eval(_FORGET, 1, self.stream, self.group, consumer))

    def _new(self, redis: Any, most: int, wait_s: float) -> list[Entry]:
        """Entries that nobody had."""
        block_ms = max(1, int(wait_s * 1000)) if wait_s > 0 else None
        found = self._grouped(
            redis, lambda: redis.xreadgroup(self.group, self.consumer, {self.stream: ">"}, count=most, block=block_ms)
        )
        return [_entry(*one) for _, entries in found or [] for one in entries]

    def _left(self, most: int) -> list[Entry]:
        """Entries that a worker left behind, now ours."""
        own = self._own is not None
        done = self._own or ()
        with self._link.reached() as redis:
            pending = self._grouped(
                redis,
                lambda: redis.xpending_range(
                    self.stream, self.group, "-", "+", _MOST_CLAIMED,
                    consumername=self.consumer if own else None, idle=0 if own else self._idle_ms,
                ),
            )  # fmt: skip
            pending = [one for one in pending if one["message_id"].decode() not in done]
            worn = [one for one in pending if one["times_delivered"] >= self._most_deliveries]
            fresh = [one for one in pending if one["times_delivered"] == 1 < self._most_deliveries][:most]
            again = [one for one in pending if 1 < one["times_delivered"] < self._most_deliveries][:1]
            found = [replace(one, deliveries=one.deliveries - 1) for one in self._claimed(redis, worn, own)]
            self._worn += found
            taken = self._claimed(redis, fresh or again, own, alone=not fresh)
        if self._own is not None:
            self._own.update(entry.id for entry in (*found, *taken))
            if not taken:
                self._own = None
        return taken

    def _claimed(self, redis: Any, pending: Sequence[Mapping[str, Any]], own: bool, alone: bool = False) -> list[Entry]:
        """Those of the entries that no other claimed before."""
        if not pending:
            return []
        times = {one["message_id"]: one["times_delivered"] + 1 for one in pending}
        found = redis.xclaim(self.stream, self.group, self.consumer, 0 if own else self._idle_ms, list(times))
        return [_entry(one, body, times[one], alone) for one, body in found if body is not None]

    def _grouped(self, redis: Any, action: Callable[[], Any]) -> Any:
        """What the action returns. A group that is not there is made, and reads from the beginning."""
        import redis as package

        try:
            return action()
        except package.ResponseError as error:
            if "NOGROUP" not in str(error) and "no such key" not in str(error):
                raise
        try:
            redis.xgroup_create(self.stream, self.group, "0", mkstream=True)
        except package.ResponseError as error:
            if "BUSYGROUP" not in str(error):  # another was quicker
                raise
        return action()


def _entry(one: bytes, fields: Mapping[bytes, bytes], deliveries: int = 1, alone: bool = False) -> Entry:
    entry = one.decode()
    origin, lap = fields.get(b"origin", b"").decode("ascii", "replace"), fields.get(b"lap", b"0")
    body = fields.get(b"post")
    if body is None:  # somebody else writes fields of a post; what is no UTF-8 in them, the reader will refuse
        told = {name: value.decode("utf-8", "surrogateescape") for name, value in fields.items()}
        body = json.dumps({name.decode("utf-8", "replace"): value for name, value in told.items()}).encode()
    accepted_ms = int(entry.partition("-")[0])
    return Entry(entry, body, accepted_ms, deliveries, alone, origin, int(lap) if lap.isdigit() else 0)
