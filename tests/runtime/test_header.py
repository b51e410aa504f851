"""The state machine of a message."""

from irislite.header import MOVES, Status, sources_of, state_diagram


def test_every_status_has_its_moves_and_the_last_ones_have_none() -> None:
    assert set(MOVES) == set(Status)
    assert {status for status, allowed in MOVES.items() if not allowed} == {
        Status.DISCARDED, Status.ABORTED, Status.ERROR, Status.COMPLETED,
    }  # fmt: skip


def test_a_message_that_is_worked_on_is_stored_as_queued() -> None:
    assert Status.QUEUED in sources_of(Status.COMPLETED)
    assert Status.COMPLETED not in sources_of(Status.QUEUED)


def test_the_picture_shows_every_move() -> None:
    diagram = state_diagram()
    assert sum(len(allowed) for allowed in MOVES.values()) == sum(
        "-->" in line and "[*]" not in line for line in diagram.splitlines()
    )
    assert "Queued --> Delivered" in diagram


def test_an_error_ends_a_message_from_the_same_statuses_as_an_answer() -> None:
    # The store's trigger checks both endings against the one set.
    assert sources_of(Status.ERROR) == sources_of(Status.COMPLETED)
