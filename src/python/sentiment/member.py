"""A member of the group: a gatherer, and the upkeep that goes on beside it."""

from collections.abc import Callable, Mapping

from sentiment.errors import RedisUnreachable
from sentiment.gathering import Gatherer
from sentiment.link import Link
from sentiment.options import Options
from sentiment.upkeep import Upkeep


class Member(Gatherer):
    """Gives batches from its making until `close`. `numbers` is what else is to be told of it; both run in threads."""

    def __init__(
        self,
        options: Options,
        link: Link,
        log: Callable[[str], None],
        numbers: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        super().__init__(options, link, log)
        self._upkeep = Upkeep(self, options, link, log, numbers)
        self._upkeep.start()

    def close(self) -> None:
        """Stop, and leave the group. What is not delivered is claimed by others, or by this name's next life."""
        self._upkeep.stop()
        try:
            self.inbox.leave()
        except RedisUnreachable as error:  # others forget us later
            self._log(str(error))
