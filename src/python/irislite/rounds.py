"""One thread that looks, now and then, at what nobody would tell: it calls functions while a production runs."""

import threading
from collections.abc import Callable

PERIOD_S = 1.0


class Rounds:
    """Calls each of its functions once in a period. There is a thread only while there are functions."""

    def __init__(self) -> None:
        self._looks: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def make(self, looks: list[Callable[[], None]]) -> None:
        """Call these from now on. Not for one of these functions itself."""
        if not looks:
            self.stop()
            return
        self._looks = looks
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="irislite-rounds", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Call nothing any more; the call at hand is waited for."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._thread, self._looks = None, []

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_S):
            for look in self._looks:
                look()
