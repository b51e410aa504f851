"""How far a job is: told in lines of a log, and asked whether it is to go on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

_EVERY_S = 10.0


@dataclass
class Watch:
    """What a stage tells while it works. `check` raises `Cancelled` when the job is to stop."""

    log: Callable[[str], None]
    check: Callable[[], None] = lambda: None
    keep: Callable[[str, int, int], None] = lambda stage, done, total: None
    """Hears every change: the stage, what is done of it and of how much."""
    _spoke_s: float = field(default=0.0, init=False)
    _began: tuple[str, float, int] = field(default=("", 0.0, 0), init=False)

    def tell(self, stage: str, done: int, total: int, unit: str) -> None:
        """`done` of `total` units are finished; a line is logged every ten seconds."""
        self.check()
        now = time.monotonic()
        if self._began[0] != stage:
            self._began, self._spoke_s = (stage, now, done), now
        self.keep(stage, done, total)
        if now - self._spoke_s < _EVERY_S:
            return
        self._spoke_s = now
        _, began_s, before = self._began
        rate = (done - before) / max(now - began_s, 1e-9)
        left = f", {rate:,.1f}/s, {duration((total - done) / rate)} left" if rate > 0 else ""
        self.log(f"{stage}: {done:,} of {total:,} {unit}{left}")


def duration(seconds: float) -> str:
    """`seconds` for people: 8 s, 2 min 05 s, 1 h 02 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
