"""The connection to Redis: with time limits, errors that say what to do, and patience."""

import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sentiment.errors import PackageMissing, RedisUnreachable, Stopped
from sentiment.options import Options

T = TypeVar("T")
_CONNECT_S = 5.0
_ANSWER_S = 5.0  # longer than any wait inside Redis: a network that is cut silently is noticed by it
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0


class Link:
    """A Redis. Threads may share it: each command has a connection of its own meanwhile."""

    def __init__(self, client: Any, shown: str) -> None:
        self._client = client
        self.shown = shown
        """The address, without secrets."""

    @contextmanager
    def reached(self) -> Iterator[Any]:
        """The client of the redis package; what it raises inside becomes `RedisUnreachable`."""
        import redis

        try:
            yield self._client
        except redis.AuthenticationError as error:
            raise RedisUnreachable(
                f"Redis at {self.shown} does not let us in ({error}): check REDIS_USERNAME and REDIS_PASSWORD."
            ) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise RedisUnreachable(
                f"Redis at {self.shown} gives no answer ({error}): start it, or correct redis_url."
            ) from error
        except redis.OutOfMemoryError as error:
            raise RedisUnreachable(
                f"Redis at {self.shown} is full ({error}): give it more memory, or let the readers catch up."
            ) from error
        except redis.RedisError as error:
            raise RedisUnreachable(
                f"Redis at {self.shown} refuses ({error}): see its log; it must be version 7 or newer."
            ) from error

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def connect(options: Options, username: str = "", password: str = "") -> Link:
    """The Redis of `redis_url`; nothing is sent yet. Name and password: given, or those of the environment.

    Raises `PackageMissing`.
    """
    if importlib.util.find_spec("redis") is None:
        raise PackageMissing("The stream needs the package redis: pip install 'evergreen[stream]'.")
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    client = redis.Redis.from_url(
        options.redis_url,
        username=username or os.environ.get("REDIS_USERNAME") or None,
        password=password or os.environ.get("REDIS_PASSWORD") or None,
        socket_connect_timeout=_CONNECT_S,
        socket_timeout=_ANSWER_S,
        socket_keepalive=True,
        protocol=2,
        retry=Retry(NoBackoff(), 0),  # a command that may have been done is not repeated blindly; see `patiently`
    )
    address = urlsplit(options.redis_url)
    return Link(client, f"{address.hostname or address.path}:{address.port or 6379}")


def patiently(
    action: Callable[[], T],
    wait: Callable[[float], bool],
    log: Callable[[str], None],
    errors: tuple[type[Exception], ...] = (RedisUnreachable,),
) -> T:
    """What `action` returns, tried again with growing pauses while it raises one of `errors`.

    `wait` sleeps so many seconds and returns True to stop, as `threading.Event.wait` does. Raises `Stopped` then. The
    pauses are random in their upper half: workers that lost the same Redis do not come back all at once.
    """
    pause_s, said = _FIRST_PAUSE_S, ""
    while True:
        try:
            found = action()
        except errors as error:
            if str(error) != said:
                said = str(error)
                log(said)
            if wait(pause_s * random.uniform(0.5, 1.0)):  # noqa: S311
                raise Stopped(f"Stopped while waiting: {error}") from error
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        else:
            if said:
                log("It goes on.")
            return found
