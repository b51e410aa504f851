"""What slows guessing down: whoever is wrong again and again has to wait, and so has a name that many guess at."""

import threading
import time

FREE_FAILURES = 5  # wrong passwords in a row before a client has to wait
LONGEST_WAIT_S = 30.0
FREE_FAILURES_OF_NAME = 20  # the same for a user name, whoever tries
LONGEST_WAIT_OF_NAME_S = 300.0
FORGET_AFTER_S = 900.0
MOST_REMEMBERED = 1_000  # clients, and names


class _Failures:
    """Failures in a row, by key: the wait doubles with each after the free ones."""

    def __init__(self, free: int, longest_wait_s: float) -> None:
        self._free = free
        self._longest_wait_s = longest_wait_s
        self._known: dict[str, tuple[int, float]] = {}  # key -> failures in a row, time of the last one

    def add(self, key: str) -> None:
        count, last = self._known.pop(key, (0, 0.0))
        if time.monotonic() - last > FORGET_AFTER_S:
            count = 0
        while len(self._known) >= MOST_REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = (count + 1, time.monotonic())

    def forget(self, key: str) -> None:
        self._known.pop(key, None)

    def wait_s(self, key: str) -> float:
        count, last = self._known.get(key, (0, 0.0))
        passed_s = time.monotonic() - last
        if count < self._free or passed_s > FORGET_AFTER_S:
            return 0.0
        return max(0.0, min(2.0 ** min(count - self._free, 10), self._longest_wait_s) - passed_s)


class Lockout:
    """Who has to wait before the next try.

    A client waits whichever names it tried. A name is closed for a while to those who never signed in
    with it: its owner, who did so from the same address before, is not locked out by strangers.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients = _Failures(FREE_FAILURES, LONGEST_WAIT_S)
        self._names = _Failures(FREE_FAILURES_OF_NAME, LONGEST_WAIT_OF_NAME_S)
        self._at_home: dict[tuple[str, str], None] = {}  # (name, client) that fitted once, the oldest first

    def wait_s(self, client: str, name: str = "") -> float:
        """How many seconds this client has to wait before it may try this name; 0 for no wait."""
        name = name.casefold()
        with self._lock:
            of_name = 0.0 if (name, client) in self._at_home else self._names.wait_s(name)
            return max(self._clients.wait_s(client), of_name)

    def failed(self, client: str, name: str) -> None:
        """A wrong password."""
        with self._lock:
            self._clients.add(client)
            self._names.add(name.casefold())

    def succeeded(self, client: str, name: str) -> None:
        """The right one."""
        with self._lock:
            self._clients.forget(client)
            self._names.forget(name.casefold())
            self._at_home.pop((name.casefold(), client), None)
            while len(self._at_home) >= MOST_REMEMBERED:
                del self._at_home[next(iter(self._at_home))]
            self._at_home[(name.casefold(), client)] = None
