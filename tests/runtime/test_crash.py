"""kill -9 at random moments while messages flow: nothing accepted is lost, order is kept, processes end."""

from pathlib import Path

from runtime import crashing

KILLS = 10


def test_nothing_accepted_is_lost_and_order_is_kept(tmp_path: Path) -> None:
    verdict = crashing.run(tmp_path, KILLS, timers=True)
    assert verdict.problems == []
    assert verdict.accepted > KILLS, "the kills came too early: messages must be flowing"
    assert verdict.processes and verdict.timers
