"""How the stream stands, as Redis tells it: the same for production, pods, portal and command line."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sentiment.errors import BadRequest
from sentiment.link import Link
from sentiment.names import Names
from sentiment.options import Options

_ID = re.compile(r"\d{1,20}-\d{1,20}")
_LATELY_S = 10
_LOOKED_AT = 1_000
_SHOWN_TEXT = 500
_MOST_MINUTES = 24 * 60

# A letter that is not there was put back or dropped by somebody else meanwhile.
_PUT_BACK = """
local done = 0
for _, one in ipairs(ARGV) do
  local found = redis.call('XRANGE', KEYS[1], one, one)
  if #found > 0 then
    local letter, fields = {}, found[1][2]
    for i = 1, #fields, 2 do letter[fields[i]] = fields[i + 1] end
    if letter['cut'] ~= '1' then
      local origin = letter['origin']
      if not origin or origin == '' then origin = letter['entry'] end
      redis.call('XADD', KEYS[2], '*', 'post', letter['post'], 'origin', origin)
      redis.call('XDEL', KEYS[1], one)
      done = done + 1
    end
  end
end
return done
"""


class Overview:
    """Reads and tends a stream. Everything raises `RedisUnreachable`."""

    def __init__(self, link: Link, options: Options) -> None:
        self._link = link
        self._names = Names(options.prefix)
        self._group = options.group

    def state(self) -> dict[str, Any]:
        """Rate, delay, what waits, who works, how safe it is."""
        now_ms = time.time_ns() // 1_000_000
        with self._link.reached() as redis:
            group = self._found_group(redis)
            pending = redis.xpending(self._names.posts, self._group) if group else {}
            newest = redis.xrevrange(self._names.results, "+", now_ms - _LATELY_S * 1000, _LOOKED_AT)
            delays = newest or redis.xrevrange(self._names.results, "+", "-", 100)
            info = redis.info()
            return {
                "rate_per_s": _rate(newest),
                "delay_ms": _delays(delays),
                "lag": _lag(redis, self._names.posts, group),
                "pending": pending.get("pending", 0),
                "oldest_pending_ms": now_ms - _ms(pending["min"]) if pending.get("min") else 0,
                "length": redis.xlen(self._names.posts),
                "results": redis.xlen(self._names.results),
                "dead": redis.xlen(self._names.dead),
                "consumers": self._consumers(redis) if group else [],
                "durability": durability(redis),
                "redis_version": info.get("redis_version", ""),
                "memory_bytes": info.get("used_memory", 0),
            }

    def newest(self, count: int = 50) -> list[dict[str, Any]]:
        """The newest results, the newest first."""
        with self._link.reached() as redis:
            found = redis.xrevrange(self._names.results, "+", "-", _several(count))
        return [_result(one, fields) for one, fields in found]

    def shares(self, minutes: int = 60) -> dict[str, Any]:
        """For each of the last minutes and each keyword: how many posts, and how many of them positive."""
        last = int(time.time() // 60)
        asked = list(range(last - min(max(1, minutes), _MOST_MINUTES) + 1, last + 1))
        with self._link.reached() as redis, redis.pipeline(transaction=False) as pipe:
            for minute in asked:
                pipe.hgetall(self._names.counts(minute))
            found = pipe.execute()
        keywords: dict[str, dict[str, list[int]]] = {}
        for place, counts in enumerate(found):
            for field, many in counts.items():
                keyword, _, sentiment = field.decode().rpartition("|")
                told = keywords.setdefault(keyword, {"total": [0] * len(asked), "positive": [0] * len(asked)})
                told["total"][place] += int(many)
                told["positive"][place] += int(many) * (sentiment == "1")
        return {"minutes": asked, "keywords": keywords}

    def dead(self, count: int = 50, before: str = "") -> list[dict[str, Any]]:
        """Dead letters, the newest first; `before` goes on behind one of them. Raises `BadRequest`."""
        end = f"({_checked([before])[0]}" if before else "+"
        with self._link.reached() as redis:
            found = redis.xrevrange(self._names.dead, end, "-", _several(count))
        return [_letter(one, fields) for one, fields in found]

    def put_back(self, ids: Sequence[str]) -> int:
        """Make new entries of dead letters; how many. One that was cut is left. Raises `BadRequest`."""
        with self._link.reached() as redis:
            return int(redis.eval(_PUT_BACK, 2, self._names.dead, self._names.posts, *_checked(ids)))

    def drop(self, ids: Sequence[str]) -> int:
        """Forget dead letters; how many. Raises `BadRequest`."""
        with self._link.reached() as redis:
            return int(redis.xdel(self._names.dead, *_checked(ids)))

    def _found_group(self, redis: Any) -> Mapping[str, Any] | None:
        if not redis.exists(self._names.posts):
            return None
        groups = redis.xinfo_groups(self._names.posts)
        return next((one for one in groups if one["name"].decode() == self._group), None)

    def _consumers(self, redis: Any) -> list[dict[str, Any]]:
        found = redis.xinfo_consumers(self._names.posts, self._group)
        with redis.pipeline(transaction=False) as pipe:
            for one in found:
                pipe.hgetall(self._names.worker(one["name"].decode()))
            told = pipe.execute()
        return [
            {
                "name": one["name"].decode(),
                "pending": one["pending"],
                "idle_ms": one["idle"],
                "alive": bool(numbers),
                **{name.decode(): float(value) for name, value in numbers.items()},
            }
            for one, numbers in zip(found, told, strict=True)
        ]


def durability(redis: Any) -> str:
    """When Redis has what it accepted on disk: always (before it answers), everysec, no; unknown if it does not say."""
    import redis as package

    try:
        told = redis.config_get("append*")
    except package.ResponseError:  # a hosted one does not let everybody ask
        return "unknown"
    return str(told.get("appendfsync", "unknown")) if told.get("appendonly") == "yes" else "no"


def _lag(redis: Any, stream: str, group: Mapping[str, Any] | None) -> int:
    """How many entries nobody was handed yet. Redis's own count is lost by deletions, and wrong after some crashes."""
    length = int(redis.xlen(stream))
    if group is None or not length:
        return length
    if group["last-delivered-id"] == redis.xinfo_stream(stream)["last-generated-id"]:
        return 0
    if group.get("lag") is not None:
        return min(int(group["lag"]), length)
    return len(redis.xrange(stream, f"({group['last-delivered-id'].decode()}", "+", 10_000))  # entries were deleted


def _rate(newest: Sequence[Any]) -> float:
    if len(newest) < _LOOKED_AT:
        return round(len(newest) / _LATELY_S, 2)
    span_ms = _ms(newest[0][0]) - _ms(newest[-1][0])
    return round(len(newest) / max(span_ms, 1) * 1000, 2)


def _delays(found: Sequence[Any]) -> dict[str, int | None]:
    delays = sorted(int(fields[b"published_ms"]) - int(fields[b"accepted_ms"]) for _, fields in found)
    return {"p50": quantile(delays, 0.5), "p99": quantile(delays, 0.99)}


def quantile(ordered: Sequence[int], share: float) -> int | None:
    """The value that this share of ascending values is not above; None of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _result(one: bytes, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    told = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    accepted_ms, published_ms = int(told["accepted_ms"]), int(told["published_ms"])
    return {
        "result": one.decode(),
        "id": told["post"] or told["entry"],
        "text": told["text"],
        "tweet": json.loads(told["message"])["tweet"],
        "keyword": told["keyword"],
        "sentiment": int(told["sentiment"]),
        "label": told["label"],
        "score": float(told["score"]) if told["score"] else None,
        "accepted_ms": accepted_ms,
        "published_ms": published_ms,
        "delay_ms": published_ms - accepted_ms,
    }


def _letter(one: bytes, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    told = {name.decode(): value for name, value in fields.items()}
    body = told.get("post", b"")
    return {
        "id": one.decode(),
        "entry": told.get("entry", b"").decode(),
        "reason": told.get("reason", b"").decode("utf-8", "replace"),
        "text": body[: 4 * _SHOWN_TEXT].decode("utf-8", "replace")[:_SHOWN_TEXT],
        "bytes": len(body),
        "deliveries": int(told.get("deliveries", b"0")),
        "consumer": told.get("consumer", b"").decode("utf-8", "replace"),
        "at_ms": _ms(one),
        "whole": told.get("cut") != b"1",
    }


def _ms(one: bytes) -> int:
    return int(one.partition(b"-")[0])


def _several(count: int) -> int:
    if not 1 <= count <= _LOOKED_AT:
        raise BadRequest(f"{count} are no number to show: ask for 1 to {_LOOKED_AT:,}.")
    return count


def _checked(ids: Sequence[str]) -> list[str]:
    if not ids or len(ids) > _LOOKED_AT or not all(_ID.fullmatch(one) for one in ids):
        raise BadRequest(f"Name 1 to {_LOOKED_AT:,} dead letters by their ids, as in 1732190000000-0.")
    return list(ids)
