"""How many messages an item handled lately: counted as they end, in steps of time; nothing has to be searched."""

STEP_S = 5
STEPS = 36  # three minutes


class Throughput:
    """The counts of the last `STEPS` steps of `STEP_S` seconds. Threads may count at the same time."""

    __slots__ = ("_counts", "_step")

    def __init__(self) -> None:
        self._counts = [0] * STEPS
        self._step = 0

    def count(self, time_s: float) -> None:
        """Count a message at a time, in seconds since the epoch."""
        self._go_to(int(time_s // STEP_S))
        self._counts[self._step % STEPS] += 1

    def recent(self, time_s: float) -> tuple[int, ...]:
        """The counts until a time, the oldest step first; the last one is not over yet."""
        self._go_to(int(time_s // STEP_S))
        first = self._step % STEPS + 1
        return (*self._counts[first:], *self._counts[:first])

    def _go_to(self, step: int) -> None:
        """Forget what is older than `STEPS` steps. A clock that was set back counts in the step that was."""
        if step <= self._step:
            return
        for old in range(max(self._step, step - STEPS) + 1, step + 1):
            self._counts[old % STEPS] = 0
        self._step = step
