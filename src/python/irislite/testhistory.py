"""The tests that a user sent from the test page: kept with the engine, to be looked up and repeated."""

import json
import threading
from dataclasses import asdict, dataclass

from irislite.masking import masked
from irislite.productions import Productions
from irislite.store import now

MOST = 50  # tests of one user
LONGEST_BODY = 20_000  # characters; a longer body is not kept, its message has it


@dataclass(frozen=True, slots=True)
class Test:
    """A test that was sent. `body` is its text with secrets masked, None if it was too long to be kept."""

    __test__ = False  # pytest would take it for a test class

    target: str
    classname: str
    body: str | None
    session_id: int
    message_id: int
    time: str  # ISO 8601, UTC


class TestHistory:
    """The tests of each user, the newest first; the same request again takes the place of the earlier one."""

    __test__ = False

    def __init__(self, productions: Productions) -> None:
        self._productions = productions
        self._lock = threading.Lock()

    def of(self, user: str) -> list[Test]:
        """A user's tests."""
        kept = self._productions.kept(_key(user))
        return [Test(**entry) for entry in json.loads(kept)] if kept else []

    def add(self, user: str, target: str, classname: str, body: str, session_id: int, message_id: int) -> Test:
        """Keep a test that was sent."""
        text = masked(body) if len(body) <= LONGEST_BODY else None
        test = Test(target, classname, text, session_id, message_id, now())
        with self._lock:
            others = [other for other in self.of(user) if not (text is not None and _same(other, test))]
            self._keep(user, [test, *others][:MOST])
        return test

    def forget(self, user: str) -> int:
        """Forget a user's tests; the messages stay. Returns how many that were."""
        with self._lock:
            count = len(self.of(user))
            self._keep(user, [])
        return count

    def _keep(self, user: str, tests: list[Test]) -> None:
        self._productions.keep(_key(user), json.dumps([asdict(test) for test in tests]))


def _same(one: Test, other: Test) -> bool:
    return (one.target, one.classname, one.body) == (other.target, other.classname, other.body)


def _key(user: str) -> str:
    return f"tests {user}"
