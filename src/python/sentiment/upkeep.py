"""What a member does beside its work: it shows that it lives, keeps what it holds, fills and trims the streams."""

import threading
import time
from collections.abc import Callable, Mapping

from sentiment.errors import RedisUnreachable
from sentiment.feeding import Feeder
from sentiment.file import FileSource
from sentiment.gathering import Gatherer
from sentiment.link import Link
from sentiment.names import Names
from sentiment.options import Options
from sentiment.trimming import trim

BEAT_S = 5.0
ALIVE_S = 30
"""After so long without a beat a member counts as gone."""


class Upkeep:
    """The threads beside one gatherer, from `start` to `stop`."""

    def __init__(
        self,
        gatherer: Gatherer,
        options: Options,
        link: Link,
        log: Callable[[str], None],
        numbers: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self._gatherer = gatherer
        self._options = options
        self._link = link
        self._log = log
        self._numbers = numbers
        self._names = Names(options.prefix)
        self._stop = threading.Event()
        self._beat_s = min(BEAT_S, options.claim_idle_s / 4)
        self._threads = [threading.Thread(target=self._beats, name="sentiment-upkeep", daemon=True)]
        self.feeder: Feeder | None = None
        if options.source == "file":
            self.feeder = Feeder(FileSource(options.file, options.rate, options.repeat), link, options, log)
            run, wait = self.feeder.run, self._stop.wait
            self._threads.append(threading.Thread(target=run, args=(wait,), name="sentiment-feeder", daemon=True))
        elif options.source == "http":
            from sentiment.receiving import Door

            door = Door(options, link, log)
            self._threads.append(
                threading.Thread(target=door.run, args=(self._stop.wait,), name="sentiment-door", daemon=True)
            )

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def beat(self) -> None:
        """One round. Raises `RedisUnreachable`."""
        inbox = self._gatherer.inbox
        inbox.join()
        inbox.renew(self._gatherer.held())
        key = self._names.worker(inbox.consumer)
        numbers = {**self._gatherer.counts, **self._numbers(), "at_ms": time.time_ns() // 1_000_000}
        with self._link.reached() as redis, redis.pipeline(transaction=False) as pipe:
            pipe.hset(key, mapping=numbers)
            pipe.expire(key, ALIVE_S)
            pipe.execute()
        trim(self._link, self._names.posts, 0, self._options.group)
        trim(self._link, self._names.results, self._options.keep_results)
        trim(self._link, self._names.dead, self._options.keep_dead)
        inbox.recount()
        inbox.forget_the_gone()

    def _beats(self) -> None:
        said = ""
        while True:
            try:
                self.beat()
                said = ""
            except RedisUnreachable as error:
                if str(error) != said:
                    said = str(error)
                    self._log(said)
            if self._stop.wait(self._beat_s):
                return
