"""Streams grow by what is new and shrink by what is read: nothing that a group has not read is ever dropped."""

from typing import Any

from sentiment.link import Link

_MOST_AT_ONCE = 20_000

# From the beginning, a hundred at a time, while the stream has more than it should keep, below the floor.
_TRIM = """
local trimmed = 0
while trimmed < tonumber(ARGV[3]) do
  local over = redis.call('XLEN', KEYS[1]) - ARGV[1]
  if over <= 0 then break end
  local first = redis.call('XRANGE', KEYS[1], '-', ARGV[2], 'COUNT', math.min(over, 100))
  if #first == 0 then break end
  trimmed = trimmed + redis.call('XTRIM', KEYS[1], 'MAXLEN', '=', redis.call('XLEN', KEYS[1]) - #first)
end
return trimmed
"""


def trim(link: Link, key: str, keep: int, group: str = "") -> int:
    """Drop the oldest entries beyond `keep` that every group has read and acknowledged; how many.

    Where `group` is named and not there, nothing was read. Raises `RedisUnreachable`.
    """
    with link.reached() as redis:
        if not redis.exists(key):
            return 0
        groups = redis.xinfo_groups(key)
        if group and group not in {one["name"].decode() for one in groups}:
            return 0
        floor = min((_needed(redis, key, one) for one in groups), key=_order, default=None)
        if floor and not keep:
            return int(redis.xtrim(key, minid=floor, approximate=False))
        return int(redis.eval(_TRIM, 1, key, keep, f"({floor}" if floor else "+", _MOST_AT_ONCE))


def _needed(redis: Any, key: str, group: dict[str, Any]) -> str:
    """The first id that a group still needs. Later ones may be done: only what lies before the first is safe."""
    if group["pending"]:
        oldest = redis.xpending(key, group["name"])["min"]
        if oldest is not None:
            return str(oldest.decode())
    milliseconds, number = _order(group["last-delivered-id"].decode())
    return f"{milliseconds}-{number + 1}"


def _order(one: str) -> tuple[int, int]:
    milliseconds, _, number = one.partition("-")
    return int(milliseconds), int(number or 0)
